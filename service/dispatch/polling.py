"""Platforms that do not call back are asked: what became of the requests that are open."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import select

from service.cases.deadlines import WorkTime
from service.dispatch.adapters.open311 import (
    POLL_MAX,
    AskedInVainError,
    Open311Error,
    ServiceRequest,
)
from service.dispatch.callbacks import Report, Status, receive
from service.dispatch.exchange import NoAnswerError
from service.dispatch.platforms import Open311Platform
from service.dispatch.queue import locked_platform
from service.dispatch.schedule import State
from service.store.database import Database
from service.store.tables import CaseRow, CaseState, DeliveryRow

log = logging.getLogger(__name__)

ASKED = (
    CaseState.CONFIRMED,
    CaseState.SUBMITTED,
    CaseState.ACCEPTED,
    CaseState.HANDLING,
    CaseState.REOPENED,
    CaseState.SUSPENDED,
)
"""States of cases about which the platform has something to say yet."""


class Asked(Protocol):
    """A platform that can be asked."""

    def request_id(self, token: str, now: datetime) -> str | None:
        """Id of the request that a token was given for."""
        ...

    def requests(self, ids: Sequence[str], now: datetime) -> list[ServiceRequest]:
        """How requests are."""
        ...


def poll_once(
    database: Database,
    name: str,
    platform: Open311Platform,
    asked: Asked,
    clock: Callable[[], datetime],
    *,
    worktime: WorkTime | None = None,
) -> int:
    """Ask for ids where only tokens are known, then for the status of all open requests.

    One process asks at a time; where several run, the others pass.

    Returns:
        How many requests said something new.
    """
    if not _is_my_turn(database, name, platform.poll_s, clock()):
        return 0
    news = 0
    try:
        _redeem_tokens(database, name, asked, clock)
        known = _open_references(database, name)
        for start in range(0, len(known), POLL_MAX):
            now = clock()
            for one in asked.requests(known[start : start + POLL_MAX], now):
                news += _take(database, name, one, now, worktime)
    except (NoAnswerError, Open311Error, AskedInVainError) as error:
        log.warning("asking %s: %s", name, error)
    return news


def _is_my_turn(database: Database, name: str, poll_s: float, now: datetime) -> bool:
    with database.write() as session:
        row = locked_platform(session, name)
        if row is None or not row.active or row.gone_at is not None:
            return False
        if row.polled_at is not None and (now - row.polled_at).total_seconds() < poll_s * 0.9:
            return False
        row.polled_at = now
        return True


def _redeem_tokens(
    database: Database, name: str, asked: Asked, clock: Callable[[], datetime]
) -> None:
    query = select(DeliveryRow.id, DeliveryRow.reference).where(
        DeliveryRow.destination == name,
        DeliveryRow.state == State.DELIVERED,
        DeliveryRow.has_token.is_(True),
    )
    with database.read() as session:
        tokens = session.execute(query).all()
    for delivery_id, token in tokens:
        found = None if token is None else asked.request_id(token, clock())
        if found is None:
            continue
        with database.write() as session:
            row = session.get_one(DeliveryRow, delivery_id, with_for_update=True)
            row.reference, row.has_token = found, False


def _open_references(database: Database, name: str) -> list[str]:
    query = (
        select(DeliveryRow.reference)
        .join(CaseRow, CaseRow.id == DeliveryRow.case_id)
        .where(
            DeliveryRow.destination == name,
            DeliveryRow.state == State.DELIVERED,
            DeliveryRow.has_token.is_(False),
            DeliveryRow.reference.is_not(None),
            CaseRow.state.in_(ASKED),
        )
        .order_by(DeliveryRow.created_at)
    )
    with database.read() as session:
        return [reference for reference in session.scalars(query) if reference]


def _take(
    database: Database,
    name: str,
    one: ServiceRequest,
    now: datetime,
    worktime: WorkTime | None,
) -> bool:
    """Take in what a request says; ``open`` means that it was accepted, ``closed`` handled."""
    status = Status.ACCEPTED if one.is_open else Status.CLOSED
    said_at = one.updated_at or now
    # Asked again, a request says the same: known by what it says, not by when it was asked.
    said = hashlib.sha256(f"{one.id}\n{status}\n{one.notes}".encode()).hexdigest()[:32]
    with database.write() as session:
        delivery = session.scalars(
            select(DeliveryRow).where(
                DeliveryRow.destination == name, DeliveryRow.reference == one.id
            )
        ).first()
        if delivery is None:
            return False
        report = Report(
            id=f"{one.id[:80]}:{said}",
            status=status,
            said_at=said_at,
            event_id=delivery.event_id,
            details={"notes": one.notes[:500]} if one.notes else {},
        )
        found = receive(session, name, report, now, worktime=worktime)
        return found.outcome != "repeated"
