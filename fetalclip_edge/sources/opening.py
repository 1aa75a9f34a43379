"""What ``--device`` may be, and the source that it names."""

from __future__ import annotations

import glob
from functools import partial
from pathlib import Path

from fetalclip_edge.errors import SourceError
from fetalclip_edge.sources.base import SourceFactory

IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
VIDEO_EXTENSIONS = (".mp4", ".mkv", ".avi", ".mov", ".mpeg", ".mpg", ".m4v", ".webm")
GLOB_CHARACTERS = frozenset("*?[")
OUTLINE_SUFFIX = "_Annotation"  # HC18 keeps a drawn outline beside each image
CAMERA_PATHS = ("/dev/video", "/dev/v4l/")
HTTP_SCHEMES = ("http", "https")
RTSP_SCHEMES = ("rtsp", "rtsps")
EXPECTED = (
    "demo, a camera (number or /dev/video*), an http(s):// MJPEG or rtsp(s):// address, "
    "a video file, an image, a folder of images, or a pattern"
)


def open_source_factory(device: str) -> SourceFactory:
    """Returns what makes the source that `device` names, again and again, not yet opened.

    Args:
        device: ``demo``; the number or path of a camera; an address of HTTP MJPEG or RTSP; a
            video file; an image, a folder of images, or a glob pattern.

    Raises:
        SourceError: it names nothing that can be streamed.
    """
    if device == "demo":
        from fetalclip_edge.sources.demo import DemoSource

        return DemoSource
    if _is_camera(device):
        from fetalclip_edge.sources.v4l2 import V4l2Source

        return partial(V4l2Source, int(device) if device.isdecimal() else device)
    if "://" in device:
        return _network(device)
    path = Path(device)
    if path.suffix.lower() in VIDEO_EXTENSIONS and not path.is_dir():
        from fetalclip_edge.sources.video import VideoFileSource

        return partial(VideoFileSource, path)
    if path.is_dir() or path.suffix.lower() in IMAGE_EXTENSIONS or GLOB_CHARACTERS & set(device):
        from fetalclip_edge.sources.images import ImageSource

        return partial(ImageSource, find_images(device))
    raise SourceError(
        f"--device {device}",
        expected=EXPECTED,
        arrived="another kind of file" if path.is_file() else "nothing there",
    )


def is_live(device: str) -> bool:
    """Returns whether `device` names a camera or a stream, whose frames do not wait."""
    return _is_camera(device) or "://" in device


def find_images(where: str) -> tuple[Path, ...]:
    """Returns the images that a file, a folder or a glob pattern names, sorted.

    A folder gives its own images, not those of folders inside it, and without HC18's outlines;
    a file or a pattern gives what it names.

    Raises:
        SourceError: there is no image.
    """
    path = Path(where)
    if path.is_dir():
        inside = (p for p in path.iterdir() if p.suffix.lower() in IMAGE_EXTENSIONS)
        found = [p for p in inside if p.is_file() and not p.stem.endswith(OUTLINE_SUFFIX)]
    elif path.is_file():
        found = [path]
    elif GLOB_CHARACTERS & set(where):
        named = (Path(name) for name in glob.glob(where, recursive=True))
        found = [p for p in named if p.is_file() and p.suffix.lower() in IMAGE_EXTENSIONS]
    else:
        found = []
    if not found:
        raise SourceError(
            where,
            expected=f"at least one image ({', '.join(IMAGE_EXTENSIONS)})",
            arrived="none",
            remedy="Give an image file, a folder that holds images, or a pattern in quotes",
        )
    return tuple(sorted(found))


def _is_camera(device: str) -> bool:
    return (device.isascii() and device.isdecimal()) or device.startswith(CAMERA_PATHS)


def _network(device: str) -> SourceFactory:
    scheme = device.partition("://")[0].lower()
    factory: SourceFactory
    if scheme in HTTP_SCHEMES:
        from fetalclip_edge.sources.mjpeg import MjpegSource

        factory = partial(MjpegSource, device)
    elif scheme in RTSP_SCHEMES:
        from fetalclip_edge.sources.rtsp import RtspSource

        factory = partial(RtspSource, device)
    else:
        # the address itself stays out of the message: it may hold a password
        raise SourceError("--device", expected=EXPECTED, arrived="an address of another kind")
    factory()  # an address that cannot be used is told now, not when the stream starts
    return factory
