"""The one error tree.

    EdgeError                     1
    ├── UsageError                2   the command line or an argument makes no sense
    ├── EnvironmentFault          3   this machine lacks something
    │   ├── MissingPackageError       an optional package is not installed
    │   ├── ProviderError             the execution provider asked for cannot run
    │   └── SinkError                 a result cannot be written (disk full, no display)
    ├── InputError                4   what was given cannot be used
    │   ├── ImageError                an image that cannot be read or has an unusable form
    │   ├── SourceError               a video source that cannot be opened or was lost
    │   │   └── SourceStalledError    no frame within the time allowed
    │   └── BundleError               a model bundle that must not be used
    └── CheckFailedError          5   a self-test, parity or acceptance check failed

The number is the exit code of the command line.
"""

from __future__ import annotations

from typing import ClassVar


class EdgeError(Exception):
    """Root of every error this project raises on purpose.

    The text reads ``what: expected X, got Y. Remedy.``; parts not given are left out.

    Args:
        what: the thing that went wrong, named so that a user recognises it.
        expected: what would have been right.
        arrived: what was there instead.
        remedy: what to do about it, as a sentence without its full stop.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        what: str,
        *,
        expected: str | None = None,
        arrived: str | None = None,
        remedy: str | None = None,
    ) -> None:
        facts = [
            f"{word} {text}"
            for word, text in (("expected", expected), ("got", arrived))
            if text is not None
        ]
        message = f"{what}: {', '.join(facts)}" if facts else what
        if remedy is not None:
            message = f"{message}. {remedy}"
        super().__init__(message)


class UsageError(EdgeError):
    """The command line or an argument makes no sense."""

    exit_code = 2


class EnvironmentFault(EdgeError):
    """This machine lacks something that the work needs."""

    exit_code = 3


class MissingPackageError(EnvironmentFault):
    """An optional package is not installed; the message names the extra that brings it."""


class ProviderError(EnvironmentFault):
    """The execution provider that was asked for cannot run here."""


class SinkError(EnvironmentFault):
    """A result cannot be written: disk full, no permission, no display."""


class InputError(EdgeError):
    """What was given cannot be used."""

    exit_code = 4


class ImageError(InputError):
    """An image that cannot be read, or whose size or type cannot be used."""


class SourceError(InputError):
    """A video source that cannot be opened or was lost."""


class SourceStalledError(SourceError):
    """A source gave no frame within the time allowed; it may come back."""


class BundleError(InputError):
    """A model bundle that is damaged, altered, too new, or incomplete, and must not be used."""


class CheckFailedError(EdgeError):
    """A self-test, parity or acceptance check failed."""

    exit_code = 5
