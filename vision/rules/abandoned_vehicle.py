"""Abandoned vehicles 废弃车辆: derelict looks, no move for weeks, or stopping where none may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vision.observe.families import family_of
from vision.observe.look import Look
from vision.observe.sighting import Sighting
from vision.rules.finding import Finding
from vision.rules.settings import Count, RuleSettings, Seconds, Share
from vision.rules.standing import (
    finding_of,
    first_zone,
    has_stood,
    is_about_due,
    is_believed,
    is_new,
)
from vision.zones import Purpose, Zone

_FAMILIES = frozenset({"vehicle", "cycle"})
_DERELICT = frozenset({"derelict_vehicle", "derelict_cycle"})
_PLACES = frozenset(
    {Purpose.PARKING_BAY, Purpose.CARRIAGEWAY, Purpose.FOOTWAY, Purpose.GREEN, Purpose.WHOLE_FRAME}
)
_NO_STOPPING = frozenset({Purpose.NO_STOPPING})

_LONG_S = 3600.0
"""A dwell longer than this is none to hurry for when a vehicle has just stopped."""


class Settings(RuleSettings):
    """When a vehicle counts as abandoned.

    Attributes:
        derelict_share: How derelict a vehicle must look, 0..1: the share of the detector's votes
            at its place that call it derelict, mixed with what the second stage makes of its crops.
        second_stage_weight: Weight of the second stage in that mixture, once it has scored enough
            looks; 0 leaves it to the detector's votes.
        second_stage_looks: Looks that must have been scored before they count.
        second_stage_after_s: Seconds a vehicle must have stood before its crops are scored.
        derelict_dwell_s: Seconds a derelict-looking vehicle must have stood.
        unmoved_s: Seconds after which any vehicle that did not move counts as abandoned
            (30 days; cities use 15 to 90).
        no_stopping_dwell_s: Seconds a vehicle may stand in a ``no_stopping`` zone.
        min_observed_share: Share of a dwell during which the vehicle must have been in sight.
        min_confidence: Mean confidence of its recent detections, at least; half to keep it.
    """

    derelict_share: Share = 0.5
    second_stage_weight: Share = 0.5
    second_stage_looks: Count = 3
    second_stage_after_s: Seconds = 20.0
    derelict_dwell_s: Seconds = 600.0
    unmoved_s: Seconds = 30 * 86_400.0
    no_stopping_dwell_s: Seconds = 300.0
    min_observed_share: Share = 0.5
    min_confidence: Share = 0.25


class AbandonedVehicle:
    """Vehicles, motor or not, that stay.

    Signs: ``derelict_look`` (it looks derelict and stood for the derelict dwell), ``unmoved`` (the
    same place for weeks) and ``no_stopping`` (it stands where stopping is forbidden). Where the
    second stage has scored it, ``derelict_class`` and ``derelict_crops`` say which of the two
    would find it derelict alone.
    """

    kind = "abandoned_vehicle"
    name = "abandoned_vehicle"

    def __init__(self, settings: Settings, zones: Sequence[Zone]) -> None:
        """Judge by these settings in these zones."""
        self._settings = settings
        self._zones = tuple(zones)
        self._dwells = (
            settings.derelict_dwell_s,
            settings.unmoved_s,
            settings.no_stopping_dwell_s,
        )
        self._held: frozenset[int] = frozenset()
        self.settings: Mapping[str, Any] = settings.model_dump(mode="json")

    def judge(self, look: Look, sightings: Sequence[Sighting]) -> list[Finding]:
        """Findings that hold after this look, in the order of the sightings."""
        findings = []
        held = set()
        for sighting in sightings:
            if sighting.ended_s is not None or not any(
                has_stood(sighting, dwell_s, self._settings.min_observed_share)
                for dwell_s in self._dwells
            ):
                continue
            if not self._concerns(sighting):
                continue
            signs = [
                (zone, sign)
                for sign, dwell_s, zone in self._cases(sighting, look)
                if has_stood(sighting, dwell_s, self._settings.min_observed_share)
            ]
            if signs:
                words = [sign for _, sign in signs]
                if "derelict_look" in words:
                    words += self._told_by(sighting)
                findings.append(finding_of(sighting, signs[0][0], words))
                held.add(sighting.id)
        self._held = frozenset(held)
        return findings

    def wants_closer_look(self, look: Look, sightings: Sequence[Sighting]) -> bool:
        """A vehicle may just have stopped, or a dwell is about to expire."""
        for sighting in sightings:
            new = is_new(sighting, look)
            due = new or any(is_about_due(sighting, dwell_s) for dwell_s in self._dwells)
            if due and self._concerns(sighting):
                cases = self._cases(sighting, look)
                if any(
                    (new and dwell_s <= _LONG_S) or is_about_due(sighting, dwell_s)
                    for _, dwell_s, _ in cases
                ):
                    return True
        return False

    def _concerns(self, sighting: Sighting) -> bool:
        return family_of(sighting.class_name) in _FAMILIES and is_believed(
            sighting, self._settings.min_confidence, self._held
        )

    def _derelict(self, sighting: Sighting) -> float:
        """How derelict a vehicle looks, 0..1."""
        votes = _derelict_votes(sighting)
        score = self._score(sighting)
        if score is None:
            return votes
        weight = self._settings.second_stage_weight
        return (1 - weight) * votes + weight * score

    def _score(self, sighting: Sighting) -> float | None:
        """What the second stage says, once it counts."""
        enough = sighting.derelict_looks >= self._settings.second_stage_looks
        return sighting.derelict if enough and self._settings.second_stage_weight > 0 else None

    def _told_by(self, sighting: Sighting) -> list[str]:
        """Which of the two stages would find a vehicle derelict alone."""
        score = self._score(sighting)
        if score is None:
            return []
        told = {"derelict_class": _derelict_votes(sighting), "derelict_crops": score}
        return [sign for sign, level in told.items() if level >= self._settings.derelict_share]

    def _cases(self, sighting: Sighting, look: Look) -> list[tuple[str, float, Zone]]:
        """Sign, dwell and zone of each way in which a vehicle at this place can be wrong."""
        settings = self._settings
        cases = []
        strict = first_zone(sighting, self._zones, _NO_STOPPING, look)
        anywhere = strict or first_zone(sighting, self._zones, _PLACES, look)
        derelict = self._derelict(sighting)
        if anywhere is not None and derelict > 0 and derelict >= settings.derelict_share:
            cases.append(("derelict_look", settings.derelict_dwell_s, anywhere))
        if anywhere is not None:
            cases.append(("unmoved", settings.unmoved_s, anywhere))
        if strict is not None:
            cases.append(("no_stopping", settings.no_stopping_dwell_s, strict))
        return cases


def _derelict_votes(sighting: Sighting) -> float:
    return sum(sighting.class_share.get(name, 0.0) for name in _DERELICT)
