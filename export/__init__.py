"""Student to ONNX with parity. Runs from a checkout with the train extra."""
