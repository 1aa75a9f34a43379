"""Prompts, and the banks that a teacher's text tower makes of them."""
