"""Network addresses, taken apart so that a password never reaches a name, an error or a log."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from fetalclip_edge.errors import SourceError

# cameras that take credentials in the path: rtsp://host/user=admin&password=secret&stream=0.sdp
_SECRET_PAIR = re.compile(
    r"([a-z_]*(?:user|login|pass|pwd|token|key|auth)[a-z_]*=)[^&/;]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Address:
    """A network address whose printed forms hold no credentials.

    Attributes:
        scheme: in lower case.
        host: name or number, without brackets.
        port: or None for the scheme's own.
        name: the address for people: no user, no password, no query.
        target: path and query as the server wants them.
        username: or None.
        password: or None.
        full: the address as it was given.
    """

    scheme: str
    host: str
    port: int | None
    name: str
    target: str = field(repr=False)
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)
    full: str = field(repr=False)


def parse_address(url: str, schemes: tuple[str, ...]) -> Address:
    """Returns an address in its parts.

    Args:
        url: ``scheme://[user[:password]@]host[:port][/path][?query]``.
        schemes: those that the source can use.

    Raises:
        SourceError: another scheme, or no address; its text does not repeat the address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _bad_address("one that cannot be taken apart") from None
    if parts.scheme not in schemes:
        raise SourceError(
            "network source",
            expected=" or ".join(f"{scheme}://" for scheme in schemes),
            arrived=f"{parts.scheme[:16]!r}",
        )
    if not host:
        raise _bad_address("one without a host")
    # an unescaped / ? or # in a password moves the rest of it, up to the @, out of the user part
    if "@" in parts.path + parts.query + parts.fragment:
        raise _bad_address("an @ after the host")
    if not url.isprintable() or " " in url or "\\" in url:
        raise _bad_address("one with spaces or control characters")
    shown_host = f"[{host}]" if ":" in host else host
    place = shown_host if port is None else f"{shown_host}:{port}"
    path = _SECRET_PAIR.sub(r"\1***", parts.path)
    query = "?..." if parts.query else ""
    target = parts.path or "/"
    return Address(
        scheme=parts.scheme,
        host=host,
        port=port,
        name=f"{parts.scheme}://{place}{path}{query}",
        target=f"{target}?{parts.query}" if parts.query else target,
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        full=url,
    )


def _bad_address(arrived: str) -> SourceError:
    return SourceError(
        "network source",
        expected="scheme://[user:password@]host[:port]/path",
        arrived=arrived,
        remedy="Write @ : / ? # in a user name or password as %40 %3A %2F %3F %23",
    )
