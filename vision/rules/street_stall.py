"""Street stalls 流动摊点、占道经营: stalls that settle on carriageway or footway.

Two things speak for a stall: the class ``street_stall`` of the model, or a person who stays among
the parts of one (:mod:`vision.rules.stall_parts`). The latter is experimental, is worth less
confidence, and is looked for in drawn ``footway`` and ``carriageway`` zones only. Both at one place
are one violation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from vision.observe.boxes import area
from vision.observe.look import Look
from vision.observe.sighting import Box, Sighting
from vision.rules.finding import Finding, Relief, relieved
from vision.rules.hours import Permission, ignored
from vision.rules.settings import Count, RuleSettings, Seconds, Share
from vision.rules.stall_parts import SELLER, Ensemble, Ensembles, StallParts
from vision.rules.standing import (
    REST_INTERVAL_S,
    SETTLE_S,
    SETTLED_LOOKS,
    StandingRule,
    finding_of,
    is_about_due,
    is_believed,
    is_new,
    key_of,
    permitted_now,
)
from vision.schedule import SiteClock
from vision.zones import Purpose, Zone

_CLASS = "street_stall"
_PLACES = frozenset(
    {Purpose.CARRIAGEWAY, Purpose.FOOTWAY, Purpose.NO_STOPPING, Purpose.WHOLE_FRAME}
)
_COMPOSED_PLACES = frozenset({Purpose.CARRIAGEWAY, Purpose.FOOTWAY})
_PERMITTED = frozenset({Purpose.PERMITTED_VENDING})

_SAME_PLACE = 0.3
"""A stall and an ensemble are one when they share so much of the smaller box."""


class Settings(RuleSettings):
    """When a stall counts as a violation.

    Attributes:
        dwell_s: Seconds a stall must have stood.
        min_observed_share: Share of the dwell during which it must have been in sight.
        min_confidence: Mean confidence of its recent detections, at least; half to keep it. Not
            set, it is the threshold of ``street_stall`` in the model.
        part_confidence: Mean confidence of each standing part of a stall, at least.
        composition: Whether a person who stays among parts of a stall counts as one, in drawn
            ``footway`` and ``carriageway`` zones.
        parts: Class names by part.
        min_kinds: Kinds of standing parts besides the seller: canopy, stand, goods.
        seller_share: Share of that time during which the seller must have been there.
        seller_confidence: Confidence of the seller, at least.
        reach: How far to the side of the seller parts stand, in heights of the seller.
        canopy_width: Width of a canopy, at least, in heights of the seller; umbrellas that people
            carry are about 0.6 wide.
        unattended_s: A stall by its parts is over once its seller, or too many of its parts, were
            out of sight for longer.
    """

    dwell_s: Seconds = 300.0
    min_observed_share: Share = 0.5
    min_confidence: Share = 0.25
    part_confidence: Share = 0.25
    composition: bool = True
    parts: StallParts = StallParts()
    min_kinds: Annotated[Count, Field(le=3)] = 2
    seller_share: Share = 0.5
    seller_confidence: Share = 0.35
    reach: Annotated[float, Field(gt=0.0, le=5.0)] = 1.2
    canopy_width: Annotated[float, Field(ge=0.0, le=5.0)] = 0.85
    unattended_s: Seconds = 300.0


@dataclass(frozen=True)
class _Unwanted:
    """A place where a stall may not stand now.

    Attributes:
        zone: The zone.
        since_s: Stream time from which it may not.
        permit_id: Permit outside whose hours it is.
    """

    zone: Zone
    since_s: float
    permit_id: str | None = None

    @property
    def signs(self) -> tuple[str, ...]:
        over_time = self.zone.purpose in _PERMITTED
        return ("dwell", "outside_permitted_hours") if over_time else ("dwell",)


class StreetStall(StandingRule):
    """Stalls that stand beyond a dwell where they may not.

    In a ``permitted_vending`` zone they may, during the hours of its schedule and its permits;
    outside them it is a time overrun, and the dwell counts from closing time.

    Signs: ``dwell``; ``outside_permitted_hours``; for a stall by its parts also those that were
    there: ``seller``, ``canopy``, ``stand``, ``goods``.
    """

    kind = "street_stall"
    name = "street_stall"

    def __init__(
        self, settings: Settings, zones: Sequence[Zone], clock: SiteClock | None = None
    ) -> None:
        """Judge by these settings in these zones, by this clock."""
        super().__init__(settings, zones, clock, frozenset({_CLASS}))
        self._settings = settings
        self._places = self._stands_in(_PLACES)
        self._keys: dict[int, str] = {}
        self._reported: dict[str, str] = {}
        self._composed_in = tuple(
            zone
            for zone in self._zones
            if zone.purpose in _COMPOSED_PLACES or (zone.purpose in _PERMITTED and _has_hours(zone))
        )
        self._composed = settings.composition and bool(self._composed_in)
        self._always_permitted = tuple(
            zone for zone in self._zones if zone.purpose in _PERMITTED and not _has_hours(zone)
        )
        self._part_classes = settings.parts.standing
        self._ensembles = Ensembles(
            settings.parts,
            min_kinds=settings.min_kinds,
            reach=settings.reach,
            canopy_width=settings.canopy_width,
            seller_confidence=settings.seller_confidence,
            patience_s=settings.unattended_s,
            stands_in=self._may_be_composed,
        )
        self._open: list[Ensemble] = []

    def is_concerned(self, class_names: Set[str]) -> bool:
        """Whether there are stalls, or parts are looked for, or anything is kept of some."""
        return super().is_concerned(class_names) or self._composed or bool(self._reported)

    def judge(self, look: Look, sightings: Sequence[Sighting]) -> list[Finding]:
        """Findings that hold after this look: stalls by class, then stalls by their parts."""
        self._open = self._follow(look, sightings) if self._composed else []
        complete = {one.id: one for one in self._open if self._has_stood(one)}
        findings = []
        held: dict[int, str] = {}
        for sighting in self._concerned(sightings):
            if not sighting.standing:
                continue
            place = self._place(sighting, look)
            if isinstance(place, _Unwanted) and self._has_stood_in(sighting, place):
                held[sighting.id] = place.zone.id
                finding = self._with_parts(sighting, place, complete)
                findings.append(finding)
                self._report(finding)
            elif (zone_id := self._held.zone_of(sighting)) is None:
                continue
            elif isinstance(place, Permission):
                key = self._keys.get(sighting.id, key_of(sighting))
                relief = permitted_now(sighting, zone_id, place.since_s)
                findings.append(relief._replace(key=key))
                self._reported.pop(key, None)
            else:
                held[sighting.id] = zone_id
        self._remember(held, sightings)
        for one in complete.values():
            findings += self._judge_parts(one, look)
        findings += self._gone(sightings, look)
        return findings

    def wants_closer_look(self, look: Look, sightings: Sequence[Sighting]) -> bool:
        """A stall may just have been set up, or its dwell is about to expire."""
        dwell_s = self._settings.dwell_s
        return any(self._is_due(sighting, look) for sighting in self._concerned(sightings)) or any(
            one.key is None
            and (
                (one.looks_seen < SETTLED_LOOKS and look.time_s - one.since_s < SETTLE_S)
                or 0.0 < dwell_s - (one.complete_s - one.since_s) <= REST_INTERVAL_S
            )
            for one in self._open
        )

    def state(self) -> dict[str, Any]:
        """What is kept between looks."""
        return {
            **super().state(),
            "keys": [[sighting_id, key] for sighting_id, key in self._keys.items()],
            "reported": dict(self._reported),
            "ensembles": self._ensembles.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        super().restore(state)
        self._keys = dict(state["keys"])
        self._reported = dict(state["reported"])
        self._open = self._ensembles.restore(state["ensembles"])

    def _is_due(self, sighting: Sighting, look: Look) -> bool:
        place = self._place(sighting, look)
        return isinstance(place, _Unwanted) and (
            is_new(sighting, look) or is_about_due(sighting, self._settings.dwell_s, place.since_s)
        )

    def _place(self, sighting: Sighting, look: Look) -> _Unwanted | Permission | None:
        """Where a stall is unwanted or permitted, ``None`` where it is none or not judged."""
        if sighting.class_name != _CLASS or not is_believed(
            sighting, self._settings.min_confidence, self._held
        ):
            return None
        vending = self._vending(sighting.box, look)
        if vending is not None:
            return vending
        zone = self._places.zone_of(sighting, look)
        if zone is not None:
            return _Unwanted(zone, self._hours.in_force_since_s(zone, look))
        closed = self._places.drawn(sighting, look)
        if closed:
            return Permission(True, self._hours.in_force_since_s(closed[0], look))
        return None

    def _vending(self, box: Box, look: Look) -> _Unwanted | Permission | None:
        """What the ``permitted_vending`` zones at a place say; ``None`` where there is none."""
        latest: _Unwanted | None = None
        for zone in self._zones:
            if zone.purpose not in _PERMITTED or not zone.holds(box, look.frame_size):
                continue
            says = self._hours.permission(zone, look)
            if says.permitted:
                return says
            if latest is None or says.since_s > latest.since_s:
                latest = _Unwanted(zone, says.since_s, says.permit_id)
        return latest

    def _has_stood_in(self, sighting: Sighting, place: _Unwanted) -> bool:
        return self._dwells.has_stood(
            sighting,
            place.zone,
            place.since_s,
            self._settings.dwell_s,
            self._settings.min_observed_share,
        )

    def _with_parts(
        self, sighting: Sighting, place: _Unwanted, complete: dict[int, Ensemble]
    ) -> Finding:
        """Finding about a stall by class; those by their parts at its place go into it."""
        finding = finding_of(
            sighting,
            place.zone,
            place.signs,
            dwell=self._dwells.dwell(sighting, place.zone, place.since_s),
            wrong_since_s=place.since_s,
            permit_id=place.permit_id,
        )
        for one in self._open:
            if not _at_one_place(one.box, sighting.box):
                continue
            one.key = self._keys.setdefault(sighting.id, one.key or finding.key)
            if complete.pop(one.id, None) is not None:
                more = tuple(sign for sign in _signs(one) if sign not in finding.signs)
                finding = finding._replace(signs=finding.signs + more)
        return finding._replace(key=self._keys.get(sighting.id, finding.key))

    def _judge_parts(self, one: Ensemble, look: Look) -> list[Finding]:
        """What holds for a stall by its parts that has stood."""
        place = self._composed_place(one.box, look)
        if isinstance(place, Permission):
            if one.key is None or one.key not in self._reported:
                return []
            zone_id = self._reported.pop(one.key)
            return [
                relieved(
                    one.key,
                    zone_id,
                    Relief.PERMITTED,
                    since_s=place.since_s,
                    last_seen_s=one.complete_s,
                )
            ]
        if place is None or one.complete_s - place.since_s < self._settings.dwell_s:
            return []
        one.key = one.key or _own_key(one)
        finding = _finding(one, one.key, place)
        self._report(finding)
        return [finding]

    def _report(self, finding: Finding) -> None:
        """Remember findings whose end the memory will not tell: it does not know their keys."""
        if not finding.key.startswith("sighting-"):
            self._reported[finding.key] = finding.zone_id

    def _gone(self, sightings: Sequence[Sighting], look: Look) -> list[Finding]:
        """Reported stalls by their parts that are there no more."""
        if not self._reported:
            return []
        alive = {one.key for one in self._open} | {
            self._keys.get(one.id) for one in sightings if one.ended_s is None
        }
        hidden = {
            self._keys.get(one.id)
            for one in sightings
            if one.ended_s is not None and one.absent_since_s is None
        }
        over = [key for key in self._reported if key not in alive]
        return [
            relieved(
                key,
                zone_id,
                Relief.OVER,
                since_s=look.time_s,
                last_seen_s=look.time_s,
            )
            for key in over
            if (zone_id := self._reported.pop(key)) and key not in hidden
        ]

    def _composed_place(self, box: Box, look: Look) -> _Unwanted | Permission | None:
        """Drawn zone in which a stall by its parts is unwanted, or that it is permitted."""
        if ignored(box, self._zones, look, self._hours):
            return None
        vending = self._vending(box, look)
        if vending is not None:
            return vending
        here = [
            zone
            for zone in self._zones
            if zone.purpose in _COMPOSED_PLACES and zone.holds(box, look.frame_size)
        ]
        for zone in here:
            if self._hours.in_force(zone, look):
                return _Unwanted(zone, self._hours.in_force_since_s(zone, look))
        if here:
            return Permission(True, self._hours.in_force_since_s(here[0], look))
        return None

    def _may_be_composed(self, box: Box, look: Look) -> bool:
        """Whether stalls by their parts are ever unwanted at a place."""
        return any(zone.holds(box, look.frame_size) for zone in self._composed_in) and not any(
            zone.holds(box, look.frame_size) for zone in self._always_permitted
        )

    def _follow(self, look: Look, sightings: Sequence[Sighting]) -> list[Ensemble]:
        """Ensembles after this look.

        One that was reported as part of a stall by class goes with that stall: should its parts
        still stand they have to stand for a dwell of their own, or one place would be wrong twice.
        """
        parts, least = self._part_classes, self._settings.part_confidence
        believed = [
            one
            for one in sightings
            if one.class_name in parts and one.ended_s is None and one.confidence >= least
        ]
        if self._keys:
            self._keys = {s.id: self._keys[s.id] for s in sightings if s.id in self._keys}
        followed = self._ensembles.follow(look, believed)
        if not followed:
            return []
        keys_alive = {key_of(one) for one in sightings if one.ended_s is None}
        kept = []
        for one in followed:
            if one.key in (None, _own_key(one)) or one.key in keys_alive:
                kept.append(one)
            else:
                self._ensembles.drop(one)
        return kept

    def _has_stood(self, one: Ensemble) -> bool:
        """Whether an ensemble is a stall; once it is, it stays one while it lives."""
        settings = self._settings
        one.stood = one.stood or (
            one.complete_s - one.since_s >= settings.dwell_s
            and one.together_s >= settings.min_observed_share * settings.dwell_s
            and one.tended_s >= settings.seller_share * one.together_s
        )
        return one.stood


def _has_hours(zone: Zone) -> bool:
    return zone.schedule is not None or bool(zone.permits)


def _own_key(one: Ensemble) -> str:
    return f"stall-{one.id}"


def _signs(one: Ensemble) -> tuple[str, ...]:
    return (SELLER, *one.kinds)


def _finding(one: Ensemble, key: str, place: _Unwanted) -> Finding:
    """Finding that a stall by its parts is wrong, since they came together or no longer may."""
    return Finding(
        key=key,
        zone_id=place.zone.id,
        box=one.box,
        confidence=one.confidence,
        since_s=max(one.since_s, place.since_s),
        last_seen_s=min(one.seller_seen_s, one.complete_s),
        looks_seen=one.looks_seen,
        signs=(*place.signs, *_signs(one)),
        basis="composition",
        class_names=one.class_names,
        permit_id=place.permit_id,
    )


def _at_one_place(a: Box, b: Box) -> bool:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min(area(a), area(b))
    return width > 0 and height > 0 and width * height >= _SAME_PLACE * smaller
