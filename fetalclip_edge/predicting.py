"""Images to results: what `predict` does, without its command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fetalclip_edge.bundle.manifest import Manifest
from fetalclip_edge.errors import ImageError, InputError
from fetalclip_edge.frame import Frame, Scale, ScaleOrigin
from fetalclip_edge.result import Result
from fetalclip_edge.session import Session
from fetalclip_edge.sources.images import read_image
from fetalclip_edge.sources.opening import IMAGE_EXTENSIONS, OUTLINE_SUFFIX
from fetalclip_edge.spacing_table import SpacingRow


@dataclass(frozen=True, slots=True)
class ImageList:
    """Images to predict, and how many outline images of HC18 were passed over."""

    images: tuple[Path, ...]
    outlines: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """One image with its result.

    Attributes:
        path: the image.
        frame: as it was given to the session.
        result: what the session said.
        true_hc_mm: the table's circumference, or None.
    """

    path: Path
    frame: Frame
    result: Result
    true_hc_mm: float | None


@dataclass(frozen=True, slots=True)
class HcPair:
    """Measured and true HC of one image; each None where it is not known."""

    name: str
    measured_mm: float | None
    true_mm: float | None

    @classmethod
    def of(cls, prediction: Prediction) -> HcPair:
        """Returns what the agreement needs of a prediction, without its pixels."""
        hc = prediction.result.measurement("HC")
        value = None if hc is None else hc.value_mm
        return cls(prediction.path.name, value, prediction.true_hc_mm)


@dataclass(frozen=True, slots=True)
class HcError:
    """Agreement of measured and true HC over one group of frames.

    Attributes:
        group: which frames.
        n: frames of the group that were predicted.
        measured: frames with a measured HC.
        mean_abs_mm: mean absolute error over measured frames with a true HC, or None.
    """

    group: str
    n: int
    measured: int
    mean_abs_mm: float | None

    @property
    def withheld(self) -> int:
        """Frames whose HC was withheld."""
        return self.n - self.measured


def list_images(paths: Iterable[Path]) -> ImageList:
    """Returns the images among files and in folders, sorted, without HC18's outline images.

    Raises:
        InputError: a path does not exist, or no image is left.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = (
                p for p in path.iterdir() if p.suffix.lower() in IMAGE_EXTENSIONS and p.is_file()
            )
            found += sorted(inside)
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"{path}", expected="an image or a folder", arrived="nothing there")
    images = tuple(path for path in found if not path.stem.endswith(OUTLINE_SUFFIX))
    if not images:
        raise InputError(
            "images",
            expected=f"at least one of {', '.join(IMAGE_EXTENSIONS)}",
            arrived="none",
            remedy="Give image files, or a folder that holds them",
        )
    return ImageList(images, len(found) - len(images))


def predict_images(
    session: Session,
    images: Iterable[Path],
    *,
    spacing_mm: float | None,
    table: Mapping[str, SpacingRow],
    want_masks: bool,
) -> Iterator[Prediction | ImageError]:
    """Yields a prediction for each image, or the error of one that cannot be used.

    Args:
        session: the stream to use; each image is an epoch of its own.
        images: files to read.
        spacing_mm: mm per pixel of images that the table does not name, or None.
        table: file name -> row.
        want_masks: also return masks.
    """
    for index, path in enumerate(images):
        try:
            pixels = read_image(path)
        except ImageError as error:
            yield error
            continue
        row = table.get(path.name)
        spacing = spacing_mm if row is None else row.spacing_mm
        scale = None if spacing is None else Scale((spacing, spacing), ScaleOrigin.USER)
        frame = Frame(pixels, index=index, geometry_epoch=index, scale=scale)
        result = session.process(frame, want_masks=want_masks)
        yield Prediction(path, frame, result, None if row is None else row.hc_mm)


def hc_errors(pairs: Iterable[HcPair], manifest: Manifest) -> tuple[HcError, ...]:
    """Returns the error of HC apart for frames that the bundle trained on and the rest."""
    trained_on = {name for data in manifest.provenance.data for name in data.trained_on}
    groups: dict[str, list[HcPair]] = {"trained on": [], "not trained on": []}
    for pair in pairs:
        groups["trained on" if pair.name in trained_on else "not trained on"].append(pair)
    errors = []
    for name, items in groups.items():
        measured = sum(pair.measured_mm is not None for pair in items)
        off = [
            abs(pair.measured_mm - pair.true_mm)
            for pair in items
            if pair.measured_mm is not None and pair.true_mm is not None
        ]
        errors.append(HcError(name, len(items), measured, sum(off) / len(off) if off else None))
    return tuple(errors)
