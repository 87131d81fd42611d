"""Unattended objects 不明滞留物: things that stand beyond a dwell and that no class names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vision.observe.boxes import iou
from vision.observe.families import STANDING_OBJECT
from vision.observe.look import Look
from vision.observe.sighting import Sighting
from vision.rules.finding import Finding
from vision.rules.settings import RuleSettings, Seconds, Share
from vision.rules.standing import (
    SAME_PLACE_IOU,
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
    """When a nameless thing counts as a violation.

    Attributes:
        enabled: Whether things without a class are looked for at all.
        dwell_s: Seconds a thing must have stood.
        min_observed_share: Share of the dwell during which it must have been in sight.
        min_confidence: Mean confidence of its recent proposals, at least; half to keep it.
    """

    enabled: bool = True
    dwell_s: Seconds = 600.0
    min_observed_share: Share = 0.5
    min_confidence: Share = 0.25


class StandingObject:
    """Things of class ``standing_object`` that stand beyond a dwell, except on ``site`` zones.

    A thing that the detector names at the same place is left to the rule of that name.
    Signs: ``dwell``.
    """

    kind = "standing_object"
    name = "standing_object"

    def __init__(self, settings: Settings, zones: Sequence[Zone]) -> None:
        """Judge by these settings in these zones."""
        self._settings = settings
        self._zones = tuple(zones)
        self._held: frozenset[int] = frozenset()
        self.settings: Mapping[str, Any] = settings.model_dump(mode="json")

    def judge(self, look: Look, sightings: Sequence[Sighting]) -> list[Finding]:
        """Findings that hold after this look, in the order of the sightings."""
        findings = []
        held = set()
        for sighting in sightings:
            if sighting.ended_s is not None or not has_stood(
                sighting, self._settings.dwell_s, self._settings.min_observed_share
            ):
                continue
            zone = self._zone(sighting, look)
            if zone is None or self._has_name(sighting, sightings):
                continue
            findings.append(finding_of(sighting, zone, ["dwell"]))
            held.add(sighting.id)
        self._held = frozenset(held)
        return findings

    def wants_closer_look(self, look: Look, sightings: Sequence[Sighting]) -> bool:
        """A thing may just have been left, or its dwell is about to expire."""
        return any(
            (is_new(sighting, look) or is_about_due(sighting, self._settings.dwell_s))
            and self._zone(sighting, look) is not None
            for sighting in sightings
        )

    def _zone(self, sighting: Sighting, look: Look) -> Zone | None:
        """Zone in which a thing is unwanted, ``None`` where it is none or may stand."""
        if (
            not self._settings.enabled
            or sighting.class_name != STANDING_OBJECT
            or not is_believed(sighting, self._settings.min_confidence, self._held)
            or first_zone(sighting, self._zones, _SITE, look) is not None
        ):
            return None
        return first_zone(sighting, self._zones, _PLACES, look)

    def _has_name(self, sighting: Sighting, sightings: Sequence[Sighting]) -> bool:
        return any(
            other.class_name != STANDING_OBJECT
            and other.ended_s is None
            and other.standing
            and other.confidence >= self._settings.min_confidence
            and iou(other.box, sighting.box) >= SAME_PLACE_IOU
            for other in sightings
        )
