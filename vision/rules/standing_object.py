"""Unattended objects 不明滞留物: things that stand beyond a dwell and that no class names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from vision.observe.boxes import iou
from vision.observe.families import STANDING_OBJECT
from vision.observe.look import Look
from vision.observe.sighting import Sighting
from vision.rules.finding import Finding, Relief, relieved
from vision.rules.settings import RuleSettings, Seconds, Share
from vision.rules.standing import (
    LYING_ABOUT,
    NAMED_IOU,
    ON_SITE,
    StandingRule,
    finding_of,
    is_about_due,
    is_believed,
    is_new,
    key_of,
    permitted_now,
)
from vision.schedule import SiteClock
from vision.zones import Zone


class Settings(RuleSettings):
    """When a nameless thing counts as a violation.

    Attributes:
        enabled: Whether things without a class are looked for at all.
        dwell_s: Seconds a thing must have stood.
        min_observed_share: Share of the dwell during which it must have been in sight.
        min_confidence: Mean confidence of its recent proposals, at least; half to keep it.
        take_over_s: Seconds that the rule of its name is given to take over what was raised
            without one; after them it is over here.
    """

    enabled: bool = True
    dwell_s: Seconds = 600.0
    min_observed_share: Share = 0.5
    min_confidence: Share = 0.25
    take_over_s: Seconds = 3600.0


class StandingObject(StandingRule):
    """Things of class ``standing_object`` that stand beyond a dwell, except on ``site`` zones.

    A thing that the detector names at the same place is left to the rule of that name.
    Signs: ``dwell``.
    """

    kind = "standing_object"
    name = "standing_object"

    def __init__(
        self, settings: Settings, zones: Sequence[Zone], clock: SiteClock | None = None
    ) -> None:
        """Judge by these settings in these zones, by this clock."""
        super().__init__(settings, zones, clock, frozenset({STANDING_OBJECT}))
        self._settings = settings
        self._site = self._stands_in(ON_SITE)
        self._places = self._stands_in(LYING_ABOUT)
        self._named_since_s: dict[int, float] = {}

    def is_concerned(self, class_names: Set[str]) -> bool:
        """Whether there are nameless things, or anything is kept of some."""
        return super().is_concerned(class_names) or bool(self._named_since_s)

    def judge(self, look: Look, sightings: Sequence[Sighting]) -> list[Finding]:
        """Findings that hold after this look, in the order of the sightings."""
        findings = []
        held: dict[int, str] = {}
        named_since_s: dict[int, float] = {}
        for sighting in self._concerned(sightings):
            if not sighting.standing:
                continue
            drawn = self._drawn(sighting, look)
            earlier = self._held.zone_of(sighting)
            if drawn is None:
                if earlier is not None:
                    held[sighting.id] = earlier
                continue
            zone = self._places.zone_of(sighting, look)
            if self._has_name(sighting, sightings):
                if earlier is None:
                    continue
                since_s = self._named_since_s.get(sighting.id, look.time_s)
                if look.time_s - since_s < self._settings.take_over_s:
                    named_since_s[sighting.id] = since_s
                    held[sighting.id] = earlier
                else:
                    findings.append(_named_now(sighting, earlier))
            elif zone is None:
                if earlier is not None:
                    since_s = self._hours.in_force_since_s(drawn, look)
                    findings.append(permitted_now(sighting, earlier, since_s))
            else:
                since_s = self._hours.in_force_since_s(zone, look)
                if self._has_stood(sighting, zone, since_s):
                    dwell = self._dwells.dwell(sighting, zone, since_s)
                    findings.append(
                        finding_of(sighting, zone, ["dwell"], dwell=dwell, wrong_since_s=since_s)
                    )
                    held[sighting.id] = zone.id
                elif earlier is not None:
                    held[sighting.id] = earlier
        self._remember(held, sightings)
        self._named_since_s = named_since_s
        return findings

    def wants_closer_look(self, look: Look, sightings: Sequence[Sighting]) -> bool:
        """A thing may just have been left, or its dwell is about to expire."""
        return any(
            (is_new(sighting, look) or is_about_due(sighting, self._settings.dwell_s))
            and self._drawn(sighting, look) is not None
            and self._places.zone_of(sighting, look) is not None
            for sighting in self._concerned(sightings)
        )

    def state(self) -> dict[str, Any]:
        """What is kept between looks."""
        since_s = [[number, since_s] for number, since_s in self._named_since_s.items()]
        return {**super().state(), "named_since_s": since_s}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        super().restore(state)
        self._named_since_s = dict(state["named_since_s"])

    def _has_stood(self, sighting: Sighting, zone: Zone, since_s: float) -> bool:
        return self._dwells.has_stood(
            sighting, zone, since_s, self._settings.dwell_s, self._settings.min_observed_share
        )

    def _drawn(self, sighting: Sighting, look: Look) -> Zone | None:
        """Judged zone in which a nameless thing stands, whether or not its schedule holds."""
        if (
            not self._settings.enabled
            or sighting.class_name != STANDING_OBJECT
            or not is_believed(sighting, self._settings.min_confidence, self._held)
            or self._site.zone_of(sighting, look) is not None
        ):
            return None
        return next(iter(self._places.drawn(sighting, look)), None)

    def _has_name(self, sighting: Sighting, sightings: Sequence[Sighting]) -> bool:
        return any(
            other.class_name != STANDING_OBJECT
            and other.ended_s is None
            and other.standing
            and other.confidence >= self._settings.min_confidence
            and iou(other.box, sighting.box) >= NAMED_IOU
            for other in sightings
        )


def _named_now(sighting: Sighting, zone_id: str) -> Finding:
    """Finding that a thing is nameless no more: the rule of its name judges it from here on."""
    return relieved(
        key_of(sighting),
        zone_id,
        Relief.OVER,
        since_s=sighting.last_seen_s,
        last_seen_s=sighting.last_seen_s,
    )
