"""Event-level scoring: violations against what is truly to be seen. Pure: no files, no clock.

Each event that should be raised is matched with at most one violation of the same clip and each
violation with at most one event. A pair may match when the violation is of a kind that the event
may be told as, their times touch, and they are at one place. Among all ways to match, the one with
the most pairs counts, and among those the one with the greatest overlap in place and time
(:func:`scipy.optimize.linear_sum_assignment`). The order of the inputs changes nothing.

What is left over of the violations is a false alarm, a second violation for one event included,
unless it lies on an event that is not scored. Events that must not be raised need no counting of
their own: whatever is raised on them is a false alarm that names them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import Any

import numpy as np

from vision.observe.boxes import area, as_array, intersections, iou
from vision.observe.sighting import Box
from vision.rules.finding import Violation

DAY_S = 86_400.0

AREA_KINDS = frozenset({"construction_dust", "hoarding_missing"})
"""Kinds about a stretch or an area, whose boxes agree with the truth only roughly."""


class Expectation(StrEnum):
    """What is expected of an event.

    Attributes:
        RAISE: It should be raised.
        RAISE_IF_BRIEF: It should be raised where the dwell in force is at most ``max_dwell_s``,
            else it must not be; not scored where no dwell is known.
        QUIET: It must not be raised.
        QUIET_UNLESS_ZONE: It must not be raised, unless in a zone drawn as ``no_stopping``: there
            it is not scored.
        UNSCORED: Neither right nor wrong.
    """

    RAISE = "raise"
    RAISE_IF_BRIEF = "raise_if_brief"
    QUIET = "quiet"
    QUIET_UNLESS_ZONE = "quiet_unless_zone"
    UNSCORED = "unscored"


@dataclass(frozen=True)
class Event:
    """What is truly to be seen.

    Attributes:
        kinds: Violation kinds that it may be told as; the first is the one that a miss counts for.
        start_s: From when, seconds of the clip.
        end_s: Until when; ``None`` when it lasts to the end of the clip.
        box: Where, ``x1, y1, x2, y2`` in pixels; ``None`` for an event without a place.
        expectation: What is expected of it.
        max_dwell_s: For ``RAISE_IF_BRIEF``.
        dwell_s: Dwell in force for its kinds, the shortest; ``None`` where there is none.
        zone_id: Zone that it is about; violations of its kinds in this zone are at its place.
        clip: Recording; events are matched with violations of the same clip.
        type: What the truth calls it.
    """

    kinds: tuple[str, ...]
    start_s: float
    end_s: float | None
    box: Box | None
    expectation: Expectation = Expectation.RAISE
    max_dwell_s: float | None = None
    dwell_s: float | None = None
    zone_id: str = ""
    clip: str = ""
    type: str = ""

    @property
    def in_force(self) -> Expectation:
        """What is expected under the dwell in force: never ``RAISE_IF_BRIEF``."""
        if self.expectation is not Expectation.RAISE_IF_BRIEF:
            return self.expectation
        if self.dwell_s is None or self.max_dwell_s is None:
            return Expectation.UNSCORED
        return Expectation.RAISE if self.dwell_s <= self.max_dwell_s else Expectation.QUIET


@dataclass(frozen=True)
class Raised:
    """A violation as it is scored.

    Attributes:
        kind: Violation kind.
        box: ``x1, y1, x2, y2`` in pixels.
        start_s: From when it was wrong, seconds of the clip.
        last_seen_s: When it was last seen.
        end_s: When it was over, ``None`` while it lasted.
        noticed_s: When it was raised; ``None`` if unknown.
        end_noticed_s: When it was known to be over; ``None`` if unknown or while it lasted.
        dwell_s: Dwell of its rule; the event's counts without it.
        zone_id: Zone in which it happened.
        zone_purpose: What that zone is for, such as ``no_stopping``; empty if unknown.
        clip: Recording.
        id: Its name in results.
    """

    kind: str
    box: Box
    start_s: float
    last_seen_s: float
    end_s: float | None = None
    noticed_s: float | None = None
    end_noticed_s: float | None = None
    dwell_s: float | None = None
    zone_id: str = ""
    zone_purpose: str = ""
    clip: str = ""
    id: str = ""

    @classmethod
    def of(cls, violation: Violation, *, clip: str = "", zone_purpose: str = "") -> Raised:
        """A violation as the judge gives it."""
        return cls(
            kind=violation.kind,
            box=violation.box,
            start_s=violation.start_s,
            last_seen_s=violation.last_seen_s,
            end_s=violation.end_s,
            noticed_s=violation.noticed_s,
            end_noticed_s=violation.end_noticed_s,
            dwell_s=shortest_dwell(violation.rule_settings),
            zone_id=violation.zone_id,
            zone_purpose=zone_purpose,
            clip=clip,
            id=violation.key,
        )


@dataclass(frozen=True)
class Matching:
    """When a violation and an event are at one place and time.

    Attributes:
        min_iou: Intersection over union of their boxes, at least.
        min_area_share: For :data:`AREA_KINDS` this share of the smaller box is enough.
        inside_share: A violation lies on an event that is not scored when this share of its own
            box does.
        slack_s: Their times may miss each other by so much.
    """

    min_iou: float = 0.3
    min_area_share: float = 0.1
    inside_share: float = 0.5
    slack_s: float = 0.0


class Outcome(StrEnum):
    """What became of an event."""

    FOUND = "found"
    MISSED = "missed"
    FALSELY_RAISED = "falsely_raised"
    RIGHTLY_QUIET = "rightly_quiet"
    UNSCORED = "unscored"


class Verdict(StrEnum):
    """What a violation was."""

    RIGHT = "right"
    FALSE_ALARM = "false_alarm"
    UNSCORED = "unscored"


@dataclass(frozen=True)
class ScoredEvent:
    """An event and what became of it; times are seconds, ``None`` where they cannot be told.

    Attributes:
        event: The event.
        outcome: What became of it.
        raised: The violation that found it, or the first that was falsely raised on it.
        onset_error_s: Start of the violation minus start of the event.
        delay_to_raise_s: When it was raised minus the earliest moment at which it could be: start
            of the event plus the dwell.
        delay_to_end_s: When its end was noticed minus its end.
        end_unnoticed: The event ended, the violation did not.
    """

    event: Event
    outcome: Outcome
    raised: Raised | None = None
    onset_error_s: float | None = None
    delay_to_raise_s: float | None = None
    delay_to_end_s: float | None = None
    end_unnoticed: bool = False


@dataclass(frozen=True)
class ScoredViolation:
    """A violation and what it was.

    Attributes:
        raised: The violation.
        verdict: What it was.
        event: The event that it found, lies on, or was raised on once too often.
        reason: Why it is a false alarm: ``must_not_be_raised``, ``raised_twice``, ``wrong_kind``
            or ``no_event``; empty otherwise.
    """

    raised: Raised
    verdict: Verdict
    event: Event | None = None
    reason: str = ""


@dataclass(frozen=True)
class Counts:
    """Right, wrong and missing ones, and what follows; a share of nothing is ``None``."""

    found: int = 0
    false_alarms: int = 0
    missed: int = 0

    @property
    def precision(self) -> float | None:
        """Share of the violations that are right."""
        return _share(self.found, self.found + self.false_alarms)

    @property
    def recall(self) -> float | None:
        """Share of the events that were found."""
        return _share(self.found, self.found + self.missed)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; ``None`` when nothing was expected and nothing raised."""
        return _share(2 * self.found, 2 * self.found + self.false_alarms + self.missed)

    def as_json(self) -> dict[str, Any]:
        """Counts and figures, JSON-able."""
        return asdict(self) | {
            name: None if (value := getattr(self, name)) is None else round(value, 4)
            for name in ("precision", "recall", "f1")
        }


