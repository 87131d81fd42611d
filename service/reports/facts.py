"""What is known of the cases that a report is about, read in a few queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.reports.window import Window
from service.store.tables import CaseRow, CaseStepRow, DecisionRow, ViolationRow

_CHUNK = 500
_COLUMNS = (
    CaseRow.id,
    CaseRow.state,
    CaseRow.kind,
    CaseRow.camera_id,
    CaseRow.zone_id,
    CaseRow.place,
    CaseRow.raised_at,
    CaseRow.deadline_at,
    CaseRow.occurrences,
    CaseRow.recurrence_of,
    CaseRow.recurrences,
)
"""Not whole rows: a month has ten thousand cases and more."""


@dataclass(frozen=True)
class Step:
    """A step in the history of a case."""

    action: str
    at: datetime
    actor: str


@dataclass(frozen=True)
class Settlement:
    """The decision that settled a case."""

    at: datetime
    verdict: str
    reason: str | None
    kind_before: str
    kind_after: str


@dataclass(frozen=True)
class CaseFacts:
    """One case, as figures need it.

    Attributes:
        id: Its id.
        state: Where it stands.
        kind: Its kind as reviewed.
        kind_shown: Its kind as the camera gave it.
        camera_id: Its camera.
        zone_id: Its zone.
        place: What the city calls the place.
        raised_at: When it was raised.
        deadline_at: Until when it is to be handled.
        occurrences: Violations that are it.
        recurrence_of: Case that went before it at the place.
        recurrences: How many went before it.
        steps: Its history up to when the report is of, oldest first.
        settlement: The decision that settled it, if one did by then.
    """

    id: str
    state: str
    kind: str
    kind_shown: str
    camera_id: str
    zone_id: str
    place: dict[str, Any]
    raised_at: datetime
    deadline_at: datetime | None
    occurrences: int
    recurrence_of: str | None
    recurrences: int
    steps: tuple[Step, ...]
    settlement: Settlement | None


def facts_of(session: Session, window: Window, as_of: datetime) -> list[CaseFacts]:
    """Cases to which something happened in a window, or that were due in it.

    Args:
        session: A session.
        window: The window.
        as_of: What happened later is left out.
    """
    ids: set[str] = set()
    for query in (
        select(CaseRow.id).where(CaseRow.raised_at >= window.start, CaseRow.raised_at < window.end),
        select(CaseRow.id).where(
            CaseRow.deadline_at >= window.start, CaseRow.deadline_at < window.end
        ),
        select(CaseStepRow.case_id).where(
            CaseStepRow.at >= window.start, CaseStepRow.at < window.end
        ),
        select(DecisionRow.case_id).where(
            DecisionRow.at >= window.start, DecisionRow.at < window.end
        ),
    ):
        ids.update(session.scalars(query))
    return _facts(session, sorted(ids), as_of)


def open_cases_overdue(session: Session, as_of: datetime, limit: int) -> list[CaseRow]:
    """Cases that nobody handled though their deadline is over, the longest overdue first."""
    query = (
        select(CaseRow)
        .where(CaseRow.deadline_at < as_of, CaseRow.state.in_(_NOT_HANDLED))
        .order_by(CaseRow.deadline_at, CaseRow.id)
        .limit(limit)
    )
    return list(session.scalars(query))


_NOT_HANDLED = ("confirmed", "submitted", "accepted", "declined", "handling", "reopened")


def _facts(session: Session, ids: list[str], as_of: datetime) -> list[CaseFacts]:
    found = []
    for part in _chunks(ids):
        steps = _steps(session, part, as_of)
        settlements = _settlements(session, part, as_of)
        kinds = select(ViolationRow.id, ViolationRow.kind).where(ViolationRow.id.in_(part))
        shown = {row.id: row.kind for row in session.execute(kinds)}
        for case in session.execute(select(*_COLUMNS).where(CaseRow.id.in_(part))):
            if case.raised_at > as_of:
                continue
            found.append(
                CaseFacts(
                    id=case.id,
                    state=case.state,
                    kind=case.kind,
                    kind_shown=shown.get(case.id, case.kind),
                    camera_id=case.camera_id,
                    zone_id=case.zone_id,
                    place=case.place or {},
                    raised_at=case.raised_at,
                    deadline_at=case.deadline_at,
                    occurrences=case.occurrences,
                    recurrence_of=case.recurrence_of,
                    recurrences=case.recurrences,
                    steps=tuple(steps[case.id]),
                    settlement=settlements.get(case.id),
                )
            )
    return found


def _steps(session: Session, ids: Collection[str], as_of: datetime) -> dict[str, list[Step]]:
    query = (
        select(CaseStepRow.case_id, CaseStepRow.action, CaseStepRow.at, CaseStepRow.actor)
        .where(CaseStepRow.case_id.in_(ids), CaseStepRow.at <= as_of)
        .order_by(CaseStepRow.id)
    )
    found: dict[str, list[Step]] = defaultdict(list)
    for case_id, action, at, actor in session.execute(query):
        found[case_id].append(Step(action, at, actor))
    return found


def _settlements(session: Session, ids: Collection[str], as_of: datetime) -> dict[str, Settlement]:
    query = (
        select(
            DecisionRow.case_id,
            DecisionRow.at,
            DecisionRow.verdict,
            DecisionRow.reason,
            DecisionRow.kind_before,
            DecisionRow.kind_after,
        )
        .where(
            DecisionRow.case_id.in_(ids),
            DecisionRow.settles,
            DecisionRow.undone_at.is_(None),
            DecisionRow.at <= as_of,
        )
        .order_by(DecisionRow.id)
    )
    return {
        row.case_id: Settlement(row.at, row.verdict, row.reason, row.kind_before, row.kind_after)
        for row in session.execute(query)
    }


def _chunks(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
