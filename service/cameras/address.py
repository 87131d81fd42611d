"""Where a camera's pictures come from: addresses as values that never show their secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from vision.errors import ConfigError
from vision.frames.capture import redact

MAX_LENGTH = 2048
"""Longest address in characters."""

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_PICTURE = re.compile(r"\.(?:jpe?g|png)$", re.IGNORECASE)
_SNAPSHOT = re.compile(r"(?:^|[/._-])(?:snapshot|snap|picture|still|getsnap)(?:[/._-]|$)", re.I)
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f]")


class SourceKind(StrEnum):
    """How pictures are got from an address."""

    RTSP = "rtsp"
    STREAM = "stream"
    """HTTP-FLV, HLS, MJPEG or another stream over HTTP; which one, the stream itself says."""
    SNAPSHOT = "snapshot"
    """Each GET gives one picture."""
    FILE = "file"
    """A recording played in a loop, for trials."""


class Transport(StrEnum):
    """How RTSP carries its packets."""

    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True)
class Address:
    """One address; ``str`` and ``repr`` of it hide user, password and tokens.

    Attributes:
        url: The address without user and password, as libraries take it. Tokens in its query stay:
            show :meth:`__str__` instead.
        kind: How pictures are got from it.
        transport: How RTSP carries its packets.
        user: User, ``""`` for none.
        password: Password.
    """

    url: str = field(repr=False)
    kind: SourceKind
    transport: Transport = Transport.TCP
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        shown = redact(self.url)
        return shown.replace("://", "://***@", 1) if self.user or self.password else shown

    def __repr__(self) -> str:
        return f"Address({str(self)!r}, {self.kind.value}, {self.transport.value})"

    @property
    def host(self) -> str:
        """Host name or IP address; empty for files."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Port, the scheme's own where none is named; 0 for files."""
        parts = urlsplit(self.url)
        return parts.port or _PORTS.get(parts.scheme, 0)

    @property
    def path(self) -> Path:
        """The recording of a ``file:`` address."""
        return Path(unquote(urlsplit(self.url).path))

    def with_secrets(self, host: str | None = None) -> str:
        """The whole URL with user and password, for the library that connects.

        Args:
            host: IP address to connect to, instead of asking the resolver again.
        """
        parts = urlsplit(self.url)
        name = host or self.host
        place = f"[{name}]" if ":" in name else name
        if parts.port:
            place += f":{parts.port}"
        if self.user or self.password:
            place = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@{place}"
        return urlunsplit(parts._replace(netloc=place))

    def redact(self, text: str) -> str:
        """A text without this address's secrets, and without those of any URL in it."""
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = text.replace(secret, "***")
        return redact(text)

    def _secrets(self) -> set[str]:
        known = {self.password, quote(self.password, safe=""), self.with_secrets()}
        return {secret for secret in known if len(secret) > 2}


@dataclass(frozen=True)
class CameraSource:
    """The addresses of one camera.

    Attributes:
        look: What is looked at all the time: the sub-stream where there is one.
        main: Where evidence comes from; ``None`` takes it from ``look``.
    """

    look: Address
    main: Address | None = None


def parse_address(
    text: str, *, kind: SourceKind | None = None, transport: Transport = Transport.TCP
) -> Address:
    """Read an address as an operator writes it.

    Args:
        text: ``rtsp://``, ``rtsps://``, ``http://``, ``https://`` or ``file:///``. A password may
            hold ``@`` and ``:`` as they are; ``/``, ``?`` and ``#`` in it must be percent-encoded.
        kind: ``snapshot`` or ``stream`` where an HTTP address does not say so itself: names such as
            ``snapshot`` and pictures' endings are taken for snapshots.
        transport: How RTSP carries its packets.

    Raises:
        ConfigError: It is no such address. The text quotes nothing of it, for it may hold secrets.
    """
    text = text.strip()
    if not text or len(text) > MAX_LENGTH or _UNSAFE.search(text):
        raise ConfigError(
            f"camera address: 1 to {MAX_LENGTH} characters without spaces and control characters"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ConfigError(
            "camera address: host or port cannot be read; write / ? # of a password as %2F %3F %23"
        ) from None
    scheme = parts.scheme.lower()
    if scheme == "file":
        return _file(text, kind)
    if scheme not in _PORTS:
        raise ConfigError(
            "camera address: begins with none of rtsp:// rtsps:// http:// https:// file:///"
        )
    if not parts.hostname or port == 0:
        raise ConfigError("camera address: names no host, or port 0")
    host = _ascii(parts.hostname)
    place = f"[{host}]" if ":" in host else host
    url = urlunsplit((scheme, f"{place}:{port}" if port else place, parts.path, parts.query, ""))
    if scheme.startswith("rtsp"):
        own = SourceKind.RTSP
        if kind not in (None, own):
            raise ConfigError(f"camera address: {scheme}:// cannot be read as {kind}")
    else:
        is_picture = _PICTURE.search(parts.path) or _SNAPSHOT.search(parts.path)
        own = kind or (SourceKind.SNAPSHOT if is_picture else SourceKind.STREAM)
        if own not in (SourceKind.SNAPSHOT, SourceKind.STREAM):
            raise ConfigError(f"camera address: {scheme}:// cannot be read as {kind}")
    return Address(
        url, own, transport, unquote(parts.username or ""), unquote(parts.password or "")
    )


def _file(text: str, kind: SourceKind | None) -> Address:
    parts = urlsplit(text)
    path = Path(unquote(parts.path))
    if parts.netloc or not path.is_absolute() or ".." in path.parts:
        raise ConfigError("camera address: a file is written file:///folder/name, without ..")
    if kind not in (None, SourceKind.FILE):
        raise ConfigError(f"camera address: a file cannot be read as {kind}")
    return Address(urlunsplit(("file", "", parts.path, "", "")), SourceKind.FILE)


def _ascii(host: str) -> str:
    """A host name as the resolver takes it."""
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ConfigError("camera address: the host's name cannot be read") from None
