"""Figures as SVG, each drawn from numbers that were checked when it was made."""
