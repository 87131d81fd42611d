"""Counting: from facts of cases to figures, in all and by district, street, kind and so on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from service.cases.deadline_changes import APPEALED, EXEMPTED, EXTENDED
from service.cases.lifecycle import Action
from service.cases.reasons import REASONS
from service.reports.definitions import BANDS, COUNTS, RATES
from service.reports.facts import CaseFacts
from service.reports.window import Window
from service.store.tables import CaseState, Verdict

Dimension = Literal["district", "street", "grid", "unit", "kind", "camera"]
DIMENSIONS: tuple[Dimension, ...] = ("district", "street", "grid", "unit", "kind", "camera")

CANNOT_SEE = "cannot_be_seen"
"""Action of the step that a look which could not see leaves."""

UNKNOWN = ""
"""Group of cases whose camera does not say."""


@dataclass(frozen=True)
class Share:
    """Two counts and their share.

    Attributes:
        numerator: Count above.
        denominator: Count below.
    """

    numerator: int
    denominator: int

    @property
    def value(self) -> float | None:
        """0 to 1; ``None`` where nothing was there to count."""
        return None if self.denominator == 0 else self.numerator / self.denominator

    @property
    def shown(self) -> str:
        """As it is printed: never 0 % where there was nothing to count."""
        return "–" if self.value is None else f"{100 * self.value:.1f} %"


@dataclass(frozen=True)
class Spread:
    """How long something took.

    Attributes:
        hours: All values, in ascending order.
    """

    hours: tuple[float, ...]

    def quantile(self, share: float) -> float | None:
        """Value that a share of all does not exceed, interpolated; ``None`` without any."""
        return None if not self.hours else float(np.quantile(self.hours, share))

    @property
    def bands(self) -> list[int]:
        """How many lie in each of :data:`service.reports.definitions.BANDS`."""
        counts = [0] * len(BANDS)
        for hours in self.hours:
            counts[next(i for i, (end, _, _) in enumerate(BANDS) if hours <= end)] += 1
        return counts


@dataclass(frozen=True)
class Figures:
    """Figures of one group of cases.

    Attributes:
        counts: By the ids of :data:`service.reports.definitions.COUNTS`.
        rectified: Time from confirmation to the handling that held.
    """

    counts: Mapping[str, int]
    rectified: Spread

    def share(self, rate: str) -> Share:
        """A rate of :data:`service.reports.definitions.RATES`."""
        one = RATES[rate]
        return Share(self.counts[one.numerator], self.counts[one.denominator])


@dataclass
class _Tally:
    counts: Counter[str] = field(default_factory=Counter)
    hours: list[float] = field(default_factory=list)

    def add(self, counts: Mapping[str, int], hours: float | None = None) -> None:
        for one, count_ in counts.items():
            self.counts[one] += count_
        if hours is not None:
            self.hours.append(hours)

    def figures(self) -> Figures:
        return Figures({one: self.counts[one] for one in COUNTS}, Spread(tuple(sorted(self.hours))))


@dataclass(frozen=True)
class CountedCase:
    """What one case adds to figures.

    Attributes:
        case: The case.
        of_the_model: Counts that tell of what the camera said.
        counts: All other counts.
        hours: Time from confirmation to the handling that held, if it was found gone.
    """

    case: CaseFacts
    of_the_model: Mapping[str, int]
    counts: Mapping[str, int]
    hours: float | None


def count(facts: Iterable[CaseFacts], window: Window) -> list[CountedCase]:
    """What each case adds to the figures of a window."""
    return [_counted(case, window) for case in facts]


def overall(counted: Iterable[CountedCase]) -> Figures:
    """Figures of all cases."""
    tally = _Tally()
    for one in counted:
        tally.add(one.of_the_model)
        tally.add(one.counts, one.hours)
    return tally.figures()


def by_group(counted: Iterable[CountedCase], dimension: Dimension) -> dict[str, Figures]:
    """Figures by group, the groups in order of their names.

    By kind, what was found and how right the model was counts under the kind that it gave, all else
    under the kind that reviewers left.
    """
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for one in counted:
        shown, kept = _groups(one.case, dimension)
        tallies[shown].add(one.of_the_model)
        tallies[kept].add(one.counts, one.hours)
    return {group: tallies[group].figures() for group in sorted(tallies)}


_OF_THE_MODEL = frozenset({"found", "judged", "correct"})


def _groups(case: CaseFacts, dimension: Dimension) -> tuple[str, str]:
    if dimension == "kind":
        return case.kind_shown, case.kind
    if dimension == "camera":
        return case.camera_id, case.camera_id
    name = str(case.place.get(dimension, UNKNOWN))
    return name, name


def _review_counts(case: CaseFacts, window: Window) -> Counter[str]:
    counts: Counter[str] = Counter()
    counts["found"] += window.holds(case.raised_at)
    settled = case.settlement
    if settled is None or not window.holds(settled.at):
        return counts
    confirmed = settled.verdict == Verdict.CONFIRM
    counts["settled"] += 1
    counts["confirmed"] += confirmed
    counts["rejected"] += not confirmed
    reason = REASONS.get(settled.reason or "")
    counts["judged"] += confirmed or reason is None or reason.blames_model
    counts["correct"] += confirmed and settled.kind_after == case.kind_shown
    counts["recurring"] += confirmed and case.recurrence_of is not None
    return counts


def _counted(case: CaseFacts, window: Window) -> CountedCase:
    reviewed = _review_counts(case, window)
    handled, hours = _handling_counts(case, window)
    return CountedCase(
        case=case,
        of_the_model={one: reviewed.pop(one) for one in _OF_THE_MODEL if one in reviewed},
        counts=reviewed + handled,
        hours=hours,
    )


def _handling_counts(case: CaseFacts, window: Window) -> tuple[Counter[str], float | None]:
    counts: Counter[str] = Counter()
    if case.state == CaseState.CANCELLED:
        counts["cancelled"] += window.holds(_last(case, Action.CANCEL))
        return counts, None
    delivered_at = _first(case, Action.SUBMIT)
    is_exempt = bool(_all(case, EXEMPTED))
    counts["delivered"] += window.holds(delivered_at)
    counts["returned"] += window.holds(delivered_at) and bool(_all(case, Action.RETURN))
    counts["suspended"] += any(window.holds(at) for at in _all(case, Action.SUSPEND))
    counts["accepted"] += window.holds(_first(case, Action.ACCEPT))
    counts["declined"] += any(window.holds(at) for at in _all(case, Action.DECLINE))
    held_at = _held_handling(case)
    if window.holds(case.deadline_at) and delivered_at is not None:
        assert case.deadline_at is not None
        counts["due"] += 1
        counts["extended"] += bool(_all(case, EXTENDED))
        counts["appealed"] += bool(_all(case, APPEALED))
        counts["exempted"] += is_exempt
        counts["handled"] += held_at is not None
        counts["handled_in_time"] += held_at is not None and (
            is_exempt or held_at <= case.deadline_at
        )
    finishes = _all(case, *_FINISHING)
    if any(window.holds(at) for at in finishes):
        closed_at = _last(case, Action.CLOSE)
        deadline_at = case.deadline_at
        counts["finished"] += 1
        counts["closed"] += closed_at is not None
        counts["reworked"] += any(at >= finishes[0] for at in _all(case, Action.REOPEN))
        if deadline_at is not None:
            counts["finished_with_deadline"] += 1
            counts["closed_in_time"] += closed_at is not None and (
                is_exempt or closed_at <= deadline_at
            )
    gone = [at for at in _all(case, Action.VERIFY) if window.holds(at)]
    still = [
        step.at
        for step in case.steps
        if step.action == Action.REOPEN
        and window.holds(step.at)
        and not step.actor.startswith(_PLATFORM)
    ]
    counts["gone"] += len(gone)
    counts["inspected"] += len(gone) + len(still)
    counts["cannot_see"] += sum(window.holds(at) for at in _all(case, CANNOT_SEE))
    confirmed_at = _last(case, Action.CONFIRM)
    if not gone or held_at is None or confirmed_at is None:
        return counts, None
    return counts, (held_at - confirmed_at) / timedelta(hours=1)


_PLATFORM = "platform:"
"""A platform that takes a case up again has not looked at the place."""

_FINISHING = (Action.FINISH, Action.SELF_RECTIFY)


def _held_handling(case: CaseFacts) -> datetime | None:
    """When a case was handled such that it was not sent back since."""
    held: datetime | None = None
    for step in case.steps:
        if step.action in _FINISHING:
            held = held or step.at
        if step.action == Action.REOPEN:
            held = None
    return held


def _all(case: CaseFacts, *actions: str) -> Sequence[datetime]:
    return [step.at for step in case.steps if step.action in actions]


def _first(case: CaseFacts, action: str) -> datetime | None:
    return next(iter(_all(case, action)), None)


def _last(case: CaseFacts, action: str) -> datetime | None:
    found = _all(case, action)
    return found[-1] if found else None
