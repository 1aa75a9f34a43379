"""A manifest cannot hold a file that did not hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from fetalclip_edge.bundle.acceptance import Acceptance, AcceptanceFigure
from fetalclip_edge.bundle.load import load_bundle
from fetalclip_edge.bundle.manifest import Backend, Precision
from fetalclip_edge.bundle.write import file_entry, write_bundle
from tests.bundle.builder import FAKE_MODEL, MODEL_PATH, tiny_files, tiny_manifest


def acceptance(upper_95: float) -> Acceptance:
    figure = AcceptanceFigure(
        name="hc_change_mean_mm", value=0.1, upper_95=upper_95, limit=0.3, data="HC18", n=125
    )
    return Acceptance(
        ran_on="ONNX Runtime on a CPU",
        split="test",
        calibration_set_sha256="0" * 64,
        ranges="min-max",
        float_layers=(),
        figures=(figure,),
        command="fetalclip-edge calibrate",
    )


def test_figures_within_their_limits_come_back_from_disk(tmp_path: Path) -> None:
    files = tiny_files()
    fp32 = file_entry(MODEL_PATH, Backend.ONNXRUNTIME, Precision.FP32, 18, FAKE_MODEL)
    int8 = file_entry("model.int8.onnx", Backend.ONNXRUNTIME, Precision.INT8, 18, b"int8")
    int8 = int8.model_copy(update={"acceptance": acceptance(0.3)})
    manifest = tiny_manifest(files, fp32).model_copy(update={"files": (fp32, int8)})
    write_bundle(tmp_path / "b", manifest, {**files, "model.int8.onnx": b"int8"})
    loaded = load_bundle(tmp_path / "b").manifest
    assert loaded.files[1].acceptance == acceptance(0.3)
    assert loaded.files[0].acceptance is None


@pytest.mark.parametrize("upper_95", [0.3001, float("nan"), float("inf")])
def test_a_figure_beyond_its_limit_is_refused(upper_95: float) -> None:
    with pytest.raises(ValidationError):
        acceptance(upper_95)
