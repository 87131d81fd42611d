"""What platforms say of cases: each only once, in any order, and never backwards.

A platform's reports are put in order by its own clock and by the message that they answer. What
was said before the last that counted, or answers a message that was followed by another, is late:
it is written down and moves nothing. After ``closed``, nothing more counts for that message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from service.cases.deadlines import WorkTime
from service.cases.lifecycle import TRANSITIONS, Action, hold, take_step
from service.dispatch import queue
from service.dispatch.notice import Subject
from service.dispatch.schedule import State
from service.store.tables import CallbackRow, CaseRow, CaseState, DeliveryRow
from service.store.upsert import insert_new
from vision.errors import JiexuError


class Status(StrEnum):
    """What a platform can say of a case, in the order in which it comes."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    HANDLING = "handling"
    HANDLED = "handled"
    CLOSED = "closed"


RANKS = {status: rank for rank, status in enumerate(Status)}

_ACTIONS = {
    Status.ACCEPTED: Action.ACCEPT,
    Status.DECLINED: Action.DECLINE,
    Status.HANDLING: Action.HANDLE,
    Status.HANDLED: Action.FINISH,
}

Outcome = Literal["moved", "noted", "late", "copy", "repeated"]


class UnknownCaseError(JiexuError):
    """The platform speaks of a case that it was never told of."""


@dataclass(frozen=True)
class Report:
    """What a platform says.

    Attributes:
        id: Its id there; the same said again has the same id.
        status: What it says.
        said_at: When, aware, by the platform's clock.
        event_id: Message that it answers, or
        reference: the platform's id of the case, or
        case_id: our id of the case.
        details: What else it says: notes, operator.
    """

    id: str
    status: Status
    said_at: datetime
    event_id: str | None = None
    reference: str | None = None
    case_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Received:
    """What came of a report.

    Attributes:
        outcome: ``moved`` the case; ``noted``: counts, but there was nothing to move; ``late``;
            ``copy``: another platform's word counts; ``repeated``: known already.
        case_id: The case.
        state: Its state now.
    """

    outcome: Outcome
    case_id: str
    state: CaseState


def receive(
    session: Session,
    destination: str,
    report: Report,
    now: datetime,
    *,
    worktime: WorkTime | None = None,
) -> Received:
    """Take in a report.

    Args:
        session: A writing session; nothing else may be written in it after this.
        destination: Who says it.
        report: What it says.
        now: Aware wall-clock time.
        worktime: Needed for cases that are suspended.

    Raises:
        UnknownCaseError: It was never told of such a case.
    """
    answered = _answered(session, destination, report)
    if answered is None:
        raise UnknownCaseError("this platform was told of no such case")
    case = hold(session, answered.case_id)
    outcome = _weighed(session, case, answered, report)
    new = insert_new(
        session,
        CallbackRow,
        destination=destination,
        report_id=report.id,
        case_id=case.id,
        event_id=answered.event_id,
        status=report.status,
        said_at=report.said_at,
        received_at=now,
        outcome=outcome,
        details=dict(report.details),
    )
    if not new:
        return Received("repeated", case.id, CaseState(case.state))
    if outcome == "moved":
        for action in _steps(CaseState(case.state), report.status):
            case = take_step(
                session,
                case.id,
                action,
                f"platform:{destination}",
                now,
                details={
                    "report": report.id,
                    "said_at": report.said_at.isoformat(),
                    **report.details,
                },
                worktime=worktime,
            )
    return Received(outcome, case.id, CaseState(case.state))


def has_closed(session: Session, case_id: str) -> bool:
    """Whether the platform has said of what it was told last that it is closed."""
    name = queue.leading(session, case_id)
    if name is None:
        return False
    last = _last_request(session, case_id, name)
    query = select(CallbackRow.report_id).where(
        CallbackRow.case_id == case_id,
        CallbackRow.destination == name,
        CallbackRow.event_id == last.event_id,
        CallbackRow.status == Status.CLOSED,
    )
    return session.scalar(query.limit(1)) is not None


def _answered(session: Session, destination: str, report: Report) -> DeliveryRow | None:
    """The message that a report answers; the last that asked for something if it names none."""
    if report.event_id is not None:
        query = select(DeliveryRow).where(
            DeliveryRow.destination == destination, DeliveryRow.event_id == report.event_id
        )
        return session.scalars(query).first()
    named = []
    if report.case_id is not None:
        named.append(DeliveryRow.case_id == report.case_id)
    if report.reference is not None:
        named.append(DeliveryRow.reference == report.reference)
    if not named:
        return None
    query = (
        select(DeliveryRow)
        .where(
            DeliveryRow.destination == destination,
            DeliveryRow.state != State.WITHDRAWN,
            DeliveryRow.subject.in_((Subject.CONFIRMED, Subject.REOPENED)),
            or_(*named),
        )
        .order_by(DeliveryRow.number.desc())
    )
    return session.scalars(query).first()


def _last_request(session: Session, case_id: str, destination: str) -> DeliveryRow:
    """The last message that asked the platform to handle a case."""
    query = (
        select(DeliveryRow)
        .where(
            DeliveryRow.case_id == case_id,
            DeliveryRow.destination == destination,
            DeliveryRow.state != State.WITHDRAWN,
            DeliveryRow.subject.in_((Subject.CONFIRMED, Subject.REOPENED)),
        )
        .order_by(DeliveryRow.number.desc())
        .limit(1)
    )
    return session.scalars(query).one()


def _weighed(
    session: Session, case: CaseRow, answered: DeliveryRow, report: Report
) -> Literal["moved", "noted", "late", "copy"]:
    """Whether a report counts, and whether it moves the case."""
    if queue.leading(session, case.id) != answered.destination:
        return "copy"
    if answered.number < _last_request(session, case.id, answered.destination).number:
        return "late"
    counted = session.execute(
        select(CallbackRow.said_at, CallbackRow.status).where(
            CallbackRow.case_id == case.id,
            CallbackRow.destination == answered.destination,
            CallbackRow.event_id == answered.event_id,
            CallbackRow.outcome.in_(("moved", "noted")),
        )
    ).all()
    if counted:
        said_at, rank = max((at, RANKS[Status(status)]) for at, status in counted)
        if any(status == Status.CLOSED for _, status in counted):
            return "late"
        if (report.said_at, RANKS[report.status]) < (said_at, rank):
            return "late"
    return "moved" if _steps(CaseState(case.state), report.status) else "noted"


def _steps(state: CaseState, status: Status) -> list[Action]:
    """Steps that a report takes a case in a state; none if it says nothing new."""
    first: list[Action] = []
    if state is CaseState.CONFIRMED:
        # It came before the platform's answer did: the case has arrived there.
        first, state = [Action.SUBMIT], CaseState.SUBMITTED
    action = _ACTIONS.get(status)
    if status is Status.CLOSED:
        closes = state in (CaseState.VERIFIED, CaseState.DECLINED)
        action = Action.CLOSE if closes else Action.FINISH
    if action is None or state not in TRANSITIONS[action].sources:
        return first
    return [*first, action]
