"""Place memory: what stands where in one view, over time.

A sighting belongs to a place, not to a track: whatever of its family is detected there is taken for
it, so a bus that passes, a detector that drops out or a box that jitters does not end it. All times
are stream times; how often the camera looks does not matter.

Not told apart yet: another thing of the same family that takes the very place while the first one
leaves.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from vision.observe.association import Candidate, candidates, covers, doubles, match
from vision.observe.boxes import areas, as_array, blend, intersections, iou, median_box, scaled
from vision.observe.ledger import Interval, Ledger, microseconds
from vision.observe.look import Health, Look
from vision.observe.scores import robust_mean
from vision.observe.sighting import Box, Sighting


@dataclass(frozen=True)
class MemorySettings:
    """How places are remembered.

    Attributes:
        start_confidence: A new place needs a detection at least this confident.
        start_thresholds: The same for classes that have a threshold of their own.
        keep_confidence: A known place is confirmed by less: light changes lower the score of what
            still stands there.
        merge_iou: Boxes of one family in one look that overlap more are one thing.
        match_iou: A detection belongs to a place that it overlaps at least this much.
        foot_distance: Second chance of a standing thing: largest distance of the lower middles, as
            share of the root of its area.
        stand_iou: Overlap with its first place from which a thing counts as unmoved.
        stand_looks: Looks that must see a thing unmoved before it stands.
        stand_after_s: Seconds observed unmoved before it stands.
        moved_iou: A standing thing has moved when the median of its recent boxes overlaps its place
            less; it is a new sighting then.
        recent_looks: Boxes in that median.
        follow_share: Share by which a place follows its recent boxes in a look (a swaying camera);
            more in its first looks, for the first box may be a bad one.
        hidden_share: Share of a place that other things must cover to hide it.
        hidden_excess: By how much that must exceed what usually covers it while it is seen.
        max_hidden_s: A standing thing that stays hidden longer is given up.
        absent_looks: Clean looks without it, at least, before a thing is gone.
        gone_after_s: Seconds without it, at least, before a thing is gone.
        absent_chance: A thing is gone when so many misses in a row were less likely than this for
            a thing detected as often as it was. A flickering detection thus gets more patience.
        min_detection_rate: Floor of that rate: bounds the patience.
        min_steadiness: Share of recent sights that must find a standing thing unmoved; one far off
            weighs threefold. Below it is dense traffic that happens to meet one place again and
            again; a parked car whose box jitters by 15 % stays clear of it.
        pass_looks: A thing that does not stand is dropped after so many looks without it.
        pass_hidden_s: Or when it stays hidden longer.
        gap_s: A pause between looks is a gap only when longer than this.
        gap_factor: And longer than this many usual pauses.
        scored_looks: Scores of the second stage that are kept, the latest.
    """

    start_confidence: float = 0.25
    start_thresholds: Mapping[str, float] = field(default_factory=dict)
    keep_confidence: float = 0.1
    merge_iou: float = 0.7
    match_iou: float = 0.3
    foot_distance: float = 0.2
    stand_iou: float = 0.6
    stand_looks: int = 2
    stand_after_s: float = 3.0
    moved_iou: float = 0.5
    recent_looks: int = 5
    follow_share: float = 0.05
    hidden_share: float = 0.35
    hidden_excess: float = 0.2
    max_hidden_s: float = 3600.0
    absent_looks: int = 3
    gone_after_s: float = 20.0
    absent_chance: float = 1e-5
    min_detection_rate: float = 0.35
    min_steadiness: float = 0.6
    pass_looks: int = 2
    pass_hidden_s: float = 60.0
    gap_s: float = 60.0
    gap_factor: float = 5.0
    scored_looks: int = 8


@dataclass
class _Place:
    """A sighting in the making; the memory's own record."""

    id: int
    family: str
    anchor: Box
    first_seen_us: int
    last_seen_us: int
    recent: deque[Box]
    confidences: deque[float]
    scores: deque[float]
    box: Box
    derelict_looks: int = 0
    votes: dict[str, float] = field(default_factory=dict)
    share: dict[str, float] = field(default_factory=dict)
    class_name: str = ""
    ledger: Ledger = field(default_factory=Ledger)
    seen: bool = True
    absent: bool = False
    misses: int = 0
    first_miss_us: int = 0
    looks_seen: int = 1
    looks_still: int = 1
    standing: bool = False
    detection_rate: float = 0.9
    steadiness: float = 0.85
    usual_cover: float = 0.0

    def vote(self, candidate: Candidate) -> None:
        for name, weight in candidate.votes:
            self.votes[name] = self.votes.get(name, 0.0) + weight
        self.confidences.append(candidate.confidence)
        if candidate.derelict is not None:
            self.scores.append(candidate.derelict)
            self.derelict_looks += 1
        total = sum(self.votes.values())
        self.share = {name: self.votes[name] / total for name in sorted(self.votes)}
        self.class_name = min(self.share, key=lambda name: (-self.share[name], name))

    def snapshot(self, ended_us: int | None = None) -> Sighting:
        last_seen_s = self.last_seen_us / 1e6
        return Sighting(
            id=self.id,
            class_name=self.class_name,
            class_share=self.share,
            box=self.box,
            confidence=min(sum(self.confidences) / len(self.confidences), 1.0),
            first_seen_s=self.first_seen_us / 1e6,
            last_seen_s=last_seen_s,
            absent_since_s=last_seen_s if self.absent else None,
            ended_s=None if ended_us is None else ended_us / 1e6,
            dwell=self.ledger.dwell(until_last_seen=ended_us is not None),
            looks_seen=self.looks_seen,
            standing=self.standing,
            derelict=robust_mean(self.scores),
            derelict_looks=self.derelict_looks,
        )


