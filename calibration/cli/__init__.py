"""The command lines of this room, looked up by the package's own."""
