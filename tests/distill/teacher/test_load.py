"""Loading a teacher: the right bytes give a teacher, all others one clear error and no more."""

from __future__ import annotations

import json
import os
import pickle
import socket
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from distill.teacher.architecture import build_model
from distill.teacher.config import FETALCLIP_CONFIG, FETALCLIP_SHA256
from distill.teacher.load import load_teacher
from distill.teacher.manifest import OpenClipConfig, TeacherManifest
from distill.teacher.weights import read_weights
from fetalclip_edge.errors import InputError, UsageError
from tests.distill.teacher.builder import (
    TEXT,
    TINY,
    TINY_TIMM,
    sha256_of_file,
    tiny_folder,
    tiny_manifest,
    tiny_state,
)


def load(folder: Path) -> Any:
    return load_teacher(str(folder), device=torch.device("cpu"))


def with_torch_file(folder: Path, content: object) -> Path:
    """A teacher folder whose weights are what `torch.save` makes of `content`."""
    torch.save(content, folder / "model.pt")
    tiny_manifest(folder, "model.pt")
    return folder


def test_fetalclip_has_the_published_layout() -> None:
    with torch.device("meta"):
        model = build_model(FETALCLIP_CONFIG)
    visual = sum(p.numel() for name, p in model.named_parameters() if name.startswith("visual."))
    whole = sum(p.numel() for p in model.parameters())
    assert round(visual / 1e6, 2) == 303.97
    assert round((whole - visual) / 1e6, 2) == 123.68
    assert round(whole / 1e6, 2) == 427.65
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert shapes["positional_embedding"] == (117, 768)
    assert shapes["visual.conv1.weight"] == (1024, 3, 14, 14)
    assert shapes["visual.positional_embedding"] == (257, 1024)
    assert shapes["visual.proj"] == (1024, 768)
    assert shapes["transformer.resblocks.11.attn.in_proj_weight"] == (2304, 768)
    assert shapes["text_projection"] == (768, 768)


@pytest.mark.parametrize("config", [TINY, TINY_TIMM], ids=["vit", "timm"])
def test_a_folder_gives_its_teacher(tmp_path: Path, config: OpenClipConfig) -> None:
    teacher = load(tiny_folder(tmp_path / "t", config))
    assert (teacher.name, teacher.licence, teacher.stand_in) == ("tiny", "CC0-1.0", True)
    assert (teacher.dim, teacher.prompt_size_px) == (16, 32)
    assert teacher.logit_scale == pytest.approx(1 / 0.07, rel=1e-5)
    assert teacher.space == f"tiny-{sha256_of_file(tmp_path / 't' / 'model.safetensors')[:12]}"


def test_other_weights_are_another_space(tmp_path: Path) -> None:
    one, two = tiny_folder(tmp_path / "1", seed=1), tiny_folder(tmp_path / "2", seed=2)
    assert load(one).space != load(two).space


@pytest.mark.parametrize("wrap", ["plain", "state_dict", "module", "both"])
def test_the_usual_wrappers_are_taken_off(tmp_path: Path, wrap: str) -> None:
    content: Any = tiny_state()
    if wrap in ("module", "both"):
        content = {f"module.{name}": value for name, value in content.items()}
    if wrap in ("state_dict", "both"):
        content = {"epoch": 3, "name": "run", "state_dict": content, "optimizer": {"state": {}}}
    teacher = load(with_torch_file(tmp_path, content))
    squares = [torch.arange(40 * 40).reshape(40, 40).numpy().astype("uint8")]
    wanted = load(tiny_folder(tmp_path / "wanted")).embed(squares)
    assert torch.equal(teacher.embed(squares), wanted)


def test_loading_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a teacher was loaded by way of the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    teacher = load(tiny_folder(tmp_path, TINY_TIMM))
    assert teacher.encode_text(["a fetal head"]).shape == (1, 16)


