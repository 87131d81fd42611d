"""How far two reviewers agree who decided on the same cases without knowing of each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from service.store.tables import DecisionRow, Stage, Verdict


@dataclass(frozen=True)
class Agreement:
    """Agreement over doubly reviewed cases.

    Attributes:
        cases: How many were decided twice.
        agreed: How many of them alike.
        kappa: Cohen's κ; ``None`` where it is not defined.
    """

    cases: int
    agreed: int
    kappa: float | None


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's κ of pairs of categories: (observed - expected) / (1 - expected) agreement.

    J. Cohen, A coefficient of agreement for nominal scales, Educational and Psychological
    Measurement 20 (1960), formula 1; expected agreement from each side's own shares.

    Returns:
        -1 to 1; ``None`` without pairs, or where all answers are of one category, so that chance
        alone agrees always.
    """
    count = len(pairs)
    if count == 0:
        return None
    agreed = sum(first == second for first, second in pairs)
    firsts = Counter(first for first, _ in pairs)
    seconds = Counter(second for _, second in pairs)
    by_chance = sum(times * seconds[category] for category, times in firsts.items())
    # In whole numbers, so that "always by chance" is no matter of rounding.
    if by_chance == count * count:
        return None
    return (agreed * count - by_chance) / (count * count - by_chance)


def agreement(session: Session, since: datetime, until: datetime) -> Agreement:
    """Agreement over cases whose second decision was made in a time.

    A category is ``reject``, or the kind that was confirmed.

    Args:
        session: A session.
        since: First instant, aware.
        until: First instant after it, aware.
    """
    first, second = aliased(DecisionRow), aliased(DecisionRow)
    query = (
        select(first.verdict, first.kind_after, second.verdict, second.kind_after)
        .join(second, second.case_id == first.case_id)
        .where(
            first.stage == Stage.FIRST,
            second.stage == Stage.SECOND,
            second.at >= since,
            second.at < until,
        )
    )
    for side in (first, second):
        query = query.where(side.verdict != Verdict.NOT_SURE, side.undone_at.is_(None))
    pairs = [
        (_category(verdict, kind), _category(other_verdict, other_kind))
        for verdict, kind, other_verdict, other_kind in session.execute(query)
    ]
    return Agreement(len(pairs), sum(one == two for one, two in pairs), cohens_kappa(pairs))


def _category(verdict: str, kind: str) -> str:
    return kind if verdict == Verdict.CONFIRM else verdict
