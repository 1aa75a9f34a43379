"""A small bundle with convolutions and frames that it gets right, so that a test takes seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import ArrayLike, NDArray

from calibration.graph import watched_session
from fetalclip_edge.bundle.load import Bundle, default_bundle_path
from fetalclip_edge.geometry import Roi
from fetalclip_edge.labelled_frames import LabelledFrame, labelled_frames_csv
from fetalclip_edge.phantom import Phantom
from fetalclip_edge.preprocess import Letterbox
from fetalclip_edge.runners.onnxruntime import OnnxRuntimeRunner
from fetalclip_edge.session import Session
from tests.bundle.builder import CLASSES, DIM, MODEL_PATH, SIZE_PX, tiny_bundle, with_reference

SHIPPED_FP32 = (default_bundle_path() / "model.fp32.onnx").read_bytes()
CHANNELS = 8
SPACING_MM = 1.0
SIDE, WIDTH = 16, 4
"""Of `chain_onnx`: pixels and channels."""


def conv_onnx(*, bright_corner: bool = False) -> bytes:
    """uint8 (1, 1, 64, 64) -> embedding, plane, mask, by convolutions that pass brightness on.

    A bright corner is a constant far beyond what frames hold: it wastes the range of INT8.
    """
    helper, kinds = onnx.helper, onnx.TensorProto
    generator = np.random.default_rng(0)

    def constant(name: str, values: Any) -> Any:
        return onnx.numpy_helper.from_array(np.asarray(values, np.float32), name)

    def tensor(name: str, kind: int, shape: list[int]) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    blur = np.full((3, 3), 1 / 9)
    gains = np.linspace(0.5, 1.5, CHANNELS)
    corner = np.zeros((1, 1, SIZE_PX, SIZE_PX))
    corner[..., 0, 0] = 3000.0 if bright_corner else 0.0
    first = gains[:, None, None, None] * blur
    mix = np.diag(1 / gains)[:, :, None, None]
    last = np.full((1, CHANNELS, 1, 1), 2.0 / CHANNELS)
    nodes = [
        helper.make_node("Cast", ["frame"], ["x"], "cast", to=kinds.FLOAT),
        helper.make_node("Sub", ["x", "middle"], ["centred"], "sub"),
        helper.make_node("Div", ["centred", "step"], ["usual"], "div"),
        helper.make_node("Add", ["usual", "corner"], ["scaled"], "add_corner"),
        helper.make_node("Conv", ["scaled", "w1", "b1"], ["c1"], "conv1", pads=[1, 1, 1, 1],
                         kernel_shape=[3, 3]),
        helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], "conv2", kernel_shape=[1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"], "relu2"),
        helper.make_node("Conv", ["r2", "w3", "b3"], ["mask"], "conv3", kernel_shape=[1, 1]),
        helper.make_node("ReduceMean", ["r2", "axes"], ["mean"], "mean", keepdims=0),
        helper.make_node("Gemm", ["mean", "we", "be"], ["raw"], "embed"),
        helper.make_node("ReduceL2", ["raw", "last"], ["norm"], "norm", keepdims=1),
        helper.make_node("Div", ["raw", "norm"], ["embedding"], "normalize"),
        helper.make_node("Gemm", ["raw", "wp", "bp"], ["plane"], "plane_head"),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "small",
        [tensor("frame", kinds.UINT8, [1, 1, SIZE_PX, SIZE_PX])],
        [
            tensor("embedding", kinds.FLOAT, [1, DIM]),
            tensor("plane", kinds.FLOAT, [1, len(CLASSES)]),
            tensor("mask", kinds.FLOAT, [1, 1, SIZE_PX, SIZE_PX]),
        ],
        [
            constant("middle", 128),
            constant("step", 16),
            constant("corner", corner),
            constant("w1", first),
            constant("b1", 8.0 * gains),
            constant("w2", mix),
            constant("b2", np.zeros(CHANNELS)),
            constant("w3", last),
            constant("b3", [-16.0]),
            constant("we", generator.normal(size=(CHANNELS, DIM)) / CHANNELS),
            constant("be", np.arange(1, DIM + 1)),
            constant("wp", np.zeros((DIM, len(CLASSES)))),
            constant("bp", [6, 0, 0, 0, 0, 0]),
            onnx.numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
            onnx.numpy_helper.from_array(np.array([-1], np.int64), "last"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def chain_onnx(*, offset: float = 127.5, groups: int = 1, last: str = "Conv") -> onnx.ModelProto:
    """frame -> Cast -> Sub -> Div -> Conv -> Relu -> Conv or another node -> mask."""
    generator = np.random.default_rng(0)
    kernels = {
        # channels a thousand times as wide as each other
        "w1": generator.normal(size=(WIDTH, 1, 3, 3))
        * np.logspace(0, 3, WIDTH).reshape(-1, 1, 1, 1),
        "b1": generator.normal(size=WIDTH),
        "w2": generator.normal(size=(WIDTH, WIDTH // groups, 3, 3)),
        "b2": generator.normal(size=WIDTH),
        "offset": np.array(offset),
        "divisor": np.array(64.0),
    }
    padded: dict[str, Any] = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
    reads = {
        "Conv": onnx.helper.make_node(
            "Conv", ["r", "w2", "b2"], ["mask"], "second", group=groups, **padded
        ),
        "Add": onnx.helper.make_node("Add", ["r", "r"], ["mask"], "second"),
    }
    nodes = [
        onnx.helper.make_node("Cast", ["frame"], ["f"], "cast", to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Sub", ["f", "offset"], ["centred"], "sub"),
        onnx.helper.make_node("Div", ["centred", "divisor"], ["x"], "div"),
        onnx.helper.make_node("Conv", ["x", "w1", "b1"], ["c"], "first", **padded),
        onnx.helper.make_node("Relu", ["c"], ["r"], "relu"),
        reads[last],
    ]
    held = {name: np.asarray(values, np.float32) for name, values in kernels.items()}
    return network(nodes, held, output="mask")


def network(
    nodes: Sequence[onnx.NodeProto],
    held: Mapping[str, ArrayLike],
    *,
    output: str,
    size_chw: tuple[int, int, int] = (1, SIDE, SIDE),
) -> onnx.ModelProto:
    """Returns a model of these nodes and constants, from uint8 `frame` to a float output."""
    kinds = onnx.TensorProto
    graph = onnx.helper.make_graph(
        nodes,
        "small",
        [onnx.helper.make_tensor_value_info("frame", kinds.UINT8, [1, *size_chw])],
        [onnx.helper.make_tensor_value_info(output, kinds.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()],
    )
    opsets = [onnx.helper.make_opsetid("", 18)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)


def run(
    model: onnx.ModelProto, square: NDArray[np.uint8], *, optimize: bool = False
) -> list[NDArray[np.float32]]:
    """Returns the outputs for a frame (C, H, W), by the graph as written or as it is fused."""
    if optimize:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
    else:
        session = watched_session(model)
    return [np.asarray(values) for values in session.run(None, {"frame": square[None]})]


def noise(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, 1, SIDE, SIDE), np.uint8)


def phantom_squares(count: int) -> NDArray[np.uint8]:
    """Returns phantom heads uint8 (count, 1, 256, 256) as the shipped network takes them."""
    frames = [Phantom(seed, (270, 400)).draw(0.0).pixels for seed in range(count)]
    shown = [Letterbox(Roi.full((270, 400)), 256).forward(frame) for frame in frames]
    return np.stack(shown)[:, None]


def small_bundle(folder: Path, model: bytes | None = None) -> Bundle:
    """Writes the bundle, with what its model says of the golden frame as the reference."""
    bundle = tiny_bundle(folder, conv_onnx() if model is None else model)
    with OnnxRuntimeRunner(bundle.folder / MODEL_PATH, precision="fp32") as runner:
        return with_reference(bundle, Session(bundle, runner, gate=False))


def head(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Returns a frame (96, 128) with one bright ellipse on texture, and its drawn outline."""
    generator = np.random.default_rng(seed)
    texture = generator.normal(40, 60, (6, 8)).astype(np.float32)
    image = np.clip(cv2.resize(texture, (128, 96), interpolation=cv2.INTER_CUBIC), 5, 90)
    image = np.clip(image + generator.normal(0, 4, (96, 128)), 1, 100).astype(np.uint8)
    axes = (int(generator.integers(24, 44)), int(generator.integers(16, 24)))
    center = (int(generator.integers(50, 78)), int(generator.integers(40, 56)))
    angle = float(generator.uniform(-40, 40))
    bright = int(generator.integers(190, 250))
    cv2.ellipse(image, center, axes, angle, 0, 360, (bright,), -1, cv2.LINE_AA)
    outline = np.zeros((96, 128), np.uint8)
    cv2.ellipse(outline, center, axes, angle, 0, 360, (255,), 1)
    return cv2.GaussianBlur(image, (5, 5), 0).astype(np.uint8), outline


def write_frames(folder: Path, count: int, first: int = 0) -> Path:
    """Writes `count` different frames as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        cv2.imwrite(str(folder / f"{seed:04d}.png"), head(seed)[0])
    return folder


def write_table(folder: Path, *, heads: int = 100, planes: int = 100) -> Path:
    """Writes labelled frames of every split, and their table."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    seed = 10_000
    for split, n_heads, n_planes in (
        ("train", 40, 0),
        ("validation", heads, planes),
        ("test", heads, planes),
    ):
        for index in range(n_heads + n_planes):
            image, outline = head(seed)
            name = f"{split}_{index}"
            cv2.imwrite(str(folder / f"{name}.png"), image)
            has_head = index < n_heads
            if has_head:
                cv2.imwrite(str(folder / f"{name}_Annotation.png"), outline)
            rows.append(
                LabelledFrame(
                    image=Path(f"{name}.png"),
                    data_set="heads" if has_head else "planes",
                    split=split,
                    plane="brain",
                    outline=Path(f"{name}_Annotation.png") if has_head else None,
                    spacing_mm=SPACING_MM if has_head else None,
                )
            )
            seed += 1
    table = folder / "frames.csv"
    table.write_bytes(labelled_frames_csv(rows))
    return table