@dataclass(frozen=True)
class Spread:
    """Some differences in seconds: how many, their median and root mean square."""

    count: int
    median_s: float | None
    rmse_s: float | None

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread:
        """Of the values that are known."""
        known = np.array([value for value in values if value is not None], np.float64)
        if not len(known):
            return cls(0, None, None)
        return cls(
            len(known),
            round(float(np.median(known)), 3),
            round(float(np.sqrt(np.mean(known**2))), 3),
        )


@dataclass(frozen=True)
class EventScore:
    """How well violations tell of events.

    Attributes:
        total: Counts over all kinds.
        by_kind: Counts by kind: of the violation, for a miss the first kind of the event.
        events: All events by clip and start, with what became of them.
        violations: All violations by clip and start, with what they were.
        watched_s: Seconds that were watched, over all cameras; ``None`` if unknown.
    """

    total: Counts
    by_kind: dict[str, Counts]
    events: tuple[ScoredEvent, ...]
    violations: tuple[ScoredViolation, ...]
    watched_s: float | None = None

    @property
    def false_alarms_per_camera_day(self) -> float | None:
        """False alarms for 24 hours of one camera."""
        if not self.watched_s:
            return None
        return self.total.false_alarms / (self.watched_s / DAY_S)

    @property
    def onset_error(self) -> Spread:
        """How far the starts of found events are off; negative is early."""
        return Spread.of(one.onset_error_s for one in self.events)

    @property
    def delay_to_raise(self) -> Spread:
        """How long after they could be raised found events were; negative is early."""
        return Spread.of(one.delay_to_raise_s for one in self.events)

    @property
    def delay_to_end(self) -> Spread:
        """How long after their end found events were known to be over."""
        return Spread.of(one.delay_to_end_s for one in self.events)

    @property
    def ends_unnoticed(self) -> int:
        """Found events that ended while their violations did not."""
        return sum(one.end_unnoticed for one in self.events)

    def as_json(self) -> dict[str, Any]:
        """All figures, events and violations, JSON-able."""
        per_day = self.false_alarms_per_camera_day
        return {
            "total": self.total.as_json(),
            "by_kind": {kind: counts.as_json() for kind, counts in self.by_kind.items()},
            "watched_s": self.watched_s,
            "false_alarms_per_camera_day": None if per_day is None else round(per_day, 3),
            "onset_error": asdict(self.onset_error),
            "delay_to_raise": asdict(self.delay_to_raise),
            "delay_to_end": asdict(self.delay_to_end),
            "ends_unnoticed": self.ends_unnoticed,
            "events": [asdict(one) for one in self.events],
            "violations": [asdict(one) for one in self.violations],
        }


