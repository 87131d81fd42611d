"""What rules say after each look, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from vision.observe.look import Look
from vision.observe.sighting import Box, Sighting

Basis = Literal["class", "composition"]
"""A class of the model says so itself, or several classes found together suggest it."""


@dataclass(frozen=True)
class Finding:
    """A rule holds after this look.

    Attributes:
        key: Names the thing or zone that it holds for; the same key in successive looks is the
            same violation.
        zone_id: Zone in which it holds.
        box: Where, in pixels.
        confidence: 0..1.
        since_s: Stream time from which the thing has been wrong (not when it was noticed).
        last_seen_s: Stream time at which it was last really seen.
        looks_seen: Looks that saw it.
        signs: What spoke for it, machine-readable words such as ``derelict_look``.
        basis: What the finding rests on.
        class_names: Classes of the detections that it rests on.
    """

    key: str
    zone_id: str
    box: Box
    confidence: float
    since_s: float
    last_seen_s: float
    looks_seen: int
    signs: tuple[str, ...]
    basis: Basis = "class"
    class_names: tuple[str, ...] = ()


class Rule(Protocol):
    """One kind of violation in one view. May keep state between looks.

    Attributes:
        kind: Violation kind, as in ``vision.rules.kinds``.
        name: Name of the rule as it stands in the results.
        settings: Settings in force, JSON-able.
    """

    kind: str
    name: str
    settings: Mapping[str, Any]

    def judge(self, look: Look, sightings: Sequence[Sighting]) -> Sequence[Finding]:
        """Findings that hold after this (healthy) look."""
        ...

    def wants_closer_look(self, look: Look, sightings: Sequence[Sighting]) -> bool:
        """Something new or suspected needs looks at the active rate."""
        ...


@dataclass(frozen=True)
class Violation:
    """A rule held for a thing or a zone over some time.

    Attributes:
        kind: Violation kind.
        camera_id: Camera that saw it.
        zone_id: Zone in which it happened.
        key: Key of its findings.
        box: Box at the look with the highest confidence.
        confidence: Highest confidence of its findings.
        start_s: Stream time from which the thing has been wrong.
        noticed_s: Stream time of the look after which the rule first held.
        best_s: Stream time of the look that shows it best (``box`` is of this look).
        last_seen_s: Stream time of the last look that saw it.
        end_s: Stream time at which it was over, ``None`` while it lasts.
        looks_seen: Looks that saw it.
        signs: What spoke for it.
        rule_name: Rule that held.
        rule_settings: Settings of the rule.
        basis: What it rests on; ``class`` as soon as one of its findings did.
        class_names: Classes of the detections that it rests on.
        end_noticed_s: Stream time of the look after which it was known to be over, ``None`` while
            it lasts.
    """

    kind: str
    camera_id: str
    zone_id: str
    key: str
    box: Box
    confidence: float
    start_s: float
    noticed_s: float
    best_s: float
    last_seen_s: float
    end_s: float | None
    looks_seen: int
    signs: tuple[str, ...]
    rule_name: str
    rule_settings: Mapping[str, Any]
    basis: Basis = "class"
    class_names: tuple[str, ...] = ()
    end_noticed_s: float | None = None
