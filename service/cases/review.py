"""What reviewers decide, and what becomes of a case by it.

One decision settles a case, save for a share of cases that two reviewers decide independently, to
know how far they agree: the second one is not told what the first one said. Where they differ, or
where two are not sure, a supervisor decides. Which cases are asked twice depends on their ids
alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.cases.catalogue import Filing
from service.cases.claims import NotForReview, Reviewer, check_reviewable
from service.cases.lifecycle import Action, NoSuchCase, StepRefused, hold, note, take_step
from service.cases.reasons import REASONS
from service.store.tables import (
    CaseLinkRow,
    CaseRow,
    CaseState,
    DecisionRow,
    Relation,
    Stage,
    Verdict,
    ViolationRow,
)
from vision.errors import InputError, JiexuError
from vision.rules.kinds import KINDS

UNSURE = 2
"""After so many reviewers who are not sure, a supervisor is asked."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Decision:
    """What a reviewer says.

    Attributes:
        verdict: ``confirm``, ``reject`` or ``not_sure``.
        kind: What it is, where a confirmed case is of another kind than it was shown.
        reason: Id in :data:`service.cases.reasons.REASONS`; needed to reject.
        box: Corrected ``x1, y1, x2, y2`` in pixels of the scene.
        note: Anything else.
        on_screen_s: How long they looked at it.
        duplicate_of: The other case, with the reason ``duplicate``.
    """

    verdict: Verdict
    kind: str | None = None
    reason: str | None = None
    box: Box | None = None
    note: str | None = None
    on_screen_s: float | None = None
    duplicate_of: str | None = None

    def check(self) -> None:
        """Whether the parts fit together.

        Raises:
            InputError: With the name of the part.
        """
        if self.verdict is Verdict.REJECT and self.reason is None:
            raise InputError("reason: needed to reject")
        if self.reason is not None and self.verdict is not Verdict.REJECT:
            raise InputError("reason: only to reject")
        if self.reason is not None and self.reason not in REASONS:
            raise InputError(f"reason: none of {', '.join(REASONS)}")
        if self.kind is not None and self.verdict is not Verdict.CONFIRM:
            raise InputError("kind: only to confirm")
        check_kind(self.kind)
        if self.duplicate_of is not None and self.reason != "duplicate":
            raise InputError("duplicate_of: only with the reason duplicate")
        check_box(self.box)


def check_kind(kind: str | None) -> None:
    """Whether a kind is known, where one is given.

    Raises:
        InputError: It is not.
    """
    if kind is not None and kind not in KINDS:
        raise InputError(f"kind: none of {', '.join(KINDS)}")


def check_box(box: Box | None) -> None:
    """Whether a box has an inside, where one is given.

    Raises:
        InputError: It has none.
    """
    if box is not None:
        x1, y1, x2, y2 = box
        if not all(math.isfinite(value) for value in box) or x1 >= x2 or y1 >= y2:
            raise InputError("box: x1, y1, x2, y2 with x1 < x2 and y1 < y2")


@dataclass(frozen=True)
class ReviewRules:
    """How review goes.

    Attributes:
        double_share: Share of cases that two reviewers decide, 0 to 1.
        undo_s: How long a decision can be taken back; a case is not sent before.
        lease_s: How long a claim holds.
        filing: Gives confirmed cases their class and deadline; they get none without it.
    """

    double_share: float = 0.0
    undo_s: float = 60.0
    lease_s: float = 300.0
    filing: Filing | None = None


class UndoRefused(JiexuError):  # noqa: N818 - says what is so
    """A decision that cannot be taken back any more, or by this reviewer."""


def is_doubly_reviewed(case_id: str, share: float) -> bool:
    """Whether a case is among the share that two reviewers decide; always the same for an id."""
    number = int.from_bytes(hashlib.sha256(case_id.encode()).digest()[:8], "big")
    return number < share * 2**64


