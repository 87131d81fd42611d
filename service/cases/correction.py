"""Putting right what a platform declined, so that it is sent again.

The case keeps its number here. To the platform goes a further message with an id of its own, which
names the first one and what the platform called the case, so that it takes that case up again and
opens none besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.cases.catalogue import Filing
from service.cases.lifecycle import Action, StepRefused, hold, take_step
from service.cases.review import Box, check_box, check_kind
from service.store.tables import CaseRow, CaseState, CaseStepRow


@dataclass(frozen=True)
class Correction:
    """What is put right.

    Attributes:
        note: What was wrong, for the history.
        kind: What it is, where it is of another kind.
        box: Corrected ``x1, y1, x2, y2`` in pixels of the scene.
    """

    note: str
    kind: str | None = None
    box: Box | None = None

    def check(self) -> None:
        """Whether the parts can be.

        Raises:
            InputError: With the name of the part.
        """
        check_kind(self.kind)
        check_box(self.box)


def declined_cases(session: Session, limit: int) -> Sequence[tuple[CaseRow, CaseStepRow]]:
    """Cases that wait to be put right, and the step with which each was declined.

    The longest declined come first.
    """
    last = (
        select(func.max(CaseStepRow.id))
        .where(CaseStepRow.case_id == CaseRow.id, CaseStepRow.action == Action.DECLINE)
        .correlate(CaseRow)
        .scalar_subquery()
    )
    query = (
        select(CaseRow, CaseStepRow)
        .join(CaseStepRow, CaseStepRow.id == last)
        .where(CaseRow.state == CaseState.DECLINED)
        .order_by(CaseStepRow.id)
        .limit(limit)
    )
    return [(case, step) for case, step in session.execute(query)]


def count_declined(session: Session) -> int:
    """How many cases wait to be put right."""
    query = select(func.count()).where(CaseRow.state == CaseState.DECLINED)
    return session.scalar(query) or 0


def correct(
    session: Session,
    case_id: str,
    actor: str,
    correction: Correction,
    at: datetime,
    *,
    version: int | None,
    filing: Filing | None = None,
) -> CaseRow:
    """Put a declined case right and have it sent again; call it last in a transaction.

    It is filed anew: its class and its deadline are those of the kind that it has now, counted from
    now on.

    Args:
        session: A writing session.
        case_id: Which.
        actor: Who.
        correction: What.
        at: When, aware.
        version: Version that they saw.
        filing: Gives class and deadline; they stay without it.

    Returns:
        The case.

    Raises:
        NoSuchCase: There is none.
        StaleCase: Someone changed it since it was read.
        StepRefused: It was not declined.
        InputError: A part of the correction cannot be.
    """
    correction.check()
    case = hold(session, case_id, version=version)
    if case.state != CaseState.DECLINED:
        raise StepRefused(case_id, CaseState(case.state), Action.CORRECT)
    details: dict[str, object] = {"note": correction.note}
    if correction.kind is not None and correction.kind != case.kind:
        details |= {"kind_before": case.kind, "kind_after": correction.kind}
        case.kind = correction.kind
    if correction.box is not None:
        details |= {"box_before": case.box, "box_after": list(correction.box)}
        case.box = list(correction.box)
    if filing is not None:
        filing.file(session, case, at)
        details |= {"code_system": case.code_system, "code": case.code}
    # It is sent at once: the reviewer who confirmed it cannot take that back any more.
    case.settled_at = at
    return take_step(session, case_id, Action.CORRECT, actor, at, details=details)
