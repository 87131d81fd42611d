"""What rules say after each look, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol

from vision.observe.look import Look
from vision.observe.sighting import Box, Dwell, Sighting

Basis = Literal["class", "composition"]
"""A class of the model says so itself, or several classes found together suggest it."""


class Relief(StrEnum):
    """Why a rule does not hold (any more) for what it names."""

    CLEAR = "clear"
    """This look saw the place, and nothing was wrong there. Several such looks end a violation."""
    NOT_YET = "not_yet"
    """Wrong again, not yet for long enough: looks that found the place in order count no more."""
    OVER = "over"
    """It is over: the rule has been patient itself."""
    PERMITTED = "permitted"
    """What stands there may: hours, permits, or the stage of the site."""


EndReason = Literal["gone", "permitted", "merged"]
"""The thing left or was put right, may be there now, or proved to be another violation's thing."""

Verification = Literal["still_there", "cannot_see", "gone"]
"""What a look says of a violation. Cannot see is neither of the others."""


class Finding(NamedTuple):
    """A rule holds after this look, or, with a ``relief``, says why it does not.

    A rule that names neither for a thing says nothing about it: the place could not be seen.

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
        permit_id: Permit outside whose hours it holds.
        relief: Why the rule does not hold for ``key`` now; ``since_s`` is then from when on.
        dwell: Where the seconds between ``since_s`` and ``last_seen_s`` went, as far as looks
            tell; ``None`` where the rule keeps no ledger.
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
    permit_id: str | None = None
    relief: Relief | None = None
    dwell: Dwell | None = None


def relieved(key: str, zone_id: str, why: Relief, *, since_s: float, last_seen_s: float) -> Finding:
    """Finding that says only why a rule does not hold for what it names.

    Args:
        key: What.
        zone_id: Zone in which it held.
        why: Why.
        since_s: Stream time from which it does not.
        last_seen_s: Stream time at which the thing was last really seen.
    """
    return Finding(
        key=key,
        zone_id=zone_id,
        box=(0.0, 0.0, 0.0, 0.0),
        confidence=0.0,
        since_s=since_s,
        last_seen_s=last_seen_s,
        looks_seen=0,
        signs=(),
        relief=why,
    )


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

    def is_concerned(self, class_names: Set[str]) -> bool:
        """Whether a healthy look may change anything here.

        Args:
            class_names: Classes of the sightings of that look. Where it may not, the rule need not
                be told of the look at all.
        """
        ...

    def judge(self, look: Look, sightings: Sequence[Sighting]) -> Sequence[Finding]:
        """Findings that hold after this (healthy) look."""
        ...

    def wants_closer_look(self, look: Look, sightings: Sequence[Sighting]) -> bool:
        """Something new or suspected needs looks at the active rate."""
        ...

    def state(self) -> dict[str, Any]:
        """What it keeps between looks, in plain types that go through JSON."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state` as if this rule had judged all looks up to it.

        A rule of the same settings, zones and clock then says the same as one that had.
        """
        ...


@dataclass(frozen=True)
class Earlier:
    """The violation that a recurrence follows.

    Attributes:
        key: Its key.
        zone_id: Its zone.
        box: Its box.
        start_s: Stream time of its start.
        end_s: Stream time of its end.
    """

    key: str
    zone_id: str
    box: Box
    start_s: float
    end_s: float


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
        raised_s: Stream time of the look after which it was raised: ``noticed_s``, or later where
            there is a grace period.
        end_reason: Why it is over, ``None`` while it lasts.
        verification: What the last look said of it.
        still_s: Stream times of the looks at which it was still there and told again.
        permit_id: Permit outside whose hours it held.
        recurrence_of: The violation of this kind that ended at this place not long before.
        recurrences: How many went before it in that way.
        dwell: Where the seconds between ``start_s`` and ``last_seen_s`` went, as far as looks
            tell: the three parts may add up to less. ``None`` where no ledger is kept.
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
    raised_s: float | None = None
    end_reason: EndReason | None = None
    verification: Verification = "still_there"
    still_s: tuple[float, ...] = ()
    permit_id: str | None = None
    recurrence_of: Earlier | None = None
    recurrences: int = 0
    dwell: Dwell | None = None

    def but(self, **changes: Any) -> Violation:
        """The same but for some fields, as by :func:`dataclasses.replace`, at a tenth of its cost.

        What stands is seen again in every look.
        """
        other = object.__new__(Violation)
        object.__setattr__(other, "__dict__", self.__dict__ | changes)
        return other
