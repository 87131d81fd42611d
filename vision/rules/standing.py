"""What the rules about standing things share: place, dwell, and when a closer look pays."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence, Set
from typing import Any

from vision.observe.look import Look
from vision.observe.sighting import Dwell, Sighting
from vision.rules.finding import Finding, Relief, relieved
from vision.rules.hours import ALWAYS, Hours
from vision.rules.places import StandsIn
from vision.rules.settings import RuleSettings
from vision.schedule import SiteClock
from vision.zones import Purpose, Zone

REST_INTERVAL_S = 10.0
"""Longest usual pause between looks; a dwell that expires within it deserves looks at once."""

SETTLE_S = 12.0
"""A thing younger than this is new."""

SETTLED_LOOKS = 4
"""A thing seen so often needs no closer look to be believed."""

NAMED_IOU = 0.2
"""A named thing whose box overlaps so much with that of a nameless one is that thing."""

LYING_ABOUT = frozenset(
    {
        Purpose.CARRIAGEWAY,
        Purpose.FOOTWAY,
        Purpose.PARKING_BAY,
        Purpose.NO_STOPPING,
        Purpose.GREEN,
        Purpose.WHOLE_FRAME,
    }
)
"""Purposes of zones in which nothing may be left lying or standing about."""

ON_SITE = frozenset({Purpose.SITE})
"""Where heaps and things are expected."""


def key_of(sighting: Sighting) -> str:
    """Key of findings about a sighting."""
    return f"sighting-{sighting.id}"


def is_believed(sighting: Sighting, min_confidence: float, held: Container[int]) -> bool:
    """Whether detections are confident enough: half will do for what a rule holds for already.

    Dusk and headlights lower the score of what still stands there.

    Args:
        sighting: The sighting.
        min_confidence: Mean confidence of its recent detections that is asked for.
        held: Ids of sightings for which the rule held at the last look.
    """
    needed = 0.5 * min_confidence if sighting.id in held else min_confidence
    return sighting.confidence >= needed


def stood_s(sighting: Sighting, since_s: float = ALWAYS) -> float:
    """Seconds from first to last sight: grows only when the thing is seen again.

    Args:
        sighting: The sighting.
        since_s: Stream time before which it does not count.
    """
    first_s = sighting.first_seen_s
    return sighting.last_seen_s - (first_s if first_s > since_s else since_s)


def has_stood(sighting: Sighting, dwell_s: float, min_observed_share: float) -> bool:
    """Whether a thing has stood for a dwell of which enough was observed.

    Once true it stays true while the sighting lives, whatever hides the thing later.
    """
    return (
        sighting.standing
        and not sighting.in_doubt
        and stood_s(sighting) >= dwell_s
        and sighting.observed_s >= min_observed_share * dwell_s
    )


class WindowDwells:
    """Dwells in windows: seconds count from when a thing may no longer stand where it does.

    The memory's ledger runs from first sight, so what it held when a window opened is noted at the
    first look inside it.
    """

    SAME_S = 60.0
    """Openings no further apart are one; the stream's clock may drift against the wall's."""

    def __init__(self) -> None:
        """Start with nothing noted."""
        self._noted: dict[tuple[int, str], tuple[float, Dwell]] = {}

    def has_stood(
        self,
        sighting: Sighting,
        zone: Zone,
        since_s: float,
        dwell_s: float,
        min_observed_share: float,
    ) -> bool:
        """Whether a thing has stood for a dwell since then, of which enough was observed.

        Args:
            sighting: The sighting; to be asked at each look while it stands in the zone.
            zone: Where it stands.
            since_s: Stream time from which it may not stand there.
            dwell_s: The dwell.
            min_observed_share: Share of the dwell that must have been observed.
        """
        if since_s <= sighting.first_seen_s:
            return has_stood(sighting, dwell_s, min_observed_share)
        key = (sighting.id, zone.id)
        noted = self._noted.get(key)
        if noted is None or abs(noted[0] - since_s) > self.SAME_S:
            noted = self._noted[key] = (since_s, sighting.dwell)
        observed_s = sighting.observed_s - noted[1].observed_s
        return (
            sighting.standing
            and not sighting.in_doubt
            and stood_s(sighting, noted[0]) >= dwell_s
            and observed_s >= min_observed_share * dwell_s
        )

    def dwell(self, sighting: Sighting, zone: Zone, since_s: float) -> Dwell:
        """Ledger of a sighting since a stream time for which :meth:`has_stood` was asked."""
        noted = self._noted.get((sighting.id, zone.id))
        if noted is None or since_s <= sighting.first_seen_s:
            return sighting.dwell
        return sighting.dwell.since(noted[1])

    @property
    def are_noted(self) -> bool:
        """Whether any is."""
        return bool(self._noted)

    def keep(self, sightings: Sequence[Sighting]) -> None:
        """Forget all sightings but those of these that have not ended."""
        if self._noted:
            alive = {one.id for one in sightings if one.ended_s is None}
            self._noted = {key: noted for key, noted in self._noted.items() if key[0] in alive}

    def state(self) -> list[list[Any]]:
        """What is noted, in plain types."""
        return [[*key, since_s, *dwell] for key, (since_s, dwell) in self._noted.items()]

    def restore(self, state: Sequence[Sequence[Any]]) -> None:
        """Go on from a :meth:`state`."""
        self._noted = {
            (sighting_id, zone_id): (since_s, Dwell(*dwell))
            for sighting_id, zone_id, since_s, *dwell in state
        }


class Held:
    """Sightings for which a rule held at the last look, and where."""

    def __init__(self) -> None:
        """Start with none."""
        self._zones: dict[int, str] = {}

    def __contains__(self, sighting_id: object) -> bool:
        return sighting_id in self._zones

    @property
    def ids(self) -> Set[int]:
        """Ids of the sightings."""
        return self._zones.keys()

    def zone_of(self, sighting: Sighting) -> str | None:
        """Id of the zone in which it held for a sighting."""
        return self._zones.get(sighting.id)

    def now(self, zones: Mapping[int, str]) -> None:
        """Take the sightings, with their zones, for which it holds after this look."""
        self._zones = dict(zones)

    def state(self) -> list[list[Any]]:
        """In plain types."""
        return [[sighting_id, zone_id] for sighting_id, zone_id in self._zones.items()]

    def restore(self, state: Iterable[tuple[int, str]]) -> None:
        """Go on from a :meth:`state`."""
        self._zones = dict(state)


class StandingRule:
    """What the rules about things that stand keep: for which one held, and dwells in windows.

    A rule is a subclass with a ``judge`` that ends with :meth:`_remember`. Only sightings of its
    classes, and those that it holds for, are of any interest to it: most things in a street are
    none of the business of most rules.
    """

    def __init__(
        self,
        settings: RuleSettings,
        zones: Sequence[Zone],
        clock: SiteClock | None,
        classes: Set[str],
    ) -> None:
        """Judge sightings of these classes in these zones, by this clock."""
        self._zones = tuple(zones)
        self._hours = Hours(clock)
        self._classes = classes
        self._held = Held()
        self._dwells = WindowDwells()
        self.settings: Mapping[str, Any] = settings.model_dump(mode="json")

    def is_concerned(self, class_names: Set[str]) -> bool:
        """Whether there are sightings of its classes, or anything is kept of some."""
        return (
            not self._classes.isdisjoint(class_names)
            or bool(self._held.ids)
            or self._dwells.are_noted
        )

    def state(self) -> dict[str, Any]:
        """What is kept between looks."""
        return {"held": self._held.state(), "dwells": self._dwells.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self._held.restore(state["held"])
        self._dwells.restore(state["dwells"])

    def _stands_in(self, purposes: frozenset[Purpose]) -> StandsIn:
        """The zones of some purposes."""
        return StandsIn(self._zones, purposes, self._hours)

    def _concerned(self, sightings: Sequence[Sighting]) -> list[Sighting]:
        """Those that are alive, and of the rule's classes or held."""
        classes, held = self._classes, self._held.ids
        return [
            one
            for one in sightings
            if (one.class_name in classes or one.id in held) and one.ended_s is None
        ]

    def _remember(self, held: Mapping[int, str], sightings: Sequence[Sighting]) -> None:
        """End a look.

        Args:
            held: Sightings for which the rule holds now, with their zones.
            sightings: All of the look.
        """
        self._held.now(held)
        self._dwells.keep(sightings)


