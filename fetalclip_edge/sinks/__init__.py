"""Sinks: places results go to, behind one small interface."""
