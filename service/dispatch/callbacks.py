"""What platforms say of cases: each only once, in any order, and never backwards.

A platform's reports are put in order by its own clock and by the message that they answer. What
was said before the last that counted, or answers a message that was followed by another, is late:
it is written down and moves nothing. After ``closed`` and ``cancelled``, nothing more counts for
that message.

Three words are beside that order, for they say nothing of where the case stands: ``extended`` is
compared with other extensions alone and counts if it was said before the end; ``appealed`` and
``exempted`` count at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from service.cases.deadline_changes import appeal, exempt, extend
from service.cases.deadlines import WorkTime
from service.cases.lifecycle import RUNNING, TRANSITIONS, Action, hold, take_step
from service.dispatch import queue
from service.dispatch.notice import ASKING
from service.dispatch.schedule import State
from service.store.tables import CallbackRow, CaseRow, CaseState, DeliveryRow
from service.store.upsert import insert_new
from vision.errors import JiexuError


class Status(StrEnum):
    """What a platform can say of a case; up to ``cancelled`` in the order in which it comes."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    HANDLING = "handling"
    RETURNED = "returned"
    """The unit gave it back (退回); another one is to be found."""
    SUSPENDED = "suspended"
    """It cannot be handled for now (挂账); ``handling`` ends that."""
    HANDLED = "handled"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    """It should never have been sent (作废)."""
    EXTENDED = "extended"
    """Its deadline is put off (延期)."""
    APPEALED = "appealed"
    """The unit disputes that it was late (申诉)."""
    EXEMPTED = "exempted"
    """The platform found for the unit: it counts as in time."""


ASIDE = (Status.EXTENDED, Status.APPEALED, Status.EXEMPTED)
"""Words that say nothing of where a case stands."""

FINAL = (Status.CLOSED, Status.CANCELLED)
"""Words after which nothing more is said of where it stands."""

RANKS = {status: rank for rank, status in enumerate(Status) if status not in ASIDE}

_ACTIONS = {
    Status.ACCEPTED: Action.ACCEPT,
    Status.DECLINED: Action.DECLINE,
    Status.HANDLING: Action.HANDLE,
    Status.RETURNED: Action.RETURN,
    Status.SUSPENDED: Action.SUSPEND,
    Status.HANDLED: Action.FINISH,
    Status.CANCELLED: Action.CANCEL,
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
        deadline_at: With ``extended``: the deadline that holds from then on, aware.
        details: What else it says: notes, operator.
    """

    id: str
    status: Status
    said_at: datetime
    event_id: str | None = None
    reference: str | None = None
    case_id: str | None = None
    deadline_at: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Received:
    """What came of a report.

    Attributes:
        outcome: ``moved`` the case; ``noted``: counts, but the case stays where it is; ``late``;
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
        worktime: Needed for cases that are suspended, and to put deadlines off.

    Raises:
        UnknownCaseError: It was never told of such a case.
    """
    answered = _answered(session, destination, report)
    if answered is None:
        raise UnknownCaseError("this platform was told of no such case")
    case = hold(session, answered.case_id)
    outcome = _weighed(session, case, answered, report)
    details = dict(report.details)
    if report.deadline_at is not None:
        details["deadline_at"] = report.deadline_at.isoformat()
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
        details=details,
    )
    if not new:
        return Received("repeated", case.id, CaseState(case.state))
    actor = f"platform:{destination}"
    told = {"report": report.id, "said_at": report.said_at.isoformat(), **report.details}
    if outcome == "noted" and report.status in ASIDE:
        _take_aside(session, case, report, now, actor=actor, told=told, worktime=worktime)
    elif outcome == "moved":
        for action in _steps(CaseState(case.state), report.status):
            case = take_step(session, case.id, action, actor, now, details=told, worktime=worktime)
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
            DeliveryRow.subject.in_(ASKING),
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
            DeliveryRow.subject.in_(ASKING),
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
    if report.status in ASIDE:
        is_late = report.status is Status.EXTENDED and _is_extended_late(
            session, case, report, answered.destination
        )
        return "late" if is_late else "noted"
    if answered.number < _last_request(session, case.id, answered.destination).number:
        return "late"
    counted = [
        (at, status)
        for at, status in _counted(session, case, answered.destination, answered.event_id)
        if status not in ASIDE
    ]
    if counted:
        said_at, rank = max((at, RANKS[status]) for at, status in counted)
        if any(status in FINAL for _, status in counted):
            return "late"
        if (report.said_at, RANKS[report.status]) < (said_at, rank):
            return "late"
    return "moved" if _steps(CaseState(case.state), report.status) else "noted"


def _counted(
    session: Session, case: CaseRow, destination: str, event_id: str | None = None
) -> list[tuple[datetime, Status]]:
    """What a platform said of a case that counted, of one message or of all."""
    query = select(CallbackRow.said_at, CallbackRow.status).where(
        CallbackRow.case_id == case.id,
        CallbackRow.destination == destination,
        CallbackRow.outcome.in_(("moved", "noted")),
    )
    if event_id is not None:
        query = query.where(CallbackRow.event_id == event_id)
    return [(at, Status(status)) for at, status in session.execute(query)]


def _is_extended_late(session: Session, case: CaseRow, report: Report, destination: str) -> bool:
    """Whether a deadline was put off again since, or the case was over before it was put off."""
    counted = _counted(session, case, destination)
    if any(status is Status.EXTENDED and at > report.said_at for at, status in counted):
        return True
    if case.state in RUNNING:
        return False
    # It came after the word that ended the case, but may have been said before.
    ends = [at for at, status in counted if status in (Status.HANDLED, *FINAL)]
    return not ends or report.said_at > max(ends)


def _take_aside(
    session: Session,
    case: CaseRow,
    report: Report,
    now: datetime,
    *,
    actor: str,
    told: Mapping[str, Any],
    worktime: WorkTime | None,
) -> None:
    match report.status:
        case Status.EXTENDED:
            if worktime is None or report.deadline_at is None:
                raise ValueError("extended: needs a deadline and the place's working time")
            extend(session, case, report.deadline_at, actor, now, worktime=worktime, details=told)
        case Status.APPEALED:
            appeal(session, case, actor, now, details=told)
        case Status.EXEMPTED:
            exempt(session, case, actor, now, details=told)


def _steps(state: CaseState, status: Status) -> list[Action]:
    """Steps that a report takes a case in a state; none if it says nothing new."""
    first: list[Action] = []
    if state is CaseState.CONFIRMED:
        # It came before the platform's answer did: the case has arrived there.
        first, state = [Action.SUBMIT], CaseState.SUBMITTED
    action = _ACTIONS.get(status)
    if state is CaseState.SUSPENDED and status in (Status.ACCEPTED, Status.HANDLING):
        action = Action.RESUME
    if status is Status.CLOSED:
        closes = state in (CaseState.VERIFIED, CaseState.DECLINED)
        action = Action.CLOSE if closes else Action.FINISH
    if action is None or state not in TRANSITIONS[action].sources:
        return first
    return [*first, action]
