"""TensorRT on the cart: engines built from typed ONNX, kept beside the bundle, and run."""
