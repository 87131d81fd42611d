"""Before and after: pictures of places that a camera looked at again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from service import audit
from service.evidence.access import is_shown, link_to
from service.reports.window import Window
from service.review.visit import Visit
from service.store.tables import CaseRow, EvidenceRow, VerificationRow

MOST = 24


@dataclass(frozen=True)
class Pair:
    """One place before and after.

    Attributes:
        case_id: The case.
        kind: Its kind.
        camera_id: The camera.
        result: ``gone`` or ``still_there``.
        decided_at: When that was known.
        before: Link to the picture from before.
        after: Link to the picture from afterwards.
    """

    case_id: str
    kind: str
    camera_id: str
    result: str
    decided_at: datetime
    before: str
    after: str


def pairs_of(visit: Visit, window: Window) -> list[Pair]:
    """The newest pairs of masked pictures of a window; that they are shown is audited."""
    service = visit.service
    now = service.clock()
    query = (
        select(VerificationRow, CaseRow)
        .join(CaseRow, CaseRow.id == VerificationRow.case_id)
        .where(
            VerificationRow.result.in_(("gone", "still_there")),
            VerificationRow.decided_at >= window.start,
            VerificationRow.decided_at < window.end,
            VerificationRow.before_id.is_not(None),
            VerificationRow.after_id.is_not(None),
        )
        .order_by(VerificationRow.decided_at.desc(), VerificationRow.id)
        .limit(MOST)
    )
    found = []
    with service.database.write() as session:
        for row, case in session.execute(query):
            files = [session.get(EvidenceRow, id_) for id_ in (row.before_id, row.after_id)]
            shown = [one for one in files if one is not None and is_shown(one)]
            if len(shown) < 2:
                continue
            audit.write(
                session,
                now,
                visit.origin,
                visit.principal.actor,
                "evidence.listed",
                subject=f"case:{case.id}",
                details={"evidence": [one.id for one in shown]},
            )
            before, after = (
                link_to(service, one, visit.principal.actor, now).path for one in shown
            )
            assert row.result is not None
            assert row.decided_at is not None
            found.append(
                Pair(
                    case_id=case.id,
                    kind=case.kind,
                    camera_id=case.camera_id,
                    result=row.result,
                    decided_at=row.decided_at,
                    before=before,
                    after=after,
                )
            )
    return found
