"""Data sets in their original layouts, and how they are split."""
