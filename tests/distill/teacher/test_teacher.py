"""What a teacher says of frames and prompts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from numpy.typing import NDArray
from open_clip.transform import image_transform
from PIL import Image

from distill.teacher.gray_rgb import gray_rgb_cosine
from distill.teacher.load import load_teacher
from distill.teacher.manifest import PreprocessConfig
from distill.teacher.preprocess import TeacherPreprocess
from distill.teacher.square import is_colour, source_square, source_square_rgb
from distill.teacher.teacher import Teacher
from fetalclip_edge.errors import CheckFailedError, InputError, UsageError
from fetalclip_edge.geometry import Roi
from tests.distill.teacher.builder import tiny_folder, tiny_teacher


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Teacher:
    return tiny_teacher(tmp_path_factory.mktemp("teacher"))


def scene(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (9, 9), np.uint8)
    return np.array(Image.fromarray(noise).resize((width, height), Image.Resampling.BILINEAR))


def test_embeddings_have_length_one_and_sides_may_differ(teacher: Teacher) -> None:
    squares = [scene(50, 50, 1), scene(300, 300, 2), scene(32, 32, 3)]
    together = teacher.embed(squares)
    assert together.shape == (3, 16)
    assert together.dtype == torch.float32
    assert torch.allclose(together.norm(dim=1), torch.ones(3))
    apart = torch.cat([teacher.embed([square]) for square in squares])
    assert torch.allclose(together, apart, atol=1e-6)
    assert teacher.embed([]).shape == (0, 16)


def test_nothing_of_a_teacher_can_move(teacher: Teacher) -> None:
    assert not teacher.embed([scene(32, 32)]).requires_grad
    assert not any(p.requires_grad for p in teacher._model.parameters())
    assert not teacher._model.training


def test_bfloat16_says_the_same(tmp_path: Path, teacher: Teacher) -> None:
    half = load_teacher(
        str(tiny_folder(tmp_path)), device=torch.device("cpu"), dtype=torch.bfloat16
    )
    squares = [scene(64, 64, seed) for seed in range(4)]
    assert float((half.embed(squares) * teacher.embed(squares)).sum(dim=1).min()) > 0.999
    assert half.logit_scale == teacher.logit_scale
    prompts = ["a fetal head", "a femur"]
    assert float((half.encode_text(prompts) * teacher.encode_text(prompts)).sum(1).min()) > 0.999


@pytest.mark.parametrize("side", [224, 150, 540, 801])
def test_preprocessing_is_open_clips(side: int) -> None:
    square = scene(side, side)
    theirs = torch.as_tensor(image_transform(224, is_train=False)(Image.fromarray(square)))
    ours = TeacherPreprocess(224, PreprocessConfig())(torch.from_numpy(square)[None])[0]
    levels = (ours - theirs).abs() * torch.tensor(open_clip.OPENAI_DATASET_STD)[:, None, None] * 255
    # there each of two passes is rounded to 8 bits, here the result: one gray level at most
    assert float(levels.max()) < 1.01
    assert float(levels.mean()) < 0.25


def test_the_square_is_centred_in_source_pixels() -> None:
    frame = scene(54, 80)
    square = source_square(frame)
    assert square.shape == (80, 80)
    assert np.array_equal(square[13:67], frame)
    assert not square[:13].any()
    assert not square[67:].any()
    part = source_square(frame, Roi(10, 5, 20, 30))
    assert np.array_equal(part[:, 5:25], frame[5:35, 10:30])
    with pytest.raises(UsageError, match="region of interest"):
        source_square(frame, Roi(70, 0, 20, 20))


def test_colour_is_red_green_blue_and_gray_is_no_colour() -> None:
    blue = np.zeros((40, 40, 3), np.uint8)
    blue[..., 0] = 200  # BGR
    assert source_square_rgb(blue)[0, 0].tolist() == [0, 0, 200]
    assert is_colour(blue)
    assert not is_colour(np.repeat(scene(40, 40)[..., None], 3, axis=2))
    assert not is_colour(scene(40, 40))


def test_the_cosine_of_gray_and_colour(teacher: Teacher) -> None:
    gray = np.repeat(scene(40, 40)[..., None], 3, axis=2)
    tinted = gray.copy()
    tinted[..., 2] //= 3
    found = gray_rgb_cosine(teacher, [scene(40, 40), gray, tinted])
    assert found.looked_at == 3
    assert len(found.cosines) == 1
    assert -1.0 <= found.cosines[0] < 1.0
    assert "1 colour frames of 3" in str(found)
    assert "holds colour" in str(gray_rgb_cosine(teacher, [gray]))
    # an RGB square whose channels are equal is the gray square
    both = teacher.embed([source_square_rgb(gray), source_square(gray)])
    assert torch.allclose(both[0], both[1], atol=1e-6)


def test_prompts_are_read_whole_or_not_at_all(teacher: Teacher) -> None:
    prompts = [f"Ultrasound at {week} weeks" for week in range(14, 14 + 70)]  # more than one batch
    together = teacher.encode_text(prompts)
    assert together.shape == (70, 16)
    assert torch.allclose(together[69:], teacher.encode_text(prompts[69:]), atol=1e-6)
    assert torch.allclose(together.norm(dim=1), torch.ones(70))
    assert teacher.encode_text(["head " * 115]).shape == (1, 16)
    with pytest.raises(InputError, match="at most 115 tokens, got 116"):
        teacher.encode_text(["head " * 116])
    assert teacher.encode_text([]).shape == (0, 16)


def test_an_embedding_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    teacher = tiny_teacher(tmp_path)
    with torch.no_grad():
        teacher._model.visual.proj.fill_(float("inf"))
    with pytest.raises(CheckFailedError, match="expected finite numbers"):
        teacher.embed([scene(32, 32)])
