"""In which order candidates are reviewed.

``queue_at = raised_at - priority hours``; the queue is in the order of ``queue_at``. Each point of
priority is worth an hour of waiting: a case with three points more goes ahead of one that was
raised up to three hours before it, and none waits for ever. Because waiting counts alike for all,
the order of two cases never changes with time, and an index holds it.

``priority = hours of the kind + hours of the level of the place + hours of recurrence``.
"""

from __future__ import annotations

from vision.rules.kinds import KINDS

KIND_HOURS = {
    "street_stall": 3,
    "construction_dust": 3,
    "debris_pile": 1,
    "hoarding_missing": 1,
}
"""What is gone soon is looked at soon; kinds that are not named have none."""

LOW_HOURS = -24
"""Kinds of low priority wait behind a day of others."""

LEVEL_HOURS = {1: 8, 2: 4, 3: 0}
"""By the assess level of the place; the lowest where it is not known."""

MOST_RECURRENCES = 4
"""One hour for each time that it was there before, up to so many."""


def priority_of(kind: str, assess_level: int | None, recurrences: int = 0) -> int:
    """Hours of waiting that a case is ahead of others."""
    known = KINDS.get(kind)
    low = LOW_HOURS if known is not None and known.priority == "low" else 0
    level = LEVEL_HOURS.get(assess_level or 3, 0)
    return KIND_HOURS.get(kind, 0) + low + level + min(recurrences, MOST_RECURRENCES)
