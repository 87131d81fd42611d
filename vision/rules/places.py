"""Where sightings stand: zones are looked up anew only when a thing has moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from vision.observe.look import Look
from vision.observe.sighting import Box, Sighting
from vision.rules.hours import Hours
from vision.zones import Purpose, Zone

_KNOWN = 1024

_Some = TypeVar("_Some", bound=Sighting)


class StandsIn:
    """The zones of some purposes in which sightings stand.

    Most things stand, and their boxes stay the same objects while they do.
    """

    def __init__(self, zones: Sequence[Zone], purposes: frozenset[Purpose], hours: Hours) -> None:
        """Look among these zones for those of some purposes; their schedules go by ``hours``."""
        self._zones = tuple(zone for zone in zones if zone.purpose in purposes)
        self._hours = hours
        self._frame_size = (0, 0)
        self._known: dict[int, tuple[Box, tuple[Zone, ...]]] = {}

    def __bool__(self) -> bool:
        """Whether there is any such zone."""
        return bool(self._zones)

    @property
    def have_windows(self) -> bool:
        """Whether any of the zones has a schedule."""
        return any(zone.schedule is not None for zone in self._zones)

    def drawn(self, sighting: Sighting, look: Look) -> tuple[Zone, ...]:
        """All such zones in which a sighting stands, whether or not their schedules hold."""
        if not self._zones:
            return ()
        if look.frame_size != self._frame_size or len(self._known) >= _KNOWN:
            self._known.clear()
            self._frame_size = look.frame_size
        box = sighting.box
        known = self._known.get(sighting.id)
        if known is None or known[0] is not box:
            known = (box, tuple(zone for zone in self._zones if _holds(zone, box, look)))
            self._known[sighting.id] = known
        return known[1]

    def without(self, sightings: Sequence[_Some], look: Look) -> Sequence[_Some]:
        """Those of some sightings that stand in no such zone whose schedule holds."""
        if not self._zones:
            return sightings
        known = self._known if look.frame_size == self._frame_size else {}
        return [
            one
            for one in sightings
            if ((there := known.get(one.id)) is not None and there[0] is one.box and not there[1])
            or self.zone_of(one, look) is None
        ]

    def zone_of(self, sighting: Sighting, look: Look) -> Zone | None:
        """The first such zone in which a sighting stands and whose schedule holds."""
        for zone in self.drawn(sighting, look):
            if self._hours.in_force(zone, look):
                return zone
        return None


def _holds(zone: Zone, box: Box, look: Look) -> bool:
    return zone.purpose is Purpose.WHOLE_FRAME or zone.holds(box, look.frame_size)
