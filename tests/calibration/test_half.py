"""The fp16 file is judged by what fp16 makes of it, not by what ONNX Runtime shows on a CPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from calibration.calibrating import confirm
from calibration.frames import CalibrationSet
from calibration.graph import typed, watched_session
from calibration.half import rounded
from export.half import to_half
from fetalclip_edge.bundle.load import Bundle, load_bundle
from fetalclip_edge.bundle.manifest import Backend, Precision, Tolerance
from fetalclip_edge.bundle.write import file_entry, write_bundle
from fetalclip_edge.errors import CheckFailedError
from fetalclip_edge.geometry import Roi
from fetalclip_edge.preprocess import Letterbox
from tests.bundle.builder import SIZE_PX
from tests.calibration.small import conv_onnx, head, small_bundle, write_table

HALF_PATH = "model.fp16.onnx"


def squares_of_heads(count: int) -> NDArray[np.uint8]:
    frames = [head(seed)[0] for seed in range(count)]
    return np.stack([Letterbox(Roi.full((96, 128)), SIZE_PX).forward(f) for f in frames])[:, None]


def chain(count: int, *nodes: onnx.NodeProto, constant: float | None = None) -> onnx.ModelProto:
    """float32 x (count,) -> fp16 `half` -> ... -> float32 y (count,)."""
    held = [] if constant is None else [
        numpy_helper.from_array(np.array(constant, np.float16), "c")
    ]  # fmt: skip
    last = nodes[-1].output[0] if nodes else "half"
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["half"], "to_half", to=TensorProto.FLOAT16),
            *nodes,
            helper.make_node("Cast", [last], ["y"], "to_float", to=TensorProto.FLOAT),
        ],
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [count])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [count])],
        held,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_a_result_is_rounded_as_numpy_rounds_it_to_fp16() -> None:
    generator = np.random.default_rng(0)
    signs = generator.choice([-1.0, 1.0], 20_000)
    values = (signs * np.exp(generator.uniform(-9.6, 11.5, 20_000))).astype(np.float32)
    edges = [0.0, 65_504, 65_519, 65_536, 1e6, 1 + 2**-11, 1 + 3 * 2**-11]
    values = np.concatenate([values, np.array(edges, np.float32)])
    (found,) = watched_session(rounded(chain(len(values)))).run(None, {"x": values})
    with np.errstate(over="ignore"):
        wanted = values.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(found, wanted)


def test_an_overflow_that_onnx_runtime_hides_on_a_cpu_is_seen() -> None:
    square = helper.make_node("Mul", ["half", "half"], ["large"], "square")
    small = helper.make_node("Mul", ["large", "c"], ["small"], "shrink")
    model, x = chain(1, square, small, constant=1e-3), np.array([300.0], np.float32)
    assert np.isfinite(watched_session(model).run(None, {"x": x})[0]).all()
    with np.errstate(over="ignore"):
        wanted, *_ = ReferenceEvaluator(model).run(None, {"x": x})
    assert np.isinf(np.asarray(wanted)).all()
    assert np.isinf(watched_session(rounded(model)).run(None, {"x": x})[0]).all()


def test_a_file_of_which_onnx_runtime_hides_an_overflow_is_not_confirmed(tmp_path: Path) -> None:
    graph = onnx.load_model_from_string(to_half(conv_onnx(), squares_of_heads(2)).model)
    (gain,) = [item for item in graph.graph.initializer if item.name == "w3"]
    huge = numpy_helper.to_array(gain) * np.float16(60_000)  # a logit beyond what fp16 holds
    gain.CopyFrom(numpy_helper.from_array(huge.astype(np.float16), gain.name))
    path = tmp_path / "model.onnx"
    path.write_bytes(graph.SerializeToString())
    squares = squares_of_heads(2)
    chosen = CalibrationSet(squares, ("",) * len(squares), (), ())
    with np.errstate(all="ignore"), pytest.raises(CheckFailedError, match="reference evaluator"):
        confirm(path, chosen)


def test_a_whole_graph_comes_to_what_the_reference_evaluator_says() -> None:
    squares = squares_of_heads(3)
    model = typed(to_half(conv_onnx(), squares).model)
    evaluator, plain = ReferenceEvaluator(model), rounded(model)
    for square in squares:
        wanted = evaluator.run(None, {"frame": square[None]})
        found = watched_session(plain).run(None, {"frame": square[None]})
        for name, a, b in zip(evaluator.output_names, wanted, found, strict=True):
            # the evaluator's sums are in fp16, one unit in its last place apart
            np.testing.assert_allclose(b, a, rtol=2e-3, atol=2e-2, err_msg=name)


def with_half(bundle: Bundle, model: bytes) -> Bundle:
    """Returns the bundle with an fp16 file made of `model`."""
    half = to_half(model, squares_of_heads(2)).model
    entry = file_entry(HALF_PATH, Backend.TENSORRT, Precision.FP16, 18, half)
    old = bundle.manifest
    tolerance = Tolerance(
        backend=Backend.TENSORRT,
        precision=Precision.FP16,
        embedding_cosine_min=0.999,
        probability_abs_max=0.02,
        mask_dsc_min=0.996,
        hc_mm_abs_max=0.3,
    )
    golden = old.golden.model_copy(update={"tolerances": (*old.golden.tolerances, tolerance)})
    manifest = old.model_copy(update={"files": (*old.files, entry), "golden": golden})
    files: dict[str, bytes | Path] = {
        path: half if path == HALF_PATH else bundle.folder / path for path in manifest.digests()
    }
    return write_bundle(bundle.folder, manifest, files)


def with_bias(model: bytes, change: float) -> bytes:
    """Returns the small model with the mask's logits shifted: a head of another size."""
    graph = onnx.load_model_from_string(model)
    (bias,) = [item for item in graph.graph.initializer if item.name == "b3"]
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(change), "b3"))
    return bytes(graph.SerializeToString())


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("labelled"))


@pytest.mark.parametrize(("change", "holds"), [(0.0, True), (4.0, False)])
def test_an_fp16_file_gets_its_figures_only_where_it_holds(
    tmp_path: Path, table: Path, change: float, holds: bool
) -> None:
    with_half(small_bundle(tmp_path / "in"), with_bias(conv_onnx(), change))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "fetalclip_edge", "calibrate", "--model", tmp_path / "in"),
            *("--frames", table, "--data", table, "--target", "int8-ort"),
            *("--output", tmp_path / "out", "--report", tmp_path / "report"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert ("fp16 holds" if holds else "fp16 is only run where it is named") in done.stdout
    bundle = load_bundle(tmp_path / "out")
    assert bundle.manifest.tolerance(Backend.TENSORRT, Precision.FP16) is not None
    acceptance = bundle.entry(Backend.TENSORRT, Precision.FP16).acceptance
    assert (acceptance is not None) is holds
    if acceptance is not None:
        assert {figure.n for figure in acceptance.figures} == {100}
        assert "not run on TensorRT" in acceptance.ran_on
        assert acceptance.ranges is None
    assert "<h2" in (tmp_path / "report" / "calibration.html").read_text()
    assert "fp16" in (tmp_path / "report" / "calibration.html").read_text()
