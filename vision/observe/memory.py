"""Place memory: what stands where in one view, over time.

A sighting belongs to a place, not to a track: whatever of its family is detected there is taken for
it, so a bus that passes, a detector that drops out or a box that jitters does not end it. Now and
then, and whenever it was out of sight, how it looks is compared with how it looked
(:mod:`vision.observe.appearance`): the same car for days is one sighting, another car that took the
bay behind a bus or in an offline hour is another. Without signatures the place alone decides.

All times are stream times; how often the camera looks does not matter.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from vision.detect.detections import Detections
from vision.errors import InputError
from vision.observe.appearance import Verdict
from vision.observe.association import (
    Candidate,
    Touch,
    candidates,
    doubles,
    front_foot,
    match,
    touching,
)
from vision.observe.boxes import area, blend, feet_apart, intersection, iou, median_box, scaled
from vision.observe.families import FLAT
from vision.observe.ledger import Interval, microseconds
from vision.observe.look import Health, Look
from vision.observe.memory_settings import MemorySettings
from vision.observe.place import COVER_RATE, STEADINESS_RATE, Doubt, Moment, Place
from vision.observe.sighting import Box, Snapshot

__all__ = ["MemorySettings", "SightingMemory"]

STATE_VERSION = 2


class SightingMemory:
    """Sightings of one stream of one view.

    A sighting ends when its thing is gone (``absent_since_s`` says since when), or because nobody
    can know any more: the camera turned to another pose, it was hidden for too long, or it proved
    to be the same thing as an older sighting. In the latter cases ``absent_since_s`` is ``None``:
    not seen to leave. The dwell of an ended sighting runs to its last sight.

    Memory is bounded by what is in view: passing things are dropped after a few looks, ended
    sightings at once.
    """

    def __init__(self, settings: MemorySettings | None = None) -> None:
        """Start with an empty memory."""
        self.settings = settings or MemorySettings()
        self._places: list[Place] = []
        self._next_id = 1
        self._last: Look | None = None
        self._judged = False
        self._pauses: deque[int] = deque(maxlen=_PAUSES)
        self._swap_after_us = microseconds(self.settings.swap_after_s)
        # Of two boxes whose edges lie no further apart, one may be smaller by two such shares.
        least_iou = (1 - 2 * self.settings.steady_share) ** 2
        self._steady_is_near = least_iou >= self.settings.moved_iou

    def update(self, look: Look) -> tuple[Snapshot, ...]:
        """Take in a look, as :meth:`take_in` does.

        Returns:
            Sightings that are alive, and those that ended in this very look (``ended_s`` is set),
            by rising id.
        """
        ended = self.take_in(look)
        told = [*self.sightings, *(place.snapshot() for place in ended)]
        return tuple(sorted(told, key=lambda sighting: sighting.id))

    def take_in(self, look: Look) -> list[Place]:
        """Take in a look.

        Args:
            look: The next look of the stream, its boxes in the view's frame of reference
                (:meth:`~vision.observe.look.Look.registered`). With ``inspected=False`` what was
                seen last is taken as seen again and what was missed last as no new miss, for
                nothing has changed. An unhealthy look only advances the ledgers.

        Returns:
            Sightings that ended in this very look; those that are alive are :attr:`alive`.

        Raises:
            ValueError: The look is not later than the one before.
        """
        now = microseconds(look.time_s)
        previous = self._last
        ended: list[Place] = []
        pause = 0
        if previous is not None:
            pause = now - microseconds(previous.time_s)
            if pause <= 0:
                raise ValueError(f"look at {look.time_s} s is not after {previous.time_s} s")
            if look.pose != previous.pose:
                ended = [place.end(now) for place in self._places]
                self._places = []
                self._judged = False
            elif look.frame_size != previous.frame_size:
                self._rescale(previous.frame_size, look.frame_size)
                self._judged = False
        self._last = look
        unknown = self._is_gap(pause) or (
            previous is not None and (previous.health, look.health) != (Health.OK, Health.OK)
        )
        if look.health is not Health.OK:
            for place in self._places:
                place.ledger.add(Interval.UNKNOWN, pause, seen=False)
        else:
            if look.inspected or not self._judged:
                ended += self._inspect(look, now, pause, unknown=unknown)
            else:
                self._repeat(now, pause, unknown=unknown)
            ended += self._give_up(now)
            self._judged = True
        return ended

    @property
    def alive(self) -> Sequence[Place]:
        """Sightings that are alive after the last look, by rising id, as they go on changing."""
        return self._places

    @property
    def sightings(self) -> tuple[Snapshot, ...]:
        """Sightings that are alive after the last look, by rising id."""
        return tuple(place.snapshot() for place in self._places)

    def state(self) -> dict[str, Any]:
        """Everything that is remembered, JSON-able; see :meth:`restore`."""
        last = self._last
        return {
            "version": STATE_VERSION,
            "next_id": self._next_id,
            "last": None
            if last is None
            else {
                "camera_id": last.camera_id,
                "time_s": last.time_s,
                "timestamp": last.timestamp.isoformat(),
                "frame_size": list(last.frame_size),
                "health": last.health.value,
                "pose": last.pose,
            },
            "judged": self._judged,
            "pauses_us": list(self._pauses),
            "places": [place.state() for place in self._places],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where :meth:`state` was taken, also after a round through JSON.

        Args:
            state: From a memory of the same settings.

        Raises:
            InputError: The state is of another version or is none.
        """
        try:
            if state["version"] != STATE_VERSION:
                raise InputError(
                    f"state of a memory: version {state['version']}, this one reads {STATE_VERSION}"
                )
            last = state["last"]
            self._last = None if last is None else _restored_look(last)
            self._next_id = int(state["next_id"])
            self._judged = bool(state["judged"])
            self._pauses = deque(state["pauses_us"], maxlen=_PAUSES)
            self._places = [Place.restored(place) for place in state["places"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"no state of a memory: {error!r}") from error

    def _is_gap(self, pause: int) -> bool:
        """Whether a pause is longer than looks of this stream usually are apart."""
        if pause <= 0:
            return False
        self._pauses.append(pause)
        if pause <= self.settings.gap_s * 1e6:
            return False
        return pause > self.settings.gap_factor * median(self._pauses)

    def _rescale(self, old: tuple[int, int], new: tuple[int, int]) -> None:
        """Carry places over to another frame size, as after a reconnection."""
        x_scale, y_scale = new[0] / old[0], new[1] / old[1]
        for place in self._places:
            place.anchor = scaled(place.anchor, x_scale, y_scale)
            place.box = scaled(place.box, x_scale, y_scale)
            place.recent = [scaled(box, x_scale, y_scale) for box in place.recent]

    def _repeat(self, now: int, pause: int, *, unknown: bool) -> None:
        """Nothing changed since the last inspected look."""
        for place in self._places:
            place.enter(now, pause, seen=place.seen, unknown=unknown)
            if place.seen:
                place.looks_seen += 1
                place.looks_still += 1
                if not place.standing:
                    self._settle(place)

    def _settle(self, place: Place) -> None:
        """Let a thing stand that was seen unmoved long enough."""
        if (
            place.looks_still >= self.settings.stand_looks
            and place.ledger.observed_us >= self.settings.stand_after_s * 1e6
        ):
            place.standing = True

    def _inspect(self, look: Look, now: int, pause: int, *, unknown: bool) -> list[Place]:
        settings = self.settings
        found = candidates(look.detections, settings.merge_iou, settings.keep_confidence)
        places = self._places
        boxes = [place.box for place in places]
        touches = touching(boxes, found)
        matched = match(
            boxes,
            [place.family for place in places],
            [place.standing for place in places],
            found,
            touches,
            match_iou=settings.match_iou,
            foot_distance=settings.foot_distance,
            handicaps=[settings.twin_handicap if place.twin_of else 0.0 for place in places],
        )
        if len(matched) < len(found):
            self._follow_pushed(places, found, matched, now)
        covered = _covered(boxes, found, touches, matched, look.frame_size[1])
        _hide_behind_missed(places, matched, covered, look.frame_size[1], settings.hidden_share)
        _know_twins(places, matched, settings.twin_looks)
        ended: list[Place] = []
        kept: list[Place] = []
        fresh: list[Place] = []
        newcomers: list[Candidate] = []
        steady_share, recent_looks = settings.steady_share, settings.recent_looks
        for p, place in enumerate(places):
            c = matched.get(p)
            if c is None:
                self._miss(place, covered[p], now, pause, unknown=unknown)
                kept.append(place)
                continue
            candidate = found[c]
            box, standing = place.box, place.standing
            steady = standing and place.is_steady(candidate.box, steady_share)
            if (
                standing
                and not unknown
                and place.seen
                and candidate.is_plain
                and place.steadiness >= _WOBBLY
                and (steady or self._only_wobbles(place, candidate.box))
            ):
                if place.anchor is not box:
                    self._follow(place)
                place.stays(candidate, covered[p], now, pause, recent_looks)
                kept.append(place)
                continue
            if steady:
                recent = place.recent
                recent.append(candidate.box)
                if len(recent) > recent_looks:
                    del recent[0]
                if place.anchor is not box:
                    self._follow(place)
                seen = self._confirm(
                    place, candidate, covered[p], now, pause, unknown=unknown, still=True
                )
            else:
                aim = self._aim(place, candidate, covered[p])
                if aim.left and place.was_pushed_on(candidate, now, settings, unknown=unknown):
                    place.push_on(median_box(aim.recent), now)
                    aim = self._aim(place, candidate, covered[p])
                if aim.left:
                    place.absent = True
                    ended.append(place.end(now))
                    newcomers.append(candidate)
                    continue
                seen = self._see(place, aim, now, pause, unknown=unknown)
            if seen is not place:
                ended.append(place.end(now))
            if seen.box is not box:
                fresh.append(seen)
            kept.append(seen)
        if len(matched) < len(found) or newcomers:
            taken = set(matched.values())
            newcomers += [candidate for c, candidate in enumerate(found) if c not in taken]
            newcomers.sort(key=lambda one: (one.rank, one.family, one.box))
            for candidate in newcomers:
                if candidate.confidence >= settings.start_thresholds.get(
                    candidate.likeliest, settings.start_confidence
                ):
                    fresh.append(self._begin(candidate, now))
                    kept.append(fresh[-1])
        if ended:
            kept.sort(key=lambda place: place.id)
        self._places, absorbed = _without_doubles(kept, fresh, now, settings.merge_iou)
        return ended + absorbed

    def _follow_pushed(
        self,
        places: Sequence[Place],
        found: Sequence[Candidate],
        matched: dict[int, int],
        now: int,
    ) -> None:
        """Match things that may be pushed on with what looks like them a short way off."""
        taken = set(matched.values())
        for p, place in enumerate(places):
            if p in matched or not place.may_be_pushed_on(now, self.settings):
                continue
            reach = self.settings.push_reach * (place.box[2] - place.box[0])
            for c, candidate in enumerate(found):
                if (
                    c not in taken
                    and candidate.family == place.family
                    and feet_apart(candidate.box, place.box) <= reach
                    and place.verdict_on(candidate) is Verdict.SAME
                ):
                    matched[p] = c
                    taken.add(c)
                    break

    def _begin(self, candidate: Candidate, now: int) -> Place:
        place = Place(self._next_id, candidate, now)
        self._next_id += 1
        family, box, least = candidate.family, candidate.box, self.settings.match_iou
        left, _, right, _ = box
        for other in self._places:
            if (
                other.family == family
                # Most lie elsewhere.
                and (edges := other.box)[0] < right
                and left < edges[2]
                and iou(edges, box) >= least
            ):
                place.twin_of = other.id
                break
        place.vote(candidate, self.settings)
        if candidate.appearance is not None:
            place.sign(candidate.appearance, 0.0, now, self.settings)
        return place

    def _only_wobbles(self, place: Place, box: Box) -> bool:
        """Whether a detection of a standing thing leaves its place where it is."""
        settings, anchor = self.settings, place.anchor
        if iou(box, anchor) < settings.stand_iou:
            return False
        recent = [*place.recent, box][-settings.recent_looks :]
        middle = median_box(recent)
        if not place.is_steady(middle, settings.steady_share):
            return False
        is_near = self._steady_is_near and anchor is place.box
        return is_near or len(recent) < 3 or iou(middle, anchor) >= settings.moved_iou

    def _aim(self, place: Place, candidate: Candidate, covered: float) -> _Aim:
        """How the detection that a place was matched to lies on it."""
        settings = self.settings
        box, anchor = candidate.box, place.anchor
        shared, size = intersection(box, anchor), area(box)
        overlap = shared / (size + area(anchor) - shared)
        partly = place.standing and overlap < settings.stand_iou and shared >= 0.85 * size
        aim = _Aim(candidate, overlap, partly, covered)
        if partly and covered >= place.usual_cover + settings.hidden_excess:
            return aim
        aim.recent = [*place.recent, box][-settings.recent_looks :]
        middle = median_box(aim.recent)
        if place.standing:
            aim.left = len(aim.recent) >= 3 and iou(middle, anchor) < settings.moved_iou
        elif overlap < settings.stand_iou:
            if place.looks_seen < 3:
                aim.left = overlap < settings.moved_iou or (
                    place.verdict_on(candidate) is not Verdict.SAME
                )
            else:
                aim.left = iou(middle, anchor) < settings.stand_iou
        steady = place.standing and place.is_steady(middle, settings.steady_share)
        aim.box = place.box if steady else middle
        return aim

    def _see(self, place: Place, aim: _Aim, now: int, pause: int, *, unknown: bool) -> Place:
        """Confirm a place by a detection.

        One that lies too far off neither confirms a standing thing nor speaks against it: should
        more of them follow, the thing has moved since it was last seen at its place.

        Returns:
            The place, or that of another thing if another has taken it.
        """
        settings = self.settings
        if aim.box is not None:
            place.recent = aim.recent
            place.box = aim.box
            if place.standing:
                if aim.overlap < settings.moved_iou:
                    place.enter(now, pause, seen=False, unknown=unknown)
                    place.steadiness *= 1 - _FAR_OFF_WEIGHT * STEADINESS_RATE
                    return place
                if place.anchor is not aim.box:
                    self._follow(place)
        return self._confirm(
            place,
            aim.candidate,
            aim.cover,
            now,
            pause,
            unknown=unknown,
            still=aim.overlap >= settings.stand_iou,
            partly=aim.partly,
        )

    def _follow(self, place: Place) -> None:
        """Let the anchor of a standing place follow its box."""
        share = max(self.settings.follow_share, 1 / place.looks_seen)
        anchor = blend(place.anchor, place.box, share)
        place.anchor = place.box if place.is_steady(anchor, _CAUGHT_UP) else anchor

    def _confirm(
        self,
        place: Place,
        candidate: Candidate,
        cover: float,
        now: int,
        pause: int,
        *,
        unknown: bool,
        still: bool,
        partly: bool = False,
    ) -> Place:
        """Enter that a look saw a thing at its place.

        Args:
            place: The place.
            candidate: The detection.
            cover: Share of the place that others cover in this look.
            now: Time of this look.
            pause: Time since the last one.
            unknown: Whether nothing can be known of the time between.
            still: Whether the detection lies on the place.
            partly: Whether it is what is left in view of a half-hidden standing thing.

        Returns:
            The place, or that of another thing if another has taken it.
        """
        settings = self.settings
        away = place.likeness is not None and place.is_away(now, settings, unknown=unknown)
        before = Moment.of(place) if away or candidate.appearance is not None else None
        place.enter(now, pause, seen=True, unknown=unknown)
        place.vote(candidate, settings)
        place.looks_seen += 1
        if place.misses:
            for _ in range(place.misses):
                place.rate(detected=False)
            place.misses = 0
        place.rate(detected=True)
        place.absent = False
        place.steadiness += STEADINESS_RATE * ((still or partly) - place.steadiness)
        if place.steadiness < _WOBBLY and place.likeness is not None:
            place.sign_from_us = min(place.sign_from_us, now)
        if still:
            place.usual_cover += COVER_RATE * (cover - place.usual_cover)
            place.looks_still += 1
            if not place.standing:
                self._settle(place)
        if before is None:
            return place
        return self._recognise(place, candidate, cover, before, now, away=away)

    def _miss(self, place: Place, covered: float, now: int, pause: int, *, unknown: bool) -> None:
        """A place without a detection counts as missed, unless something hides it."""
        settings = self.settings
        hidden = (
            covered >= settings.hidden_share
            and covered >= place.usual_cover + settings.hidden_excess
        )
        place.enter(now, pause, seen=False, unknown=unknown, missed=not hidden)
        back_us = place.last_seen_us + self._swap_after_us
        place.sign_from_us = min(place.sign_from_us, back_us)
        if not hidden:
            place.absent = True
            place.misses += 1
            if place.misses == 1:
                place.first_miss_us = now

    def _recognise(
        self,
        place: Place,
        candidate: Candidate,
        cover: float,
        before: Moment,
        now: int,
        *,
        away: bool,
    ) -> Place:
        """Compare how a confirmed thing looks with how it looked.

        Args:
            place: The place after this look.
            candidate: The detection that confirmed it.
            cover: Share of the place that others cover in this look.
            before: As it was before this look.
            now: Time of this look.
            away: Whether it was out of sight long enough for another thing to take its place.

        Returns:
            The place, or that of another thing if another has taken it; the first one is then as
            it was before it went out of sight.
        """
        settings, signature = self.settings, candidate.appearance
        if away:
            place.doubt = Doubt(
                place.doubt.before if place.doubt and place.doubt.out_of_sight else before,
                Moment.of(place, votes=before.votes),
                out_of_sight=True,
            )
        if place.likeness is None and signature is not None:
            place.sign(signature, cover, now, settings)
        if place.likeness is None or signature is None:
            if away:
                place.sign_from_us = now
            return place
        doubt = place.doubt
        verdict = place.likeness.verdict(signature)
        if doubt is not None and (
            place.likeness.verdict(signature, doubt.before.last_seen_us) is Verdict.SAME
        ):
            place.doubt = doubt = None
            place.steadiness = max(place.steadiness, _WOBBLY)
        more = cover - place.signed_cover
        freed = more < 0 and verdict is Verdict.SAME
        if abs(more) > settings.signed_cover and not freed:
            # Something else is in the picture now. If it stays, it belongs there.
            stale = now - place.likeness.latest_us >= settings.sign_every_s * 1e6
            if stale and doubt is None:
                place.sign(signature, cover, now, settings)
            elif away:
                place.sign_from_us = now
            return place
        if verdict is not Verdict.OTHER:
            if verdict is not Verdict.UNSURE:
                place.sign(signature, cover, now, settings)
            return place
        alike = place.likeness.stranger(signature, now)
        if doubt is None or (place.likeness.unlike == 1 and not doubt.out_of_sight):
            back = Moment.of(place, votes=before.votes)
            place.doubt = doubt = Doubt(before, back, out_of_sight=False)
        place.sign_from_us = now
        needed = settings.stranger_looks if doubt.out_of_sight else settings.stranger_looks_in_sight
        if before.standing and alike < needed and place.likeness.unlike < settings.unlike_looks:
            return place
        other = place.taken_by_other(self._next_id, doubt)
        self._next_id += 1
        self._settle(other)
        return other

    def _give_up(self, now: int) -> list[Place]:
        """Drop what is gone, passed or no standing thing after all."""
        ended: list[Place] = []
        least = self.settings.min_steadiness
        for place in self._places:
            if place.seen and (not place.standing or place.steadiness >= least):
                continue
            if self._is_gone(place, now):
                ended.append(place.end(now))
        if ended:
            gone = {sighting.id for sighting in ended}
            self._places = [place for place in self._places if place.id not in gone]
        return ended

    def _is_gone(self, place: Place, now: int) -> bool:
        settings = self.settings
        unseen_us = place.ledger.pending_bridged_us
        if not place.standing:
            looks = settings.pass_looks if place.likeness is None else settings.pass_looks_signed
            return place.misses >= looks or (
                unseen_us > settings.pass_hidden_s * 1e6
                and unseen_us > looks * max(self._pauses, default=0)
            )
        if place.steadiness < settings.min_steadiness:
            return True
        if unseen_us > settings.max_hidden_s * 1e6 and unseen_us > settings.hidden_looks * (
            median(self._pauses) if self._pauses else 0
        ):
            return True
        if place.misses < settings.absent_looks:
            return False
        rate = max(place.detection_rate - _RATE_DOUBT, settings.min_detection_rate)
        if place.likeness is None and place.steadiness < _STEADY:
            rate = max(rate, _RATE_OF_TRAFFIC)
        rate = min(rate, 0.99)
        chance = max(settings.absent_chance, settings.seldom_chance * _may_have_left(place))
        patience = math.ceil(math.log(chance) / math.log(1 - rate))
        return (
            place.misses >= max(settings.absent_looks, patience)
            and now - place.first_miss_us >= settings.gone_after_s * 1e6
        )


_PAUSES = 9
_STEADY = 0.8
_RATE_OF_TRAFFIC = 0.9
"""What wobbles like traffic, and of which no signature tells otherwise, gets no patience."""

_HIDES_LOOKS = 4
"""Missed so many times in a row, a thing that hid others is taken to have left."""

_APART_S = 3600.0
"""Looks so far apart err independently of each other."""

_RATE_DOUBT = 0.1
"""By how much the rate of detection may be estimated too high."""

_FAR_OFF_WEIGHT = 3
_WOBBLY = 0.75
"""Below this steadiness the look of a thing says whether it is traffic or a box that wobbles."""

_CAUGHT_UP = 0.001


@dataclass(slots=True, eq=False)
class _Aim:
    """How a detection lies on the place that it was matched to.

    Attributes:
        candidate: The detection.
        overlap: With the place.
        partly: It is what is left in view of a half-hidden standing thing.
        cover: Share of the place that others cover in this look.
        recent: Recent boxes of the place with this one; none when it is half hidden.
        box: Their median.
        left: Whether the thing has left its place.
    """

    candidate: Candidate
    overlap: float
    partly: bool
    cover: float
    recent: list[Box] = field(default_factory=list)
    box: Box | None = None
    left: bool = False


def _may_have_left(place: Place) -> float:
    """Chance that a missed thing left between its last sight and the first miss, 0..1.

    What has stood for long stays for long: without knowing more, half of all things leave before
    they have stood as long again (Gott, *Nature* 363, 1993). Looks that follow each other fast
    tell less, for a detector misses one thing several times in a row.
    """
    away_s = (place.first_miss_us - place.last_seen_us) / 1e6
    age_s = (place.last_seen_us - place.first_seen_us) / 1e6
    return away_s / (age_s + away_s) * min(away_s / _APART_S, 1.0)


def _covered(
    boxes: Sequence[Box],
    found: Sequence[Candidate],
    touches: Sequence[Touch],
    matched: Mapping[int, int],
    frame_height: float,
) -> list[float]:
    """Share of each place that things before it cover, its own detection left out."""
    covered = [0.0] * len(boxes)
    for p, c, shared in touches:
        if (
            matched.get(p) != c
            and found[c].box[3] >= front_foot(boxes[p], frame_height)
            and found[c].class_name not in FLAT
        ):
            covered[p] += shared
    return [
        min(shared / area(box), 1.0) if shared else 0.0
        for shared, box in zip(covered, boxes, strict=True)
    ]


def _hide_behind_missed(
    places: Sequence[Place],
    matched: Mapping[int, int],
    covered: list[float],
    frame_height: float,
    hidden_share: float,
) -> None:
    """What stands hides what is behind it also in a look that misses it.

    Unless something that it would hide is seen: then it is not there any more.

    Args:
        places: All places.
        matched: Candidates of those that this look sees.
        covered: Share of each place that is covered; raised where missed things cover more.
        frame_height: In pixels.
        hidden_share: Share of a place that must be covered to hide it.
    """
    for f, front in enumerate(places):
        if f in matched:
            front.seen_through = False
            continue
        if (
            not front.standing
            or front.seen_through
            or front.misses >= _HIDES_LOOKS
            or front.class_name in FLAT
        ):
            continue
        behind = [
            (p, shared / area(place.box))
            for p, place in enumerate(places)
            if place is not front
            and front.box[3] >= front_foot(place.box, frame_height)
            and (shared := intersection(front.box, place.box))
        ]
        front.seen_through = any(
            p in matched and share >= places[p].usual_cover + hidden_share for p, share in behind
        )
        if not front.seen_through:
            for p, share in behind:
                covered[p] = min(covered[p] + share, 1.0)


def _know_twins(places: Sequence[Place], matched: Mapping[int, int], enough_looks: int) -> None:
    """Let what came up at the place of another thing be a thing of its own once it proved to be.

    A second box on one thing is found now and then, two things often in one and the same look.

    Args:
        places: All places.
        matched: Those that this look sees.
        enough_looks: Looks that must have seen both.
    """
    for p, place in enumerate(places):
        if place.twin_of and p in matched:
            other = next((o for o, one in enumerate(places) if one.id == place.twin_of), None)
            if other is None:
                place.twin_of = 0
            elif other in matched:
                place.beside += 1
                if place.beside >= enough_looks:
                    place.twin_of = 0


def _without_doubles(
    places: list[Place], fresh: Sequence[Place], now: int, merge_iou: float
) -> tuple[list[Place], list[Place]]:
    """Let the older of two sightings of one family at one place stay.

    Args:
        places: All places by rising id.
        fresh: Those that are new or whose box changed; others are no doubles of each other.
        now: Time of the look.
        merge_iou: See :class:`~vision.observe.memory_settings.MemorySettings`.
    """
    pairs = set()
    for one in fresh:
        box, family, number = one.box, one.family, one.id
        left, right = box[0], box[2]
        for other in places:
            if other.family == family and other is not one:
                edges = other.box
                if edges[0] < right and left < edges[2]:
                    shared = intersection(box, edges)
                    if shared and doubles(box, edges, shared, merge_iou):
                        first, second = sorted((number, other.id))
                        pairs.add((first, second))
    if not pairs:
        return places, []
    gone: set[int] = set()
    for first, second in sorted(pairs):
        if first not in gone:
            gone.add(second)
    return (
        [place for place in places if place.id not in gone],
        [place.end(now) for place in places if place.id in gone],
    )


def _restored_look(state: Mapping[str, Any]) -> Look:
    """What the next look is compared with."""
    width, height = state["frame_size"]
    return Look(
        camera_id=state["camera_id"],
        time_s=state["time_s"],
        timestamp=datetime.fromisoformat(state["timestamp"]),
        frame_size=(width, height),
        health=Health(state["health"]),
        pose=state["pose"],
        inspected=True,
        detections=Detections.empty(),
    )