def test_missing_weights_say_how_to_get_them(tmp_path: Path) -> None:
    for weights, kind in ((None, UsageError), (tmp_path / "none.pt", InputError)):
        with pytest.raises(kind, match=r"numansaeed/fetalclip-model") as caught:
            load_teacher("fetalclip", weights)
        assert "CC BY-NC 4.0" in str(caught.value)
        assert "1.7 GB" in str(caught.value)


def test_other_weights_are_never_parsed_as_fetalclip(tmp_path: Path) -> None:
    torch.save(tiny_state(), tmp_path / "w.pt")
    with pytest.raises(InputError, match=f"expected sha256 {FETALCLIP_SHA256}"):
        load_teacher("fetalclip", tmp_path / "w.pt")
    # pinned by hand they are parsed, and are not FetalCLIP's
    with pytest.raises(InputError, match=r"no visual\.transformer\.resblocks.* and \d+ more"):
        load_teacher("fetalclip", tmp_path / "w.pt", sha256=sha256_of_file(tmp_path / "w.pt"))


def test_a_folder_takes_no_other_weights(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    with pytest.raises(UsageError, match="its manifest names its weights"):
        load_teacher(str(folder), folder / "model.safetensors")
    with pytest.raises(InputError, match="expected sha256 0000"):
        load_teacher(str(folder), sha256="0" * 64)
    with pytest.raises(UsageError, match="64 hex digits"):
        load_teacher("fetalclip", folder / "model.safetensors", sha256="abc")


class _Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.target}",))


@pytest.mark.parametrize("where", ["whole", "in the state dict", "bare pickle"])
def test_a_malicious_file_runs_nothing(tmp_path: Path, where: str) -> None:
    bomb = _Bomb(tmp_path / "ran")
    if where == "bare pickle":
        (tmp_path / "model.pt").write_bytes(pickle.dumps(bomb))
        tiny_manifest(tmp_path, "model.pt")
    else:
        with_torch_file(tmp_path, bomb if where == "whole" else {**tiny_state(), "extra": bomb})
    with pytest.raises(InputError, match=r"model\.pt: expected a state dict of tensors alone"):
        load(tmp_path)
    assert not (tmp_path / "ran").exists()
    # the bomb is a real one: an ordinary unpickler runs it
    if where == "bare pickle":
        pickle.loads((tmp_path / "model.pt").read_bytes())
        assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_a_truncated_file_is_found_by_its_digest(tmp_path: Path, name: str) -> None:
    if name == "model.pt":
        with_torch_file(tmp_path, tiny_state())
    else:
        tiny_folder(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="not those expected, or damaged"):
        load(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_a_truncated_file_with_a_fitting_digest_gives_one_error(
    tmp_path: Path, name: str, share: float
) -> None:
    if name == "model.pt":
        with_torch_file(tmp_path, tiny_state())
    else:
        tiny_folder(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    tiny_manifest(tmp_path, name)
    with pytest.raises(InputError, match="expected a state dict of tensors alone"):
        load(tmp_path)


def test_a_packed_archive_is_refused_unopened(tmp_path: Path) -> None:
    torch.save(tiny_state(), tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "model.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    tiny_manifest(tmp_path, "model.pt")
    with pytest.raises(InputError, match="a packed archive"):
        load(tmp_path)


def test_wrong_names_and_shapes_are_named(tmp_path: Path) -> None:
    state = tiny_state()
    state["visual.proj2"] = state.pop("visual.proj")
    state["positional_embedding"] = torch.zeros(77, 32)
    with pytest.raises(InputError) as caught:
        load(with_torch_file(tmp_path, state))
    assert "no visual.proj; unknown visual.proj2" in str(caught.value)
    assert "positional_embedding of shape (77, 32) for (117, 32)" in str(caught.value)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    state = tiny_state()
    state["visual.proj"][0, 0] = float("nan")
    with pytest.raises(InputError, match=r"visual\.proj is not finite"):
        load(with_torch_file(tmp_path, state))


@pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}, {"state_dict": {"a": "text"}}])
def test_a_torch_file_of_something_else_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(InputError, match="expected a state dict of tensors alone"):
        load(with_torch_file(tmp_path, content))