class SightingMemory:
    """Sightings of one stream of one view.

    A sighting ends when its thing is gone (``absent_since_s`` says since when), or because nobody
    can know any more: the camera turned to another pose, it was hidden for too long, or it proved
    to be the same thing as an older sighting. In the latter cases ``absent_since_s`` is ``None``:
    not seen to leave. The dwell of an ended sighting runs to its last sight.

    Memory is bounded by what is in view: passing things are dropped after a few looks, ended
    sightings at once.
    """

    def __init__(self, settings: MemorySettings = MemorySettings()) -> None:
        """Start with an empty memory."""
        self.settings = settings
        self._places: list[_Place] = []
        self._next_id = 1
        self._last: Look | None = None
        self._last_judged: Look | None = None
        self._pauses: deque[int] = deque(maxlen=9)

    def update(self, look: Look) -> tuple[Sighting, ...]:
        """Take in a look.

        Args:
            look: The next look of the stream. With ``inspected=False`` what was seen last is taken
                as seen again and what was missed last as no new miss, for nothing has changed. An
                unhealthy look only advances the ledgers.

        Returns:
            Sightings that are alive, and those that ended in this very look (``ended_s`` is set),
            by rising id.

        Raises:
            ValueError: The look is not later than the one before.
        """
        now = microseconds(look.time_s)
        previous, self._last = self._last, look
        ended: list[Sighting] = []
        pause = 0
        if previous is not None:
            pause = now - microseconds(previous.time_s)
            if pause <= 0:
                self._last = previous
                raise ValueError(f"look at {look.time_s} s is not after {previous.time_s} s")
            if look.pose != previous.pose:
                ended = [place.snapshot(now) for place in self._places]
                self._places = []
                self._last_judged = None
            elif look.frame_size != previous.frame_size:
                self._rescale(previous.frame_size, look.frame_size)
                self._last_judged = None
        unknown = self._is_gap(pause) or (
            previous is not None and (previous.health, look.health) != (Health.OK, Health.OK)
        )
        if look.health is not Health.OK:
            for place in self._places:
                place.ledger.add(Interval.UNKNOWN, pause, seen=False)
        elif not look.inspected and self._last_judged is not None:
            self._repeat(now, pause, unknown=unknown)
            ended += self._give_up(now)
            self._last_judged = look
        else:
            ended += self._inspect(look, now, pause, unknown=unknown)
            ended += self._give_up(now)
            self._last_judged = look
        return tuple(
            sorted(
                [*(p.snapshot() for p in self._places), *ended], key=lambda sighting: sighting.id
            )
        )

    def _is_gap(self, pause: int) -> bool:
        """Whether a pause is longer than looks of this stream usually are apart."""
        if pause <= 0:
            return False
        self._pauses.append(pause)
        usual = median(self._pauses)
        return pause > max(self.settings.gap_s * 1e6, self.settings.gap_factor * usual)

    def _rescale(self, old: tuple[int, int], new: tuple[int, int]) -> None:
        """Carry places over to another frame size, as after a reconnection."""
        x_scale, y_scale = new[0] / old[0], new[1] / old[1]
        for place in self._places:
            place.anchor = scaled(place.anchor, x_scale, y_scale)
            place.box = scaled(place.box, x_scale, y_scale)
            place.recent = deque(
                (scaled(box, x_scale, y_scale) for box in place.recent),
                maxlen=self.settings.recent_looks,
            )

    def _repeat(self, now: int, pause: int, *, unknown: bool) -> None:
        """Nothing changed since the last inspected look."""
        for place in self._places:
            self._enter(place, now, pause, seen=place.seen, unknown=unknown)
            if place.seen:
                place.looks_seen += 1
                place.looks_still += 1
                self._settle(place)

    def _enter(self, place: _Place, now: int, pause: int, *, seen: bool, unknown: bool) -> None:
        """Enter the time since the last look into a place's ledger."""
        interval = Interval.OBSERVED if seen and place.seen else Interval.BRIDGED
        place.ledger.add(Interval.UNKNOWN if unknown else interval, pause, seen=seen)
        place.seen = seen
        if seen:
            place.last_seen_us = now

    def _settle(self, place: _Place) -> None:
        """Let a thing stand that was seen unmoved long enough."""
        if (
            place.looks_still >= self.settings.stand_looks
            and place.ledger.observed_us >= self.settings.stand_after_s * 1e6
        ):
            place.standing = True

    def _inspect(self, look: Look, now: int, pause: int, *, unknown: bool) -> list[Sighting]:
        settings = self.settings
        found = candidates(look.detections, settings.merge_iou, settings.keep_confidence)
        places = self._places
        boxes = as_array([place.box for place in places])
        shared = intersections(boxes, as_array([candidate.box for candidate in found]))
        matched = match(
            boxes,
            [place.family for place in places],
            [place.standing for place in places],
            found,
            shared,
            match_iou=settings.match_iou,
            foot_distance=settings.foot_distance,
        )
        cover = shared * covers(boxes, found, look.frame_size[1]) / areas(boxes)[:, None]
        for p, c in matched.items():
            cover[p, c] = 0.0
        covered = cover.sum(axis=1).clip(max=1.0).tolist()

        ended: list[Sighting] = []
        kept: list[_Place] = []
        newcomers: list[Candidate] = []
        for p, place in enumerate(places):
            if p in matched:
                candidate = found[matched[p]]
                if self._see(place, candidate, now, pause, covered[p], unknown=unknown):
                    kept.append(place)
                else:
                    place.absent = True
                    ended.append(place.snapshot(now))
                    newcomers.append(candidate)
                continue
            self._enter(place, now, pause, seen=False, unknown=unknown)
            hidden = covered[p] >= max(
                settings.hidden_share, place.usual_cover + settings.hidden_excess
            )
            if not hidden:
                place.absent = True
                place.misses += 1
                if place.misses == 1:
                    place.first_miss_us = now
            kept.append(place)
        taken = set(matched.values())
        newcomers += [candidate for c, candidate in enumerate(found) if c not in taken]
        for candidate in sorted(newcomers, key=lambda one: (-one.confidence, one.family, one.box)):
            name = max(candidate.votes, key=lambda vote: vote[1])[0]
            if candidate.confidence >= settings.start_thresholds.get(
                name, settings.start_confidence
            ):
                kept.append(self._begin(candidate, now))
        self._places, absorbed = _without_doubles(kept, now, settings.merge_iou)
        return ended + absorbed

    def _begin(self, candidate: Candidate, now: int) -> _Place:
        place = _Place(
            id=self._next_id,
            family=candidate.family,
            anchor=candidate.box,
            first_seen_us=now,
            last_seen_us=now,
            recent=deque([candidate.box], maxlen=self.settings.recent_looks),
            confidences=deque(maxlen=self.settings.recent_looks),
            scores=deque(maxlen=self.settings.scored_looks),
            box=candidate.box,
        )
        place.vote(candidate)
        self._next_id += 1
        return place

    def _see(
        self,
        place: _Place,
        candidate: Candidate,
        now: int,
        pause: int,
        covered: float,
        *,
        unknown: bool,
    ) -> bool:
        """Confirm a place by a detection.

        One that lies too far off neither confirms a standing thing nor speaks against it: should
        more of them follow, the thing has moved since it was last seen at its place.

        Returns:
            Whether the thing is still at its place; if not, the record is left as it was before.
        """
        settings = self.settings
        overlap = iou(candidate.box, place.anchor)
        still = overlap >= settings.stand_iou
        recent = list(place.recent)
        partly = place.standing and not still and _is_part(candidate.box, place.anchor)
        if partly and covered >= place.usual_cover + settings.hidden_excess:
            box = place.box
        else:
            recent = [*recent, candidate.box][-settings.recent_looks :]
            box = median_box(recent)
            kept_share = iou(box, place.anchor)
            if place.standing:
                if len(recent) >= 3 and kept_share < settings.moved_iou:
                    return False
            elif not still and (place.looks_seen < 3 or kept_share < settings.stand_iou):
                return False
            place.recent.append(candidate.box)
            place.box = box
            if place.standing:
                if overlap < settings.moved_iou:
                    self._enter(place, now, pause, seen=False, unknown=unknown)
                    place.steadiness *= 1 - _FAR_OFF_WEIGHT * _STEADINESS_RATE
                    return True
                share = max(settings.follow_share, 1 / place.looks_seen)
                place.anchor = blend(place.anchor, box, share)
        self._enter(place, now, pause, seen=True, unknown=unknown)
        place.vote(candidate)
        place.looks_seen += 1
        place.detection_rate *= (1 - _DETECTION_RATE) ** place.misses
        place.detection_rate += _DETECTION_RATE * (1 - place.detection_rate)
        place.misses = 0
        place.absent = False
        place.steadiness += _STEADINESS_RATE * (float(still or partly) - place.steadiness)
        if still:
            place.usual_cover += _COVER_RATE * (covered - place.usual_cover)
            place.looks_still += 1
            self._settle(place)
        return True

    def _give_up(self, now: int) -> list[Sighting]:
        """Drop what is gone, passed or no standing thing after all."""
        ended: list[Sighting] = []
        kept: list[_Place] = []
        for place in self._places:
            if self._is_gone(place, now):
                ended.append(place.snapshot(now))
            else:
                kept.append(place)
        self._places = kept
        return ended

    def _is_gone(self, place: _Place, now: int) -> bool:
        settings = self.settings
        unseen_us = place.ledger.pending_bridged_us
        if not place.standing:
            return place.misses >= settings.pass_looks or unseen_us > settings.pass_hidden_s * 1e6
        if place.steadiness < settings.min_steadiness:
            return True
        if unseen_us > settings.max_hidden_s * 1e6:
            return True
        rate = min(max(place.detection_rate, settings.min_detection_rate), 0.99)
        patience = math.ceil(math.log(settings.absent_chance) / math.log(1 - rate))
        return (
            place.misses >= max(settings.absent_looks, patience)
            and now - place.first_miss_us >= settings.gone_after_s * 1e6
        )


_STEADINESS_RATE = 0.05
_DETECTION_RATE = 0.05
_FAR_OFF_WEIGHT = 3
_COVER_RATE = 0.2


def _is_part(box: Box, whole: Box) -> bool:
    """Whether a box is what is left in view of a half-hidden thing."""
    one, other = as_array([box]), as_array([whole])
    return float(intersections(one, other)[0, 0]) >= 0.85 * float(areas(one)[0])


def _without_doubles(
    places: list[_Place], now: int, merge_iou: float
) -> tuple[list[_Place], list[Sighting]]:
    """Let the older of two sightings of one family at one place stay."""
    if len(places) < 2:
        return places, []
    double = doubles(as_array([place.box for place in places]), merge_iou)
    gone: set[int] = set()
    for i in range(len(places)):
        if i in gone or not double[i, i + 1 :].any():
            continue
        for j in range(i + 1, len(places)):
            if double[i, j] and places[i].family == places[j].family:
                gone.add(j)
    return (
        [place for i, place in enumerate(places) if i not in gone],
        [places[j].snapshot(now) for j in sorted(gone)],
    )
