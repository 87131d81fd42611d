"""The log of what happened, which the event stream reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service.store.database import keep_event_order
from service.store.tables import EventRow

CASE_CREATED = "case.created"
CASE_CHANGED = "case.changed"
CASE_RELEASED = "case.released"
CAMERA_CHANGED = "camera.changed"
CAMERA_HEALTH = "camera.health"


def tell(
    session: Session, type_: str, subject: str, data: Mapping[str, Any], at: datetime
) -> EventRow:
    """Add an event. Call it last in a transaction: others who add events wait for its end."""
    keep_event_order(session)
    event = EventRow(at=at, type=type_, subject=subject, data=dict(data))
    session.add(event)
    session.flush()
    return event


def events_after(session: Session, number: int, limit: int) -> Sequence[EventRow]:
    """Events after a number, in order."""
    query = select(EventRow).where(EventRow.id > number).order_by(EventRow.id).limit(limit)
    return session.scalars(query).all()


def last_number(session: Session) -> int:
    """Number of the newest event, 0 before the first."""
    return session.scalar(select(func.max(EventRow.id))) or 0


def first_number(session: Session) -> int | None:
    """Number of the oldest event that is kept."""
    return session.scalar(select(func.min(EventRow.id)))


def forget_events(session: Session, before: datetime) -> int:
    """Take away events older than a time, and say how many there were; the newest stays."""
    newest = select(func.max(EventRow.id)).scalar_subquery()
    old = delete(EventRow).where(EventRow.at < before, EventRow.id < newest)
    return len(session.execute(old.returning(EventRow.id)).all())
