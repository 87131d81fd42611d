"""Construction dust 工地扬尘: a plume over a site that comes, grows or drifts, and stays.

What looks like dust in one look is told apart over several, by boxes and times alone:

* *Fog* lies over most of the view, or of what is not the site, and does not go in minutes.
* *Steam from a vent* and *dirt on the lens* stay at one place at one size: over several looks their
  boxes differ by no more than a detector's boxes wobble. What has been there for long is remembered
  as a fixed source and refused from then on, also when the wind plays with it.
* *Headlight glare* at night sits on a vehicle and is elsewhere in the next look.

Fainter plumes than count are compared with as well: a plume begins faint and small. One that comes
where nothing was for some looks has grown too, from nothing. So has steam when a boiler is lit, but
it rises in a narrow column, which dust that lies does not; and mud when it hits the lens: that is
refused only once it is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import shapely
from pydantic import Field, TypeAdapter

from vision.observe.boxes import area, blend, iou
from vision.observe.families import family_of
from vision.observe.look import Look
from vision.observe.sighting import Box, Sighting
from vision.rules.finding import Finding, Relief, relieved
from vision.rules.hours import Hours, ignored
from vision.rules.settings import Count, RuleSettings, Seconds, Share
from vision.schedule import DayWindow, Schedule, SiteClock, Window
from vision.stages import Stage
from vision.zones import Purpose, Zone

_PLACES = frozenset({Purpose.SITE, Purpose.WHOLE_FRAME})
_CLASS = "construction_dust"
_LAMPS = frozenset({"vehicle", "cycle", "construction_machine"})
"""Families that carry headlights."""

_SAME_IOU = 0.1
"""Plumes of two looks that overlap so much may be one."""

_GLARE_AREA = 6.0
"""Glare is at most so many times as large as the vehicle it comes from."""

_HALF_KNOWN = 0.1
"""A source seen for this share of the time after which it is known comes from nothing no more."""

_SPREAD = 0.6
"""Share of the settings by which area and foot of a plume spread over several looks."""

_ODD = 4
"""One look of so many may be odd."""

_COLUMN = 1.5
"""What is so many times as high as wide rises from one spot."""

_SOURCE_IOU = 0.5
_SOURCE_SWAY = 0.25
_SOURCE_AREA = 4.0
_SOURCES = 8
_SOURCE_KEPT_S = 7 * 86_400.0


class Settings(RuleSettings):
    """When dust counts as a violation.

    Attributes:
        k_looks: Looks that must see a plume that grows or moves ...
        n_looks: ... among so many latest ones ...
        window_s: ... within these seconds.
        k_looks_in: The same as ``k_looks`` in some stages of the site.
        not_judged_in: Stages of the site in which dust is not judged.
        min_confidence: Confidence of a plume, at least.
        min_inside: Share of a plume that must lie over the site.
        growing_by: Share by which a plume must exceed its area in another look to count as growing
            (or shrinking).
        moving_by: Share of its width by which its foot must have moved to count as moving. Where
            many looks can be compared area and foot must spread by three fifths of these shares: of
            many boxes that wobble two always differ.
        fog_share: Dust over more of the view than this is fog.
        fog_outside_share: So is dust over more than this of what lies outside the site.
        vent_after_s: Seconds after which what neither grows nor moves is remembered as a fixed
            source.
        night: When headlights are on; ``null`` where they are never taken for dust.
    """

    k_looks: Count = 3
    n_looks: Count = 5
    window_s: Annotated[float, Field(gt=0.0)] = 120.0
    k_looks_in: Mapping[Stage, Count] = Field(default_factory=dict)
    not_judged_in: tuple[Stage, ...] = (Stage.NOT_STARTED, Stage.HANDED_OVER)
    min_confidence: Share = 0.3
    min_inside: Share = 0.3
    growing_by: Seconds = 0.3
    moving_by: Share = 0.15
    fog_share: Share = 0.8
    fog_outside_share: Share = 0.5
    vent_after_s: Seconds = 600.0
    night: DayWindow | None = DayWindow.model_validate({"from": "18:30", "to": "06:30"})


@dataclass(frozen=True)
class _Plume:
    """A plume in one look.

    Attributes:
        confidence: Of its detection.
        box: Its box.
        counts: It is confident enough, lies where dust is judged, and neither at a fixed source nor
            on headlights.
        at_night: It was seen while headlights are on.
    """

    confidence: float
    box: Box
    counts: bool
    at_night: bool

    @property
    def foot(self) -> float:
        """Middle of its lower edge."""
        return (self.box[0] + self.box[2]) / 2


@dataclass(frozen=True)
class _Glimpse:
    """Plumes over one zone in one look."""

    time_s: float
    plumes: tuple[_Plume, ...]


@dataclass
class _Episode:
    """Plumes over one zone, with pauses no longer than the window.

    Attributes:
        since_s: Stream time of the first look with one.
        last_s: Stream time of the last.
        first_area: Area of the first, in square pixels.
        looks: Looks with one.
        box: The last one, once it was reported. What stays there goes on, at rest or not.
    """

    since_s: float
    last_s: float
    first_area: float
    looks: int
    box: Box | None = None


@dataclass
class _Source:
    """A place at which the same cloud stands again and again."""

    box: Box
    seen_s: float
    last_s: float


@dataclass
class _Watch:
    """What is known of the dust over one zone.

    Attributes:
        glimpses: The latest looks, those that are judged.
        history: More of them, without those into fog.
        episode: The dust that is there.
        sources: What comes from one place again and again.
        told: Dust was reported.
        told_last_s: Stream time at which that was last seen.
    """

    glimpses: list[_Glimpse] = field(default_factory=list)
    history: list[_Glimpse] = field(default_factory=list)
    episode: _Episode | None = None
    sources: list[_Source] = field(default_factory=list)
    told: bool = False
    told_last_s: float = 0.0

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing billows over the zone nor has lately: there is nothing to say of it."""
        return (
            not self.told
            and self.episode is None
            and not self.sources
            and not any(glimpse.plumes for glimpse in self.glimpses)
        )


