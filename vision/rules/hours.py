"""What the clock says about zones: in force, permitted, over time, and how far a site is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vision.observe.look import Look
from vision.observe.sighting import Box
from vision.schedule import Schedule, SiteClock, State, Timetable
from vision.stages import Stage, stage_on
from vision.zones import Purpose, Zone

ALWAYS = float("-inf")
"""Stream time since which what never changes has been so."""


@dataclass(frozen=True)
class Permission:
    """Whether stalls may stand in a zone now.

    Attributes:
        permitted: They may.
        since_s: Stream time from which this has been so.
        permit_id: Where they may not, the permit that held last, or will first.
    """

    permitted: bool
    since_s: float
    permit_id: str | None = None


class Hours:
    """The clock of the zones of one view. Keeps nothing that a look does not say again."""

    def __init__(self, clock: SiteClock | None = None) -> None:
        """Go by this clock.

        Args:
            clock: The site's. Without it the looks' own time zone and plain weeks count.
        """
        self._clock = clock
        self._timetables: dict[int, tuple[Schedule, Timetable]] = {}

    def holds(self, schedule: Schedule, look: Look) -> bool:
        """Whether a schedule holds at the time of a look."""
        return self._state(schedule, look).holds

    def in_force(self, zone: Zone, look: Look) -> bool:
        """Whether a zone is for its purpose at the time of a look."""
        return zone.schedule is None or self._state(zone.schedule, look).holds

    def in_force_since_s(self, zone: Zone, look: Look) -> float:
        """Stream time since which a zone, or its being none, has lasted."""
        if zone.schedule is None:
            return ALWAYS
        return _since_s(self._state(zone.schedule, look), look)

    def permission(self, zone: Zone, look: Look) -> Permission:
        """Whether stalls may stand in a ``permitted_vending`` zone at the time of a look."""
        closed_s = []
        permit_id = None
        opened_s = ALWAYS
        if zone.schedule is not None:
            state = self._state(zone.schedule, look)
            if state.holds:
                opened_s = _since_s(state, look)
            else:
                closed_s.append(_since_s(state, look))
        if zone.permits:
            states = [(self._state(permit, look), permit) for permit in zone.permits]
            valid = [_since_s(state, look) for state, _ in states if state.holds]
            if valid:
                opened_s = max(opened_s, min(valid))
            else:
                ended = [(_since_s(state, look), permit) for state, permit in states]
                latest_s = max(since_s for since_s, _ in ended)
                permit_id = next(p.id for since_s, p in ended if since_s == latest_s)
                closed_s.append(latest_s)
        if closed_s:
            if permit_id is None and zone.permits:
                permit_id = zone.permits[0].id
            return Permission(False, min(closed_s), permit_id)
        return Permission(True, opened_s)

    def stage(self, zone: Zone, look: Look) -> Stage | None:
        """Stage of the site of a zone at the time of a look; ``None`` where none are given."""
        if not zone.stages:
            return None
        return stage_on(zone.stages, self._clock_of(look).local(look.timestamp).date())

    def _clock_of(self, look: Look) -> SiteClock:
        if self._clock is not None:
            return self._clock
        assert look.timestamp.tzinfo is not None
        return SiteClock(look.timestamp.tzinfo)

    def _state(self, schedule: Schedule, look: Look) -> State:
        known = self._timetables.get(id(schedule))
        if known is None:
            known = (schedule, Timetable(schedule, self._clock_of(look)))
            self._timetables[id(schedule)] = known
        return known[1].state(look.timestamp)


def _since_s(state: State, look: Look) -> float:
    if state.since is None:
        return ALWAYS
    return look.time_s - (look.timestamp - state.since).total_seconds()


def ignored(box: Box, zones: Sequence[Zone], look: Look, hours: Hours) -> bool:
    """Whether a thing stands in an ``ignore`` zone that is in force."""
    return any(
        zone.purpose is Purpose.IGNORE
        and zone.holds(box, look.frame_size)
        and hours.in_force(zone, look)
        for zone in zones
    )
