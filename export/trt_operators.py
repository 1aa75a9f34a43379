"""What the ONNX parsers of TensorRT 10.3 and later take.

From the support matrix of onnx-tensorrt (docs/operators.md) for 10.15, less what its changelog
says was added after 10.3: Attention (10.14), RotaryEmbedding, RMSNormalization and TensorScatter
(10.15), BlackmanWindow, HammingWindow and HannWindow (10.4). 10.0 to 10.3 read opset 9 to 20,
10.15 up to 24. The matrix of 11 could not be read; its release notes name no operator removed.
Control flow, sequences and random numbers are left out, though the parsers take some of them: a
graph of fixed shapes has no use for them. Restrictions that a graph of ours could break are
`lint.py`'s to check.
"""

from __future__ import annotations

MAX_OPSET = 20
"""Newest opset that TensorRT 10.3 reads."""

OPERATORS = frozenset(
    """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization
    Cast CastLike Ceil Celu Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh
    CumSum DepthToSpace DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike
    Flatten Floor Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool
    GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization GRU HardSigmoid HardSwish
    Hardmax Identity InstanceNormalization IsInf IsNaN LayerNormalization LeakyRelu Less
    LessOrEqual Log LogSoftmax LRN LSTM LpNormalization LpPool MatMul Max MaxPool Mean
    MeanVarianceNormalization Min Mish Mod Mul Neg NonZero Not OneHot Or Pad Pow PRelu
    QuantizeLinear Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
    ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence
    RNN RoiAlign Round ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size
    Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh
    ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor
    """.split()  # noqa: SIM905 (a table that can be read)
)

RESIZE_MODES = frozenset({"nearest", "linear"})
RESIZE_COORDINATES = frozenset(
    {"half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "asymmetric", "align_corners"}
)
RESIZE_NEAREST = frozenset({"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"})
