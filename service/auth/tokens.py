"""How tokens and keys are known without being kept."""

from __future__ import annotations

import hashlib


def digest_of(token: str) -> str:
    """SHA-256 of a token in lower-case hexadecimal digits.

    Fit for long random tokens only; passwords are hashed in :mod:`service.auth.passwords`.
    """
    return hashlib.sha256(token.encode()).hexdigest()
