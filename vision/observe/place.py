"""The record of one place: what stands there, since when, and how it has looked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from vision.observe.appearance import Likeness, Verdict
from vision.observe.association import Candidate
from vision.observe.families import PUSHED_ON
from vision.observe.ledger import Interval, Ledger, microseconds
from vision.observe.memory_settings import MemorySettings
from vision.observe.scores import robust_mean
from vision.observe.sighting import Box, Dwell, Snapshot

_COUNTS = (
    "id",
    "family",
    "first_seen_us",
    "last_seen_us",
    "derelict_looks",
    "seen",
    "seen_through",
    "absent",
    "misses",
    "missed_looks",
    "first_miss_us",
    "looks_seen",
    "rated_looks",
    "looks_still",
    "standing",
    "detection_rate",
    "steadiness",
    "usual_cover",
    "sign_from_us",
    "signed_cover",
    "twin_of",
    "beside",
    "placed_us",
)
"""What is stored of a place as it stands."""


class Place:
    """A sighting in the making; the memory's own record."""

    __slots__ = (
        "absent",
        "anchor",
        "beside",
        "box",
        "class_name",
        "class_share",
        "confidences",
        "derelict",
        "derelict_looks",
        "detection_rate",
        "doubt",
        "ended_us",
        "family",
        "first_miss_us",
        "first_seen_us",
        "id",
        "last_seen_us",
        "ledger",
        "likeness",
        "looks_seen",
        "looks_still",
        "missed_looks",
        "misses",
        "placed_us",
        "rated_looks",
        "recent",
        "scores",
        "seen",
        "seen_through",
        "sign_from_us",
        "signed_cover",
        "standing",
        "steadiness",
        "twin_of",
        "usual_cover",
        "votes",
    )

    def __init__(self, number: int, candidate: Candidate, now: int) -> None:
        """Begin with a first sight; its vote is still to be given."""
        self.id = number
        self.family = candidate.family
        self.anchor: Box = candidate.box
        self.box: Box = candidate.box
        self.recent: list[Box] = [candidate.box]
        self.first_seen_us = now
        self.last_seen_us = now
        self.placed_us = now
        self.ledger = Ledger()
        self.confidences: list[float] = []
        self.votes: dict[str, float] = {}
        self.class_share: dict[str, float] = {}
        self.class_name = ""
        self.scores: list[float] = []
        self.derelict: float | None = None
        self.derelict_looks = 0
        self.seen = True
        self.seen_through = False
        self.absent = False
        self.misses = 0
        self.missed_looks = 0
        self.first_miss_us = 0
        self.looks_seen = 1
        self.looks_still = 1
        self.standing = False
        self.detection_rate = _NEW_RATE
        self.rated_looks = 0
        self.steadiness = _NEW_STEADINESS
        self.usual_cover = 0.0
        self.sign_from_us = 0
        self.signed_cover = 0.0
        self.twin_of = 0
        self.beside = 0
        self.likeness: Likeness | None = None
        self.doubt: Doubt | None = None
        self.ended_us: int | None = None

    def vote(self, candidate: Candidate, settings: MemorySettings) -> None:
        """Take in what a detection says of the thing."""
        votes = self.votes
        if candidate.votes:
            for name, weight in candidate.votes:
                votes[name] = votes.get(name, 0.0) + weight
        else:
            name = candidate.class_name
            votes[name] = votes.get(name, 0.0) - candidate.rank
        confidences = self.confidences
        confidences.append(-candidate.rank)
        if len(confidences) > settings.recent_looks:
            del confidences[0]
        if candidate.derelict is not None:
            self.scores = [*self.scores, candidate.derelict][-settings.scored_looks :]
            self.derelict = robust_mean(self.scores)
            self.derelict_looks += 1
        if len(votes) != 1 or not self.class_share:
            self._count()

    def _count(self) -> None:
        """Count the votes."""
        votes, share = self.votes, self.class_share
        if len(votes) == 1:
            (self.class_name,) = votes
            self.class_share = {self.class_name: 1.0}
            return
        total = sum(votes.values())
        names = share if share.keys() == votes.keys() else sorted(votes)
        self.class_share = share = {name: votes[name] / total for name in names}
        self.class_name = max(share, key=share.__getitem__)

    def rate(self, *, detected: bool) -> None:
        """Learn how often the thing is detected where nothing hides it."""
        self.rated_looks += 1
        step = max(_DETECTION_RATE, 1 / (self.rated_looks + _PRIOR_LOOKS))
        self.detection_rate += step * (detected - self.detection_rate)

    def is_steady(self, box: Box, share: float) -> bool:
        """Whether a box differs from the known one by no more than detectors wobble.

        Args:
            box: The box.
            share: How far an edge may lie off, as share of the thing's width or height.
        """
        u1, v1, u2, v2 = self.box
        x1, y1, x2, y2 = box
        width = share * (u2 - u1)
        if not (-width <= x1 - u1 <= width and -width <= x2 - u2 <= width):
            return False
        height = share * (v2 - v1)
        return -height <= y1 - v1 <= height and -height <= y2 - v2 <= height

    def enter(
        self, now: int, pause: int, *, seen: bool, unknown: bool, missed: bool = False
    ) -> None:
        """Enter the time since the last look into the ledger.

        Args:
            now: Time of this look.
            pause: Time since the last one.
            seen: Whether this look saw it.
            unknown: Whether nothing can be known of the time between.
            missed: Whether nothing hid it, though it was not seen.
        """
        if seen:
            self.last_seen_us = now
            if self.seen and not unknown:
                self.ledger.observed_us += pause
                return
            if self.missed_looks and not unknown:
                self.ledger.flickered()
                self.ledger.observed_us += pause
                self.missed_looks = 0
                self.seen = True
                return
        if (
            missed
            and self.standing
            and not unknown
            and (self.seen or 0 < self.missed_looks < FLICKER_LOOKS)
        ):
            self.missed_looks += 1
            self.ledger.miss(pause)
            self.seen = False
            return
        self.missed_looks = 0
        self.ledger.add(Interval.UNKNOWN if unknown else Interval.BRIDGED, pause, seen=seen)
        self.seen = seen

    def stays(
        self, candidate: Candidate, cover: float, now: int, pause: int, recent_looks: int
    ) -> None:
        """Take in that a standing thing is seen again, just where it was and was seen before.

        Most things in most looks: what :meth:`enter`, :meth:`vote` and :meth:`rate` come to then,
        at a third of their cost. The detection must be a plain one.

        Args:
            candidate: The detection.
            cover: Share of the place that others cover in this look.
            now: Time of this look.
            pause: Time since the last one.
            recent_looks: See :class:`~vision.observe.memory_settings.MemorySettings`.
        """
        self.last_seen_us = now
        self.ledger.observed_us += pause
        rank = candidate.rank
        votes, confidences, recent = self.votes, self.confidences, self.recent
        if candidate.votes:
            for name, weight in candidate.votes:
                votes[name] = votes.get(name, 0.0) + weight
        else:
            name = candidate.class_name
            votes[name] = votes.get(name, 0.0) - rank
        if len(votes) != 1:
            self._count()
        confidences.append(-rank)
        if len(confidences) > recent_looks:
            del confidences[0]
        recent.append(candidate.box)
        if len(recent) > recent_looks:
            del recent[0]
        self.looks_seen += 1
        self.looks_still += 1
        self.rated_looks = rated = self.rated_looks + 1
        step = 1 / (rated + _PRIOR_LOOKS) if rated < _FEW_RATED else _DETECTION_RATE
        self.detection_rate += step * (1 - self.detection_rate)
        self.steadiness += STEADINESS_RATE * (1 - self.steadiness)
        self.usual_cover += COVER_RATE * (cover - self.usual_cover)

    def is_away(self, now: int, settings: MemorySettings, *, unknown: bool) -> bool:
        """Whether it was out of sight so long that another thing may have come."""
        return (
            self.likeness is not None
            and (unknown or not self.seen)
            and now - self.last_seen_us > settings.swap_after_s * 1e6
        )

    def verdict_on(self, candidate: Candidate) -> Verdict | None:
        """What the signature of a detection says; ``None`` when one of the two has none."""
        if self.likeness is None or candidate.appearance is None:
            return None
        return self.likeness.verdict(candidate.appearance)

    def may_be_pushed_on(self, now: int, settings: MemorySettings) -> bool:
        """Whether it is of those that move a little and stay what they are, and has stood still."""
        return (
            self.family in PUSHED_ON
            and self.standing
            and now - self.placed_us >= settings.push_after_s * 1e6
        )

    def was_pushed_on(
        self, candidate: Candidate, now: int, settings: MemorySettings, *, unknown: bool
    ) -> bool:
        """Whether a detection off its place shows it all the same, pushed on a little.

        Either it looks the same, or nothing speaks against it and it was seen just before.
        """
        if not self.may_be_pushed_on(now, settings):
            return False
        verdict = self.verdict_on(candidate)
        just_now = not unknown and now - self.last_seen_us <= settings.push_after_s * 1e6
        return verdict is Verdict.SAME or (verdict is not Verdict.OTHER and just_now)

    def push_on(self, box: Box, now: int) -> None:
        """Let it stand at another place from now on."""
        self.anchor = self.box = box
        self.placed_us = now

    def sign(self, signature: bytes, cover: float, now: int, settings: MemorySettings) -> None:
        """Keep a signature of the thing and say when the next is wanted.

        Args:
            signature: How it looks.
            cover: Share of the place that other things covered then.
            now: When it was taken.
            settings: See there.
        """
        self.signed_cover = cover
        if self.likeness is None:
            self.likeness = Likeness()
        self.likeness.keep(signature, now)
        pause_s = min(
            settings.sign_growth * (now - self.first_seen_us) / 1e6, settings.sign_every_s
        )
        self.sign_from_us = now + microseconds(pause_s)

    def taken_by_other(self, number: int, doubt: Doubt) -> Place:
        """Give the place to another thing, that came where this one was last out of sight.

        Args:
            number: Id of the other thing.
            doubt: Since when this may have been another thing. This place becomes again what it
                was before, and has left.

        Returns:
            The place of the other thing.
        """
        other = Place.restored(self.state())
        back = doubt.back
        other.id = number
        other.first_seen_us = other.placed_us = back.last_seen_us
        for name in ("observed_us", "bridged_us", "unknown_us"):
            value = getattr(self.ledger, name) - getattr(back.ledger, name)
            setattr(other.ledger, name, value)
        other.looks_seen = other.looks_still = self.looks_seen - back.looks_seen + 1
        other.anchor = self.box
        other.detection_rate, other.steadiness = _NEW_RATE, _NEW_STEADINESS
        other.standing = False
        other.votes = {
            name: left
            for name, weight in self.votes.items()
            if (left := weight - back.votes.get(name, 0.0)) > _NO_VOTE
        }
        other._count()
        other.scores, other.derelict, other.derelict_looks = [], None, 0
        other.doubt = None
        other.likeness = self.likeness.of_stranger(back.last_seen_us) if self.likeness else None
        before = doubt.before
        self.ledger = before.ledger
        self.last_seen_us = before.last_seen_us
        self.looks_seen = before.looks_seen
        self.standing = before.standing
        self.votes = before.votes
        self._count()
        self.absent = True
        return other

    def end(self, now: int) -> Self:
        """Give it up: from now on it stays as it is."""
        self.ended_us = now
        return self

    @property
    def ended_s(self) -> float | None:
        """See :class:`~vision.observe.sighting.Sighting`, like all that follow."""
        return None if self.ended_us is None else self.ended_us / 1e6

    @property
    def confidence(self) -> float:  # noqa: D102
        mean = sum(self.confidences) / len(self.confidences)
        return mean if mean < 1.0 else 1.0

    @property
    def first_seen_s(self) -> float:  # noqa: D102
        return self.first_seen_us / 1e6

    @property
    def last_seen_s(self) -> float:  # noqa: D102
        return self.last_seen_us / 1e6

    @property
    def absent_since_s(self) -> float | None:  # noqa: D102
        return self.last_seen_us / 1e6 if self.absent else None

    @property
    def dwell(self) -> Dwell:  # noqa: D102
        return self.ledger.dwell(until_last_seen=self.ended_us is not None)

    @property
    def observed_s(self) -> float:  # noqa: D102
        return self.ledger.observed_us / 1e6

    @property
    def sign_from_s(self) -> float:  # noqa: D102
        return self.sign_from_us / 1e6

    @property
    def in_doubt(self) -> bool:  # noqa: D102
        return self.doubt is not None and self.doubt.away_s > _DOUBTED_AFTER_S

    def snapshot(self) -> Snapshot:
        """The sighting as it is known now."""
        return Snapshot(
            self.id,
            self.class_name,
            self.class_share,
            self.box,
            self.confidence,
            self.first_seen_s,
            self.last_seen_s,
            self.absent_since_s,
            self.ended_s,
            self.dwell,
            self.looks_seen,
            self.standing,
            self.derelict,
            self.derelict_looks,
            self.sign_from_s,
            self.in_doubt,
        )

    def state(self) -> dict[str, Any]:
        """Everything that is known, JSON-able; see :meth:`restored`."""
        return {name: getattr(self, name) for name in _COUNTS} | {
            "anchor": list(self.anchor),
            "box": list(self.box),
            "recent": [list(box) for box in self.recent],
            "ledger": asdict(self.ledger),
            "confidences": list(self.confidences),
            "votes": dict(self.votes),
            "scores": list(self.scores),
            "likeness": self.likeness.state() if self.likeness else None,
            "doubt": self.doubt.state() if self.doubt else None,
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Self:
        """The place of which :meth:`state` was taken."""
        place = cls.__new__(cls)
        for name in _COUNTS:
            setattr(place, name, state[name])
        place.anchor = _box(state["anchor"])
        place.box = _box(state["box"])
        place.recent = [_box(box) for box in state["recent"]]
        place.ledger = Ledger(**state["ledger"])
        place.confidences = list(state["confidences"])
        place.votes = dict(state["votes"])
        place.scores = list(state["scores"])
        place.derelict = robust_mean(place.scores)
        place.likeness = Likeness(state["likeness"]) if state["likeness"] else None
        place.doubt = Doubt.restored(state["doubt"]) if state["doubt"] else None
        place.ended_us = None
        place.class_share = {}
        place._count()
        return place


FLICKER_LOOKS = 5
"""So many misses in a row of a thing in plain view may be the detector's flicker."""

STEADINESS_RATE = 0.05
"""By how much one sight changes what is known of a thing's steadiness."""

COVER_RATE = 0.2
"""The same of what usually covers it."""

_DETECTION_RATE = 0.05
_PRIOR_LOOKS = 3
_FEW_RATED = round(1 / _DETECTION_RATE) - _PRIOR_LOOKS
"""Up to so many rated looks the mean of all of them counts."""

_NEW_RATE = 0.6
_NEW_STEADINESS = 0.85
_DOUBTED_AFTER_S = 60.0
_NO_VOTE = 1e-6
"""What is left of a difference of sums when nothing is left."""


@dataclass(slots=True, eq=False)
class Moment:
    """What a place had come to at some time.

    Attributes:
        ledger: Its ledger.
        last_seen_us: When it was last seen.
        looks_seen: How many looks had seen it.
        standing: Whether it stood.
        votes: Votes for its classes.
    """

    ledger: Ledger
    last_seen_us: int
    looks_seen: int
    standing: bool
    votes: dict[str, float]

    @classmethod
    def of(cls, place: Place, votes: dict[str, float] | None = None) -> Self:
        """The place as it is now, with other votes if they are given."""
        return cls(
            place.ledger.copy(),
            place.last_seen_us,
            place.looks_seen,
            place.standing,
            dict(place.votes) if votes is None else votes,
        )

    def state(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Self:
        """The moment of which :meth:`state` was taken."""
        return cls(**{**state, "ledger": Ledger(**state["ledger"])})


@dataclass(frozen=True, eq=False)
class Doubt:
    """A thing has not been proved the same since some time.

    Attributes:
        before: As it was before it went out of sight for the first time since.
        back: As it was when it came back into sight for the last time, with the votes of before.
        out_of_sight: Whether it was out of sight at all; in plain sight more must speak for
            another thing.
    """

    before: Moment
    back: Moment
    out_of_sight: bool

    @property
    def away_s(self) -> float:
        """Seconds out of sight."""
        if not self.out_of_sight:
            return 0.0
        return (self.back.last_seen_us - self.before.last_seen_us) / 1e6

    def state(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "before": self.before.state(),
            "back": self.back.state(),
            "out_of_sight": self.out_of_sight,
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Self:
        """The doubt of which :meth:`state` was taken."""
        return cls(
            Moment.restored(state["before"]),
            Moment.restored(state["back"]),
            out_of_sight=state["out_of_sight"],
        )


def _box(edges: Any) -> Box:
    x1, y1, x2, y2 = edges
    return x1, y1, x2, y2