def score(
    violations: Sequence[Raised | Violation],
    truth: Sequence[Event],
    *,
    watched_s: float | None = None,
    matching: Matching | None = None,
) -> EventScore:
    """Score violations against events; see the module for how they are matched.

    Args:
        violations: What was raised; violations of the judge are taken as of the clip ``""``.
        truth: What is truly to be seen.
        watched_s: Seconds watched, over all cameras, for false alarms per camera-day.
        matching: When a violation and an event are at one place and time.

    Returns:
        The score; the same whatever the order of the inputs.
    """
    matching = matching or Matching()
    raised = sorted(
        (Raised.of(one) if isinstance(one, Violation) else one for one in violations),
        key=_raised_order,
    )
    events = sorted(truth, key=_event_order)
    clips = sorted({one.clip for one in raised} | {one.clip for one in events})
    raised_in = {clip: list(group) for clip, group in groupby(raised, lambda one: one.clip)}
    events_in = {clip: list(group) for clip, group in groupby(events, lambda one: one.clip)}
    scored_events: list[ScoredEvent] = []
    scored_violations: list[ScoredViolation] = []
    for clip in clips:
        some, more = _score_clip(raised_in.get(clip, []), events_in.get(clip, []), matching)
        scored_events += some
        scored_violations += more
    by_kind: dict[str, Counts] = {}

    def count(kind: str, **more: int) -> None:
        known = asdict(by_kind.get(kind, Counts()))
        by_kind[kind] = Counts(**{name: known[name] + more.get(name, 0) for name in known})

    for violation in scored_violations:
        if violation.verdict is Verdict.RIGHT:
            count(violation.raised.kind, found=1)
        elif violation.verdict is Verdict.FALSE_ALARM:
            count(violation.raised.kind, false_alarms=1)
    for one in scored_events:
        if one.outcome is Outcome.MISSED:
            count(one.event.kinds[0] if one.event.kinds else one.event.type, missed=1)
    return EventScore(
        total=Counts(
            found=sum(counts.found for counts in by_kind.values()),
            false_alarms=sum(counts.false_alarms for counts in by_kind.values()),
            missed=sum(counts.missed for counts in by_kind.values()),
        ),
        by_kind=dict(sorted(by_kind.items())),
        events=tuple(scored_events),
        violations=tuple(scored_violations),
        watched_s=watched_s,
    )