def is_new(sighting: Sighting, look: Look) -> bool:
    """Whether a thing may just have come to stand: seen twice, not yet settled."""
    return (
        sighting.ended_s is None
        and sighting.absent_since_s is None
        and 2 <= sighting.looks_seen < SETTLED_LOOKS
        and look.time_s - sighting.first_seen_s < SETTLE_S
    )


def is_about_due(sighting: Sighting, dwell_s: float, since_s: float = ALWAYS) -> bool:
    """Whether a standing thing reaches a dwell before the next look at rest.

    Args:
        sighting: The sighting.
        dwell_s: The dwell.
        since_s: Stream time from which it counts.
    """
    return (
        sighting.standing
        and sighting.ended_s is None
        and sighting.absent_since_s is None
        and 0.0 < dwell_s - stood_s(sighting, since_s) <= REST_INTERVAL_S
    )


def permitted_now(sighting: Sighting, zone_id: str, since_s: float) -> Finding:
    """Finding that a sighting may stand, from a stream time on, where it was wrong until then.

    What was missed in plain view when its time came had left before, as far as anyone knows.
    """
    absent_since_s = sighting.absent_since_s
    return relieved(
        key_of(sighting),
        zone_id,
        Relief.PERMITTED,
        since_s=since_s if absent_since_s is None else min(since_s, absent_since_s),
        last_seen_s=sighting.last_seen_s,
    )


def finding_of(
    sighting: Sighting,
    zone: Zone,
    signs: Sequence[str],
    *,
    dwell: Dwell,
    wrong_since_s: float = ALWAYS,
    permit_id: str | None = None,
) -> Finding:
    """Finding that a sighting is wrong where it stands.

    Args:
        sighting: The sighting.
        zone: Where it is wrong.
        signs: What speaks for it.
        dwell: Its ledger since it is wrong there.
        wrong_since_s: Stream time from which it may not stand there; wrong since it was first seen
            there without it.
        permit_id: Permit outside whose hours it is.
    """
    return Finding(
        key=key_of(sighting),
        zone_id=zone.id,
        box=sighting.box,
        confidence=sighting.confidence,
        since_s=max(sighting.first_seen_s, wrong_since_s),
        last_seen_s=sighting.last_seen_s,
        looks_seen=sighting.looks_seen,
        signs=tuple(signs),
        class_names=(sighting.class_name,),
        permit_id=permit_id,
        dwell=dwell,
    )
