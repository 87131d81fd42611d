"""Debris piles 乱堆物料、暴露垃圾、积存渣土: heaps that lie beyond a dwell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vision.observe.boxes import area
from vision.observe.look import Look
from vision.observe.sighting import Sighting
from vision.rules.finding import Finding
from vision.rules.settings import RuleSettings, Seconds, Share
from vision.rules.standing import (
    finding_of,
    first_zone,
    has_stood,
    is_about_due,
    is_believed,
    is_new,
)
from vision.zones import Purpose, Zone

_PLACES = frozenset(
    {
        Purpose.CARRIAGEWAY,
        Purpose.FOOTWAY,
        Purpose.PARKING_BAY,
        Purpose.NO_STOPPING,
        Purpose.GREEN,
        Purpose.WHOLE_FRAME,
    }
)
_SITE = frozenset({Purpose.SITE})


class Settings(RuleSettings):
    """When a heap counts as a violation.

    Attributes:
        dwell_s: Seconds a heap must have lain.
        overflow_bins: Whether overflowing bins count as well.
        growing_by: Share by which the area of the box must exceed its first for ``growing``.
        min_observed_share: Share of the dwell during which it must have been in sight.
        min_confidence: Mean confidence of its recent detections, at least; half to keep it.
    """

    dwell_s: Seconds = 1800.0
    overflow_bins: bool = False
    growing_by: Seconds = 0.3
    min_observed_share: Share = 0.5
    min_confidence: Share = 0.25


class DebrisPile:
    """Heaps that lie beyond a dwell, except on ``site`` zones.

    Signs: ``dwell``; ``growing`` when the heap has clearly grown since it settled.
    """

    kind = "debris_pile"
    name = "debris_pile"

    def __init__(self, settings: Settings, zones: Sequence[Zone]) -> None:
        """Judge by these settings in these zones."""
        self._settings = settings
        self._zones = tuple(zones)
        self._classes = {"debris_pile", *(["overflow_bin"] if settings.overflow_bins else [])}
        self._first_share: dict[int, float] = {}
        self._held: frozenset[int] = frozenset()
        self.settings: Mapping[str, Any] = settings.model_dump(mode="json")

    def judge(self, look: Look, sightings: Sequence[Sighting]) -> list[Finding]:
        """Findings that hold after this look, in the order of the sightings."""
        findings = []
        held = set()
        frame_area = look.frame_size[0] * look.frame_size[1]
        first_share = {}
        for sighting in sightings:
            if sighting.ended_s is not None or not sighting.standing:
                continue
            zone = self._zone(sighting, look)
            if zone is None:
                continue
            share = area(sighting.box) / frame_area
            first = self._first_share.get(sighting.id, share)
            first_share[sighting.id] = first
            if has_stood(sighting, self._settings.dwell_s, self._settings.min_observed_share):
                grown = share > first * (1 + self._settings.growing_by)
                findings.append(
                    finding_of(sighting, zone, ["dwell", "growing"] if grown else ["dwell"])
                )
                held.add(sighting.id)
        self._first_share = first_share
        self._held = frozenset(held)
        return findings

    def wants_closer_look(self, look: Look, sightings: Sequence[Sighting]) -> bool:
        """A heap may just have been dumped, or its dwell is about to expire."""
        return any(
            (is_new(sighting, look) or is_about_due(sighting, self._settings.dwell_s))
            and self._zone(sighting, look) is not None
            for sighting in sightings
        )

    def _zone(self, sighting: Sighting, look: Look) -> Zone | None:
        """Zone in which a heap is unwanted, ``None`` where it is none or may lie."""
        if (
            sighting.class_name not in self._classes
            or not is_believed(sighting, self._settings.min_confidence, self._held)
            or first_zone(sighting, self._zones, _SITE, look) is not None
        ):
            return None
        return first_zone(sighting, self._zones, _PLACES, look)
