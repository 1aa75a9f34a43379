"""`fetalclip-edge shards` on the command line: what it refuses, and shards of one's own."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from distill.cli.shards import command
from distill.data.shards import Shards
from distill.pretrain.models import ModelName
from fetalclip_edge.errors import InputError, UsageError


def test_either_frames_or_own_shards(tmp_path: Path) -> None:
    for data, own in ((None, None), (tmp_path, "mine")):
        with pytest.raises(UsageError, match="either --data or --own"):
            command(output=tmp_path / "shards", data=data, own=own)
    assert not (tmp_path / "shards").exists()


def test_a_folder_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="HC18: expected"):
        command(output=tmp_path / "shards", data=tmp_path)
    assert not (tmp_path / "shards").exists()


def test_own_shards_say_how_many_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        for name in ("a.png", "a.txt"):
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
    command(output=tmp_path, own="mine", model=ModelName.FETALCLIP)
    assert capsys.readouterr().out.startswith("1 pairs of unnamed frames of mine in 1 shards")
    assert Shards.open(tmp_path).index.prompt_size_px == 224
