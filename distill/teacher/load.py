"""Where a teacher comes from: the published FetalCLIP, or a folder with a manifest."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from distill.teacher.architecture import build_model
from distill.teacher.config import (
    FETALCLIP,
    FETALCLIP_BYTES,
    FETALCLIP_CONFIG,
    FETALCLIP_LICENCE,
    FETALCLIP_NAME,
    FETALCLIP_SHA256,
    GET_FETALCLIP,
)
from distill.teacher.manifest import TeacherManifest, TeacherRecord
from distill.teacher.preprocess import TeacherPreprocess
from distill.teacher.teacher import Teacher
from distill.teacher.weights import put_weights, read_weights
from fetalclip_edge.errors import InputError, UsageError


def load_teacher(
    where: str,
    weights: Path | None = None,
    *,
    sha256: str | None = None,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Teacher:
    """Returns a frozen teacher.

    Args:
        where: "fetalclip", or a folder that holds `teacher.json` and its weights.
        weights: local file of FetalCLIP's weights; None for a folder.
        sha256: digest that the weights must have; None is the published one, or the manifest's.
        device: where it runs; None is a GPU where there is one, else the CPU.
        dtype: its arithmetic; None is half precision on a GPU and float32 elsewhere.

    Raises:
        InputError: the teacher or its weights are missing, damaged, or not what they should be.
        UsageError: the arguments do not belong together.
    """
    if sha256 is not None and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise UsageError("sha256 of the weights", expected="64 hex digits", arrived=repr(sha256))
    if where == FETALCLIP:
        if weights is None:
            raise UsageError(
                "teacher fetalclip",
                expected="its weights in a local file",
                arrived="no --teacher-weights",
                remedy=GET_FETALCLIP,
            )
        config, path = FETALCLIP_CONFIG, weights
        record = TeacherRecord(
            name=FETALCLIP_NAME,
            licence=FETALCLIP_LICENCE,
            stand_in=False,
            sha256=sha256 or FETALCLIP_SHA256,
        )
        remedy = f"{GET_FETALCLIP}. The published file has {FETALCLIP_BYTES} bytes"
    else:
        if weights is not None:
            raise UsageError(
                f"teacher {where}",
                expected="no --teacher-weights: its manifest names its weights",
                arrived=f"{weights}",
            )
        manifest = TeacherManifest.load(Path(where))
        config, path = manifest.model, Path(where) / manifest.weights
        record = manifest.record
        if sha256 is not None and sha256 != record.sha256:
            raise InputError(f"teacher {where}", expected=f"sha256 {sha256}", arrived=record.sha256)
        remedy = "Copy the teacher's folder again, whole"
    state = read_weights(path, record.sha256, remedy)
    model = build_model(config)
    put_weights(model, state, path)
    return Teacher(
        model,
        record,
        TeacherPreprocess(config.image_size_px, config.preprocess_cfg),
        device=device or torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        dtype=dtype,
    )