def decide(
    session: Session,
    case_id: str,
    reviewer: Reviewer,
    decision: Decision,
    at: datetime,
    *,
    version: int | None,
    rules: ReviewRules,
) -> CaseRow:
    """Keep what a reviewer says of a candidate, and move the case if that settles it.

    Args:
        session: A writing session.
        case_id: Which.
        reviewer: Who.
        decision: What.
        at: When, aware.
        version: Version that the reviewer saw.
        rules: How review goes.

    Returns:
        The case after the decision.

    Raises:
        NoSuchCase: There is none.
        StaleCase: Someone changed it since it was read.
        NotForReview: It is no candidate, or not one for this reviewer.
        ClaimedByOther: Someone else looks at it.
        InputError: Parts of the decision do not fit together, or there is no case that it is a
            duplicate of.
    """
    decision.check()
    if decision.duplicate_of == case_id:
        raise InputError("duplicate_of: is the case itself")
    case = hold(session, case_id, version=version)
    check_reviewable(session, case, reviewer, at)
    if decision.verdict is Verdict.NOT_SURE and case.stage == Stage.SUPERVISOR:
        raise NotForReview(f"case {case_id}: there is nobody after the supervisor to ask")
    earlier = decisions_of(session, case_id)
    shown_box = shown_box_of(session, case)
    kind = decision.kind or case.kind
    stage = _next_stage(case, decision, kind, earlier, rules)
    session.add(
        DecisionRow(
            case_id=case_id,
            at=at,
            reviewer=reviewer.actor,
            stage=case.stage,
            verdict=decision.verdict,
            settles=stage is None,
            reason=decision.reason,
            kind_before=case.kind,
            kind_after=kind,
            box_before=shown_box,
            box_after=list(decision.box) if decision.box is not None else shown_box,
            confidence=case.confidence,
            note=decision.note,
            on_screen_s=decision.on_screen_s,
        )
    )
    case.claimed_by = case.claimed_until = None
    if stage is not None:
        # What was said stays out of the history: the next reviewer may read it.
        case.stage = stage
        note(session, case, "reviewed", reviewer.actor, at, details={"asked_next": stage})
        return case
    details: dict[str, Any] = {"stage": case.stage}
    if decision.verdict is Verdict.CONFIRM:
        details |= {"kind_before": case.kind, "kind_after": kind}
        case.kind = kind
        case.box = _agreed_box(decision, earlier, shown_box)
        if rules.filing is not None:
            rules.filing.file(session, case, at)
            details |= {"code_system": case.code_system, "code": case.code}
        action = Action.CONFIRM
    else:
        details |= {"reason": decision.reason}
        if decision.duplicate_of is not None:
            _link_duplicate(session, case_id, decision.duplicate_of, at)
            details |= {"duplicate_of": decision.duplicate_of}
        action = Action.REJECT
    case.settled_at = at + timedelta(seconds=rules.undo_s)
    return take_step(session, case_id, action, reviewer.actor, at, details=details)


def undo(
    session: Session, case_id: str, reviewer: Reviewer, at: datetime, rules: ReviewRules
) -> CaseRow:
    """Take back one's own decision, and have the case on the screen again.

    Raises:
        NoSuchCase: There is none.
        UndoRefused: It was not theirs, or is too long ago, or the case went on meanwhile.
    """
    case = hold(session, case_id)
    decisions = decisions_of(session, case_id)
    last = decisions[-1] if decisions else None
    if last is None or last.reviewer != reviewer.actor:
        raise UndoRefused(f"case {case_id}: the last decision on it is not yours")
    # From this instant on a settled case may be on its way to the platform, whatever rules say now.
    over_at = case.settled_at if last.settles else None
    if at >= (over_at or last.at + timedelta(seconds=rules.undo_s)):
        raise UndoRefused(f"case {case_id}: it can be taken back for {rules.undo_s:g} s only")
    last.undone_at = at
    case.stage = last.stage
    case.claimed_by = reviewer.actor
    case.claimed_until = at + timedelta(seconds=rules.lease_s)
    if not last.settles:
        note(session, case, Action.UNDO, reviewer.actor, at)
        return case
    case.kind = last.kind_before
    case.box = None
    _unlink_duplicate(session, case_id)
    try:
        return take_step(session, case_id, Action.UNDO, reviewer.actor, at)
    except StepRefused as refused:
        raise UndoRefused(f"case {case_id}: it is {refused.state} already") from refused


