"""Schedules: weekly windows, date ranges and special days, evaluated in a place's own time.

**What a window is.** It opens on a local day at a local time and closes at a local time, on the
next day where that is no later. Days, dates and holidays are those of the day on which it opens.
Between opening and closing it is one stretch of real time, whatever the clocks do:

* A time that the clocks skip is the moment at which they jump. From 01:30 to 02:30 is 30 minutes on
  the night on which 02:00 becomes 03:00; from 02:10 to 02:50 is nothing at all on that night.
* Of a time that comes twice the first opens, the second closes. From 01:30 to 02:30 is two hours on
  the night on which 02:00 becomes 01:00 again.

Seconds are counted as they pass, never as the difference of clock readings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from vision.calendars import WEEK, WEEKDAYS, Calendar

DayWord = Literal[
    "mon", "tue", "wed", "thu", "fri", "sat", "sun", "workday", "restday", "holiday"
]  # fmt: skip
"""A day of the week, a day that is worked, one that is not, or a public holiday."""

Span = tuple[datetime, datetime]
"""Start and end (exclusive) of a stretch of real time, aware, in UTC."""

FAR_DAYS = 400
"""So many days back and ahead are searched for an opening or a closing."""

_DAY_S = 86_400
_DAY = timedelta(days=1)
_CLOCK = re.compile(r"^(\d{1,2}):(\d{2})(?::(\d{2}))?$")


def _seconds_of_day(value: Any) -> Any:
    """``HH:MM`` or ``HH:MM:SS`` as seconds since midnight.

    YAML 1.1 reads a bare ``17:30`` as the number 1050 (base 60); times with seconds need quotes.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError('expected a time such as "17:30"')  # noqa: TRY004 pydantic's own error
    if isinstance(value, int):
        seconds = value * 60
    else:
        found = _CLOCK.match(value)
        if found is None:
            raise ValueError(f'{value!r} is no time such as "17:30"')
        hours, minutes, rest = (int(part or 0) for part in found.groups())
        if minutes > 59 or rest > 59:
            raise ValueError(f"{value!r} is no time of a day")
        seconds = hours * 3600 + minutes * 60 + rest
    if not 0 <= seconds <= _DAY_S:
        shown = value if isinstance(value, str) else f"{value // 60}:{value % 60:02d}"
        raise ValueError(f"{shown} is no time of a day (00:00 to 24:00)")
    return seconds


