"""Where cases are sent: a checked URL, its identity, and a form of it that may be shown."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit, urlunsplit

import httpx

from vision.errors import ConfigError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HIDDEN = "***"
# Hooks of chat systems and gateways carry their key as a part of the path.
_KEY_LIKE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_~=.-]{16,}")


@dataclass(frozen=True)
class Destination:
    """A receiver of cases.

    Attributes:
        url: The URL as given, with its credentials; kept out of ``repr``, files and logs.
        shown: The URL without user, password, query values and key-like parts of the path.
        id: 16 hex digits that stay the same for the same receiver: a hash of scheme, host, port,
            path and query. The user and password are not part of it, so that a changed password
            does not make a new destination.
    """

    url: str = field(repr=False)
    shown: str
    id: str

    @classmethod
    def parse(cls, url: str) -> Destination:
        """Check a URL.

        Raises:
            ConfigError: It is not an absolute http or https URL; the text shows no credentials.
        """
        text = url.strip()
        try:
            parts = urlsplit(text)
            port = parts.port
            httpx.URL(text)
        except (ValueError, httpx.InvalidURL):
            # The reason is left out: it quotes parts of the URL, a password among them.
            raise ConfigError("the URL to post to is malformed") from None
        if parts.scheme not in _DEFAULT_PORTS:
            scheme = repr(parts.scheme) if parts.scheme else "none"
            raise ConfigError(
                f"the URL to post to must start with http:// or https://; its scheme is {scheme}"
            )
        if not parts.hostname:
            raise ConfigError(f"the URL to post to names no host: {parts.scheme}://")
        if re.search(r"[\s\x00-\x1f]", text):
            raise ConfigError("the URL to post to holds blanks or control characters")
        port = port or _DEFAULT_PORTS[parts.scheme]
        same = "\n".join((parts.scheme, parts.hostname, str(port), parts.path or "/", parts.query))
        return cls(
            url=text.partition("#")[0],
            shown=_shown(parts),
            id=hashlib.sha256(same.encode()).hexdigest()[:16],
        )

    @property
    def hides_nothing(self) -> bool:
        """Whether ``shown`` is the whole URL, so that it can be used again from the ledger."""
        return self.shown == self.url

    def may_redirect_to(self, target: str) -> bool:
        """Whether a 307 or 308 to an absolute ``target`` stays with this receiver.

        The scheme, host and port must be the same, save that plain HTTP may be sent on to HTTPS
        of the same host on the standard ports.
        """
        try:
            here, there = _origin(self.url), _origin(target)
        except ValueError:
            return False
        return there == here or (here == ("http", here[1], 80) and there == ("https", here[1], 443))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _shown(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if parts.port is not None:
        host = f"{host}:{parts.port}"
    if parts.username is not None or parts.password is not None:
        host = f"{_HIDDEN}@{host}"
    path = "/".join(
        _HIDDEN if _KEY_LIKE.fullmatch(part) else part for part in parts.path.split("/")
    )
    # A word without a value may itself be a key.
    query = "&".join(
        f"{quote(key)}={_HIDDEN}" if value else _HIDDEN
        for key, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    return urlunsplit((parts.scheme, host, path, query, ""))
