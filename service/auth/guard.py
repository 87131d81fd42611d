"""What slows those down who guess passwords.

Every attempt is counted before the password is looked at, and taken back when it was right: a
thousand guesses sent at once are a thousand attempts, not one. A name is locked for longer and
longer, but never for so long that someone else could keep a person out for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from service.store.tables import LoginFailuresRow
from service.store.upsert import insert_new


@dataclass(frozen=True)
class Limit:
    """How many failures are borne.

    Attributes:
        free: So many failures cost nothing.
        first_s: The next locks for so long; each further one for twice as long.
        longest_s: But never longer than this.
        forgotten_s: Failures count from anew when the last was so long ago.
    """

    free: int
    first_s: float
    longest_s: float
    forgotten_s: float


BY_NAME = Limit(free=5, first_s=30, longest_s=900, forgotten_s=3600)
BY_ADDRESS = Limit(free=30, first_s=60, longest_s=3600, forgotten_s=3600)


def begin_attempt(session: Session, name: str, address: str, now: datetime) -> timedelta | None:
    """Count an attempt to log in.

    Returns:
        How long to wait before the next, or ``None`` if this one may be looked at.
    """
    rows = [
        (_row(session, f"name:{name.strip().lower()[:64]}", now), BY_NAME),
        (_row(session, f"address:{address[:64]}", now), BY_ADDRESS),
    ]
    locks = [row.locked_until for row, _ in rows if row.locked_until is not None]
    if locks and max(locks) > now:
        return max(locks) - now
    for row, limit in rows:
        if now - row.last_at > timedelta(seconds=limit.forgotten_s):
            row.count = 0
        row.count += 1
        row.last_at = now
        beyond = row.count - limit.free
        row.locked_until = (
            now + timedelta(seconds=min(limit.first_s * 2 ** min(beyond, 20), limit.longest_s))
            if beyond >= 0
            else None
        )
    return None


def attempt_succeeded(session: Session, name: str, address: str) -> None:
    """Forget the failures of a name; of an address, only the attempt that was none."""
    session.execute(
        delete(LoginFailuresRow).where(
            LoginFailuresRow.subject == f"name:{name.strip().lower()[:64]}"
        )
    )
    row = session.get(LoginFailuresRow, f"address:{address[:64]}", with_for_update=True)
    if row is not None:
        row.count = max(0, row.count - 1)
        row.locked_until = None


def forget_failures(session: Session, before: datetime) -> None:
    """Take away what no longer counts."""
    session.execute(delete(LoginFailuresRow).where(LoginFailuresRow.last_at < before))


def _row(session: Session, subject: str, now: datetime) -> LoginFailuresRow:
    insert_new(session, LoginFailuresRow, subject=subject, count=0, last_at=now)
    return session.get_one(LoginFailuresRow, subject, with_for_update=True)