def _clock_text(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{rest:02d}" if rest else text


ClockTime = Annotated[
    int,
    BeforeValidator(
        _seconds_of_day,
        json_schema_input_type=Annotated[str, Field(pattern=_CLOCK.pattern)] | int,
    ),
    PlainSerializer(_clock_text, return_type=str),
]
"""Seconds since local midnight, written ``HH:MM`` or ``HH:MM:SS``; ``24:00`` ends a day."""


class DayWindow(BaseModel):
    """A window of one day.

    Attributes:
        opens: Local time at which it opens.
        closes: Local time at which it closes; on the next day unless it is later than ``opens``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    opens: Annotated[ClockTime, Field(alias="from")]
    closes: Annotated[ClockTime, Field(alias="to")]

    @model_validator(mode="after")
    def _opens(self) -> Self:
        if self.opens == self.closes:
            raise ValueError("from and to are the same; a whole day is from 00:00 to 24:00")
        if self.opens == _DAY_S:
            raise ValueError("a window cannot open at 24:00; 00:00 is the start of a day")
        return self


def _days_spelled_out(value: Any) -> Any:
    """``mon-fri`` as the days from Monday to Friday; a single word as a list of one."""
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)):
        return value
    days: list[Any] = []
    for word in words:
        first, dash, last = str(word).partition("-")
        if dash and first in WEEKDAYS and last in WEEKDAYS:
            start = WEEKDAYS.index(first)
            count = (WEEKDAYS.index(last) - start) % 7 + 1
            days += [WEEKDAYS[(start + i) % 7] for i in range(count)]
        else:
            days.append(word)
    return days


class Window(DayWindow):
    """A window that comes again.

    Attributes:
        days: Days on which it opens; all without it. ``mon`` to ``sun`` go by the week alone,
            ``workday``, ``restday`` and ``holiday`` by the calendar.
    """

    days: Annotated[
        tuple[DayWord, ...],
        BeforeValidator(_days_spelled_out, json_schema_input_type=str | list[str]),
        Field(min_length=1),
    ] = WEEKDAYS

    def opens_on(self, day: date, calendar: Calendar) -> bool:
        """Whether it opens on a day."""
        worked = calendar.is_working_day(day)
        words = {WEEKDAYS[day.weekday()], "workday" if worked else "restday"}
        if calendar.is_holiday(day):
            words.add("holiday")
        return not words.isdisjoint(self.days)


class SpecialDay(BaseModel):
    """Days that go by windows of their own instead of the weekly ones.

    Attributes:
        first: First such day.
        last: Last such day; the first without it.
        windows: Windows of each of them; none where all is closed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: Annotated[date, Field(alias="from")]
    last: Annotated[date | None, Field(alias="until")] = None
    windows: tuple[DayWindow, ...]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last is not None and self.last < self.first:
            raise ValueError("until lies before from")
        return self

    def holds(self, day: date) -> bool:
        """Whether a day is one of them."""
        return self.first <= day <= (self.last or self.first)


class Schedule(BaseModel):
    """When something holds.

    Attributes:
        windows: Weekly windows; whole days without the key.
        first: First day; none before it.
        last: Last day; none after it.
        special_days: Days with windows of their own, inside and outside those dates. Of several
            for one day the last counts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    windows: tuple[Window, ...] | None = None
    first: Annotated[date | None, Field(alias="from")] = None
    last: Annotated[date | None, Field(alias="until")] = None
    special_days: tuple[SpecialDay, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first is not None and self.last is not None and self.last < self.first:
            raise ValueError("until lies before from")
        return self

    @property
    def asks_the_calendar(self) -> bool:
        """Whether it depends on which days are worked."""
        words = {day for window in self.windows or () for day in window.days}
        return not words.isdisjoint({"workday", "restday", "holiday"})

    def windows_of(self, day: date, calendar: Calendar) -> Sequence[DayWindow]:
        """Windows that open on a local day."""
        for special in reversed(self.special_days):
            if special.holds(day):
                return special.windows
        if (self.first is not None and day < self.first) or (
            self.last is not None and day > self.last
        ):
            return ()
        if self.windows is None:
            return (_WHOLE_DAY,)
        return [window for window in self.windows if window.opens_on(day, calendar)]


_WHOLE_DAY = DayWindow.model_validate({"from": "00:00", "to": "24:00"})


@dataclass(frozen=True)
class SiteClock:
    """How a place tells the time.

    Attributes:
        timezone: Its time zone.
        calendar: Its working days and holidays.
    """

    timezone: tzinfo
    calendar: Calendar = WEEK

    def local(self, at: datetime) -> datetime:
        """An instant as its clocks show it."""
        return at.astimezone(self.timezone)


@dataclass(frozen=True)
class State:
    """Whether a schedule holds, and for how long it has and will.

    Attributes:
        holds: It does.
        since: When this began, ``None`` if it has been so for :data:`FAR_DAYS`.
        until: Before this instant nothing changes; it need not change then.
    """

    holds: bool
    since: datetime | None
    until: datetime


@dataclass
class Timetable:
    """A schedule at a place. Remembers its last answer, so that asking in order of time is cheap.

    Attributes:
        schedule: The schedule.
        clock: The place's clock.
    """

    schedule: Schedule
    clock: SiteClock
    _state: State | None = field(default=None, repr=False, compare=False)
    _asked: datetime | None = field(default=None, repr=False, compare=False)

    def holds(self, at: datetime) -> bool:
        """Whether it holds at an instant (aware)."""
        return self.state(at).holds

    def state(self, at: datetime) -> State:
        """Whether it holds at an instant (aware), and since when."""
        known, asked = self._state, self._asked
        if known is None or asked is None or not asked <= at < known.until:
            known = self._find(at)
            self._state, self._asked = known, at
        return known

    def spans(self, start: datetime, end: datetime) -> list[Span]:
        """Stretches between two instants in which it holds, apart from each other, in order."""
        clipped = [
            (max(first, start.astimezone(UTC)), min(last, end.astimezone(UTC)))
            for first, last in self._opening(start, end)
        ]
        return [(first, last) for first, last in clipped if first < last]

    def seconds(self, start: datetime, end: datetime) -> float:
        """Real seconds between two instants during which it holds."""
        return sum((last - first).total_seconds() for first, last in self.spans(start, end))

    def after(self, start: datetime, seconds: float) -> datetime | None:
        """The instant by which it has held for so many real seconds: a deadline.

        Args:
            start: Aware instant from which seconds are counted.
            seconds: Seconds, at least 0.

        Returns:
            Aware instant in the place's time zone, ``None`` if that never happens: within
            :data:`FAR_DAYS` from one window to the next nothing opens.
        """
        left, day = seconds, start
        while True:
            end = day + FAR_DAYS * _DAY
            spans = self.spans(day, end)
            if not spans:
                return None
            for first, last in spans:
                length = (last - first).total_seconds()
                if length >= left:
                    return self.clock.local(first + timedelta(seconds=left))
                left -= length
            day = end

    def _find(self, at: datetime) -> State:
        """State at an instant; nothing is looked for further away than need be."""
        now = at.astimezone(UTC)
        until = now + _DAY
        back_days = 1
        while True:
            spans = self._opening(now - back_days * _DAY, until)
            inside = next((span for span in spans if span[0] <= now < span[1]), None)
            earlier = [last for _, last in spans if last <= now]
            # A span that reaches the edge of what was looked at may have begun before it.
            if inside is not None:
                since = inside[0] if inside[0] > now - back_days * _DAY else None
            else:
                since = max(earlier, default=None)
            if since is not None or back_days >= FAR_DAYS:
                break
            back_days = min(back_days * 4, FAR_DAYS)
        later = [first for first, _ in spans if first > now]
        change = inside[1] if inside is not None else min(later, default=until)
        return State(inside is not None, since, min(change, until))

    def _opening(self, start: datetime, end: datetime) -> list[Span]:
        """Stretches of the windows that open from the day before ``start`` to the day of ``end``.

        Windows that touch or overlap make one stretch.
        """
        zone, calendar = self.clock.timezone, self.clock.calendar
        day, last_day = (at.astimezone(zone).date() for at in (start, end))
        day -= _DAY
        merged: list[Span] = []
        found: list[Span] = []
        while day <= last_day:
            for window in self.schedule.windows_of(day, calendar):
                days_on = window.closes <= window.opens
                opens = _instant(day, window.opens, zone, False)
                closes = _instant(day + days_on * _DAY, window.closes, zone, True)
                if closes > opens:
                    found.append((opens, closes))
            day += _DAY
        for first, last in sorted(found):
            if merged and first <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        return merged


@lru_cache(maxsize=4096)
def _instant(day: date, seconds: int, zone: tzinfo, last: bool) -> datetime:
    """The instant at which local clocks show a time of a day.

    Args:
        day: Local day.
        seconds: Seconds that a clock which was never put forward or back shows since midnight.
        zone: Time zone.
        last: Of a time that comes twice, the second.

    Returns:
        In UTC; for a time that is skipped, the moment of the jump.
    """
    naive = datetime.combine(day, time()) + timedelta(seconds=seconds)
    before, after = (naive.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    early, late = before.astimezone(UTC), after.astimezone(UTC)
    if early <= late:
        return late if last else early
    # Skipped: read by the offset after the jump it lies before it, and the other way round.
    low, high = late, early
    offset = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high