def best_pairs(
    raised: Sequence[Raised], events: Sequence[Event], matching: Matching
) -> list[tuple[int, int]]:
    """Match violations and events of one clip one to one, as described for the module.

    Returns:
        Indices ``(violation, event)`` of the pairs.
    """
    if not raised or not events:
        return []
    # Imported here: it takes a fifth of the time in which every other command starts.
    from scipy.optimize import linear_sum_assignment

    weights = np.array(
        [[_overlap(one, event, matching) for event in events] for one in raised], np.float64
    )
    # One pair more outweighs any overlap: overlaps add up to less than 1.
    eligible = weights >= 0
    worth = np.where(eligible, 1.0 + weights / (2.0 * (min(weights.shape) + 1)), 0.0)
    return [
        (int(row), int(column))
        for row, column in zip(*linear_sum_assignment(worth, maximize=True), strict=True)
        if eligible[row, column]
    ]


def shortest_dwell(*settings: object) -> float | None:
    """Shortest of all dwells that settings of rules name, ``None`` if they name none.

    Args:
        settings: Mappings of names to values; names that end in ``dwell_s`` are dwells.
    """
    dwells = [
        float(value)
        for one in settings
        for name, value in dict(one).items()  # type: ignore[call-overload]
        if str(name).endswith("dwell_s") and isinstance(value, int | float)
    ]
    return min(dwells, default=None)


def _score_clip(
    raised: Sequence[Raised], events: Sequence[Event], matching: Matching
) -> tuple[list[ScoredEvent], list[ScoredViolation]]:
    wanted = [i for i, one in enumerate(events) if one.in_force is Expectation.RAISE]
    pairs = best_pairs(raised, [events[i] for i in wanted], matching)
    found = {wanted[column]: row for row, column in pairs}
    finder = {row: i for i, row in found.items()}
    verdicts: list[ScoredViolation] = []
    first_on: dict[int, Raised] = {}
    for row, one in enumerate(raised):
        if row in finder:
            verdicts.append(ScoredViolation(one, Verdict.RIGHT, events[finder[row]]))
            continue
        on = _lies_on(one, events, matching)
        verdicts.append(_left_over(one, None if on is None else events[on], matching))
        if on is not None and verdicts[-1].verdict is Verdict.FALSE_ALARM:
            first_on.setdefault(on, one)
    scored = []
    for i, event in enumerate(events):
        expected = event.in_force
        if i in found:
            scored.append(_found(event, raised[found[i]]))
        elif expected is Expectation.RAISE:
            scored.append(ScoredEvent(event, Outcome.MISSED))
        elif expected is Expectation.UNSCORED:
            scored.append(ScoredEvent(event, Outcome.UNSCORED))
        elif i in first_on:
            scored.append(ScoredEvent(event, Outcome.FALSELY_RAISED, first_on[i]))
        else:
            scored.append(ScoredEvent(event, Outcome.RIGHTLY_QUIET))
    return scored, verdicts


def _found(event: Event, raised: Raised) -> ScoredEvent:
    dwell_s = raised.dwell_s if raised.dwell_s is not None else event.dwell_s
    delay_s = None
    if raised.noticed_s is not None:
        delay_s = round(raised.noticed_s - (event.start_s + (dwell_s or 0.0)), 3)
    end_delay_s = None
    if event.end_s is not None and raised.end_noticed_s is not None:
        end_delay_s = round(raised.end_noticed_s - event.end_s, 3)
    return ScoredEvent(
        event,
        Outcome.FOUND,
        raised,
        onset_error_s=round(raised.start_s - event.start_s, 3),
        delay_to_raise_s=delay_s,
        delay_to_end_s=end_delay_s,
        end_unnoticed=event.end_s is not None and raised.end_s is None,
    )


