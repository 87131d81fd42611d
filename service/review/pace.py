"""How much reviewers decide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.store.tables import DecisionRow, Verdict

PAUSE_S = 300.0
"""Who decides nothing for so long did something else: that time does not count as work."""


@dataclass(frozen=True)
class Pace:
    """What one reviewer decided in a time; what was taken back does not count.

    Attributes:
        reviewer: ``user:...``.
        decisions: How many.
        confirmed: How many of them confirmed.
        not_sure: How many of them passed on.
        worked_s: Seconds at work: between decisions not further apart than :data:`PAUSE_S`, and
            before each the time it was on the screen where that is known.
        median_on_screen_s: Median time on the screen; ``None`` where none is known.
    """

    reviewer: str
    decisions: int
    confirmed: int
    not_sure: int
    worked_s: float
    median_on_screen_s: float | None

    @property
    def per_hour(self) -> float:
        """Decisions in an hour of work."""
        return self.decisions / self.worked_s * 3600 if self.worked_s > 0 else 0.0


def paces(session: Session, since: datetime, until: datetime) -> list[Pace]:
    """What each reviewer decided, the most first.

    Args:
        session: A session.
        since: First instant, aware.
        until: First instant after it, aware.
    """
    found: dict[str, list[DecisionRow]] = defaultdict(list)
    for decision in _decisions(session, since, until):
        found[decision.reviewer].append(decision)
    told = [_pace(reviewer, decisions) for reviewer, decisions in found.items()]
    return sorted(told, key=lambda one: (-one.decisions, one.reviewer))


def by_hour(
    session: Session, since: datetime, until: datetime, timezone: str
) -> list[tuple[str, int]]:
    """Decisions by the hour of the site's clock, from the first hour to the last, none left out."""
    zone = ZoneInfo(timezone)
    hour = since.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    counts: dict[datetime, int] = {}
    while hour <= until.astimezone(zone):
        counts[hour] = 0
        hour += timedelta(hours=1)
    for decision in _decisions(session, since, until):
        counts[decision.at.astimezone(zone).replace(minute=0, second=0, microsecond=0)] += 1
    return [(f"{hour:%H:00}", count) for hour, count in counts.items()]


def _decisions(session: Session, since: datetime, until: datetime) -> Sequence[DecisionRow]:
    query = (
        select(DecisionRow)
        .where(DecisionRow.at >= since, DecisionRow.at < until, DecisionRow.undone_at.is_(None))
        .order_by(DecisionRow.at, DecisionRow.id)
    )
    return session.scalars(query).all()


def _pace(reviewer: str, decisions: Sequence[DecisionRow]) -> Pace:
    worked_s = 0.0
    last: datetime | None = None
    for decision in decisions:
        gap_s = None if last is None else (decision.at - last).total_seconds()
        if gap_s is not None and gap_s <= PAUSE_S:
            worked_s += gap_s
        else:
            worked_s += min(decision.on_screen_s or 0.0, PAUSE_S)
        last = decision.at
    seen = [one.on_screen_s for one in decisions if one.on_screen_s is not None]
    return Pace(
        reviewer,
        len(decisions),
        sum(one.verdict == Verdict.CONFIRM for one in decisions),
        sum(one.verdict == Verdict.NOT_SURE for one in decisions),
        worked_s,
        median(seen) if seen else None,
    )
