"""The signing secret of a webhook: read from the environment or a file, never shown."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from standardwebhooks import Webhook

from vision.errors import ConfigError

SECRET_VARIABLE = "JIEXU_POST_SECRET"  # noqa: S105 the name of the variable, not its value
_PREFIX = "whsec_"

TOLERANCE_S = 300
"""A signature may be so old, and the other clock so far ahead."""


@dataclass(frozen=True)
class Secret:
    """One or, while a secret is being replaced, several signing keys.

    Attributes:
        keys: 24 to 64 random bytes each; the newest first. Kept out of ``repr``.
    """

    keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str, *, named: str) -> Secret:
        """Read ``whsec_`` secrets separated by blanks.

        Args:
            text: The secrets.
            named: Where they come from, for error texts.

        Raises:
            ConfigError: A secret is not ``whsec_`` and base64 of 24 to 64 bytes, or there is
                none. The text names ``named`` and never the secret.
        """
        words = text.split()
        if not words:
            raise ConfigError(f"{named} holds no secret")
        return cls(tuple(_key(word, named) for word in words))

    def sign(self, message_id: str, timestamp: datetime, body: bytes) -> str:
        """Sign a message after Standard Webhooks 1.0.

        Args:
            message_id: The ``webhook-id``; without ``.``.
            timestamp: Aware time of the attempt, the ``webhook-timestamp``.
            body: The raw body, UTF-8.

        Returns:
            The ``webhook-signature``: ``v1,`` and base64 of HMAC-SHA256 over
            ``id.timestamp.body`` for each key, separated by blanks.
        """
        # The library takes the wall-clock fields of the time as UTC, whatever its zone.
        at, text = timestamp.astimezone(UTC), body.decode()
        return " ".join(Webhook(key).sign(message_id, at, text) for key in self.keys)

    def has_signed(
        self, message_id: str, timestamp: str, body: bytes, signature: str, now: datetime
    ) -> bool:
        """Whether a message was signed with one of the keys, not long ago.

        Args:
            message_id: Its ``webhook-id``.
            timestamp: Its ``webhook-timestamp``.
            body: The raw body.
            signature: Its ``webhook-signature``, several separated by blanks.
            now: Aware current time; :data:`TOLERANCE_S` to either side is allowed.
        """
        try:
            at = datetime.fromtimestamp(int(timestamp), UTC)
            expected = self.sign(message_id, at, body).split()
        except (ValueError, OverflowError, OSError):
            return False
        if abs((now - at).total_seconds()) > TOLERANCE_S:
            return False
        given = [word.encode() for word in signature.split()[:8]]
        found = [hmac.compare_digest(one, other.encode()) for one in given for other in expected]
        return any(found)


def _key(word: str, named: str) -> bytes:
    form = f"{named}: a secret is {_PREFIX} followed by base64 of 24 to 64 random bytes"
    if not word.startswith(_PREFIX):
        raise ConfigError(form)
    encoded = word.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(form) from None
    if not 24 <= len(key) <= 64:
        raise ConfigError(f"{form}; this one has {len(key)} bytes")
    return key


def load_secret(file: Path | None = None, environ: Mapping[str, str] = os.environ) -> Secret | None:
    """Find the signing secret: in ``file``, else in ``JIEXU_POST_SECRET``.

    A secret is never taken from the command line, where every user of the machine can read it.

    Returns:
        ``None`` when neither is given.

    Raises:
        ConfigError: The file cannot be read, or what is found is no secret.
    """
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a text file"
            raise ConfigError(f"secret file {file} cannot be read: {reason}") from None
        return Secret.parse(text, named=f"secret file {file}")
    if environ.get(SECRET_VARIABLE, "").strip():
        return Secret.parse(environ[SECRET_VARIABLE], named=SECRET_VARIABLE)
    return None
