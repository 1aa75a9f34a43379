"""A tiny bundle, whole in every part: a 64-pixel model, one golden frame, all its files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import (
    Backend,
    ClassificationHead,
    EmbeddingSpace,
    FileEntry,
    Gate,
    Golden,
    GoldenReference,
    InputSpec,
    Manifest,
    MeasurementSpec,
    Precision,
    Provenance,
    SegmentationHead,
    StructureSpec,
    Tolerance,
)
from fetalclip_edge.bundle.write import file_entry, write_bundle
from fetalclip_edge.runners.base import Outputs, RunnerInfo
from fetalclip_edge.selftest import Processor

SIZE_PX = 64
DIM = 8
CLASSES = ("brain", "abdomen", "femur", "thorax", "cervix", "other")
MODEL_PATH = "model-fp32.onnx"
FRAME_PATH = "golden/head.png"
MASK_PATH = "golden/head-mask.png"
FAKE_MODEL = b"no model, but as good as one where nothing runs it\n" * 20
ORT_FP32 = RunnerInfo("onnxruntime", "CPUExecutionProvider", "fp32", "0")
_RAMP = np.arange(1, DIM + 1, dtype=np.float32)
EMBEDDING = _RAMP / np.linalg.norm(_RAMP)
PLANE_LOGITS = np.array([[6, 0, 0, 0, 0, 0]], np.float32)


def head_image() -> NDArray[np.uint8]:
    """Gray (96, 128) with one bright ellipse."""
    image = np.full((96, 128), 20, np.uint8)
    cv2.ellipse(image, (64, 48), (40, 28), 10, 0, 360, (230,), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (5, 5), 0).astype(np.uint8)


def png(image: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".png", image)
    assert done
    return data.tobytes()


def head_outputs() -> Outputs:
    """What the tiny model says of the golden frame, computed without it."""
    small = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    small[8:56] = cv2.resize(head_image(), (64, 48), interpolation=cv2.INTER_AREA)
    mask = (small.astype(np.float32)[None, None] - 128) / 16
    return {"embedding": EMBEDDING[None].copy(), "plane": PLANE_LOGITS, "mask": mask}


def tiny_onnx(*, dtype: str = "UINT8", ir_version: int = 10, opset: int = 18) -> bytes:
    """uint8 (1, 1, 64, 64) -> embedding (1, 8), plane (1, 6), mask (1, 1, 64, 64)."""
    onnx = pytest.importorskip("onnx", reason="the train extra (onnx) builds the tiny model")
    helper, kinds = onnx.helper, onnx.TensorProto

    def constant(name: str, values: Any) -> Any:
        return onnx.numpy_helper.from_array(np.asarray(values, np.float32), name)

    def tensor(name: str, kind: int, shape: list[int]) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    nodes = [
        helper.make_node("Cast", ["frame"], ["x"], to=kinds.FLOAT),
        helper.make_node("Sub", ["x", "middle"], ["centred"]),
        helper.make_node("Div", ["centred", "step"], ["mask"]),
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "direction"], ["embedding"]),
        helper.make_node("Add", ["zero", "logits"], ["plane"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [tensor("frame", getattr(kinds, dtype), [1, 1, SIZE_PX, SIZE_PX])],
        [
            tensor("embedding", kinds.FLOAT, [1, DIM]),
            tensor("plane", kinds.FLOAT, [1, len(CLASSES)]),
            tensor("mask", kinds.FLOAT, [1, 1, SIZE_PX, SIZE_PX]),
        ],
        [
            constant("middle", 128),
            constant("step", 16),
            constant("nothing", 0),
            constant("direction", EMBEDDING[None]),
            constant("logits", PLANE_LOGITS),
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version
    )
    return bytes(model.SerializeToString())


def tiny_manifest(files: dict[str, bytes], model: FileEntry, **changes: Any) -> Manifest:
    tolerance = Tolerance(
        backend=Backend.ONNXRUNTIME,
        precision=Precision.FP32,
        embedding_cosine_min=0.999,
        probability_abs_max=0.01,
        mask_dsc_min=0.98,
        hc_mm_abs_max=0.5,
    )
    golden = GoldenReference(
        path=FRAME_PATH,
        sha256=hashlib.sha256(files[FRAME_PATH]).hexdigest(),
        spacing_mm=1.0,
        true_hc_mm=None,
        plane_scores=(1.0,) + (0.0,) * 5,
        embedding=tuple(map(float, EMBEDDING)),
        mask_area_px=1.0,
        mask_path=MASK_PATH,
        mask_sha256=hashlib.sha256(files[MASK_PATH]).hexdigest(),
        hc_mm=None,
    )
    head = StructureSpec(
        name="head", measurements=(MeasurementSpec(kind="HC", convention="outer-outer"),)
    )
    fields: dict[str, Any] = {
        "schema_version": 1,
        "name": "tiny",
        "version": "0.1",
        "intended_use": "tests only [bold]not for patients[/bold]",
        "weights_licence": "CC0-1.0",
        "input": InputSpec(size_px=SIZE_PX),
        "heads": (
            ClassificationHead(name="plane", output="plane", classes=CLASSES),
            SegmentationHead(
                name="outline", output="mask", structures=(head,), valid_planes=("brain",)
            ),
        ),
        "embedding_space": EmbeddingSpace(name="tiny-space", dim=DIM),
        "files": (model,),
        "provenance": Provenance(
            teacher=None,
            teacher_licence=None,
            student="none",
            parameters=0,
            data=(),
            recipe_sha256="0" * 64,
        ),
        "gate": Gate(
            min_structure_score=0.5,
            min_plane_confidence=0.5,
            max_fit_residual=0.1,
            max_border_fraction=0.2,
        ),
        "golden": Golden(
            reference_backend=Backend.ONNXRUNTIME,
            reference_precision=Precision.FP32,
            frames=(golden,),
            tolerances=(tolerance,),
        ),
    }
    return Manifest(**{**fields, **changes})


def tiny_files(model: bytes = FAKE_MODEL) -> dict[str, bytes]:
    image = head_image()
    mask = np.where(image > 128, 255, 0).astype(np.uint8)
    return {MODEL_PATH: model, FRAME_PATH: png(image), MASK_PATH: png(mask)}


def tiny_bundle(folder: Path, model: bytes = FAKE_MODEL, **changes: Any) -> Bundle:
    """Writes the bundle; `changes` replace fields of its manifest."""
    files = tiny_files(model)
    entry = file_entry(MODEL_PATH, Backend.ONNXRUNTIME, Precision.FP32, 18, model)
    return write_bundle(folder, tiny_manifest(files, entry, **changes), files)


def with_reference(bundle: Bundle, session: Processor, **changes: Any) -> Bundle:
    """Returns the bundle with what `session` says of the golden frame as the reference."""
    from fetalclip_edge.frame import Frame, Scale, ScaleOrigin

    result = session.process(
        Frame(head_image(), scale=Scale((1.0, 1.0), ScaleOrigin.SOURCE)), want_masks=True
    )
    mask, hc = result.structures[0].mask, result.measurement("HC")
    assert mask is not None
    assert hc is not None
    assert result.plane is not None
    files = tiny_files((bundle.folder / MODEL_PATH).read_bytes())
    files[MASK_PATH] = png(mask)
    golden = bundle.manifest.golden
    frame = golden.frames[0].model_copy(
        update={
            "hc_mm": hc.value_mm,
            "plane_scores": tuple(score for _, score in result.plane.scores),
            "embedding": tuple(map(float, result.embedding)),
            "mask_sha256": hashlib.sha256(files[MASK_PATH]).hexdigest(),
            **changes,
        }
    )
    manifest = bundle.manifest.model_copy(
        update={"golden": golden.model_copy(update={"frames": (frame,)})}
    )
    return write_bundle(bundle.folder, manifest, files)
