"""The judge: looks in, violations out. Deterministic, so an archive judged again agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vision.errors import InputError
from vision.observe.look import Affine, Health, Look, carried_box, inverse
from vision.observe.memory import SightingMemory
from vision.observe.sighting import Sighting
from vision.rules.finding import Finding, Rule, Violation
from vision.rules.hours import Hours, ignored
from vision.rules.lifecycle import END_AFTER_S, LifeEvent, Lives
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
        self._ignore = tuple(zone for zone in zones if zone.purpose is Purpose.IGNORE)
        self._hours = Hours(clock)
        self._lives = Lives(camera_id=camera_id, end_after_s=end_after_s)
        self._sightings: tuple[Sighting, ...] = ()

    def look(self, look: Look) -> bool:
        """Judge the next look of the stream.

        Returns:
            Whether a rule wants a closer look, that is looks at the active rate.

        Raises:
            ValueError: The look is not later than the one before.
        """
        to_view, look = look.to_view, look.registered()
        sightings = self._memory.update(look)
        self._lives.begin(look, [one for one in sightings if one.ended_s is not None])
        self._sightings = self._judged(sightings, look)
        if look.health is not Health.OK:
            self._lives.blind(look)
            return False
        wants = False
        for rule in self._rules:
            for finding in rule.judge(look, self._sightings):
                self._lives.enter(rule, _in_frame(finding, to_view), look)
            wants = rule.wants_closer_look(look, self._sightings) or wants
        self._lives.finish_look(look)
        return wants

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

    def open_sightings(self) -> tuple[Sighting, ...]:
        """Sightings that are judged and alive after the last look, by rising id."""
        return tuple(sighting for sighting in self._sightings if sighting.ended_s is None)

    def state(self) -> dict[str, Any]:
        """What memory, rules and violations are at, JSON-able; see :meth:`restore`.

        Events that were not taken stay behind.
        """
        return {
            "version": STATE_VERSION,
            "memory": self._memory.state(),
            "sightings": [one.id for one in self.open_sightings()],
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
        self._sightings = tuple(one for one in self._memory.sightings if one.id in judged)

    def _judged(self, sightings: tuple[Sighting, ...], look: Look) -> tuple[Sighting, ...]:
        """Sightings outside ``ignore`` zones."""
        if not self._ignore:
            return sightings
        return tuple(
            one for one in sightings if not ignored(one.box, self._ignore, look, self._hours)
        )


def _in_frame(finding: Finding, to_view: Affine | None) -> Finding:
    """A finding with its box in the frame as it is: evidence is cut from that."""
    if to_view is None:
        return finding
    return replace(finding, box=carried_box(finding.box, inverse(to_view)))
