"""What moves a deadline or takes its edge off, while the case stays where it is.

* **Extension 延期**: the deadline is put off to a later instant, for a reason. Of a case that is
  suspended, what is left of its limit grows.
* **Appeal 申诉**: the unit disputes that it was late. If the platform finds for the unit, the case
  is exempt: it counts as in time, the fact stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.cases.deadlines import LimitClock, WorkTime
from service.cases.lifecycle import RUNNING, note
from service.store.tables import CaseRow, CaseStepRow

EXTENDED, APPEALED, EXEMPTED = "extended", "appealed", "exempted"
"""Actions in the history of a case."""


def cases_in_time(session: Session, limit: int) -> Sequence[CaseRow]:
    """Cases whose deadline is still to be met, the soonest first.

    Those whose deadline stands still come last.
    """
    query = (
        select(CaseRow)
        .where(CaseRow.state.in_(RUNNING), CaseRow.deadline_clock.is_not(None))
        # Ordered such that no planner walks all deadlines that ever were: few cases are running.
        .order_by(CaseRow.deadline_at.is_(None), CaseRow.deadline_at, CaseRow.id)
        .limit(limit)
    )
    return session.scalars(query).all()


def extend(
    session: Session,
    case: CaseRow,
    until: datetime,
    actor: str,
    at: datetime,
    *,
    worktime: WorkTime,
    details: Mapping[str, Any],
) -> bool:
    """Put off the deadline of a case that is held.

    Call it last in a transaction.

    Args:
        session: A writing session.
        case: The case.
        until: The later deadline, aware.
        actor: Who puts it off.
        at: When, aware.
        worktime: When people work there.
        details: Why, and what else is worth knowing.

    Returns:
        Whether it was put off: not where there is no deadline, or none so early.
    """
    if case.deadline_clock is None:
        return False
    before = case.deadline_at
    if case.deadline_left_s is not None:
        left_s = worktime.counted_s(at, until, LimitClock(case.deadline_clock))
        if left_s <= case.deadline_left_s:
            return False
        case.deadline_left_s = left_s
    elif before is None or until <= before:
        return False
    else:
        case.deadline_at = until
    told = {
        "deadline_before": None if before is None else before.isoformat(),
        "deadline_after": until.isoformat(),
        **details,
    }
    note(session, case, EXTENDED, actor, at, details=told)
    return True


def appeal(
    session: Session, case: CaseRow, actor: str, at: datetime, *, details: Mapping[str, Any]
) -> None:
    """Write down that the unit disputes a case that is held; call it last in a transaction."""
    note(session, case, APPEALED, actor, at, details=details)


def exempt(
    session: Session, case: CaseRow, actor: str, at: datetime, *, details: Mapping[str, Any]
) -> bool:
    """Let a case that is held count as in time; call it last in a transaction.

    Returns:
        Whether it did not already.
    """
    known = select(CaseStepRow.id).where(
        CaseStepRow.case_id == case.id, CaseStepRow.action == EXEMPTED
    )
    if session.scalar(known.limit(1)) is not None:
        return False
    note(session, case, EXEMPTED, actor, at, details=details)
    return True