def test_a_folder_or_a_pipe_as_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Is a directory"):
        read_weights(tmp_path, "0" * 64, "")


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("vision_cfg", {"timm_model_pretrained": True}, "timm_model_pretrained would be fetched"),
        ("vision_cfg", {"timm_model_name": "hf-hub:who/what"}, "timm_model_name would be fetched"),
        ("text_cfg", {"hf_model_name": "who/what"}, "hf_model_name would be fetched"),
        ("text_cfg", {"hf_tokenizer_name": "who/what"}, "hf_tokenizer_name would be fetched"),
        ("text_cfg", {"tokenizer_kwargs": {"clean": "lower"}}, "only CLIP's own tokenizer"),
        ("vision_cfg", {"image_size": [32, 48]}, "image_size must be one side"),
        ("vision_cfg", {"image_size": "32"}, "image_size must be one side"),
    ],
)
def test_a_config_that_needs_a_hub_is_refused(
    tmp_path: Path, part: str, change: dict[str, Any], message: str
) -> None:
    path = tiny_folder(tmp_path) / "teacher.json"
    fields = json.loads(path.read_text())
    fields["model"][part] = {**fields["model"][part], **change}
    path.write_text(json.dumps(fields))
    with pytest.raises(InputError, match=message):
        load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"weights": "../model.safetensors"},
        {"weights": "model.pkl"},
        {"sha256": "abc"},
        {"licence": ""},
        {"stand_in": "yes"},
        {"stand_in_note": ""},
        {"surprise": 1},
    ],
)
def test_a_manifest_that_is_not_what_the_schema_says_is_refused(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    path = tiny_folder(tmp_path) / "teacher.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=r"teacher\.json"):
        load(tmp_path)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load(tmp_path / "none")
    with pytest.raises(InputError, match=r"teacher\.json: expected a file"):
        load(tmp_path)
    (tmp_path / "teacher.json").write_bytes(b"\xff{")
    with pytest.raises(InputError, match=r"teacher\.json"):
        load(tmp_path)


@pytest.mark.parametrize(
    "vision",
    [
        {"image_size": 32, "layers": "two"},
        {"image_size": 32, "unknown": 1},
        {"image_size": 32, "timm_model_name": "no_such_net"},
        {"image_size": 32, "patch_size": 0},
    ],
)
def test_a_config_that_open_clip_cannot_build_is_refused(vision: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected one that open_clip can build"):
        build_model(OpenClipConfig(embed_dim=16, vision_cfg=vision, text_cfg=TEXT))


def test_the_manifest_comes_back_as_it_was_written(tmp_path: Path) -> None:
    tiny_folder(tmp_path)
    manifest = TeacherManifest.load(tmp_path)
    manifest.save(tmp_path / "..")
    assert TeacherManifest.load(tmp_path / "..") == manifest


@pytest.mark.slow
def test_a_checkpoint_of_fetalclips_full_layout_loads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(build_model(FETALCLIP_CONFIG).state_dict(), tmp_path / "w.pt")
    digest = sha256_of_file(tmp_path / "w.pt")
    teacher = load_teacher("fetalclip", tmp_path / "w.pt", sha256=digest)
    assert (teacher.name, teacher.licence, teacher.stand_in) == ("FetalCLIP", "CC BY-NC 4.0", False)
    assert (teacher.dim, teacher.prompt_size_px) == (768, 224)
    frame = torch.randint(0, 256, (540, 540), dtype=torch.uint8).numpy()
    assert teacher.embed([frame]).shape == (1, 768)


def test_safetensors_with_extra_tensors_are_refused(tmp_path: Path) -> None:
    save_file({**tiny_state(), "spare": torch.zeros(1)}, tmp_path / "model.safetensors")
    tiny_manifest(tmp_path, "model.safetensors")
    with pytest.raises(InputError, match="unknown spare"):
        load(tmp_path)
