"""What ``--device`` may be, and the source that it names."""

from __future__ import annotations

from pathlib import Path

from fetalclip_edge.errors import SourceError
from fetalclip_edge.sources.base import Source

IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
VIDEO_EXTENSIONS = (".mp4", ".mkv", ".avi", ".mov", ".mpeg", ".mpg", ".m4v", ".webm")


def open_source(device: str) -> Source:
    """Returns the source that `device` names, not yet opened.

    Args:
        device: ``demo``, a video file, an image or a folder of images.

    Raises:
        SourceError: it names nothing that can be streamed.
    """
    if device == "demo":
        from fetalclip_edge.sources.demo import DemoSource

        return DemoSource()
    path = Path(device)
    if path.suffix.lower() in VIDEO_EXTENSIONS:
        from fetalclip_edge.sources.video import VideoFileSource

        return VideoFileSource(path)
    if path.is_dir() or path.suffix.lower() in IMAGE_EXTENSIONS:
        from fetalclip_edge.sources.images import ImageSource

        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        return ImageSource([p for p in inside if p.suffix.lower() in IMAGE_EXTENSIONS])
    raise SourceError(
        f"--device {device}",
        expected="demo, a video file, an image or a folder of images",
        arrived="something else",
        remedy="Cameras and network streams are not supported yet",
    )
