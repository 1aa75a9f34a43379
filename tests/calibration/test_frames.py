"""Which frames are chosen, which are passed over and why, and what the coverage says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.aspects import Aspects, feature_rows
from calibration.coverage import coverage, gaps
from calibration.frames import MAX_FRAMES, choose_frames, farthest_points
from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.errors import InputError, UsageError
from fetalclip_edge.labelled_frames import LabelledFrame, labelled_frames_csv
from fetalclip_edge.model import Model
from fetalclip_edge.runners.onnxruntime import OnnxRuntimeRunner
from fetalclip_edge.session import Session
from tests.bundle.builder import MODEL_PATH
from tests.calibration.small import head, small_bundle, write_frames


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return small_bundle(tmp_path_factory.mktemp("small") / "bundle")


@pytest.fixture
def session(bundle: Bundle) -> Iterator[Session]:
    with OnnxRuntimeRunner(bundle.folder / MODEL_PATH, precision="fp32") as runner:
        yield Session(bundle, runner, gate=False)


def test_the_same_frames_give_the_same_set(
    tmp_path: Path, bundle: Bundle, session: Session
) -> None:
    folder = write_frames(tmp_path / "f", 40)
    first = choose_frames([str(folder)], session, bundle.manifest)
    again = choose_frames([str(folder)], session, bundle.manifest)
    assert first.sha256 == again.sha256
    assert first.names == again.names
    assert len(first.names) == 40
    assert first.squares.shape == (40, 1, 64, 64)
    fewer = choose_frames([str(write_frames(tmp_path / "g", 39))], session, bundle.manifest)
    assert fewer.sha256 != first.sha256


def test_identical_frames_count_once(tmp_path: Path, bundle: Bundle, session: Session) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for number in range(50):
        cv2.imwrite(str(folder / f"{number}.png"), head(1)[0])
    with pytest.raises(InputError, match=r"got 1 .*49 nearly equal to another"):
        choose_frames([str(folder)], session, bundle.manifest)


def test_colour_and_16_bit_frames_are_passed_over_and_counted(
    tmp_path: Path, bundle: Bundle, session: Session
) -> None:
    folder = write_frames(tmp_path / "f", 33)
    gray = head(500)[0]
    doppler = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    doppler[20:60, 30:90] = (0, 0, 220)
    cv2.imwrite(str(folder / "x_doppler.png"), doppler)
    cv2.imwrite(str(folder / "x_deep.png"), gray.astype(np.uint16) * 200)
    # three equal channels, as a grabber delivers them, are gray
    cv2.imwrite(str(folder / "x_bgr.png"), cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
    chosen = choose_frames([str(folder)], session, bundle.manifest)
    assert chosen.passed_over == (("in colour", 1), ("not an 8-bit image", 1))
    assert len(chosen.names) == 34


def test_a_folder_of_16_bit_frames_alone_says_why_none_is_left(
    tmp_path: Path, bundle: Bundle, session: Session
) -> None:
    for number in range(40):
        deep = head(number)[0].astype(np.uint16) * 200
        cv2.imwrite(str(tmp_path / f"{number}.png"), deep)
    with pytest.raises(InputError, match=r"got 0 .*40 not an 8-bit image"):
        choose_frames([str(tmp_path)], session, bundle.manifest)


def test_of_a_table_only_training_rows_are_read(
    tmp_path: Path, bundle: Bundle, session: Session
) -> None:
    folder = write_frames(tmp_path / "f", 60)
    rows = [
        LabelledFrame(path, "d", "train" if number < 35 else "test", spacing_mm=0.2)
        for number, path in enumerate(sorted(folder.iterdir()))
    ]
    table = tmp_path / "t.csv"
    table.write_bytes(labelled_frames_csv(rows))
    chosen = choose_frames([str(table)], session, bundle.manifest)
    assert len(chosen.names) == 35
    assert not any("depth is not known" in gap for gap in chosen.gaps)


@pytest.mark.parametrize("place", ["demo", "0", "rtsp://host/x"])
def test_what_is_live_is_refused(place: str, bundle: Bundle, session: Session) -> None:
    with pytest.raises(UsageError, match="expected files"):
        choose_frames([place], session, bundle.manifest)


@given(st.integers(1, 60), st.integers(1, 80), st.integers(0, 1000))
def test_farthest_points_are_different_rows_and_start_in_the_middle(
    n: int, count: int, seed: int
) -> None:
    rows = np.random.default_rng(seed).normal(size=(n, 3)).round(0)
    order = farthest_points(rows, count)
    assert len(order) == len(set(order)) == min(n, count)
    distance = np.linalg.norm(rows - rows.mean(axis=0), axis=1)
    assert distance[order[0]] == distance.min()


def test_farthest_points_take_the_corners_first() -> None:
    cloud = np.zeros((50, 2))
    corners = np.array([[9.0, 9], [-9, 9], [9, -9], [-9, -9]])
    order = farthest_points(np.vstack([cloud, corners]), 5)
    assert set(order[1:]) == {50, 51, 52, 53}


def test_gaps_name_what_no_chosen_frame_shows() -> None:
    usual = Aspects(50.0, 120.0, "brain", 0.6)
    dark = Aspects(10.0, None, "femur", 0.0)
    rows = coverage([usual, usual, dark], [usual, usual], ("brain", "femur"))
    counted = {(r.aspect, r.bin): (r.found, r.chosen) for r in rows}
    assert counted["gain", "usual"] == (2, 2)
    assert counted["gain", "dark"] == (1, 0)
    assert counted["depth", "unknown"] == (1, 0)
    lines = gaps(rows)
    assert "no frame with gain: dark, bright" in lines
    assert "no frame with plane: femur" in lines


def test_features_give_each_aspect_the_same_weight() -> None:
    aspects = [Aspects(10.0, 100.0, "brain", 0.2), Aspects(90.0, 200.0, "femur", 0.8)]
    rows = feature_rows(aspects, ("brain", "femur"))
    assert rows[:, :3] == pytest.approx(np.array([[-1, -1, -1], [1, 1, 1]]))
    # two planes are as far apart as 1.5 standard deviations of another aspect
    assert np.linalg.norm(rows[0, 3:] - rows[1, 3:]) == pytest.approx(1.5)


@pytest.mark.skipif(
    "FETALCLIP_EDGE_DATA" not in os.environ, reason="needs real frames: FETALCLIP_EDGE_DATA"
)
def test_real_frames_are_spread_over_gain_and_head_size() -> None:
    data = Path(os.environ["FETALCLIP_EDGE_DATA"]) / "hc18" / "training_set"
    with Model() as model:
        chosen = choose_frames(
            [str(data / "*5_HC.png")], model.session(gate=False), model.bundle.manifest
        )
    assert MAX_FRAMES // 4 <= len(chosen.names) <= MAX_FRAMES
    for aspect in ("gain", "head"):
        assert sum(row.chosen > 0 for row in chosen.rows if row.aspect == aspect) >= 3
