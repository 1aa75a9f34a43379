"""Captions say what is known, in the words that prompts use, and nothing else."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.tokenizer import SimpleTokenizer

from distill.data.captions import FrameFacts, caption, prompt_spacing_mm
from distill.data.gestational_age import ga_days_from_hc
from distill.data.planes import PLANES
from distill.pretrain.models import ModelName, model_config
from fetalclip_edge.errors import InputError

TOKENIZER = SimpleTokenizer()
ANY_SEED = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("hc_mm", "weeks"),
    # means of the INTERGROWTH-21st standard by hand from its growth formula
    [(97.88, 14.0), (122.91, 16.0), (172.48, 20.0), (278.39, 30.0)],
)
def test_age_of_the_mean_head_is_the_age_of_its_chart(hc_mm: float, weeks: float) -> None:
    assert ga_days_from_hc(hc_mm) == pytest.approx(7 * weeks, abs=2.0)


def test_age_by_hand() -> None:
    # ln 172.5 = 5.150397; exp(0.05970 * 26.526593 + 6.409e-9 * 5132953.1 + 3.3258)
    assert ga_days_from_hc(172.5) == pytest.approx(140.097, abs=1e-3)


@pytest.mark.parametrize("hc_mm", [44.3, 95.9, 350.1, float("nan")])
def test_no_age_outside_the_formula(hc_mm: float) -> None:
    with pytest.raises(InputError, match="96 to 350 mm"):
        ga_days_from_hc(hc_mm)


def test_spacing_of_a_prompt_by_hand() -> None:
    # an 800 x 540 frame at 224 px: 800 / 224 * 0.1
    assert prompt_spacing_mm(0.1, (540, 800), 224) == pytest.approx(0.357143, abs=1e-6)
    # magnified twice, each pixel shows half as much
    assert prompt_spacing_mm(0.1, (540, 800), 224, zoom=2.0) == pytest.approx(0.178571, abs=1e-6)


GOLDEN = [
    "head of an unborn child, cut across, ultrasound image, gestational age 20 weeks 0 days, "
    "head circumference 172 mm",
    "fetal head with the skull as an oval around both hemispheres, ultrasound image, "
    "the head measures 172 mm around, scale 0.36 mm per pixel",
    "ultrasound of the head of an unborn child, cut across, 20 weeks and 0 days into pregnancy, "
    "the head measures 172 mm around, scale 0.36 mm per pixel",
]


def test_golden_captions() -> None:
    facts = FrameFacts("brain", hc_mm=172.5, spacing_mm=0.357143)
    words = [caption(facts, np.random.default_rng(seed)) for seed in range(3)]
    assert words == GOLDEN


@settings(max_examples=50)
@given(ANY_SEED, st.sampled_from([None, *PLANES]), st.floats(40, 360), st.floats(0.05, 2.0))
def test_a_caption_is_true_and_short_enough(
    seed: int, plane: str | None, hc_mm: float, spacing_mm: float
) -> None:
    text = caption(FrameFacts(plane, hc_mm, spacing_mm), np.random.default_rng(seed))
    assert not re.search("[{}]", text)
    assert len(TOKENIZER.encode(text)) <= 75  # CLIP's 77, without start and end
    age = re.search(r"(\d+) weeks (?:and )?(\d+) days", text)
    if age:
        days = 7 * int(age[1]) + int(age[2])
        assert abs(days - ga_days_from_hc(min(hc_mm, 350.0))) <= 0.5
        assert int(age[2]) < 7
    assert not re.search("(before|below) 14 weeks|first trimester", text) or hc_mm < 96
    numbers = re.findall(r"(\d+\.\d+) mm", text) + re.findall(r"one pixel is (\S+) mm", text)
    assert all(float(number) == pytest.approx(spacing_mm, abs=0.00501) for number in numbers)


@given(ANY_SEED, st.sampled_from([None, *PLANES]))
def test_what_is_not_known_is_not_said(seed: int, plane: str | None) -> None:
    text = caption(FrameFacts(plane), np.random.default_rng(seed))
    assert not re.search(r"\d|\bmm\b|weeks|trimester", text)


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="plane: expected brain"):
        FrameFacts("elbow")
    with pytest.raises(InputError, match="pixel spacing"):
        FrameFacts("brain", spacing_mm=0.0)


def test_the_stand_in_reads_whole_captions() -> None:
    assert model_config(ModelName.SMALL).text_cfg["context_length"] == 77
