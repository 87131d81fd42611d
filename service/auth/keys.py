"""Keys for programs: ``jxk_`` and 32 random bytes, shown once and kept as a hash.

A plain SHA-256 will do: nobody guesses 256 random bits, and a key is checked on every request.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.auth.principal import Principal
from service.auth.tokens import digest_of
from service.store.database import Database
from service.store.tables import ApiKeyRow, Scope

PREFIX = "jxk_"
_SHOWN = len(PREFIX) + 6
_USE_NOTED_S = 60.0


def add_key(
    session: Session,
    name: str,
    scopes: Collection[Scope],
    now: datetime,
    *,
    created_by: str,
    expires_at: datetime | None = None,
) -> tuple[str, ApiKeyRow]:
    """Make a key.

    Returns:
        The key itself, which cannot be had again, and what is kept of it.
    """
    key = PREFIX + secrets.token_urlsafe(32)
    row = ApiKeyRow(
        id=str(uuid.uuid4()),
        name=name,
        shown=key[:_SHOWN],
        secret_sha256=digest_of(key),
        scopes=sorted(set(scopes)),
        created_by=created_by,
        created_at=now,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return key, row


def keys(session: Session) -> Sequence[ApiKeyRow]:
    """All keys, revoked ones too, newest first."""
    query = select(ApiKeyRow).order_by(ApiKeyRow.created_at.desc(), ApiKeyRow.id)
    return session.scalars(query).all()


def revoke(row: ApiKeyRow, now: datetime) -> None:
    """Let a key in no more."""
    row.revoked_at = row.revoked_at or now


def whose(database: Database, key: str, now: datetime) -> Principal | None:
    """The program that a key stands for, ``None`` if it stands for none any more."""
    if not key.startswith(PREFIX):
        return None
    with database.read() as session:
        row = session.scalar(select(ApiKeyRow).where(ApiKeyRow.secret_sha256 == digest_of(key)))
    if row is None or row.revoked_at is not None:
        return None
    if row.expires_at is not None and now >= row.expires_at:
        return None
    if row.used_at is None or now - row.used_at > timedelta(seconds=_USE_NOTED_S):
        with database.write() as session:
            session.get_one(ApiKeyRow, row.id).used_at = now
    return Principal(actor=f"key:{row.id}", scopes=frozenset(Scope(scope) for scope in row.scopes))
