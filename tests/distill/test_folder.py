"""A user's own folder: what it may hold, what is refused, and that several structures train."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from distill.checkpoint import load_weights
from distill.data.cache import CachedFrames
from distill.data.folder import load_folder
from distill.data.planes import PLANES
from distill.data.sample import Sample, Split, StructureMask
from distill.data.standard import load_standard
from distill.devices import make_fabric
from distill.recipe import load_recipe
from distill.run import RunRequest, begin_run, prepare_run
from distill.run_record import CHECKPOINT_NAME
from distill.train import train
from fetalclip_edge.errors import CheckFailedError, EdgeError, ImageError, InputError, SourceError
from tests.distill.tiny import write_recipe

STRUCTURES = ("abdomen", "femur")
HEIGHT, WIDTH = 48, 64
SIDE = 96


def _write(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def _picture(seed: int) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.uint8]]]:
    """A bright disc and a brighter bar on noise, with the mask of each."""
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 60, (HEIGHT, WIDTH), np.uint8)
    masks = {name: np.zeros((HEIGHT, WIDTH), np.uint8) for name in STRUCTURES}
    x, y = int(generator.integers(14, 30)), int(generator.integers(14, 34))
    cv2.circle(masks["abdomen"], (x, y), 10, 255, -1)
    left, top = int(generator.integers(40, 46)), int(generator.integers(8, 36))
    cv2.rectangle(masks["femur"], (left, top), (left + 14, top + 5), 255, -1)
    image[masks["abdomen"] > 0] += 70
    image[masks["femur"] > 0] += 180
    return image, masks


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """12 images; the abdomen is labelled on all, the femur on every other one."""
    folder = tmp_path / "ours"
    rows = ["filename,plane,group,split,pixel size(mm)"]
    for number in range(12):
        image, masks = _picture(number)
        _write(folder / "images" / f"f{number:02d}.png", image)
        _write(folder / "masks" / "abdomen" / f"f{number:02d}.png", masks["abdomen"])
        if number % 2 == 0:
            _write(folder / "masks" / "femur" / f"f{number:02d}.png", masks["femur"])
        split = "train" if number < 8 else "validation"
        rows.append(f"f{number:02d}.png,abdomen,case {number // 2},{split},0.2")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_frames_have_their_labels(root: Path) -> None:
    samples = load_folder(root)
    assert len(samples) == 12
    first, second = samples[:2]
    assert first == Sample(
        image=root / "images" / "f00.png",
        data_set="ours",
        group="case 0",
        split=Split.TRAIN,
        plane=PLANES.index("abdomen"),
        spacing_mm=0.2,
        masks=tuple(StructureMask(s, root / "masks" / s / "f00.png") for s in STRUCTURES),
    )
    assert [mask.structure for mask in second.masks] == ["abdomen"]


def test_each_channel_has_its_mask_and_its_flag(root: Path) -> None:
    frames = CachedFrames(load_folder(root), 64, STRUCTURES)
    assert frames.masks.shape == (12, 2, 64, 64)
    assert frames.labelled[:, 0].all()
    assert frames.labelled[:, 1].tolist() == [n % 2 == 0 for n in range(12)]
    _, masks = _picture(0)
    top = (64 - HEIGHT) // 2
    for channel, name in enumerate(STRUCTURES):
        inside = frames.masks[0, channel, top : top + HEIGHT].numpy()
        assert np.array_equal(inside, masks[name])
    assert int(frames.masks[1, 1].sum()) == 0
    other_order = CachedFrames(load_folder(root), 64, ("femur",))
    assert torch.equal(other_order.masks[:, 0], frames.masks[:, 1])


def test_an_image_alone_is_a_frame_without_labels(root: Path) -> None:
    (root / "labels.csv").unlink()
    image, _ = _picture(99)
    _write(root / "images" / "lone.jpg", image)
    lone = next(sample for sample in load_folder(root) if sample.image.stem == "lone")
    assert (lone.plane, lone.spacing_mm, lone.masks, lone.group) == (None, None, (), "lone")


def test_groups_stay_together_where_no_split_is_given(root: Path) -> None:
    table = root / "labels.csv"
    rows = [line.split(",") for line in table.read_text().splitlines()]
    table.write_text("\n".join(",".join(row[:3]) for row in rows) + "\n")
    first = load_folder(root)
    by_group = {sample.group: sample.split for sample in first}
    assert all(by_group[sample.group] is sample.split for sample in first)
    assert [sample.split for sample in load_folder(root)] == [sample.split for sample in first]


def test_about_two_of_three_groups_train(tmp_path: Path) -> None:
    for number in range(300):
        _write(tmp_path / "images" / f"{number}.png", np.zeros((16, 16), np.uint8))
    counts = Counter(sample.split for sample in load_folder(tmp_path))
    assert 170 <= counts[Split.TRAIN] <= 230
    assert min(counts[Split.VALIDATION], counts[Split.TEST]) >= 25


@pytest.mark.parametrize(
    ("table", "kind", "words"),
    [
        ("", InputError, "columns filename"),
        ("file,plane\n", InputError, "columns filename"),
        ("filename,Plane\n", InputError, "columns filename"),
        ("filename,plane\nf00.png,leg\n", InputError, "line 2: expected plane brain"),
        ("filename,split\nf00.png,dev\n", InputError, "line 2: expected split train"),
        ("filename,plane\nnone.png,brain\n", InputError, "line 2: expected one row for an image"),
        ("filename,plane\nf00.png,brain,9\n", InputError, "line 2"),
        ("filename\nf00.png\nf00.png\n", InputError, "line 3"),
        ("filename,pixel size(mm)\nf00.png,12\n", InputError, r"f00.png: expected \(0, 10\] mm"),
        ("filename,pixel size(mm)\nf00.png,nan\n", InputError, r"\(0, 10\] mm a pixel, got nan"),
        (
            "filename,group,split\nf00.png,a,train\nf01.png,a,test\n",
            CheckFailedError,
            "a in train and test",
        ),
    ],
)
def test_a_wrong_table_is_one_clear_error(
    root: Path, table: str, kind: type[EdgeError], words: str
) -> None:
    (root / "labels.csv").write_text(table)
    with pytest.raises(kind, match=words):
        load_folder(root)


def test_a_mask_without_its_image_is_refused(root: Path) -> None:
    (root / "images" / "f03.png").unlink()
    (root / "labels.csv").unlink()
    with pytest.raises(InputError, match=r"f03\.png: expected NAME\.png for an image in images/"):
        load_folder(root)


def test_a_name_that_no_bundle_takes_is_refused(root: Path) -> None:
    (root / "masks" / "fémur").mkdir()
    with pytest.raises(InputError, match="structure's name"):
        load_folder(root)


def test_two_images_of_one_name_are_refused(root: Path) -> None:
    _write(root / "images" / "f00.jpg", np.zeros((16, 16), np.uint8))
    with pytest.raises(InputError, match="one image a name"):
        load_folder(root)


def test_no_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="images"):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.zeros((HEIGHT, WIDTH + 1), np.uint8), "64 x 48 pixels as its image, got 65 x 48"),
        (np.zeros((HEIGHT, WIDTH, 3), np.uint8), "in 3 channels"),
        (np.zeros((HEIGHT, WIDTH), np.uint16), "8 bits a channel"),
        (np.eye(HEIGHT, WIDTH, dtype=np.uint8), "255 inside and 0 outside, got 1 at most"),
    ],
)
def test_a_mask_that_cannot_be_one_is_refused(
    root: Path, mask: NDArray[np.uint8], words: str
) -> None:
    _write(root / "masks" / "femur" / "f00.png", mask)
    with pytest.raises(ImageError, match=words):
        CachedFrames(load_folder(root), 64, STRUCTURES)


def test_two_labels_of_one_structure_are_refused() -> None:
    with pytest.raises(InputError, match="one label a structure"):
        Sample(
            Path("a.png"),
            "ours",
            "a",
            Split.TRAIN,
            outline=Path("a_Annotation.png"),
            masks=(StructureMask("head", Path("m.png")),),
        )


OWN_RECIPE = """
schema_version = 1
[student]
preset = "mobilenetv4_conv_small"
embedding_dim = 16
decoder_width = 8
structures = ["abdomen", "femur", "lung"]
size_px = 96
early_size_px = 96
[data]
names = ["own"]
[training]
epochs = 4
batch = 4
[losses.mask]
weight = 1.0
[losses.plane]
weight = 0.5
"""


def test_two_structures_train_though_one_is_labelled_on_half_the_frames(
    root: Path, tmp_path: Path
) -> None:
    data, folder = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    (data / "own").symlink_to(root)
    recipe = load_recipe(write_recipe(tmp_path, OWN_RECIPE), {})
    fabric = make_fabric(recipe.training.precision)
    run = prepare_run(fabric, RunRequest(folder, recipe, load_standard(data, recipe.data.names)))
    begun = {name: value.clone() for name, value in run.student.state_dict().items()}
    begin_run(run)
    scores = train(fabric, run)
    assert scores.dsc is not None
    assert 0.0 <= scores.dsc <= 1.0
    state = load_weights(folder / CHECKPOINT_NAME)
    before, after = (w["mask.weight"].flatten(1) for w in (begun, state))
    turned = 1.0 - torch.cosine_similarity(before.double(), after.double())
    assert bool((turned[:2] > 1e-5).all()), turned
    # labelled nowhere, no gradient: weight decay alone shortens the weights and does not turn them
    assert float(turned[2]) < 1e-9, turned
