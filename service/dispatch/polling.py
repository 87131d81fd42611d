"""Platforms that do not call back are asked: what became of the requests that are open."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.cases.deadlines import WorkTime
from service.cases.lifecycle import RUNNING
from service.dispatch.adapters.open311 import (
    POLL_MAX,
    AskedInVainError,
    Open311Error,
    ServiceRequest,
)
from service.dispatch.callbacks import ASIDE, Report, Status, receive
from service.dispatch.exchange import NoAnswerError
from service.dispatch.platforms import Open311Platform
from service.dispatch.queue import locked_platform
from service.dispatch.schedule import State
from service.store.database import Database
from service.store.tables import CallbackRow, CaseRow, DeliveryRow

log = logging.getLogger(__name__)

NOTES_MAX = 500


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
                news += _take(database, name, platform, one, now, worktime=worktime)
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
            CaseRow.state.in_(RUNNING),
        )
        .order_by(DeliveryRow.created_at)
    )
    with database.read() as session:
        return [reference for reference in session.scalars(query) if reference]


def _take(
    database: Database,
    name: str,
    platform: Open311Platform,
    one: ServiceRequest,
    now: datetime,
    *,
    worktime: WorkTime | None,
) -> bool:
    """Take in what a request says that it did not say before."""
    with database.write() as session:
        delivery = session.scalars(
            select(DeliveryRow).where(
                DeliveryRow.destination == name, DeliveryRow.reference == one.id
            )
        ).first()
        if delivery is None:
            return False
        reports = _news(session, delivery, one, platform, now)
        for report in reports:
            receive(session, name, report, now, worktime=worktime)
        return bool(reports)


def _news(
    session: Session,
    delivery: DeliveryRow,
    one: ServiceRequest,
    platform: Open311Platform,
    now: datetime,
) -> list[Report]:
    """What a request says otherwise than when it was asked last.

    ``open`` means that it was accepted, ``closed`` that it was handled, further words what the
    settings say. A later ``expected_datetime`` than was told before is an extension.
    """
    rows = session.scalars(
        select(CallbackRow)
        .where(
            CallbackRow.destination == delivery.destination,
            CallbackRow.event_id == delivery.event_id,
        )
        .order_by(CallbackRow.received_at, CallbackRow.report_id)
    ).all()
    said_at = one.updated_at or now
    reports = []
    expected = [at for row in rows if (at := _expected_before(row)) is not None]
    if expected and one.expected_at is not None and one.expected_at > max(expected):
        reports.append(
            Report(
                id=f"{one.id[:80]}:expected:{int(one.expected_at.timestamp())}",
                status=Status.EXTENDED,
                said_at=said_at,
                event_id=delivery.event_id,
                deadline_at=one.expected_at,
                details=_details(one),
            )
        )
    status, notes = _meaning(one, platform), one.notes[:NOTES_MAX]
    before = [row for row in rows if row.status not in ASIDE]
    last = before[-1] if before else None
    if last is None or (last.status, last.details.get("notes", "")) != (status, notes):
        reports.append(
            Report(
                id=f"{one.id[:80]}:{len(before):06}:{status}",
                status=status,
                said_at=said_at,
                event_id=delivery.event_id,
                details=_details(one),
            )
        )
    return reports


def _meaning(one: ServiceRequest, platform: Open311Platform) -> Status:
    """What the status of a request means; a word of the settings wins, in whatever case."""
    means = {word.casefold(): status for word, status in platform.statuses.items()}
    for word in (one.word, one.notes.strip()):
        if word.casefold() in means:
            return Status(means[word.casefold()])
    return Status.ACCEPTED if one.is_open else Status.CLOSED


def _details(one: ServiceRequest) -> dict[str, str]:
    told = {
        "notes": one.notes[:NOTES_MAX],
        "expected_at": "" if one.expected_at is None else one.expected_at.isoformat(),
    }
    return {name: value for name, value in told.items() if value}


def _expected_before(row: CallbackRow) -> datetime | None:
    """Until when a request was expected to be handled, as it was told then."""
    told = row.details.get("expected_at")
    return None if told is None else datetime.fromisoformat(told)
