"""Abandoned vehicles 废弃车辆: derelict looks, no move for weeks, or stopping where none may."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from vision.observe.families import FAMILIES, family_of
from vision.observe.look import Look
from vision.observe.sighting import Box, Sighting
from vision.rules.finding import Finding
from vision.rules.hours import ALWAYS
from vision.rules.settings import Count, RuleSettings, Seconds, Share
from vision.rules.standing import (
    REST_INTERVAL_S,
    StandingRule,
    finding_of,
    is_about_due,
    is_believed,
    is_new,
    permitted_now,
    stood_s,
)
from vision.schedule import SiteClock
from vision.zones import Purpose, Zone

_NON_MOTOR = "cycle"
_FAMILIES = frozenset({"vehicle", _NON_MOTOR})
_CLASSES = _FAMILIES | {name for name, family in FAMILIES.items() if family in _FAMILIES}
_DERELICT = frozenset({"derelict_vehicle", "derelict_cycle"})
_PLACES = frozenset(
    {Purpose.PARKING_BAY, Purpose.CARRIAGEWAY, Purpose.FOOTWAY, Purpose.GREEN, Purpose.WHOLE_FRAME}
)
_NO_STOPPING = frozenset({Purpose.NO_STOPPING})

_BRIEF_S = 60.0
"""In a dwell shorter than this there are few looks."""

_EDGE_SHARE = 0.01
"""A box that ends so near the edge of the picture, as share of its extent, is cut by it."""

_KEPT = 1024
_MARGIN_S = 1.0

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
        derelict_looks: Looks that must have seen it: one mistaken look a day decides nothing.
        unmoved_s: Seconds after which any vehicle that did not move counts as abandoned
            (30 days; cities use 15 to 90).
        non_motor_unmoved_s: The same for bicycles, motorcycles and tricycles; ``unmoved_s`` where
            it is null.
        no_stopping_dwell_s: Seconds a vehicle may stand in a ``no_stopping`` zone.
        min_observed_share: Share of a dwell during which the vehicle must have been in sight.
        min_confidence: Mean confidence of its recent detections, at least; half to keep it. Not
            set, it is the threshold of ``car`` in the model.
    """

    derelict_share: Share = 0.5
    second_stage_weight: Share = 0.5
    second_stage_looks: Count = 3
    second_stage_after_s: Seconds = 20.0
    derelict_dwell_s: Seconds = 600.0
    derelict_looks: Count = 5
    unmoved_s: Seconds = 30 * 86_400.0
    non_motor_unmoved_s: Seconds | None = None
    no_stopping_dwell_s: Seconds = 300.0
    min_observed_share: Share = 0.5
    min_confidence: Share = 0.25

    @classmethod
    def for_dwell(cls, dwell_s: float) -> dict[str, Any]:
        """Dwells as given, looks and scored crops in time for them; ``unmoved_s`` stays days."""
        given = super().for_dwell(dwell_s)
        if dwell_s < _BRIEF_S:
            given["derelict_looks"] = 3
        if dwell_s / 2 < cls().second_stage_after_s:
            given["second_stage_after_s"] = dwell_s / 2
        return given


Signs = list[tuple[str, Zone, float]]
"""Each with its zone and the stream time from which it is wrong there."""


class _Known(NamedTuple):
    """Signs of a vehicle that stay the same for now.

    Attributes:
        box: Its box then.
        until_s: Stream time up to which they do.
        classes: For how many classes it had votes.
        derelict_looks: How often the second stage had scored it.
        signs: The signs.
    """

    box: Box
    until_s: float
    classes: int
    derelict_looks: int
    signs: Signs


