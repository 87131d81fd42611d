"""Construction dust 工地扬尘: a plume over a site that comes, moves and stays some looks."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import shapely
from pydantic import Field

from vision.observe.boxes import area, iou
from vision.observe.look import Look
from vision.observe.sighting import Box, Sighting
from vision.rules.finding import Finding
from vision.rules.settings import Count, RuleSettings, Seconds, Share
from vision.zones import Purpose, Zone

_PLACES = frozenset({Purpose.SITE, Purpose.WHOLE_FRAME})
_CLASS = "construction_dust"


class Settings(RuleSettings):
    """When dust counts as a violation.

    Attributes:
        k_looks: Looks that must see a plume ...
        n_looks: ... among so many latest ones ...
        window_s: ... within these seconds.
        min_confidence: Confidence of a plume, at least.
        min_inside: Share of a plume that must lie over the site.
        fog_share: Dust over more of the view than this is fog.
        fixed_iou: A box that stays this much the same in all looks is no plume but a fixed vent
            or dirt on the lens.
        growing_by: Share by which a plume must exceed its first area for ``growing``.
    """

    k_looks: Count = 3
    n_looks: Count = 5
    window_s: Annotated[float, Field(gt=0.0)] = 120.0
    min_confidence: Share = 0.3
    min_inside: Share = 0.3
    fog_share: Share = 0.8
    fixed_iou: Share = 0.9
    growing_by: Seconds = 0.3


@dataclass(frozen=True)
class _Glimpse:
    """Plumes over one zone in one look."""

    time_s: float
    plumes: tuple[tuple[float, Box], ...]


@dataclass
class _Episode:
    """Plumes over one zone, with pauses no longer than the window."""

    since_s: float
    last_s: float
    first_area: float
    looks: int


class ConstructionDust:
    """Plumes over ``site`` zones; a finding concerns the zone, for a plume has no place of its own.

    Only looks in which the detector ran count: where nothing changes nothing billows.
    Signs: ``plume``; ``growing`` when it has clearly grown since it was first seen.
    """

    kind = "construction_dust"
    name = "construction_dust"

    def __init__(self, settings: Settings, zones: Sequence[Zone]) -> None:
        """Judge by these settings in these zones."""
        self._settings = settings
        self._zones = tuple(zone for zone in zones if zone.purpose in _PLACES)
        self._glimpses: dict[str, deque[_Glimpse]] = {
            zone.id: deque(maxlen=settings.n_looks) for zone in self._zones
        }
        self._episodes: dict[str, _Episode] = {}
        self._pose: int | None = None
        self.settings: Mapping[str, Any] = settings.model_dump(mode="json")

    def judge(self, look: Look, sightings: Sequence[Sighting]) -> list[Finding]:  # noqa: ARG002
        """Findings that hold after this look, in the order of the zones."""
        if look.pose != self._pose:
            for glimpses in self._glimpses.values():
                glimpses.clear()
            self._episodes.clear()
            self._pose = look.pose
        dust = self._dust(look) if look.inspected else []
        findings = []
        for zone in self._zones:
            glimpses = self._glimpses[zone.id]
            if look.inspected:
                glimpses.append(_Glimpse(look.time_s, self._inside(dust, zone, look)))
            while glimpses and look.time_s - glimpses[0].time_s > self._settings.window_s:
                glimpses.popleft()
            finding = self._finding(zone)
            if finding is not None:
                findings.append(finding)
        return findings

    def wants_closer_look(self, look: Look, sightings: Sequence[Sighting]) -> bool:  # noqa: ARG002
        """The last look saw what may be a plume."""
        return any(
            glimpses
            and glimpses[-1].time_s == look.time_s
            and bool(self._moving(glimpses, glimpses[-1]))
            for glimpses in self._glimpses.values()
        )

    def _dust(self, look: Look) -> list[tuple[float, Box]]:
        """Confidence and box of each plume in a look, most confident first; none in fog."""
        width, height = look.frame_size
        dust = sorted(
            (
                (confidence, (box[0], box[1], box[2], box[3]))
                for box, confidence, name in (
                    (row.tolist(), confidence, name)
                    for row, confidence, name in look.detections.rows()
                    if name == _CLASS and confidence >= self._settings.min_confidence
                )
            ),
            key=lambda plume: (-plume[0], plume[1]),
        )
        if not dust:
            return []
        view = shapely.box(0, 0, width, height)
        hazy = shapely.union_all([shapely.box(*box) for _, box in dust]).intersection(view).area
        return [] if hazy >= self._settings.fog_share * width * height else dust

    def _inside(
        self, dust: Sequence[tuple[float, Box]], zone: Zone, look: Look
    ) -> tuple[tuple[float, Box], ...]:
        """Plumes that lie over a zone."""
        if not dust or zone.purpose is Purpose.WHOLE_FRAME:
            return tuple(dust)
        shape = shapely.Polygon(zone.pixels(look.frame_size))
        return tuple(
            (confidence, box)
            for confidence, box in dust
            if zone.holds(box, look.frame_size)
            or shape.intersection(shapely.box(*box)).area
            >= max(self._settings.min_inside * area(box), 1e-9)
        )

    def _moving(self, glimpses: Sequence[_Glimpse], one: _Glimpse) -> list[tuple[float, Box]]:
        """Plumes of a look that are not the same box in all looks, once there are enough looks."""
        if len(glimpses) < self._settings.k_looks or len(glimpses) < 2:
            return list(one.plumes)
        return [
            (confidence, box)
            for confidence, box in one.plumes
            if not all(
                any(iou(box, other) > self._settings.fixed_iou for _, other in glimpse.plumes)
                for glimpse in glimpses
            )
        ]

    def _finding(self, zone: Zone) -> Finding | None:
        glimpses = self._glimpses[zone.id]
        hits = [
            (glimpse.time_s, plumes)
            for glimpse in glimpses
            if (plumes := self._moving(glimpses, glimpse))
        ]
        episode = self._episodes.get(zone.id)
        if not hits:
            self._episodes.pop(zone.id, None)
            return None
        last_s, latest = hits[-1]
        if episode is None:
            first_s, first = hits[0]
            episode = self._episodes[zone.id] = _Episode(
                first_s, last_s, area(first[0][1]), len(hits)
            )
        elif last_s > episode.last_s:
            episode.last_s = last_s
            episode.looks += 1
        if len(hits) < self._settings.k_looks:
            return None
        confidence, box = latest[0]
        grown = area(box) > episode.first_area * (1 + self._settings.growing_by)
        return Finding(
            key=f"zone-{zone.id}",
            zone_id=zone.id,
            box=box,
            confidence=confidence,
            since_s=episode.since_s,
            last_seen_s=last_s,
            looks_seen=episode.looks,
            signs=("plume", "growing") if grown else ("plume",),
            class_names=(_CLASS,),
        )
