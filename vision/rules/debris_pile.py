"""Debris piles 乱堆物料、暴露垃圾、积存渣土: heaps that lie beyond a dwell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from vision.observe.boxes import area
from vision.observe.look import Look
from vision.observe.sighting import Sighting
from vision.rules.finding import Finding
from vision.rules.settings import RuleSettings, Seconds, Share
from vision.rules.standing import (
    LYING_ABOUT,
    ON_SITE,
    StandingRule,
    finding_of,
    is_about_due,
    is_believed,
    is_new,
    permitted_now,
)
from vision.schedule import SiteClock
from vision.zones import Purpose, Zone

_COLLECTION = frozenset({Purpose.COLLECTION_POINT})

MatterWord = Literal["waste", "material", "rubble"]


class Matter(BaseModel):
    """Class names by what a heap is of, for models that tell.

    A class that the model lacks is never seen. ``debris_pile`` is a heap of whatever.

    Attributes:
        waste: Rubbish 暴露垃圾.
        material: Goods and building material 乱堆物料.
        rubble: Rubble and muck 积存渣土.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    waste: tuple[str, ...] = ("waste_pile", "garbage_pile", "garbage_bag")
    material: tuple[str, ...] = ("material_pile", "building_material", "sand_pile", "bricks")
    rubble: tuple[str, ...] = ("rubble_pile", "construction_waste", "muck_pile")

    def of(self, class_name: str) -> MatterWord | None:
        """What a class is of."""
        if class_name in self.waste:
            return "waste"
        if class_name in self.material:
            return "material"
        return "rubble" if class_name in self.rubble else None


class Settings(RuleSettings):
    """When a heap counts as a violation.

    Attributes:
        dwell_s: Seconds a heap must have lain.
        overflow_bins: Whether overflowing bins count as well.
        matter: Class names by what a heap is of.
        matter_share: Share of the detector's votes from which a heap is said to be of one matter.
        never_collected: Matters that no collection comes for: at a ``collection_point`` they are
            as wrong as elsewhere.
        growing_by: Share by which the area of the box must exceed its first for ``growing``.
        min_observed_share: Share of the dwell during which it must have been in sight.
        min_confidence: Mean confidence of its recent detections, at least; half to keep it. Not
            set, it is the threshold of ``debris_pile`` in the model.
    """

    dwell_s: Seconds = 1800.0
    overflow_bins: bool = False
    matter: Matter = Matter()
    matter_share: Share = 0.5
    never_collected: tuple[MatterWord, ...] = ("material", "rubble")
    growing_by: Seconds = 0.3
    min_observed_share: Share = 0.5
    min_confidence: Share = 0.25


@dataclass(frozen=True)
class _Place:
    """Where a heap lies.

    Attributes:
        zone: Zone that it is in.
        since_s: Stream time from which it is unwanted there, or may lie there.
        allowed: It may lie there now.
    """

    zone: Zone
    since_s: float
    allowed: bool


