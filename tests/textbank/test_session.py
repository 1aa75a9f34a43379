"""A bundle with banks through the whole pipeline, to its record and its overlay."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fetalclip_edge.bundle.describe import print_bundle
from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.frame import Frame, Scale, ScaleOrigin
from fetalclip_edge.geometry import Roi
from fetalclip_edge.overlay import draw_overlay, panel_height
from fetalclip_edge.result import GestationalAge, Result
from fetalclip_edge.runners.scripted import ScriptedRunner
from fetalclip_edge.session import Session
from fetalclip_edge.signal import SignalState
from fetalclip_edge.sinks.base import Report
from fetalclip_edge.sinks.record import FrameRecord, record
from fetalclip_edge.textbank.file import bank_bytes
from tests.bundle.builder import EMBEDDING, head_image, head_outputs, tiny_bundle
from tests.textbank.builder import age_bank, bundle_with, plane_bank, unit_rows

MM = Scale((1.0, 1.0), ScaleOrigin.USER)
BRAIN = np.array([[6, 0, 0, 0, 0, 0]], np.float32)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    words = unit_rows(3)
    words[1] = EMBEDDING  # cosine 1: the frame is what these words say
    return bundle_with(tmp_path / "b", plane_bank(bank_bytes(words)), age_bank())


def process(
    bundle: Bundle,
    plane: NDArray[np.float32] = BRAIN,
    scale: Scale | None = MM,
    roi: Roi | None = None,
    gate: bool = True,
) -> Result:
    with ScriptedRunner([{**head_outputs(), "plane": plane}]) as runner:
        session = Session(bundle, runner, gate=gate)
        return session.process(Frame(head_image(), scale=scale, roi=roi))


def test_a_text_bank_speaks_beside_the_trained_head(bundle: Bundle) -> None:
    result = process(bundle)
    assert result.plane is not None
    assert result.plane.label == "brain"
    (said,) = result.zero_shot
    assert (said.head, said.kind, said.label) == ("words", "zero-shot", "heart")
    assert said in result.classifications
    # 15 days, so that the middle one is the eighth, whatever the dot products are
    assert result.gestational_age == GestationalAge("ages", 147)


def test_without_banks_nothing_is_said(tmp_path: Path) -> None:
    result = process(tiny_bundle(tmp_path / "b"))
    assert result.zero_shot == ()
    assert result.gestational_age is None


@pytest.mark.parametrize(
    ("plane", "scale", "roi", "reason"),
    [
        (BRAIN, None, None, "scale unknown"),
        (BRAIN[:, ::-1], MM, None, "plane is other"),
        (BRAIN[:, ::-1], None, None, "plane is other"),
        (BRAIN / 6, MM, None, "plane uncertain"),
        (BRAIN, MM, Roi(0, 0, 64, 64), "spacing outside the text bank"),
        (BRAIN, Scale((1.0, 1.2), ScaleOrigin.USER), None, "pixels not square"),
    ],
)
def test_an_age_is_withheld_with_its_reason(
    bundle: Bundle, plane: NDArray[np.float32], scale: Scale | None, roi: Roi | None, reason: str
) -> None:
    result = process(bundle, np.ascontiguousarray(plane), scale, roi)
    assert result.gestational_age == GestationalAge("ages", withheld_reason=reason)
    assert result.zero_shot


def test_the_open_gate_asks_for_no_plane_but_still_for_a_scale(bundle: Bundle) -> None:
    other = np.ascontiguousarray(BRAIN[:, ::-1])
    assert process(bundle, other, gate=False).gestational_age == GestationalAge("ages", 147)
    age = process(bundle, other, scale=None, gate=False).gestational_age
    assert age == GestationalAge("ages", withheld_reason="scale unknown")


def test_the_record_round_trips(bundle: Bundle) -> None:
    frame = Frame(head_image(), scale=MM)
    result = process(bundle)
    line = record(Report(SignalState.LIVE, frame, result)).line()
    assert FrameRecord.model_validate_json(line) == record(Report(SignalState.LIVE, frame, result))
    fields = json.loads(line)
    assert fields["gestational_age"] == {"bank": "ages", "ga_days": 147, "withheld_reason": None}
    (said,) = fields["zero_shot"]
    assert (said["bank"], said["label"]) == ("words", "heart")
    assert sum(said["scores"].values()) == pytest.approx(1)
    withheld = record(Report(SignalState.LIVE, frame, process(bundle, scale=None)))
    assert withheld.gestational_age is not None
    assert withheld.gestational_age.ga_days is None
    assert withheld.gestational_age.withheld_reason == "scale unknown"
    nothing = json.loads(record(Report(SignalState.NO_SIGNAL)).line())
    assert (nothing["zero_shot"], nothing["gestational_age"]) == ([], None)


def test_the_overlay_gets_one_more_line_only_where_there_are_banks(
    bundle: Bundle, tmp_path: Path
) -> None:
    frame = Frame(head_image(), scale=MM)
    with_banks = draw_overlay(Report(SignalState.LIVE, frame, process(bundle)))
    without = draw_overlay(Report(SignalState.LIVE, frame, process(tiny_bundle(tmp_path / "c"))))
    assert len(with_banks) == 96 + panel_height(96, 5)
    assert len(without) == 96 + panel_height(96)
    np.testing.assert_array_equal(with_banks[:96], without[:96])


def test_inspect_shows_what_the_banks_hold(
    bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    print_bundle(bundle, Console(width=250))
    text = capsys.readouterr().out
    for part in (
        "brain, heart, kidney",
        "15 days from 20w0d, 4 spacings from 0.55 to 0.58 mm at 224 px; on brain",
        "nobody (stand-in)",
        "CC0-1.0; prompts: Apache-2.0",
    ):
        assert part in text