def _left_over(raised: Raised, event: Event | None, matching: Matching) -> ScoredViolation:
    """What a violation was that found no event."""
    if event is None:
        return ScoredViolation(raised, Verdict.FALSE_ALARM, None, "no_event")
    expected = event.in_force
    legal = expected is Expectation.QUIET_UNLESS_ZONE and raised.zone_purpose == "no_stopping"
    if expected is Expectation.UNSCORED or legal:
        return ScoredViolation(raised, Verdict.UNSCORED, event)
    if expected is not Expectation.RAISE:
        reason = "must_not_be_raised"
    elif _overlap(raised, event, matching) >= 0:
        reason = "raised_twice"
    else:
        reason = "wrong_kind"
    return ScoredViolation(raised, Verdict.FALSE_ALARM, event, reason)


def _lies_on(raised: Raised, events: Sequence[Event], matching: Matching) -> int | None:
    """The event at whose place and time a violation is, whatever its kind; the nearest counts."""
    best, nearest = -1.0, None
    for i, event in enumerate(events):
        any_kind = replace(event, kinds=(raised.kind,))
        overlap = _overlap(raised, any_kind, matching)
        if overlap < 0 and event.in_force is Expectation.UNSCORED:
            overlap = _overlap_inside(raised, event, matching)
        if overlap > best:
            best, nearest = overlap, i
    return nearest


def _overlap(raised: Raised, event: Event, matching: Matching) -> float:
    """Overlap of a pair in place plus that in time, each 0..1; -1 where they cannot match."""
    shared_s = _shared_time(raised, event, matching.slack_s)
    if raised.kind not in event.kinds or shared_s is None:
        return -1.0
    same_zone = bool(event.zone_id) and event.zone_id == raised.zone_id
    place = 0.0 if event.box is None else iou(raised.box, event.box)
    near = place >= matching.min_iou
    if not near and event.box is not None and raised.kind in AREA_KINDS:
        smaller = min(area(raised.box), area(event.box))
        near = smaller > 0 and _shared(raised.box, event.box) >= matching.min_area_share * smaller
    return place + shared_s if near or same_zone else -1.0


def _overlap_inside(raised: Raised, event: Event, matching: Matching) -> float:
    """Overlap of a violation that lies inside an event, -1 where it does not."""
    shared_s = _shared_time(raised, event, matching.slack_s)
    if event.box is None or shared_s is None or area(raised.box) <= 0:
        return -1.0
    inside = _shared(raised.box, event.box) / area(raised.box)
    return iou(raised.box, event.box) + shared_s if inside >= matching.inside_share else -1.0


def _shared(a: Box, b: Box) -> float:
    return float(intersections(as_array([a]), as_array([b]))[0, 0])


def _shared_time(raised: Raised, event: Event, slack_s: float) -> float | None:
    """Intersection over union of the two times, ``None`` where they do not touch."""
    raised_end_s = raised.last_seen_s if raised.end_s is None else raised.end_s
    event_end_s = max(raised_end_s, event.start_s) if event.end_s is None else event.end_s
    if raised.start_s > event_end_s + slack_s or raised_end_s < event.start_s - slack_s:
        return None
    shared_s = min(raised_end_s, event_end_s) - max(raised.start_s, event.start_s)
    whole_s = max(raised_end_s, event_end_s) - min(raised.start_s, event.start_s)
    return max(shared_s, 0.0) / whole_s if whole_s > 0 else 1.0


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _raised_order(one: Raised) -> tuple[object, ...]:
    ends = tuple(
        math.inf if s is None else s for s in (one.end_s, one.noticed_s, one.end_noticed_s)
    )
    return (
        one.clip, one.start_s, one.kind, one.box, one.zone_id, one.id, one.last_seen_s, ends,
        one.zone_purpose, math.inf if one.dwell_s is None else one.dwell_s,
    )  # fmt: skip


def _event_order(one: Event) -> tuple[object, ...]:
    numbers = tuple(math.inf if s is None else s for s in (one.end_s, one.max_dwell_s, one.dwell_s))
    return (
        one.clip, one.start_s, one.kinds, one.box or (), one.zone_id, one.type, one.expectation,
        numbers,
    )  # fmt: skip
