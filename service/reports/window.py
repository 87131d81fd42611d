"""Stretches of time that figures are of: a day, a month or a quarter, by a place's clocks."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

from vision.errors import InputError

Span = Literal["day", "month", "quarter"]

_QUARTER = re.compile(r"^(\d{4})-Q([1-4])$")
_MONTH = re.compile(r"^(\d{4})-(\d{2})$")


@dataclass(frozen=True)
class Window:
    """A day, a month or a quarter.

    Attributes:
        label: ``2026-05-04``, ``2026-05`` or ``2026-Q2``.
        span: Which of the three.
        start: First instant, aware, in UTC.
        end: First instant after it.
        timezone: Time zone whose days these are.
    """

    label: str
    span: Span
    start: datetime
    end: datetime
    timezone: tzinfo

    def holds(self, at: datetime | None) -> bool:
        """Whether an instant lies in it."""
        return at is not None and self.start <= at < self.end

    def until(self, at: datetime) -> Window:
        """What of it is over at an instant: deadlines that are still to come are not missed yet."""
        return replace(self, end=max(self.start, min(self.end, at)))


def window_of(label: str, timezone: tzinfo) -> Window:
    """The window that a label names.

    Args:
        label: ``2026-05-04`` for a day, ``2026-05`` for a month, ``2026-Q2`` for a quarter.
        timezone: Time zone whose days these are.

    Raises:
        InputError: It names none.
    """
    quarter, month = _QUARTER.match(label), _MONTH.match(label)
    try:
        if quarter is not None:
            first = date(int(quarter[1]), 3 * int(quarter[2]) - 2, 1)
            return _window(label, "quarter", first, _months_later(first, 3), timezone)
        if month is not None:
            first = date(int(month[1]), int(month[2]), 1)
            return _window(label, "month", first, _months_later(first, 1), timezone)
        first = date.fromisoformat(label)
        return _window(first.isoformat(), "day", first, first + timedelta(days=1), timezone)
    except (ValueError, OverflowError):
        raise InputError(
            f"period: {label!r} is no day (2026-05-04), month (2026-05) or quarter (2026-Q2)"
        ) from None


def _window(label: str, span: Span, first: date, after: date, timezone: tzinfo) -> Window:
    if not 1970 < first.year < 2200:
        raise ValueError(label)
    start, end = (datetime.combine(day, time(), timezone).astimezone(UTC) for day in (first, after))
    return Window(label, span, start, end, timezone)


def _months_later(first: date, count: int) -> date:
    months = first.month - 1 + count
    return date(first.year + months // 12, months % 12 + 1, 1)
