"""Decided cases as they are learnt from: what was shown, what was said, and what that teaches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from service.cases.reasons import REASONS
from service.store.tables import CaseRow, CaseState, DecisionRow, Verdict, ViolationRow
from vision.learn.feedback.calibration import Judged
from vision.learn.feedback.judged_runs import BY_PARTS
from vision.learn.feedback.looks import CLASSES, taught_by
from vision.record import ViolationRecord

NOTHING_THERE = frozenset({"not_there", "other_thing"})
"""Reasons by which nothing that looks like the kind is there. With others the thing may be real:
permitted, in use, not there for long, at a place that does not count, or not to be seen."""


@dataclass(frozen=True)
class DecidedCase:
    """A case on which the reviewers are done.

    Attributes:
        case_id: Its id.
        camera_id: Camera.
        record: The violation that opened it, as the camera last told of it.
        verdict: ``confirm`` or ``reject``, of the decision that settled it.
        kind: Kind as it was left.
        reason: Why it was rejected.
        box: Corrected box, ``x1, y1, x2, y2`` in pixels of the looks; ``None`` if nobody did.
        decided_at: When.
    """

    case_id: str
    camera_id: str
    record: ViolationRecord
    verdict: Verdict
    kind: str
    reason: str | None
    box: tuple[float, float, float, float] | None
    decided_at: datetime

    @property
    def taught(self) -> tuple[str | None, str | None]:
        """Class that is there, and class that is not; neither where it teaches no looks."""
        if self.verdict is Verdict.CONFIRM:
            return taught_by(self.record, self.kind, CLASSES)
        if self.reason in NOTHING_THERE:
            return taught_by(self.record, None, CLASSES)
        return None, None

    @property
    def judged(self) -> Judged | str:
        """Whether the model was right, or why that cannot be said."""
        record = self.record
        if record.basis != "class":
            return BY_PARTS
        if self.verdict is Verdict.REJECT:
            assert self.reason is not None
            if not REASONS[self.reason].blames_model:
                return f"rejected as {self.reason}, which is not the model's fault"
        return Judged(
            kind=record.kind,
            camera_id=self.camera_id,
            confidence=record.confidence,
            is_right=self.verdict is Verdict.CONFIRM and self.kind == record.kind,
            model=record.model.name,
            model_sha256=record.model.sha256,
            decided_at=self.decided_at,
        )


def decided_cases(
    session: Session,
    now: datetime,
    *,
    cameras: Iterable[str] = (),
) -> list[DecidedCase]:
    """Cases that reviewers settled and can take back no more, in the order of their decisions.

    A case that was cancelled later is left out: whoever cancelled it took the decision back.

    Args:
        session: A session.
        now: Aware wall-clock time.
        cameras: Of these cameras; of all without any.
    """
    query = (
        select(DecisionRow, CaseRow, ViolationRow.record)
        .join(CaseRow, CaseRow.id == DecisionRow.case_id)
        .join(ViolationRow, ViolationRow.id == CaseRow.id)
        .where(
            DecisionRow.settles,
            DecisionRow.undone_at.is_(None),
            CaseRow.state.not_in((CaseState.CANDIDATE, CaseState.CANCELLED)),
            or_(CaseRow.settled_at.is_(None), CaseRow.settled_at <= now),
        )
        .order_by(DecisionRow.id)
    )
    if chosen := sorted(cameras):
        query = query.where(CaseRow.camera_id.in_(chosen))
    return [
        _decided(decision, case, ViolationRecord.model_validate(record))
        for decision, case, record in session.execute(query)
    ]


def _decided(decision: DecisionRow, case: CaseRow, record: ViolationRecord) -> DecidedCase:
    box = None
    if case.box is not None:
        x1, y1, x2, y2 = case.box
        box = (x1, y1, x2, y2)
    return DecidedCase(
        case_id=case.id,
        camera_id=case.camera_id,
        record=record,
        verdict=Verdict(decision.verdict),
        kind=decision.kind_after,
        reason=decision.reason,
        box=box,
        decided_at=decision.at,
    )