class AbandonedVehicle(StandingRule):
    """Vehicles, motor or not, that stay.

    Signs: ``derelict_look`` (it looks derelict and stood for the derelict dwell), ``unmoved`` (the
    same place for weeks) and ``no_stopping`` (it stands where stopping is forbidden, parked too
    long); ``non_motor`` beside them for bicycles, motorcycles and tricycles. Where the second
    stage has scored it, ``derelict_class`` and ``derelict_crops`` say which of the two would find
    it derelict alone. What the edge of the picture cuts has no derelict look.

    In a ``no_stopping`` zone with a schedule the dwell counts from the opening of the window. The
    other two count all time; they hold while the schedule of the place does.
    """

    kind = "abandoned_vehicle"
    name = "abandoned_vehicle"

    def __init__(
        self, settings: Settings, zones: Sequence[Zone], clock: SiteClock | None = None
    ) -> None:
        """Judge by these settings in these zones, by this clock."""
        super().__init__(settings, zones, clock, _CLASSES)
        self._settings = settings
        self._places = self._stands_in(_PLACES)
        self._strict = self._stands_in(_NO_STOPPING)
        self._has_windows = self._strict.have_windows
        non_motor_s = settings.non_motor_unmoved_s
        self._lengths_s = (
            settings.derelict_dwell_s,
            settings.unmoved_s,
            settings.unmoved_s if non_motor_s is None else non_motor_s,
            settings.no_stopping_dwell_s,
        )
        self._shortest_s = min(self._lengths_s)
        self._unmoved_s = min(self._lengths_s[1:3])
        self._known: dict[int, _Known] = {}

    def judge(self, look: Look, sightings: Sequence[Sighting]) -> list[Finding]:
        """Findings that hold after this look, in the order of the sightings."""
        findings = []
        held: dict[int, str] = {}
        for sighting in self._concerned(sightings):
            if not sighting.standing:
                signs: Signs | None = []
            else:
                signs = self._known_signs(sighting, look)
                if signs is None:
                    signs = self._signs(sighting, look)
                    self._keep_signs(sighting, signs, look)
                elif not signs:
                    continue
            if signs:
                _, zone, since_s = signs[0]
                words = [sign for sign, *_ in signs]
                if "derelict_look" in words:
                    words += self._told_by(sighting)
                if _is_non_motor(sighting):
                    words.append("non_motor")
                dwell = self._dwells.dwell(sighting, zone, since_s)
                findings.append(
                    finding_of(sighting, zone, words, dwell=dwell, wrong_since_s=since_s)
                )
                held[sighting.id] = zone.id
            elif (place := self._held.zone_of(sighting)) is not None:
                zone = next(zone for zone in self._zones if zone.id == place)
                if self._hours.in_force(zone, look):
                    held[sighting.id] = place
                else:
                    since_s = self._hours.in_force_since_s(zone, look)
                    findings.append(permitted_now(sighting, place, since_s))
        self._remember(held, sightings)
        return findings

    def wants_closer_look(self, look: Look, sightings: Sequence[Sighting]) -> bool:
        """A vehicle may just have stopped, or a dwell is about to expire."""
        return any(
            self._is_new(sighting, look) or self._is_about_due(sighting, look)
            for sighting in self._concerned(sightings)
        )

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        super().restore(state)
        self._known = {}

    def _known_signs(self, sighting: Sighting, look: Look) -> Signs | None:
        """Signs of a vehicle at the last look, ``None`` where they may be others now."""
        known = self._known.get(sighting.id)
        if (
            known is None
            or known.box is not sighting.box
            or look.time_s >= known.until_s
            or known.classes != len(sighting.class_share)
            or known.derelict_looks != sighting.derelict_looks
        ):
            return None
        if known.signs and (sighting.in_doubt or not self._concerns(sighting)):
            return None
        return known.signs

    def _keep_signs(self, sighting: Sighting, signs: Signs, look: Look) -> None:
        """Keep the signs of a standing vehicle where only time can tell more of it.

        A change of its box, votes or scores can too: those are looked at each time.
        """
        until_s = sighting.first_seen_s + self._unmoved_s - _MARGIN_S
        if (
            self._has_windows
            or look.time_s >= until_s
            or self._may_look_otherwise(sighting, signs, look)
            or (not signs and (sighting.id in self._held or self._strict.drawn(sighting, look)))
        ):
            return
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[sighting.id] = _Known(
            sighting.box, until_s, len(sighting.class_share), sighting.derelict_looks, signs
        )

    def _may_look_otherwise(self, sighting: Sighting, signs: Signs, look: Look) -> bool:
        """Whether a vehicle with some sign of decay may come to look derelict, or no more so."""
        share = sighting.class_share
        if _DERELICT.isdisjoint(share):
            return 0 < self._derelict(sighting) >= self._settings.derelict_share
        # Votes for one class alone stay what they are.
        if len(share) > 1 or not signs or signs[0][0] != "derelict_look":
            return True
        return bool(self._strict.drawn(sighting, look)) and signs[-1][0] != "no_stopping"

    def _is_new(self, sighting: Sighting, look: Look) -> bool:
        return (
            is_new(sighting, look)
            and self._concerns(sighting)
            and bool(self._cases(sighting, look, lambda dwell_s, _: dwell_s <= _LONG_S))
        )

    def _is_about_due(self, sighting: Sighting, look: Look) -> bool:
        if not sighting.standing or sighting.absent_since_s is not None:
            return False
        left_s = REST_INTERVAL_S + stood_s(sighting)
        if not self._has_windows and not any(
            left_s - REST_INTERVAL_S < dwell_s <= left_s for dwell_s in self._lengths_s
        ):
            return False
        return self._concerns(sighting) and bool(
            self._cases(
                sighting, look, lambda dwell_s, since_s: is_about_due(sighting, dwell_s, since_s)
            )
        )

    def _signs(self, sighting: Sighting, look: Look) -> Signs:
        """Signs of a standing vehicle, each with its zone and the time since it is wrong there."""
        share = self._settings.min_observed_share
        longest_s = stood_s(sighting)
        if longest_s < self._shortest_s and not self._has_windows:
            return []
        if longest_s < self._unmoved_s and not (
            sighting.derelict_looks
            or not _DERELICT.isdisjoint(sighting.class_share)
            or self._strict.drawn(sighting, look)
        ):
            return []
        if not self._concerns(sighting):
            return []
        return [
            (sign, zone, since_s)
            for sign, dwell_s, zone, since_s in self._cases(
                sighting, look, lambda dwell_s, since_s: since_s > ALWAYS or dwell_s <= longest_s
            )
            if self._dwells.has_stood(sighting, zone, since_s, dwell_s, share)
        ]

    def _concerns(self, sighting: Sighting) -> bool:
        return sighting.class_name in _CLASSES and is_believed(
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

    def _cases(
        self, sighting: Sighting, look: Look, due: Callable[[float, float], bool]
    ) -> list[tuple[str, float, Zone, float]]:
        """Each way in which a vehicle at this place can be wrong.

        Args:
            sighting: The vehicle.
            look: The look.
            due: Whether a dwell, counted from a stream time on, is of interest. Places are looked
                up only for those that are.

        Returns:
            Sign, dwell, zone, and stream time from which the dwell counts.
        """
        settings = self._settings
        strict = self._strict.zone_of(sighting, look)
        signs = []
        if (
            due(settings.derelict_dwell_s, ALWAYS)
            and sighting.looks_seen >= settings.derelict_looks
            and 0 < self._derelict(sighting) >= settings.derelict_share
            and not _is_cut(sighting.box, look.frame_size)
        ):
            signs.append(("derelict_look", settings.derelict_dwell_s))
        unmoved_s = settings.unmoved_s
        if settings.non_motor_unmoved_s is not None and _is_non_motor(sighting):
            unmoved_s = settings.non_motor_unmoved_s
        if due(unmoved_s, ALWAYS):
            signs.append(("unmoved", unmoved_s))
        cases = []
        if signs:
            place = strict or self._places.zone_of(sighting, look)
            if place is not None:
                cases = [(sign, dwell_s, place, ALWAYS) for sign, dwell_s in signs]
        if strict is not None:
            since_s = self._hours.in_force_since_s(strict, look)
            if due(settings.no_stopping_dwell_s, since_s):
                cases.append(("no_stopping", settings.no_stopping_dwell_s, strict, since_s))
        return cases


def _is_cut(box: Box, frame_size: tuple[int, int]) -> bool:
    """Whether the edge of the picture cuts a box: a part of a sound vehicle looks derelict."""
    width, height = frame_size
    x1, y1, x2, y2 = box
    return (
        min(x1, width - x2) <= _EDGE_SHARE * width or min(y1, height - y2) <= _EDGE_SHARE * height
    )


def _is_non_motor(sighting: Sighting) -> bool:
    return family_of(sighting.class_name) == _NON_MOTOR


def _derelict_votes(sighting: Sighting) -> float:
    if _DERELICT.isdisjoint(sighting.class_share):
        return 0.0
    return sum(sighting.class_share.get(name, 0.0) for name in _DERELICT)