def decisions_of(session: Session, case_id: str) -> Sequence[DecisionRow]:
    """Decisions on a case that hold, oldest first."""
    query = (
        select(DecisionRow)
        .where(DecisionRow.case_id == case_id, DecisionRow.undone_at.is_(None))
        .order_by(DecisionRow.id)
    )
    return session.scalars(query).all()


def visible_decisions(session: Session, case: CaseRow, reviewer: Reviewer) -> Sequence[DecisionRow]:
    """Decisions that a reviewer may see: while a case waits for reviewers, only their own."""
    found = decisions_of(session, case.id)
    if case.state != CaseState.CANDIDATE:
        return found
    if case.stage == Stage.SUPERVISOR and reviewer.is_supervisor:
        return found
    return [one for one in found if one.reviewer == reviewer.actor]


def shown_box_of(session: Session, case: CaseRow) -> list[float] | None:
    """The box of a case as it is shown: as corrected, or as the camera gave it."""
    if case.box is not None:
        return case.box
    violation = session.get(ViolationRow, case.id)
    return None if violation is None else [float(value) for value in violation.record["box"]]


def _next_stage(
    case: CaseRow,
    decision: Decision,
    kind: str,
    earlier: Sequence[DecisionRow],
    rules: ReviewRules,
) -> Stage | None:
    """Who is asked next; ``None`` if the decision settles the case."""
    if case.stage == Stage.SUPERVISOR:
        return None
    if decision.verdict is Verdict.NOT_SURE:
        unsure = sum(one.verdict == Verdict.NOT_SURE for one in earlier) + 1
        return Stage.SUPERVISOR if unsure >= UNSURE else Stage(case.stage)
    first = _decisive(earlier)
    if first is None:
        return Stage.SECOND if is_doubly_reviewed(case.id, rules.double_share) else None
    same = first.verdict == decision.verdict and (
        decision.verdict is Verdict.REJECT or first.kind_after == kind
    )
    return None if same else Stage.SUPERVISOR


def _decisive(decisions: Sequence[DecisionRow]) -> DecisionRow | None:
    return next((one for one in decisions if one.verdict != Verdict.NOT_SURE), None)


def _agreed_box(
    decision: Decision, earlier: Sequence[DecisionRow], shown: list[float] | None
) -> list[float] | None:
    """The box that was corrected last; ``None`` if nobody corrected it."""
    if decision.box is not None:
        return list(decision.box)
    corrected = [
        one.box_after
        for one in earlier
        if one.verdict == Verdict.CONFIRM and one.box_after != shown
    ]
    return corrected[-1] if corrected else None


def _link_duplicate(session: Session, case_id: str, other_id: str, at: datetime) -> None:
    try:
        other = hold(session, other_id)
    except NoSuchCase:
        raise InputError("duplicate_of: there is no such case") from None
    other.occurrences += 1
    session.add(
        CaseLinkRow(
            case_id=case_id, other_id=other_id, relation=Relation.DUPLICATE_OF, created_at=at
        )
    )


def _unlink_duplicate(session: Session, case_id: str) -> None:
    query = select(CaseLinkRow).where(
        CaseLinkRow.case_id == case_id, CaseLinkRow.relation == Relation.DUPLICATE_OF
    )
    for link in session.scalars(query):
        hold(session, link.other_id).occurrences -= 1
        session.delete(link)
