"""Street stalls 流动摊点、占道经营: stalls that settle on carriageway or footway.

Two things speak for a stall: the class ``street_stall`` of the model, or a person who stays among
the parts of one (:mod:`vision.rules.stall_parts`). The latter is experimental, is worth less
confidence, and is looked for in drawn ``footway`` and ``carriageway`` zones only. Both at one place
are one violation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from vision.observe.boxes import area
from vision.observe.look import Look
from vision.observe.sighting import Box, Sighting
from vision.rules.finding import Finding
from vision.rules.settings import Count, RuleSettings, Seconds, Share
from vision.rules.stall_parts import SELLER, Ensemble, Ensembles, StallParts
from vision.rules.standing import (
    REST_INTERVAL_S,
    SETTLE_S,
    SETTLED_LOOKS,
    finding_of,
    first_zone,
    has_stood,
    is_about_due,
    is_believed,
    is_new,
    key_of,
)
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
        min_confidence: Mean confidence of its recent detections, at least; half to keep it. The
            same for each standing part of a stall.
        composition: Whether a person who stays among parts of a stall counts as one, in drawn
            ``footway`` and ``carriageway`` zones.
        parts: Class names by part.
        min_kinds: Kinds of standing parts besides the seller: canopy, stand, goods.
        seller_share: Share of that time during which the seller must have been there.
        seller_confidence: Confidence of the seller, at least.
        reach: How far to the side of the seller parts stand, in heights of the seller.
        canopy_width: Width of a canopy, at least, in heights of the seller; umbrellas that people
            carry are about 0.6 wide.
    """

    dwell_s: Seconds = 300.0
    min_observed_share: Share = 0.5
    min_confidence: Share = 0.25
    composition: bool = True
    parts: StallParts = StallParts()
    min_kinds: Annotated[Count, Field(le=3)] = 2
    seller_share: Share = 0.5
    seller_confidence: Share = 0.35
    reach: Annotated[float, Field(gt=0.0, le=5.0)] = 1.2
    canopy_width: Annotated[float, Field(ge=0.0, le=5.0)] = 0.85


class StreetStall:
    """Stalls that stand beyond a dwell outside ``permitted_vending`` zones.

    Signs: ``dwell``; for a stall by its parts also those that were there: ``seller``, ``canopy``,
    ``stand``, ``goods``.
    """

    kind = "street_stall"
    name = "street_stall"

    def __init__(self, settings: Settings, zones: Sequence[Zone]) -> None:
        """Judge by these settings in these zones."""
        self._settings = settings
        self._zones = tuple(zones)
        self._held: frozenset[int] = frozenset()
        self._keys: dict[int, str] = {}
        self._composed = settings.composition and any(
            zone.purpose in _COMPOSED_PLACES for zone in self._zones
        )
        self._ensembles = Ensembles(
            settings.parts,
            min_kinds=settings.min_kinds,
            reach=settings.reach,
            canopy_width=settings.canopy_width,
            seller_confidence=settings.seller_confidence,
            patience_s=settings.dwell_s,
            stands_in=lambda box, look: self._composed_zone(box, look) is not None,
        )
        self._open: list[Ensemble] = []
        self.settings: Mapping[str, Any] = settings.model_dump(mode="json")

    def judge(self, look: Look, sightings: Sequence[Sighting]) -> list[Finding]:
        """Findings that hold after this look: stalls by class, then stalls by their parts."""
        self._open = self._follow(look, sightings) if self._composed else []
        complete = {one.id: one for one in self._open if self._has_stood(one)}
        findings = []
        held = set()
        for sighting in sightings:
            if sighting.ended_s is not None or not has_stood(
                sighting, self._settings.dwell_s, self._settings.min_observed_share
            ):
                continue
            zone = self._zone(sighting, look)
            if zone is None:
                continue
            held.add(sighting.id)
            finding = finding_of(sighting, zone, ["dwell"])
            same = [one for one in self._open if _at_one_place(one.box, sighting.box)]
            for one in same:
                one.key = self._keys.setdefault(sighting.id, one.key or finding.key)
                if complete.pop(one.id, None) is not None:
                    more = tuple(sign for sign in _signs(one) if sign not in finding.signs)
                    finding = replace(finding, signs=finding.signs + more)
            findings.append(replace(finding, key=self._keys.get(sighting.id, finding.key)))
        self._held = frozenset(held)
        for one in complete.values():
            composed_in = self._composed_zone(one.box, look)
            if composed_in is not None:
                one.key = one.key or _own_key(one)
                findings.append(_finding(one, one.key, composed_in))
        return findings

    def wants_closer_look(self, look: Look, sightings: Sequence[Sighting]) -> bool:
        """A stall may just have been set up, or its dwell is about to expire."""
        dwell_s = self._settings.dwell_s
        return any(
            (is_new(sighting, look) or is_about_due(sighting, dwell_s))
            and self._zone(sighting, look) is not None
            for sighting in sightings
        ) or any(
            one.key is None
            and (
                (one.looks_seen < SETTLED_LOOKS and look.time_s - one.since_s < SETTLE_S)
                or 0.0 < dwell_s - (one.complete_s - one.since_s) <= REST_INTERVAL_S
            )
            for one in self._open
        )

    def _zone(self, sighting: Sighting, look: Look) -> Zone | None:
        """Zone in which a stall is unwanted, ``None`` where it is none or is permitted."""
        if (
            sighting.class_name != _CLASS
            or not is_believed(sighting, self._settings.min_confidence, self._held)
            or first_zone(sighting, self._zones, _PERMITTED, look) is not None
        ):
            return None
        return first_zone(sighting, self._zones, _PLACES, look)

    def _composed_zone(self, box: Box, look: Look) -> Zone | None:
        """Drawn zone in which a stall by its parts is unwanted."""
        here = [zone for zone in self._zones if zone.holds(box, look.frame_size)]
        if any(zone.purpose in _PERMITTED for zone in here):
            return None
        return next((zone for zone in here if zone.purpose in _COMPOSED_PLACES), None)

    def _follow(self, look: Look, sightings: Sequence[Sighting]) -> list[Ensemble]:
        """Ensembles after this look.

        One that was reported as part of a stall by class goes with that stall: should its parts
        still stand they have to stand for a dwell of their own, or one place would be wrong twice.
        """
        alive = [sighting for sighting in sightings if sighting.ended_s is None]
        believed = [s for s in alive if s.confidence >= self._settings.min_confidence]
        self._keys = {s.id: self._keys[s.id] for s in alive if s.id in self._keys}
        keys_alive = {key_of(sighting) for sighting in alive}
        kept = []
        for one in self._ensembles.follow(look, believed):
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


def _own_key(one: Ensemble) -> str:
    return f"stall-{one.id}"


def _signs(one: Ensemble) -> tuple[str, ...]:
    return (SELLER, *one.kinds)


def _finding(one: Ensemble, key: str, zone: Zone) -> Finding:
    """Finding that a stall by its parts is wrong, since they came together."""
    return Finding(
        key=key,
        zone_id=zone.id,
        box=one.box,
        confidence=one.confidence,
        since_s=one.since_s,
        last_seen_s=min(one.seller_seen_s, one.complete_s),
        looks_seen=one.looks_seen,
        signs=("dwell", *_signs(one)),
        basis="composition",
        class_names=one.class_names,
    )


def _at_one_place(a: Box, b: Box) -> bool:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min(area(a), area(b))
    return width > 0 and height > 0 and width * height >= _SAME_PLACE * smaller
