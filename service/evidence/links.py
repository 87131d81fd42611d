"""Links to evidence: signed, for one file and one person, and for a short time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from vision.errors import ConfigError

SECRET_FILE = "signing-secret"  # noqa: S105 - name of a file
SHORTEST_SECRET = 32


class Grant(BaseModel):
    """What a link permits.

    Attributes:
        evidence_id: The file.
        actor: Who asked for it.
        until: Until when, in seconds since 1970.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    evidence_id: str
    actor: str
    until: int


class Signer:
    """Signs grants, and knows those that it signed.

    Args:
        secret: At least 32 bytes.

    Raises:
        ConfigError: It is shorter.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise ConfigError(f"signing_secret: at least {SHORTEST_SECRET} characters")
        self._secret = secret

    def token(self, grant: Grant) -> str:
        """A grant as text for a URL."""
        return self.seal("evidence", grant.model_dump_json().encode())

    def grant(self, token: str, now: datetime) -> Grant | None:
        """The grant in a text, ``None`` if it was not signed here or holds no more."""
        body = self.opened("evidence", token)
        if body is None:
            return None
        try:
            grant = Grant.model_validate_json(body)
        except ValidationError:
            return None
        return grant if datetime.fromtimestamp(grant.until, UTC) > now else None

    def seal(self, purpose: str, body: bytes) -> str:
        """Bytes as text that nobody else can make; it can be read, and serves one purpose."""
        return f"{_text(body)}.{_text(self._sign(purpose, body))}"

    def opened(self, purpose: str, text: str) -> bytes | None:
        """The bytes in a text that was sealed here for this purpose, else ``None``."""
        try:
            body, signature = (_bytes(part) for part in text.split("."))
        except ValueError:
            return None
        return body if hmac.compare_digest(self._sign(purpose, body), signature) else None

    def _sign(self, purpose: str, body: bytes) -> bytes:
        return hmac.digest(self._secret, purpose.encode() + b":" + body, hashlib.sha256)


def load_signer(folder: Path, secret: str | None) -> Signer:
    """A signer with the secret of the settings, or with one that is made once and kept.

    Args:
        folder: Folder of the file that keeps it.
        secret: The secret of the settings.
    """
    if secret is not None:
        return Signer(secret.encode())
    path = folder / SECRET_FILE
    folder.mkdir(parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return Signer(path.read_text().strip().encode())
    text = secrets.token_urlsafe(48)
    with os.fdopen(file, "w") as opened:
        opened.write(text + "\n")
    return Signer(text.encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), b"-_", validate=True)
