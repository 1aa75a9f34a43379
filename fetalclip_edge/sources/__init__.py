"""Sources: places frames come from, behind one small interface."""
