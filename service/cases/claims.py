"""The queue of candidates, and who looks at which: no two reviewers ever have the same one.

A claim is a lease: it ends by itself, so that what a reviewer left open comes back to the others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, exists, func, not_, or_, select
from sqlalchemy.orm import Session

from service.cases.events import CASE_RELEASED, tell
from service.cases.lifecycle import case_summary, hold
from service.store.tables import CaseRow, CaseState, DecisionRow, Stage
from vision.errors import JiexuError


@dataclass(frozen=True)
class Reviewer:
    """Who reviews.

    Attributes:
        actor: ``user:...``.
        is_supervisor: Whether they decide where reviewers disagree.
    """

    actor: str
    is_supervisor: bool = False


@dataclass(frozen=True)
class Wanted:
    """Which candidates a reviewer wants; what is empty does not narrow.

    Attributes:
        kinds: Any of these kinds.
        camera_id: This camera.
        zone_id: Zones of this name.
        stages: Any of these stages.
    """

    kinds: tuple[str, ...] = ()
    camera_id: str | None = None
    zone_id: str | None = None
    stages: tuple[Stage, ...] = ()


class ClaimedByOther(JiexuError):  # noqa: N818 - says what is so
    """Somebody else looks at the case.

    Attributes:
        reviewer: Who.
        until: When their claim ends by itself.
    """

    def __init__(self, case_id: str, reviewer: str, until: datetime) -> None:
        super().__init__(f"case {case_id}: {reviewer} looks at it")
        self.reviewer = reviewer
        self.until = until


class NotForReview(JiexuError):  # noqa: N818 - says what is so
    """The case is no candidate, or not one for this reviewer."""


def claim_next(
    session: Session,
    reviewer: Reviewer,
    at: datetime,
    lease_s: float,
    wanted: Wanted | None = None,
    *,
    skip: Collection[str] = (),
) -> CaseRow | None:
    """The first candidate of the queue that nobody else looks at, claimed.

    Args:
        session: A writing session.
        reviewer: For whom.
        at: Now, aware.
        lease_s: How long the claim holds.
        wanted: Which candidates.
        skip: Ids that are passed over, such as of cases that the reviewer has open already.

    Returns:
        The case; ``None`` if there is none for this reviewer.
    """
    query = _waiting(reviewer, at, wanted or Wanted())
    if skip:
        query = query.where(CaseRow.id.not_in(skip))
    # What another transaction is claiming right now is passed over, not waited for. SQLite has one
    # writer at a time and leaves the words out.
    query = query.limit(1).with_for_update(skip_locked=True, of=CaseRow)
    case = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if case is not None:
        _lease(case, reviewer, at, lease_s)
    return case


def claim(
    session: Session, case_id: str, reviewer: Reviewer, at: datetime, lease_s: float
) -> CaseRow:
    """Claim a candidate, or go on with one's own claim for as long again.

    Raises:
        NoSuchCase: There is none.
        NotForReview: It is no candidate, or not one for this reviewer.
        ClaimedByOther: Someone else looks at it.
    """
    case = hold(session, case_id)
    check_reviewable(session, case, reviewer, at)
    _lease(case, reviewer, at, lease_s)
    return case


def release(session: Session, case_id: str, reviewer: Reviewer, at: datetime) -> CaseRow:
    """Give up one's claim, and tell of it; nothing happens where there is none.

    Call it last in a transaction.

    Raises:
        NoSuchCase: There is none.
    """
    case = hold(session, case_id)
    if case.claimed_by == reviewer.actor:
        case.claimed_by = case.claimed_until = None
        session.flush()
        if case.state == CaseState.CANDIDATE:
            tell(session, CASE_RELEASED, case.id, case_summary(case), at)
    return case


def holder(case: CaseRow, at: datetime) -> str | None:
    """Who looks at a case now."""
    if case.claimed_until is None or case.claimed_until <= at:
        return None
    return case.claimed_by


def check_reviewable(session: Session, case: CaseRow, reviewer: Reviewer, at: datetime) -> None:
    """Whether a reviewer may look at a candidate and decide.

    Raises:
        NotForReview: It is no candidate, or not one for this reviewer.
        ClaimedByOther: Someone else looks at it.
    """
    if case.state != CaseState.CANDIDATE:
        raise NotForReview(f"case {case.id}: is {case.state}, not a candidate")
    if case.stage == Stage.SUPERVISOR:
        if not reviewer.is_supervisor:
            raise NotForReview(f"case {case.id}: waits for a supervisor")
    elif session.scalar(select(exists().where(*_decided_by(reviewer, case.id)))):
        raise NotForReview(f"case {case.id}: you decided already, someone else is asked")
    other = holder(case, at)
    if other is not None and other != reviewer.actor:
        assert case.claimed_until is not None
        raise ClaimedByOther(case.id, other, case.claimed_until)


def queue_page(
    session: Session,
    reviewer: Reviewer,
    at: datetime,
    limit: int,
    wanted: Wanted | None = None,
) -> Sequence[CaseRow]:
    """The first candidates that a reviewer would be given, in order, without claiming them."""
    return session.scalars(_waiting(reviewer, at, wanted or Wanted()).limit(limit)).all()


@dataclass(frozen=True)
class QueueCount:
    """How many candidates of a kind wait for whom.

    Attributes:
        kind: The kind.
        stage: Who is to review them.
        waiting: How many; those that someone looks at are among them.
        claimed: How many someone looks at now.
    """

    kind: str
    stage: Stage
    waiting: int
    claimed: int


def queue_counts(session: Session, at: datetime) -> list[QueueCount]:
    """How many candidates wait, by kind and stage."""
    claimed = func.count().filter(CaseRow.claimed_until > at)
    query = (
        select(CaseRow.kind, CaseRow.stage, func.count(), claimed)
        .where(CaseRow.queue_at.is_not(None))
        .group_by(CaseRow.kind, CaseRow.stage)
        .order_by(CaseRow.kind, CaseRow.stage)
    )
    return [
        QueueCount(kind, Stage(stage), waiting, claimed)
        for kind, stage, waiting, claimed in session.execute(query)
    ]


def _waiting(reviewer: Reviewer, at: datetime, wanted: Wanted) -> Select[CaseRow]:
    """Candidates that are for a reviewer and free, in the order of the queue."""
    decided = exists().where(*_decided_by(reviewer, CaseRow.id))
    asks_supervisor = CaseRow.stage == Stage.SUPERVISOR
    theirs = and_(not_(asks_supervisor), not_(decided))
    if reviewer.is_supervisor:
        theirs = or_(asks_supervisor, theirs)
    free = or_(
        CaseRow.claimed_until.is_(None),
        CaseRow.claimed_until <= at,
        CaseRow.claimed_by == reviewer.actor,
    )
    query = select(CaseRow).where(CaseRow.queue_at.is_not(None), free, theirs)
    if wanted.kinds:
        query = query.where(func.coalesce(CaseRow.kind, "").in_(wanted.kinds))
    if wanted.camera_id is not None:
        query = query.where(func.coalesce(CaseRow.camera_id, "") == wanted.camera_id)
    if wanted.zone_id is not None:
        query = query.where(func.coalesce(CaseRow.zone_id, "") == wanted.zone_id)
    if wanted.stages:
        query = query.where(CaseRow.stage.in_(wanted.stages))
    return query.order_by(CaseRow.queue_at, CaseRow.id)


def _decided_by(reviewer: Reviewer, case_id: object) -> tuple[ColumnElement[bool], ...]:
    return (
        DecisionRow.case_id == case_id,
        DecisionRow.reviewer == reviewer.actor,
        DecisionRow.undone_at.is_(None),
    )


def _lease(case: CaseRow, reviewer: Reviewer, at: datetime, lease_s: float) -> None:
    case.claimed_by = reviewer.actor
    case.claimed_until = at + timedelta(seconds=lease_s)
