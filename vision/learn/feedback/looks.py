"""Which classes of a model kinds of violations look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vision.record import ViolationRecord

CLASSES_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "abandoned_vehicle": ("derelict_vehicle", "derelict_cycle"),
    "street_stall": ("street_stall",),
    "debris_pile": ("debris_pile", "overflow_bin"),
    "construction_dust": ("construction_dust",),
}
"""Classes that a kind of violation looks like; a missing hoarding looks like nothing."""

CLASSES = tuple(name for names in CLASSES_OF_KIND.values() for name in names)
"""All classes that decisions can teach."""


def class_of(kind: str, record: ViolationRecord, classes: Sequence[str]) -> str | None:
    """Class that shows a kind; the one that was detected, where it is one of them.

    Args:
        kind: Kind of violation.
        record: The violation, by what it was detected as.
        classes: Classes to choose from.
    """
    known = [name for name in CLASSES_OF_KIND.get(kind, ()) if name in classes]
    detected = [name for name in record.class_names if name in known]
    return next(iter([*detected, *known]), None)


def taught_by(
    record: ViolationRecord, kind: str | None, classes: Sequence[str]
) -> tuple[str | None, str | None]:
    """What a decision says of looks.

    Args:
        record: The violation.
        kind: What it is as a person says; ``None`` if nothing of the kind is there.
        classes: Classes to choose from.

    Returns:
        Class that is there, and class that is not; neither where a decision is not about looks.
    """
    old = class_of(record.kind, record, classes)
    if record.kind == "abandoned_vehicle" and "derelict_look" not in record.signs:
        old = None  # reviewed for how long it stood, not for how it looks
    new = None
    if kind is not None:
        new = old if kind == record.kind else class_of(kind, record, classes)
    return new, old if new != old else None
