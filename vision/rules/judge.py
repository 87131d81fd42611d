"""The judge: looks in, violations out. Deterministic, so an archive judged again agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vision.errors import InputError
from vision.observe.look import Health, Look
from vision.observe.memory import SightingMemory
from vision.observe.place import Place
from vision.observe.sighting import Sighting, Snapshot
from vision.rules.finding import Rule, Violation
from vision.rules.hours import Hours
from vision.rules.lifecycle import END_AFTER_S, LifeEvent, Lives
from vision.rules.places import StandsIn
from vision.schedule import SiteClock
from vision.zones import Purpose, Zone

STATE_VERSION = 1


class Judge:
    """Follows one stream of one view from look to look and keeps its violations."""

    def __init__(
        self,
        rules: Sequence[Rule],
        memory: SightingMemory,
        zones: Sequence[Zone],
        *,
        camera_id: str,
        end_after_s: float = END_AFTER_S,
        clock: SiteClock | None = None,
    ) -> None:
        """Start with nothing seen.

        Args:
            rules: Rules that judge.
            memory: Memory of the same stream, empty at the start.
            zones: Zones of the view. What stands in an ``ignore`` zone is remembered, for it hides
                other things, but no rule is told of it.
            camera_id: Camera named in the violations.
            end_after_s: Seconds of clear view in which a place must be in order before a violation
                there is over.
            clock: The site's clock, by which the schedules of ``ignore`` zones go; without it the
                looks' own time zone.
        """
        self._rules = tuple(rules)
        self._memory = memory
        self._ignore = StandsIn(zones, frozenset({Purpose.IGNORE}), Hours(clock))
        self._lives = Lives(camera_id=camera_id, end_after_s=end_after_s)
        self._alive: Sequence[Place] = ()
        self._sightings: Sequence[Sighting] = ()
        self._look: Look | None = None

    def look(self, look: Look) -> None:
        """Judge the next look of the stream.

        Raises:
            ValueError: The look is not later than the one before.
        """
        to_view, look = look.to_view, look.registered()
        ended = self._memory.take_in(look)
        self._lives.begin(look, ended, to_view)
        self._alive = self._ignore.without(self._memory.alive, look)
        self._sightings = self._alive
        if ended:
            self._sightings = [*self._alive, *self._ignore.without(ended, look)]
        if look.health is not Health.OK:
            self._look = None
            self._lives.blind(look)
            return
        self._look = look
        class_names = {one.class_name for one in self._sightings}
        for rule in self._rules:
            if not rule.is_concerned(class_names):
                continue
            for finding in rule.judge(look, self._sightings):
                self._lives.enter(rule, finding, look)
        self._lives.finish_look(look)

    def wants_closer_look(self) -> bool:
        """Whether a rule wants looks at the active rate after the last look.

        What is asked of archives that are judged again is asked of recordings alone: it costs.
        """
        look = self._look
        return look is not None and any(
            rule.wants_closer_look(look, self._sightings) for rule in self._rules
        )

    def finish(self) -> list[Violation]:
        """All violations of the stream, once it is over.

        Those that were not seen to be over have no end.

        Returns:
            Violations ordered by ``noticed_s``, then kind, zone and key.
        """
        return self.violations

    @property
    def violations(self) -> list[Violation]:
        """Violations raised so far, ordered by ``noticed_s``, then kind, zone and key."""
        return self._lives.violations

    @property
    def violation_count(self) -> int:
        """How many violations have been raised so far."""
        return self._lives.count

    def take_events(self) -> list[LifeEvent]:
        """START, STILL and END of violations since this was asked last, in order."""
        return self._lives.take_events()

    def take_over(self) -> list[Violation]:
        """Violations that are over; the judge forgets them, so that it can run for years."""
        return self._lives.take_over()

    def open_sightings(self) -> tuple[Snapshot, ...]:
        """Sightings that are judged and alive after the last look, by rising id."""
        return tuple(place.snapshot() for place in self._alive)

    def state(self) -> dict[str, Any]:
        """What memory, rules and violations are at, JSON-able; see :meth:`restore`.

        Events that were not taken stay behind.
        """
        return {
            "version": STATE_VERSION,
            "memory": self._memory.state(),
            "sightings": [place.id for place in self._alive],
            "rules": {rule.kind: rule.state() for rule in self._rules},
            "lives": self._lives.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on as if this judge had seen all looks up to a :meth:`state`.

        Args:
            state: From a judge of the same rules, settings and zones.

        Raises:
            InputError: The state is of another version or is none.
        """
        if state.get("version") != STATE_VERSION:
            raise InputError(
                f"state of a judge: version {state.get('version')}, this one reads {STATE_VERSION}"
            )
        try:
            self._memory.restore(state["memory"])
            for rule in self._rules:
                rule.restore(state["rules"][rule.kind])
            self._lives.restore(state["lives"])
            judged = set(state["sightings"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"no state of a judge: {error!r}") from error
        self._alive = [place for place in self._memory.alive if place.id in judged]
        self._sightings = self._alive
