"""Logins: a random token in a cookie, known here by its hash only."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from service import audit
from service.auth.guard import attempt_succeeded, begin_attempt
from service.auth.passwords import hash_password, is_outdated, matches
from service.auth.principal import Principal
from service.auth.tokens import digest_of
from service.auth.users import find_user
from service.store.database import Database
from service.store.tables import Role, SessionRow, UserRow

_USE_NOTED_S = 60.0


@dataclass(frozen=True)
class LoginTimes:
    """How long a login lasts.

    Attributes:
        idle_s: Without any request.
        whole_s: In all.
    """

    idle_s: float = 8 * 3600
    whole_s: float = 7 * 24 * 3600


@dataclass(frozen=True)
class LoggedIn:
    """A login that succeeded: the cookie's token, shown this once, and who it is."""

    token: str
    principal: Principal
    expires_at: datetime


@dataclass(frozen=True)
class Refused:
    """A login that failed; ``wait`` if it was not even looked at."""

    wait: timedelta | None = None


def log_in(
    database: Database,
    name: str,
    password: str,
    *,
    origin: audit.Origin,
    now: datetime,
    times: LoginTimes,
) -> LoggedIn | Refused:
    """Log a user in by password. Success and failure are written to the audit.

    Args:
        database: The store.
        name: User name as typed.
        password: Password as typed.
        origin: Where the request comes from.
        now: Aware wall-clock time.
        times: How long the login lasts.
    """
    address = origin.address or ""
    subject = f"user:{name.strip().lower()[:64]}"
    with database.write() as session:
        wait = begin_attempt(session, name, address, now)
        if wait is not None:
            audit.write(session, now, origin, "nobody", "login.locked_out", subject=subject)
            return Refused(wait)
    with database.read() as session:
        user = find_user(session, name)
    # Outside of any transaction: hashing takes long on purpose.
    right = matches(user.password_hash if user else None, password)
    with database.write() as session:
        known = None if user is None else session.get(UserRow, user.id)
        if not right or known is None or known.disabled_at is not None:
            audit.write(session, now, origin, "nobody", "login.failed", subject=subject)
            return Refused()
        attempt_succeeded(session, name, address)
        assert known.password_hash is not None
        if is_outdated(known.password_hash):
            known.password_hash = hash_password(password)
        return begin_login(session, known, origin=origin, now=now, times=times)


def begin_login(
    session: Session, user: UserRow, *, origin: audit.Origin, now: datetime, times: LoginTimes
) -> LoggedIn:
    """Let a user in whose identity is proven."""
    token = secrets.token_urlsafe(32)
    row = SessionRow(
        token_sha256=digest_of(token),
        user_id=user.id,
        csrf_token=secrets.token_urlsafe(32),
        created_at=now,
        used_at=now,
        expires_at=now + timedelta(seconds=times.whole_s),
    )
    session.add(row)
    principal = _principal(user, row)
    audit.write(session, now, origin, principal.actor, "login", subject=f"user:{user.name}")
    return LoggedIn(token, principal, row.expires_at)


def who(database: Database, token: str, now: datetime, times: LoginTimes) -> Principal | None:
    """The user that a cookie's token stands for, ``None`` if it stands for nobody any more."""
    with database.read() as session:
        row = session.get(SessionRow, digest_of(token))
        user = None if row is None else session.get(UserRow, row.user_id)
    if row is None or user is None or user.disabled_at is not None or now >= row.expires_at:
        return None
    if now - row.used_at > timedelta(seconds=times.idle_s):
        return None
    if now - row.used_at > timedelta(seconds=_USE_NOTED_S):
        with database.write() as session:
            noted = session.get(SessionRow, row.token_sha256)
            if noted is not None:
                noted.used_at = now
    return _principal(user, row)


def log_out(session: Session, token_sha256: str) -> None:
    """End a login."""
    session.execute(delete(SessionRow).where(SessionRow.token_sha256 == token_sha256))


def forget_logins(session: Session, now: datetime, times: LoginTimes) -> None:
    """Take away logins that are over."""
    idle = now - timedelta(seconds=times.idle_s)
    session.execute(
        delete(SessionRow).where((SessionRow.expires_at <= now) | (SessionRow.used_at < idle))
    )


def _principal(user: UserRow, row: SessionRow) -> Principal:
    return Principal(
        actor=f"user:{user.name}",
        role=Role(user.role),
        user_id=user.id,
        session=row.token_sha256,
        csrf_token=row.csrf_token,
    )
