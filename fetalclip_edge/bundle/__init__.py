"""The bundle: a model with everything a cart must know about it."""