class DebrisPile(StandingRule):
    """Heaps that lie beyond a dwell, except on ``site`` zones.

    At a ``collection_point`` bins and waste may wait while its schedule holds; what is left there
    is wrong from the end of the window on, where the place is a judged one.

    Signs: ``dwell``; ``growing`` when the heap has clearly grown since it settled; ``waste``,
    ``material`` or ``rubble`` where the model tells.
    """

    kind = "debris_pile"
    name = "debris_pile"

    def __init__(
        self, settings: Settings, zones: Sequence[Zone], clock: SiteClock | None = None
    ) -> None:
        """Judge by these settings in these zones, by this clock."""
        matter = settings.matter
        bins = ["overflow_bin"] if settings.overflow_bins else []
        classes = {"debris_pile", *matter.waste, *matter.material, *matter.rubble, *bins}
        super().__init__(settings, zones, clock, classes)
        self._settings = settings
        self._site = self._stands_in(ON_SITE)
        self._places = self._stands_in(LYING_ABOUT)
        self._points = self._stands_in(_COLLECTION)
        self._first_share: dict[int, float] = {}

    def is_concerned(self, class_names: Set[str]) -> bool:
        """Whether there are heaps, or anything is kept of some."""
        return super().is_concerned(class_names) or bool(self._first_share)

    def judge(self, look: Look, sightings: Sequence[Sighting]) -> list[Finding]:
        """Findings that hold after this look, in the order of the sightings."""
        findings = []
        held: dict[int, str] = {}
        frame_area = look.frame_size[0] * look.frame_size[1]
        first_share = {}
        for sighting in self._concerned(sightings):
            if not sighting.standing:
                continue
            place = self._place(sighting, look)
            earlier = self._held.zone_of(sighting)
            if place is None:
                if earlier is not None:
                    held[sighting.id] = earlier
                continue
            share = area(sighting.box) / frame_area
            first = self._first_share.get(sighting.id, share)
            first_share[sighting.id] = first
            if place.allowed:
                if earlier is not None:
                    findings.append(permitted_now(sighting, earlier, place.since_s))
            elif self._has_stood(sighting, place):
                grown = share > first * (1 + self._settings.growing_by)
                matter = self._matter(sighting)
                signs = ["dwell", *["growing"] * grown, *([matter] if matter else [])]
                findings.append(
                    finding_of(
                        sighting,
                        place.zone,
                        signs,
                        dwell=self._dwells.dwell(sighting, place.zone, place.since_s),
                        wrong_since_s=place.since_s,
                    )
                )
                held[sighting.id] = place.zone.id
            elif earlier is not None:
                held[sighting.id] = earlier
        self._first_share = first_share
        self._remember(held, sightings)
        return findings

    def wants_closer_look(self, look: Look, sightings: Sequence[Sighting]) -> bool:
        """A heap may just have been dumped, or its dwell is about to expire."""
        return any(
            (place := self._place(sighting, look)) is not None
            and not place.allowed
            and (
                is_new(sighting, look)
                or is_about_due(sighting, self._settings.dwell_s, place.since_s)
            )
            for sighting in self._concerned(sightings)
        )

    def state(self) -> dict[str, Any]:
        """What is kept between looks."""
        first_share = [[number, share] for number, share in self._first_share.items()]
        return {**super().state(), "first_share": first_share}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        super().restore(state)
        self._first_share = dict(state["first_share"])

    def _has_stood(self, sighting: Sighting, place: _Place) -> bool:
        return self._dwells.has_stood(
            sighting,
            place.zone,
            place.since_s,
            self._settings.dwell_s,
            self._settings.min_observed_share,
        )

    def _matter(self, sighting: Sighting) -> MatterWord | None:
        """What a heap is of, where the model tells."""
        shares: dict[MatterWord, float] = {}
        for name, share in sighting.class_share.items():
            matter = self._settings.matter.of(name)
            if matter is not None:
                shares[matter] = shares.get(matter, 0.0) + share
        best = max(shares, key=lambda word: shares[word], default=None)
        return best if best and shares[best] >= self._settings.matter_share else None

    def _place(self, sighting: Sighting, look: Look) -> _Place | None:
        """Where a heap lies, ``None`` where it is none or is not judged."""
        if (
            sighting.class_name not in self._classes
            or not is_believed(sighting, self._settings.min_confidence, self._held)
            or self._site.zone_of(sighting, look) is not None
        ):
            return None
        drawn = self._places.drawn(sighting, look)
        if not drawn:
            return None
        zone = self._places.zone_of(sighting, look)
        if zone is None:
            return _Place(drawn[0], self._hours.in_force_since_s(drawn[0], look), True)
        since_s = self._hours.in_force_since_s(zone, look)
        point = next(iter(self._points.drawn(sighting, look)), None)
        if point is None or self._matter(sighting) in self._settings.never_collected:
            return _Place(zone, since_s, False)
        point_since_s = self._hours.in_force_since_s(point, look)
        if self._hours.in_force(point, look):
            return _Place(zone, point_since_s, True)
        return _Place(zone, max(since_s, point_since_s), False)
