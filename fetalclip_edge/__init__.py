"""fetalclip-edge: fetal ultrasound models on the cart, from frame to millimetres."""

__version__ = "0.1.0"
