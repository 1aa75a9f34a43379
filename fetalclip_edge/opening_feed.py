"""The feed that fits a source: every frame of a file, the newest frame of what is live."""

from __future__ import annotations

from fetalclip_edge.errors import UsageError
from fetalclip_edge.feed import Feed, FileFeed
from fetalclip_edge.live_feed import LiveFeed
from fetalclip_edge.sources.opening import is_live, open_source_factory


def open_feed(device: str, *, pace: bool = False, drop: str | None = None) -> Feed:
    """Returns a feed, not yet entered.

    Args:
        device: see `open_source_factory`.
        pace: play a file at its own rate.
        drop: None, or "latest", which only live sources do (and always do).

    Raises:
        UsageError: `drop` or `pace` does not go with this source.
        SourceError: `device` names nothing that can be streamed.
    """
    factory, live = open_source_factory(device), is_live(device)
    if drop is not None and (drop != "latest" or not live):
        raise UsageError(
            "--drop",
            expected="latest, for a camera or an address; every frame of a file is used",
            arrived=drop,
        )
    if pace and live:
        raise UsageError("--pace", expected="a file", arrived="a source that has its own pace")
    return LiveFeed(factory) if live else FileFeed(factory, pace=pace)
