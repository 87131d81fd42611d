"""Street stalls 流动摊点、占道经营: stalls that settle on carriageway or footway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
    {Purpose.CARRIAGEWAY, Purpose.FOOTWAY, Purpose.NO_STOPPING, Purpose.WHOLE_FRAME}
)
_PERMITTED = frozenset({Purpose.PERMITTED_VENDING})


class Settings(RuleSettings):
    """When a stall counts as a violation.

    Attributes:
        dwell_s: Seconds a stall must have stood.
        min_observed_share: Share of the dwell during which it must have been in sight.
        min_confidence: Mean confidence of its recent detections, at least; half to keep it.
    """

    dwell_s: Seconds = 300.0
    min_observed_share: Share = 0.5
    min_confidence: Share = 0.25


class StreetStall:
    """Stalls that stand beyond a dwell outside ``permitted_vending`` zones. Sign: ``dwell``."""

    kind = "street_stall"
    name = "street_stall"

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
            if sighting.ended_s is None and has_stood(
                sighting, self._settings.dwell_s, self._settings.min_observed_share
            ):
                zone = self._zone(sighting, look)
                if zone is not None:
                    findings.append(finding_of(sighting, zone, ["dwell"]))
                    held.add(sighting.id)
        self._held = frozenset(held)
        return findings

    def wants_closer_look(self, look: Look, sightings: Sequence[Sighting]) -> bool:
        """A stall may just have been set up, or its dwell is about to expire."""
        return any(
            (is_new(sighting, look) or is_about_due(sighting, self._settings.dwell_s))
            and self._zone(sighting, look) is not None
            for sighting in sightings
        )

    def _zone(self, sighting: Sighting, look: Look) -> Zone | None:
        """Zone in which a stall is unwanted, ``None`` where it is none or is permitted."""
        if (
            sighting.class_name != "street_stall"
            or not is_believed(sighting, self._settings.min_confidence, self._held)
            or first_zone(sighting, self._zones, _PERMITTED, look) is not None
        ):
            return None
        return first_zone(sighting, self._zones, _PLACES, look)
