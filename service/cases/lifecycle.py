"""The life of a case: which step leads from which state to which, and the one way to take one.

A case is confirmed (立案), sent, accepted, handled (处置), looked at again (核查), closed (结案).
Two states are of the platforms: ``suspended`` (挂账), during which the deadline stands still, and
``cancelled`` (作废). Platforms leave steps out, some know only open and closed, so that a case may
be handled without having been told as accepted. That a deadline is put off 延期 and that a unit
disputes a case 申诉 moves no case: see :mod:`service.cases.deadline_changes`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.cases.deadlines import WorkTime, go_on, pause
from service.cases.events import CASE_CHANGED, tell
from service.dispatch.queue import after_step
from service.store.tables import FINISHED, CaseRow, CaseState, CaseStepRow
from vision.errors import JiexuError

S = CaseState

RUNNING = (S.CONFIRMED, S.SUBMITTED, S.ACCEPTED, S.HANDLING, S.REOPENED, S.SUSPENDED)
"""States of cases that are real and not handled yet.

A deadline is to be met, and the platform has something to say.
"""


class Action(StrEnum):
    """What can be done with a case."""

    CONFIRM = "confirm"
    """A reviewer says that it is so."""
    REJECT = "reject"
    """A reviewer says that it is not so."""
    UNDO = "undo"
    """A reviewer takes a decision back, before the case is sent."""
    SUBMIT = "submit"
    """It reached the platform."""
    ACCEPT = "accept"
    """The platform took it (受理, 立案)."""
    DECLINE = "decline"
    """The platform did not take it (不予立案), or gave it back."""
    CORRECT = "correct"
    """A reviewer puts right what the platform declined: it is sent again."""
    RETURN = "return"
    """The unit gave it back to the platform (退回), which is to find another one."""
    HANDLE = "handle"
    """A unit works on it."""
    FINISH = "finish"
    """The unit says that it is done."""
    VERIFY = "verify"
    """It was looked at again: gone."""
    REOPEN = "reopen"
    """It was looked at again: still there (返工)."""
    CLOSE = "close"
    """Nothing more is to be done (结案)."""
    SUSPEND = "suspend"
    """It cannot be handled for now (挂账)."""
    RESUME = "resume"
    """It can be handled again."""
    CANCEL = "cancel"
    """It should never have been sent (作废)."""
    SELF_RECTIFY = "self_rectify"
    """It was gone before anybody said that it was handled, and a person agreed."""


@dataclass(frozen=True)
class Transition:
    """Where an action leads.

    Attributes:
        sources: States in which it may be done.
        target: State after it.
    """

    sources: frozenset[CaseState]
    target: CaseState


def _from(*sources: CaseState, to: CaseState) -> Transition:
    return Transition(frozenset(sources), to)


TRANSITIONS: Mapping[Action, Transition] = {
    Action.CONFIRM: _from(S.CANDIDATE, to=S.CONFIRMED),
    Action.REJECT: _from(S.CANDIDATE, to=S.REJECTED),
    Action.UNDO: _from(S.CONFIRMED, S.REJECTED, to=S.CANDIDATE),
    Action.SUBMIT: _from(S.CONFIRMED, S.DECLINED, to=S.SUBMITTED),
    Action.ACCEPT: _from(S.SUBMITTED, to=S.ACCEPTED),
    Action.DECLINE: _from(S.SUBMITTED, S.ACCEPTED, S.HANDLING, to=S.DECLINED),
    Action.CORRECT: _from(S.DECLINED, to=S.CONFIRMED),
    Action.RETURN: _from(
        S.SUBMITTED, S.ACCEPTED, S.HANDLING, S.REOPENED, S.SUSPENDED, to=S.ACCEPTED
    ),
    Action.HANDLE: _from(S.SUBMITTED, S.ACCEPTED, S.REOPENED, to=S.HANDLING),
    Action.FINISH: _from(
        S.SUBMITTED, S.ACCEPTED, S.HANDLING, S.REOPENED, S.SUSPENDED, to=S.HANDLED
    ),
    Action.VERIFY: _from(S.HANDLED, to=S.VERIFIED),
    Action.REOPEN: _from(S.HANDLED, S.VERIFIED, to=S.REOPENED),
    Action.CLOSE: _from(S.VERIFIED, S.HANDLED, S.DECLINED, to=S.CLOSED),
    Action.SUSPEND: _from(S.SUBMITTED, S.ACCEPTED, S.HANDLING, S.REOPENED, to=S.SUSPENDED),
    Action.RESUME: _from(S.SUSPENDED, to=S.HANDLING),
    Action.CANCEL: _from(
        *(one for one in S if one not in (*FINISHED, S.CANDIDATE, S.VERIFIED)), to=S.CANCELLED
    ),
    Action.SELF_RECTIFY: _from(
        S.CONFIRMED, S.SUBMITTED, S.ACCEPTED, S.HANDLING, S.REOPENED, to=S.VERIFIED
    ),
}
"""Every step that there is; a case moves in no other way."""


class NoSuchCase(JiexuError):  # noqa: N818 - says what is so
    """There is no case of that id."""


class StaleCase(JiexuError):  # noqa: N818 - says what is so
    """Someone changed the case since it was read.

    Attributes:
        version: The version that it has now.
    """

    def __init__(self, case_id: str, version: int) -> None:
        super().__init__(f"case {case_id}: someone changed it meanwhile, it has version {version}")
        self.version = version


class StepRefused(JiexuError):  # noqa: N818 - says what is so
    """The case is in a state in which this cannot be done.

    Attributes:
        state: The state.
        action: What was asked for.
    """

    def __init__(self, case_id: str, state: CaseState, action: Action) -> None:
        super().__init__(f"case {case_id}: {action} is not possible for a case that is {state}")
        self.state = state
        self.action = action


def actions_of(state: CaseState) -> Collection[Action]:
    """What can be done with a case in a state."""
    return [action for action, one in TRANSITIONS.items() if state in one.sources]


def hold(session: Session, case_id: str, *, version: int | None = None) -> CaseRow:
    """A case, held against other writers until the transaction ends.

    Args:
        session: A writing session.
        case_id: Which.
        version: Version that was read, by a person who decides upon it; ``None`` for what holds
            whatever happened meanwhile.

    Raises:
        NoSuchCase: There is none.
        StaleCase: It has another version.
    """
    query = select(CaseRow).where(CaseRow.id == case_id).with_for_update()
    case = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if case is None:
        raise NoSuchCase(f"there is no case {case_id}")
    if version is not None and case.version != version:
        raise StaleCase(case_id, case.version)
    return case


def take_step(
    session: Session,
    case_id: str,
    action: Action,
    actor: str,
    at: datetime,
    *,
    version: int | None = None,
    details: Mapping[str, Any] | None = None,
    worktime: WorkTime | None = None,
) -> CaseRow:
    """Move a case: its state, its history, the event and what platforms are to be told of it.

    All in the transaction of the session.

    A candidate stands in the queue of reviewers, a case in any other state does not. While a case
    is suspended its deadline stands still.

    Call it last in a transaction: others who add events wait for its end.

    Args:
        session: A writing session.
        case_id: Which.
        action: What is done.
        actor: ``user:...``, ``key:...``, ``camera:...``, ``platform:...`` or ``system``.
        at: When, aware.
        version: Version that was read; ``None`` for what holds whatever happened meanwhile.
        details: What else is worth knowing; shown to whoever may see the case.
        worktime: Needed to suspend a case, to resume it, and to end what is suspended.

    Returns:
        The case after the step.

    Raises:
        NoSuchCase: There is none.
        StaleCase: Someone changed it since it was read.
        StepRefused: Not in this state.
    """
    case = hold(session, case_id, version=version)
    transition = TRANSITIONS[action]
    state = CaseState(case.state)
    if state not in transition.sources:
        raise StepRefused(case_id, state, action)
    if CaseState.SUSPENDED in (state, transition.target):
        if worktime is None:
            raise ValueError(f"{action}: needs the place's working time for the deadline")
        (pause if action is Action.SUSPEND else go_on)(case, at, worktime)
    case.state = transition.target
    if case.state == CaseState.CANDIDATE:
        case.queue_at = case.raised_at - timedelta(hours=case.priority)
        case.code_system = case.code = case.deadline_at = case.deadline_clock = None
        case.settled_at = None
    else:
        case.queue_at = case.claimed_by = case.claimed_until = None
    after_step(session, case, at, told_by=actor.removeprefix("platform:"))
    note(session, case, action, actor, at, details=details)
    return case


def note(
    session: Session,
    case: CaseRow,
    action: str,
    actor: str,
    at: datetime,
    *,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write something into the history of a case that is held, tell of it, and count its version.

    For what happens to a case without moving it. Call it last in a transaction.
    """
    case.version += 1
    case.updated_at = at
    session.add(
        CaseStepRow(
            case_id=case.id,
            at=at,
            actor=actor,
            action=action,
            state=case.state,
            details=dict(details or {}),
        )
    )
    session.flush()
    tell(session, CASE_CHANGED, case.id, case_summary(case), at)


def case_summary(case: CaseRow) -> dict[str, Any]:
    """What an event says of a case."""
    return {
        "id": case.id,
        "state": case.state,
        "kind": case.kind,
        "camera_id": case.camera_id,
        "zone_id": case.zone_id,
        "raised_at": case.raised_at.isoformat(),
        "ended_at": None if case.ended_at is None else case.ended_at.isoformat(),
        "version": case.version,
        "priority": case.priority,
        "stage": case.stage,
    }
