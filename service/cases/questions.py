"""What cameras could not settle by looking again: a person is asked, and answers once.

Two questions there are. A case is said to be handled, and its place cannot be seen. Or nobody said
so, and it is gone, or its deadline came and it cannot be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from service.cases.lifecycle import Action, hold, note, take_step
from service.cases.verification import HANDLED, UNHANDLED, closes_by_itself
from service.dispatch.platforms import DispatchSettings
from service.store.tables import CaseRow, CaseState, VerificationRow
from vision.errors import JiexuError

Answer = Literal["gone", "still_there"]


class NoSuchQuestion(JiexuError):  # noqa: N818 - says what is so
    """There is no such verification."""


class AnsweredAlready(JiexuError):  # noqa: N818 - says what is so
    """Nobody is asked any more: somebody answered, a camera saw after all, or the case moved."""


def open_questions(session: Session, limit: int) -> Sequence[tuple[VerificationRow, CaseRow]]:
    """What a person is asked now, the longest asked first."""
    query = (
        select(VerificationRow, CaseRow)
        .join(CaseRow, CaseRow.id == VerificationRow.case_id)
        .where(*_asked())
        .order_by(VerificationRow.decided_at, VerificationRow.id)
        .limit(limit)
    )
    return [(row, case) for row, case in session.execute(query)]


def count_questions(session: Session) -> int:
    """How much a person is asked now."""
    query = (
        select(func.count())
        .select_from(VerificationRow)
        .join(CaseRow, CaseRow.id == VerificationRow.case_id)
        .where(*_asked())
    )
    return session.scalar(query) or 0


def answer(
    session: Session,
    verification_id: str,
    said: Answer,
    actor: str,
    now: datetime,
    *,
    dispatch: DispatchSettings,
    remark: str | None = None,
    after_id: str | None = None,
) -> CaseRow:
    """Take in what a person says, and move the case by it.

    ====================  ==========================  ==============================
    the case              gone                        still there
    ====================  ==========================  ==============================
    said to be handled    verified, or closed as by   reopened; the platform is told
                          a camera's look
    not said so           self-rectified, and closed  goes on; written down
    ====================  ==========================  ==============================

    Call it last in a transaction.

    Args:
        session: A writing session.
        verification_id: The verification that asks.
        said: What they say.
        actor: ``user:...``.
        now: Aware wall-clock time.
        dispatch: The platforms, for who closes cases.
        remark: How they know.
        after_id: Evidence of what they saw, where the verification has none of its own.

    Returns:
        The case after it.

    Raises:
        NoSuchQuestion: There is none.
        AnsweredAlready: Nobody is asked any more.
    """
    row = session.get(VerificationRow, verification_id)
    if row is None:
        raise NoSuchQuestion(f"there is no verification {verification_id}")
    case = hold(session, row.case_id)
    session.refresh(row, with_for_update=True)
    handled = row.why == HANDLED
    states = (CaseState.HANDLED,) if handled else UNHANDLED
    if row.open is None or row.result is None or case.state not in states:
        raise AnsweredAlready(f"case {case.id}: nobody is asked any more")
    row.after_id = row.after_id or after_id
    details: dict[str, Any] = {"why": row.why, "asked": row.result, "result": said}
    details |= {"verification": row.id, "before": row.before_id, "after": row.after_id}
    if remark:
        details["remark"] = remark
    row.result, row.decided_at, row.decided_by, row.open = said, now, actor, None
    session.flush()
    if said == "still_there":
        if handled:
            return take_step(session, case.id, Action.REOPEN, actor, now, details=details)
        note(session, case, "seen_still_there", actor, now, details=details)
        return case
    action = Action.VERIFY if handled else Action.SELF_RECTIFY
    case = take_step(session, case.id, action, actor, now, details=details)
    if closes_by_itself(session, case.id, dispatch):
        case = take_step(session, case.id, Action.CLOSE, "system", now, details=details)
    return case


def _asked() -> tuple[ColumnElement[bool], ...]:
    handled = and_(VerificationRow.why == HANDLED, CaseRow.state == CaseState.HANDLED)
    unhandled = and_(VerificationRow.why != HANDLED, CaseRow.state.in_(UNHANDLED))
    return (
        VerificationRow.open.is_(True),
        VerificationRow.result.is_not(None),
        or_(handled, unhandled),
    )