@dataclass(frozen=True)
class _State:
    watches: dict[str, _Watch]
    pose: int | None
    fog_s: float | None


_STATE = TypeAdapter(_State)


class ConstructionDust:
    """Plumes over ``site`` zones; a finding concerns the zone, for a plume has no place of its own.

    Only looks in which the detector ran count: where nothing changes nothing billows.
    Signs: ``plume``; ``growing`` when it has clearly grown since it was first seen; ``moving``
    when it drifts.
    """

    kind = "construction_dust"
    name = "construction_dust"

    def __init__(
        self, settings: Settings, zones: Sequence[Zone], clock: SiteClock | None = None
    ) -> None:
        """Judge by these settings in these zones, by this clock."""
        self._settings = settings
        self._zones = tuple(zone for zone in zones if zone.purpose in _PLACES)
        self._ignore = tuple(zone for zone in zones if zone.purpose is Purpose.IGNORE)
        self._hours = Hours(clock)
        self._night = (
            None
            if settings.night is None
            else Schedule(
                windows=(Window.model_validate(settings.night.model_dump(by_alias=True)),)
            )
        )
        self._watches = {zone.id: _Watch() for zone in self._zones}
        self._pose: int | None = None
        self._fog_s: float | None = None
        self.settings: Mapping[str, Any] = settings.model_dump(mode="json", by_alias=True)

    def is_concerned(self, class_names: Set[str]) -> bool:  # noqa: ARG002
        """Whether there is any zone for it: the look itself says the rest."""
        return bool(self._zones)

    def judge(self, look: Look, sightings: Sequence[Sighting]) -> list[Finding]:  # noqa: ARG002
        """Findings that hold after this look, in the order of the zones."""
        if look.pose != self._pose:
            for watch in self._watches.values():
                watch.glimpses, watch.history = [], []
                watch.episode, watch.sources = None, []
            self._pose, self._fog_s = look.pose, None
        settings = self._settings
        dust = self._dust(look) if look.inspected else []
        if self._is_fog(look, dust):
            self._fog_s = look.time_s
        foggy = self._fog_s is not None and look.time_s - self._fog_s <= settings.window_s
        findings = []
        for zone in self._zones:
            watch = self._watches[zone.id]
            if not self._is_judged(zone, look):
                watch.glimpses, watch.episode = [], None
                findings += self._relieved(zone, watch, Relief.PERMITTED, look)
                continue
            if look.inspected:
                plumes = () if foggy else self._plumes(dust, zone, watch, look)
                watch.glimpses = [*watch.glimpses, _Glimpse(look.time_s, plumes)]
                watch.glimpses = watch.glimpses[-settings.n_looks :]
                if not foggy:
                    watch.history = [*watch.history, watch.glimpses[-1]]
                    watch.history = watch.history[-2 * settings.n_looks :]
            watch.glimpses = [
                one for one in watch.glimpses if look.time_s - one.time_s <= settings.window_s
            ]
            if watch.is_at_rest:
                continue
            if look.inspected:
                self._learn_sources(watch, look)
            finding = self._finding(zone, watch, look)
            if finding is not None:
                findings.append(finding)
            elif not foggy and not (look.inspected and self._hits(watch, latest=True)):
                findings += self._relieved(zone, watch, Relief.CLEAR, look)
        return findings

    def wants_closer_look(self, look: Look, sightings: Sequence[Sighting]) -> bool:  # noqa: ARG002
        """The last look saw what may be a plume."""
        return any(
            watch.glimpses
            and watch.glimpses[-1].time_s == look.time_s
            and any(
                plume.counts and self._motion(plume, watch.glimpses[-1], watch) is not False
                for plume in watch.glimpses[-1].plumes
            )
            for watch in self._watches.values()
        )

    def state(self) -> dict[str, Any]:
        """What is kept between looks."""
        state: dict[str, Any] = _STATE.dump_python(
            _State(self._watches, self._pose, self._fog_s), mode="json"
        )
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        known = _STATE.validate_python(state)
        self._watches, self._pose, self._fog_s = dict(known.watches), known.pose, known.fog_s

    def _is_judged(self, zone: Zone, look: Look) -> bool:
        return self._hours.in_force(zone, look) and (
            self._hours.stage(zone, look) not in self._settings.not_judged_in
        )

    def _dust(self, look: Look) -> list[tuple[float, Box]]:
        """Confidence and box of each plume in a look, faint ones too, most confident first."""
        dust = [(confidence, box) for box, confidence, _ in look.detections.of((_CLASS,))]
        return sorted(dust, key=lambda plume: (-plume[0], plume[1]))

    def _is_fog(self, look: Look, dust: Sequence[tuple[float, Box]]) -> bool:
        """Whether haze lies over the view as a whole, not over the site."""
        boxes = [box for confidence, box in dust if confidence >= self._settings.min_confidence]
        if not boxes:
            return False
        width, height = look.frame_size
        view = shapely.box(0, 0, width, height)
        haze = shapely.union_all([shapely.box(*box) for box in boxes]).intersection(view)
        if haze.area >= self._settings.fog_share * width * height:
            return True
        sites = [
            shapely.Polygon(zone.pixels(look.frame_size))
            for zone in self._zones
            if zone.purpose is Purpose.SITE
        ]
        outside = view.difference(shapely.union_all(sites))
        if not sites or outside.area < 0.1 * view.area:
            return False
        hazy = outside.intersection(haze).area
        return bool(hazy >= self._settings.fog_outside_share * outside.area)

    def _plumes(
        self, dust: Sequence[tuple[float, Box]], zone: Zone, watch: _Watch, look: Look
    ) -> tuple[_Plume, ...]:
        """Plumes of a look that lie over a zone."""
        if not dust:
            return ()
        night = self._night is not None and self._hours.holds(self._night, look)
        lit = {name for name in look.detections.names if night and family_of(name) in _LAMPS}
        lamps = [box for box, _, _ in look.detections.of(lit)]
        return tuple(
            _Plume(
                confidence,
                box,
                counts=confidence >= self._settings.min_confidence
                and not any(_is_from(box, lamp) for lamp in lamps)
                and not self._is_fixed(box, watch)
                and not ignored(box, self._ignore, look, self._hours),
                at_night=night,
            )
            for confidence, box in dust
            if self._lies_over(box, zone, look)
        )

    def _lies_over(self, box: Box, zone: Zone, look: Look) -> bool:
        if zone.purpose is Purpose.WHOLE_FRAME or zone.holds(box, look.frame_size):
            return True
        shape = shapely.Polygon(zone.pixels(look.frame_size))
        over = shape.intersection(shapely.box(*box)).area
        return bool(over >= max(self._settings.min_inside * area(box), 1e-9))

    def _is_fixed(self, box: Box, watch: _Watch) -> bool:
        """Whether a plume comes from a source that is known to be fixed."""
        return any(
            source.seen_s >= self._settings.vent_after_s and _comes_from(box, source.box)
            for source in watch.sources
        )

    def _motion(self, plume: _Plume, seen_in: _Glimpse, watch: _Watch) -> bool | None:
        """Whether a plume grows or moves; ``None`` where too few looks can tell.

        All plumes are compared, whether they count or not, so that counting fewer never makes one
        of the others move.
        """
        same = []
        elsewhere = 0
        for glimpse in _together(watch):
            if glimpse.time_s == seen_in.time_s or not glimpse.plumes:
                continue
            near = [p for p in glimpse.plumes if iou(plume.box, p.box) >= _SAME_IOU]
            if near:
                least = self._settings.min_confidence
                same.append(max(near, key=lambda p: (p.confidence >= least, iou(plume.box, p.box))))
            else:
                elsewhere += 1
        if self._has_come(plume, watch) or (
            len(same) < self._settings.k_looks - 1
            and any(self._differs(plume, other) for other in same)
        ):
            return True
        if len(same) >= self._settings.k_looks - 1:
            return self._spread([plume, *same]) > _SPREAD
        if not same and elsewhere:
            # By day it has drifted far in between; at night a beam of light has swept past.
            return not plume.at_night
        return None

    def _spread(self, plumes: Sequence[_Plume]) -> float:
        """How area and foot of one plume spread over looks; 1: as far as two looks must differ.

        One look of four, the oddest, is left out: something before the plume may have cut it.
        """
        width = float(np.median([plume.box[2] - plume.box[0] for plume in plumes]))
        grown_by = max(math.log1p(self._settings.growing_by), 1e-9)
        moved_by = max(self._settings.moving_by, 1e-9)
        marks = np.array(
            [
                (math.log(area(plume.box)) / grown_by, plume.foot / width / moved_by)
                for plume in plumes
            ]
        )
        odd = np.linalg.norm(marks - np.median(marks, axis=0), axis=1)
        kept = marks[np.argsort(odd, kind="stable")[: len(marks) - len(marks) // _ODD]]
        return float(np.sqrt(kept.var(axis=0, ddof=1).mean()))

    def _has_come(self, plume: _Plume, watch: _Watch) -> bool:
        """Whether a plume lies where for some looks there was nothing at all."""
        if plume.box[3] - plume.box[1] > _COLUMN * (plume.box[2] - plume.box[0]):
            return False
        quiet = longest = 0
        for glimpse in watch.history:
            near = any(iou(plume.box, other.box) >= _SAME_IOU for other in glimpse.plumes)
            quiet = 0 if near else quiet + 1
            longest = max(longest, quiet)
        return longest >= self._settings.n_looks and not any(
            source.seen_s >= _HALF_KNOWN * self._settings.vent_after_s
            and _comes_from(plume.box, source.box)
            for source in watch.sources
        )

    def _differs(self, one: _Plume, other: _Plume) -> bool:
        smaller, larger = sorted((area(one.box), area(other.box)))
        return larger > smaller * (1 + self._settings.growing_by) or self._has_moved(one, other)

    def _has_moved(self, one: _Plume, other: _Plume) -> bool:
        width = min(one.box[2] - one.box[0], other.box[2] - other.box[0])
        return abs(one.foot - other.foot) > self._settings.moving_by * width

    def _hits(self, watch: _Watch, *, latest: bool = False) -> list[tuple[float, list[_Plume]]]:
        """Looks with plumes that count and grow or move; with ``latest`` only the last look."""
        hits = []
        for glimpse in watch.glimpses[-1:] if latest else watch.glimpses:
            plumes = [
                plume
                for plume in glimpse.plumes
                if plume.counts
                and (_goes_on(plume, watch.episode) or self._motion(plume, glimpse, watch))
            ]
            if plumes:
                hits.append((glimpse.time_s, plumes))
        return hits

    def _learn_sources(self, watch: _Watch, look: Look) -> None:
        """Remember what neither grows nor moves."""
        latest = watch.glimpses[-1]
        step_s = latest.time_s - watch.glimpses[-2].time_s if len(watch.glimpses) > 1 else 0.0
        for plume in latest.plumes:
            if self._motion(plume, latest, watch) is not False:
                continue
            known = next((s for s in watch.sources if iou(s.box, plume.box) >= _SOURCE_IOU), None)
            if known is None:
                watch.sources.append(_Source(plume.box, step_s, latest.time_s))
            elif known.last_s < latest.time_s:
                known.box = blend(known.box, plume.box, 0.1)
                known.seen_s += step_s
                known.last_s = latest.time_s
        kept = [s for s in watch.sources if look.time_s - s.last_s <= _SOURCE_KEPT_S]
        watch.sources = sorted(kept, key=lambda source: source.last_s)[-_SOURCES:]

    def _finding(self, zone: Zone, watch: _Watch, look: Look) -> Finding | None:
        hits = self._hits(watch)
        if not hits:
            watch.episode = None
            return None
        last_s, latest = hits[-1]
        episode = watch.episode
        if episode is None:
            first_s, first = hits[0]
            episode = watch.episode = _Episode(first_s, last_s, area(first[0].box), len(hits))
        elif last_s > episode.last_s:
            episode.last_s = last_s
            episode.looks += 1
        stage = self._hours.stage(zone, look)
        needed = self._settings.k_looks
        if stage is not None:
            needed = self._settings.k_looks_in.get(stage, needed)
        if len(hits) < needed:
            return None
        plume = latest[0]
        signs = ["plume"]
        if area(plume.box) > episode.first_area * (1 + self._settings.growing_by):
            signs.append("growing")
        if any(self._has_moved(plume, other) for _, others in hits for other in others[:1]):
            signs.append("moving")
        episode.box = plume.box
        watch.told, watch.told_last_s = True, last_s
        return Finding(
            key=_key_of(zone),
            zone_id=zone.id,
            box=plume.box,
            confidence=plume.confidence,
            since_s=episode.since_s,
            last_seen_s=last_s,
            looks_seen=episode.looks,
            signs=tuple(signs),
            class_names=(_CLASS,),
        )

    def _relieved(self, zone: Zone, watch: _Watch, why: Relief, look: Look) -> list[Finding]:
        """What to say of a zone over which dust was reported and is none now."""
        if not watch.told:
            return []
        if why is Relief.PERMITTED:
            watch.told = False
        return [
            relieved(
                _key_of(zone),
                zone.id,
                why,
                since_s=look.time_s,
                last_seen_s=watch.told_last_s,
            )
        ]


def _together(watch: _Watch) -> list[_Glimpse]:
    """All looks that are remembered, by time."""
    known = {one.time_s: one for one in (*watch.history, *watch.glimpses)}
    return [known[time_s] for time_s in sorted(known)]


def _key_of(zone: Zone) -> str:
    return f"zone-{zone.id}"


def _goes_on(plume: _Plume, episode: _Episode | None) -> bool:
    """Whether a plume is where one was reported that has not been gone since."""
    return (
        episode is not None and episode.box is not None and iou(plume.box, episode.box) >= _SAME_IOU
    )


def _is_from(plume: Box, lamp: Box) -> bool:
    """Whether a cloud of light sits on a vehicle: not much larger, and the vehicle in it."""
    width = min(plume[2], lamp[2]) - max(plume[0], lamp[0])
    height = min(plume[3], lamp[3]) - max(plume[1], lamp[1])
    if width <= 0 or height <= 0 or area(plume) > _GLARE_AREA * area(lamp):
        return False
    return width * height >= 0.3 * min(area(plume), area(lamp))


def _comes_from(plume: Box, source: Box) -> bool:
    """Whether a plume stands on a fixed source, however the wind bends it."""
    width = source[2] - source[0]
    foot = abs((plume[0] + plume[2]) / 2 - (source[0] + source[2]) / 2)
    low = abs(plume[3] - source[3])
    return (
        foot <= _SOURCE_SWAY * max(width, plume[2] - plume[0])
        and low <= _SOURCE_SWAY * (source[3] - source[1])
        and area(plume) <= _SOURCE_AREA * area(source)
    )
