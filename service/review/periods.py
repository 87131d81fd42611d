"""Going through days, months and quarters, and what came in and was settled within one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.reports.window import Span, Window
from service.store.tables import CaseRow, DecisionRow, Verdict

_BUCKETS = {"day": timedelta(hours=1), "month": timedelta(days=1), "quarter": timedelta(days=7)}


def label_of(span: Span, day: date) -> str:
    """Label of the day, month or quarter in which a local day lies."""
    if span == "day":
        return day.isoformat()
    if span == "month":
        return f"{day.year:04d}-{day.month:02d}"
    return f"{day.year:04d}-Q{(day.month - 1) // 3 + 1}"


def neighbour(window: Window, step: Literal[-1, 1]) -> str:
    """Label of the day, month or quarter before or after one."""
    edge = window.end if step > 0 else window.start - timedelta(hours=1)
    return label_of(window.span, edge.astimezone(window.timezone).date())


@dataclass(frozen=True)
class Course:
    """How a window went: by hour of a day, by day of a month, by week of a quarter.

    Attributes:
        names: When each part begins.
        found: Candidates raised in each.
        confirmed: Cases confirmed in each.
        rejected: Cases rejected in each.
    """

    names: tuple[str, ...]
    found: tuple[int, ...]
    confirmed: tuple[int, ...]
    rejected: tuple[int, ...]


def course_of(session: Session, window: Window) -> Course:
    """Count what came in and was settled, part by part."""
    raised = select(CaseRow.raised_at).where(
        CaseRow.raised_at >= window.start, CaseRow.raised_at < window.end
    )
    settled = select(DecisionRow.at, DecisionRow.verdict).where(
        DecisionRow.at >= window.start,
        DecisionRow.at < window.end,
        DecisionRow.settles,
        DecisionRow.undone_at.is_(None),
    )
    verdicts = session.execute(settled).all()
    begin = window.start.astimezone(window.timezone)
    width = _BUCKETS[window.span]
    # By the clocks of the place: a day on which they are set has another length.
    parts = _parts(begin.replace(tzinfo=None), window.end.astimezone(window.timezone), width)

    def spread(times: Iterable[datetime]) -> tuple[int, ...]:
        first = parts[0]
        counts = Counter(
            (at.astimezone(window.timezone).replace(tzinfo=None) - first) // width for at in times
        )
        return tuple(counts[number] for number in range(len(parts)))

    form = {"day": "%H:00", "month": "%d", "quarter": "%m-%d"}[window.span]
    return Course(
        names=tuple(part.strftime(form) for part in parts),
        found=spread(session.scalars(raised)),
        confirmed=spread(at for at, verdict in verdicts if verdict == Verdict.CONFIRM),
        rejected=spread(at for at, verdict in verdicts if verdict == Verdict.REJECT),
    )


def _parts(begin: datetime, end: datetime, width: timedelta) -> list[datetime]:
    number = -(-(end.replace(tzinfo=None) - begin) // width)
    return [begin + one * width for one in range(number)]
