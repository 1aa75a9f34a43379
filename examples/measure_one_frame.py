"""Measure a head whose outline is known: logits of an ellipse in, millimetres out."""

import numpy as np

from fetalclip_edge.biometry import find_shape, measure
from fetalclip_edge.geometry import Roi
from fetalclip_edge.preprocess import Letterbox

letterbox = Letterbox(Roi(0, 0, 800, 540), size_px=256)
v, u = np.mgrid[0:256, 0:256]
logits = (1.0 - np.hypot((u - 128) / 64, (v - 128) / 48)).astype(np.float32)
shape = find_shape(logits, letterbox)
if shape.ellipse is not None:
    print(f"HC {measure('HC', shape.ellipse, (0.15, 0.15)):.1f} mm")
