"""The judge: looks in, violations out. Deterministic, so an archive judged again agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vision.detect.detections import Detections
from vision.observe.boxes import iou
from vision.observe.look import Health, Look
from vision.observe.memory import SightingMemory
from vision.observe.sighting import Sighting
from vision.rules.finding import Finding, Rule, Violation
from vision.rules.kinds import KINDS
from vision.rules.standing import SAME_PLACE_IOU, key_of
from vision.zones import Purpose, Zone, ignored

END_AFTER_S = 60.0
"""Seconds that a rule may not hold without ending its violation."""


@dataclass
class _Case:
    """A violation that is still followed."""

    violation: Violation
    lapsed_s: float = 0.0


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
    ) -> None:
        """Start with nothing seen.

        Args:
            rules: Rules that judge.
            memory: Memory of the same stream, empty at the start.
            zones: Zones of the view; things in ``ignore`` zones are dropped before all else.
            camera_id: Camera named in the violations.
            end_after_s: A violation ends when its rule has not held for so many seconds of clear
                view; when it holds again earlier it is the same violation.
        """
        self._rules = tuple(rules)
        self._memory = memory
        self._ignore = tuple(zone for zone in zones if zone.purpose is Purpose.IGNORE)
        self._camera_id = camera_id
        self._end_after_s = end_after_s
        self._followed: dict[tuple[str, str], _Case] = {}
        self._over: list[Violation] = []
        self._sightings: tuple[Sighting, ...] = ()
        self._last_s: float | None = None

    def look(self, look: Look) -> bool:
        """Judge the next look of the stream.

        Returns:
            Whether a rule wants a closer look, that is looks at the active rate.

        Raises:
            ValueError: The look is not later than the one before.
        """
        look = self._without_ignored(look)
        sightings = self._memory.update(look)
        self._sightings = sightings
        gone = {key_of(sighting) for sighting in sightings if sighting.ended_s is not None}
        for case_key in [key for key in self._followed if key[1] in gone]:
            self._end(case_key, look.time_s)
        if look.health is not Health.OK:
            self._last_s = None
            return False
        clear_s = 0.0 if self._last_s is None else look.time_s - self._last_s
        self._last_s = look.time_s
        held: set[tuple[str, str]] = set()
        wants = False
        for rule in self._rules:
            for finding in rule.judge(look, sightings):
                held.add((rule.kind, finding.key))
                self._enter(rule, finding, look)
            wants = rule.wants_closer_look(look, sightings) or wants
        for case_key in [key for key in self._followed if key not in held]:
            case = self._followed[case_key]
            case.lapsed_s += clear_s
            if case.lapsed_s >= self._end_after_s:
                self._end(case_key, look.time_s)
        return wants

    def finish(self) -> list[Violation]:
        """All violations of the stream, once it is over.

        Those that still hold, or whose rule stopped holding too shortly before, have no end.

        Returns:
            Violations ordered by ``noticed_s``, then kind, zone and key.
        """
        return self.violations

    @property
    def violations(self) -> list[Violation]:
        """Violations so far, ordered by ``noticed_s``, then kind, zone and key."""
        return sorted(
            [*self._over, *(case.violation for case in self._followed.values())],
            key=lambda one: (one.noticed_s, one.kind, one.zone_id, one.key),
        )

    @property
    def violation_count(self) -> int:
        """How many violations there are so far."""
        return len(self._over) + len(self._followed)

    def open_sightings(self) -> tuple[Sighting, ...]:
        """Sightings alive after the last look, by rising id."""
        return tuple(sighting for sighting in self._sightings if sighting.ended_s is None)

    def _without_ignored(self, look: Look) -> Look:
        if not self._ignore or not len(look.detections):
            return look
        keep = np.array(
            [
                not ignored((x1, y1, x2, y2), self._ignore, look.frame_size)
                for x1, y1, x2, y2 in look.detections.xyxy.tolist()
            ]
        )
        if keep.all():
            return look
        detections: Detections = look.detections[keep]
        return replace(look, detections=detections)

    def _enter(self, rule: Rule, finding: Finding, look: Look) -> None:
        """Open or continue a violation."""
        case = self._followed.get((rule.kind, finding.key))
        if case is None:
            finding = self._named(rule.kind, finding)
            self._followed[rule.kind, finding.key] = _Case(
                Violation(
                    kind=rule.kind,
                    camera_id=self._camera_id,
                    zone_id=finding.zone_id,
                    key=finding.key,
                    box=finding.box,
                    confidence=finding.confidence,
                    start_s=finding.since_s,
                    noticed_s=look.time_s,
                    best_s=look.time_s,
                    last_seen_s=finding.last_seen_s,
                    end_s=None,
                    looks_seen=finding.looks_seen,
                    signs=finding.signs,
                    rule_name=rule.name,
                    rule_settings=rule.settings,
                    basis=finding.basis,
                    class_names=finding.class_names,
                )
            )
            return
        case.lapsed_s = 0.0
        known = case.violation
        known = replace(
            known,
            last_seen_s=finding.last_seen_s,
            looks_seen=max(known.looks_seen, finding.looks_seen),
            signs=_joined(known.signs, finding.signs),
            basis=finding.basis if known.basis == "composition" else known.basis,
            class_names=_joined(known.class_names, finding.class_names),
        )
        if finding.confidence > known.confidence and finding.last_seen_s == look.time_s:
            known = replace(
                known, box=finding.box, confidence=finding.confidence, best_s=look.time_s
            )
        case.violation = known

    def _named(self, kind: str, finding: Finding) -> Finding:
        """Let a violation of low priority at the same place give way: it now has a name.

        Returns:
            The finding, since the nameless thing was first seen.
        """
        if _is_low(kind):
            return finding
        for case_key in [key for key in self._followed if _is_low(key[0])]:
            nameless = self._followed[case_key].violation
            if iou(nameless.box, finding.box) >= SAME_PLACE_IOU:
                del self._followed[case_key]
                finding = replace(finding, since_s=min(finding.since_s, nameless.start_s))
        return finding

    def _end(self, case_key: tuple[str, str], noticed_s: float) -> None:
        """Close a violation at its last sight."""
        violation = self._followed.pop(case_key).violation
        self._over.append(replace(violation, end_s=violation.last_seen_s, end_noticed_s=noticed_s))


def _is_low(kind: str) -> bool:
    return kind in KINDS and KINDS[kind].priority == "low"


def _joined(known: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return known + tuple(word for word in more if word not in known)
