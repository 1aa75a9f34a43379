"""INT8 calibration: activation ranges to quantized ONNX, behind an accuracy gate."""
