"""The command line: thin faces of the pipeline."""
