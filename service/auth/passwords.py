"""Passwords: Argon2id through argon2-cffi, with its parameters of RFC 9106 for little memory."""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from vision.errors import JiexuError

SHORTEST = 12
LONGEST = 256

_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


class PasswordError(JiexuError):
    """A password is not fit to be used; the text says why."""


def check_fitness(password: str, name: str) -> None:
    """Refuse what is guessed first. Length counts, a mix of characters does not (NIST SP 800-63B).

    Raises:
        PasswordError: It is too short, too long, or little but the user's name.
    """
    if len(password) < SHORTEST:
        raise PasswordError(f"a password needs at least {SHORTEST} characters")
    if len(password) > LONGEST:
        raise PasswordError(f"a password has at most {LONGEST} characters")
    rest = password.casefold().replace(name.casefold(), "")
    if len(set(password)) < 4 or len(rest) < 4:
        raise PasswordError("this password is too easy to guess")


def hash_password(password: str) -> str:
    """Hash with a salt of its own."""
    return _HASHER.hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether a password is the one that was hashed.

    Without a hash it takes as long as with one, so that the time does not tell who is known.
    """
    try:
        _HASHER.verify(password_hash or _nobodys_hash(), password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether it was hashed with other parameters than are used now."""
    return _HASHER.check_needs_rehash(password_hash)


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash(secrets.token_hex())
