"""The table of labelled frames: round trip, and cells that are not what they must be."""

from __future__ import annotations

from pathlib import Path

import pytest

from fetalclip_edge.errors import InputError
from fetalclip_edge.labelled_frames import LabelledFrame, labelled_frames_csv, read_labelled_frames

HEADER = "image,data_set,split,plane,outline,spacing_mm,hc_mm\n"


def test_a_table_reads_back_as_it_was_written(tmp_path: Path) -> None:
    frames = (
        LabelledFrame(tmp_path / "a, b.png", "HC18", "test", "brain", tmp_path / "o.png", 0.1, 170),
        LabelledFrame(tmp_path / "c.png", "other", "train"),
    )
    table = tmp_path / "t.csv"
    table.write_bytes(labelled_frames_csv(frames))
    assert read_labelled_frames(table) == frames


def test_paths_are_relative_to_the_table(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text(HEADER + "x/a.png,d,train,,,,\n")
    (frame,) = read_labelled_frames(table)
    assert frame.image == tmp_path / "x" / "a.png"
    assert (frame.plane, frame.outline, frame.spacing_mm, frame.hc_mm) == (None,) * 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "an empty file"),
        ("image,split\na.png,train\n", "columns image, data_set"),
        (HEADER, "at least one frame"),
        (HEADER + "a.png,d,dev,,,,\n", "train or validation or test, got dev"),
        (HEADER + ",d,train,,,,\n", "an image"),
        (HEADER + "a.png,d,train,,,12,\n", r"\(0, 10\] mm a pixel"),
        (HEADER + "a.png,d,train,,,0,\n", r"\(0, 10\] mm a pixel"),
        (HEADER + "a.png,d,train,,,wide,\n", "a number"),
        (HEADER + "a.png,d,train,,,nan,\n", "a number"),
    ],
)
def test_a_bad_table_is_an_input_error(tmp_path: Path, text: str, words: str) -> None:
    table = tmp_path / "t.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=words):
        read_labelled_frames(table)


def test_a_missing_table_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a readable CSV"):
        read_labelled_frames(tmp_path / "none.csv")
