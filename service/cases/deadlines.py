"""Deadlines: limits counted by the clock that the catalogue names (GB/T 30428.8, CJ/T 315).

* ``urgent_hour`` 紧急工作时: hours as they pass, nights and holidays too.
* ``work_hour`` 工作时: hours of work, on working days only.
* ``work_day`` 工作日: working days of as many work hours as such a day has. Filed on Friday at
  16:00 with a limit of one day, a case is due on Monday at 16:00; filed at night, at the close of
  the next working day.
* ``natural_day`` 自然日: days of 24 hours as they pass; 紧急工作日 is counted so too.

A deadline is the first instant by which the limit has passed. What is done at that instant is done
in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from service.store.tables import CaseRow
from vision.schedule import DayWindow, Schedule, SiteClock, Timetable, Window

HOUR_S = 3600.0
NATURAL_DAY_S = 24 * HOUR_S


class LimitClock(StrEnum):
    """How the time of a limit is counted."""

    URGENT_HOUR = "urgent_hour"
    WORK_HOUR = "work_hour"
    WORK_DAY = "work_day"
    NATURAL_DAY = "natural_day"

    @property
    def counts_work(self) -> bool:
        """Whether it stands still outside working hours."""
        return self in (LimitClock.WORK_HOUR, LimitClock.WORK_DAY)


class Limit(BaseModel):
    """How long something may take.

    Attributes:
        amount: How many hours or days.
        clock: Which hours or days.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    amount: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
    clock: LimitClock


WORK_HOURS: tuple[DayWindow, ...] = (
    DayWindow.model_validate({"from": "08:00", "to": "12:00"}),
    DayWindow.model_validate({"from": "14:00", "to": "18:00"}),
)
"""08:00 to 12:00 and 14:00 to 18:00, on working days of the calendar."""


@dataclass(frozen=True)
class WorkTime:
    """When people work at a place.

    Attributes:
        site: Its time zone and calendar.
        hours: Working hours of a working day, apart from each other.
    """

    site: SiteClock
    hours: tuple[DayWindow, ...] = WORK_HOURS

    @cached_property
    def _timetable(self) -> Timetable:
        windows = tuple(
            Window.model_validate({**one.model_dump(by_alias=True), "days": ["workday"]})
            for one in self.hours
        )
        return Timetable(Schedule(windows=windows), self.site)

    @cached_property
    def work_day_s(self) -> float:
        """Seconds of work in a working day."""
        return float(sum(one.closes - one.opens for one in self.hours))

    def seconds_of(self, limit: Limit) -> float:
        """Seconds that a limit is of, counted by its clock."""
        one_s = {
            LimitClock.URGENT_HOUR: HOUR_S,
            LimitClock.WORK_HOUR: HOUR_S,
            LimitClock.WORK_DAY: self.work_day_s,
            LimitClock.NATURAL_DAY: NATURAL_DAY_S,
        }[limit.clock]
        return limit.amount * one_s

    def deadline(self, start: datetime, limit: Limit) -> datetime:
        """Until when something is to be done that was filed at an instant (aware)."""
        return self.after(start, self.seconds_of(limit), limit.clock)

    def after(self, start: datetime, counted_s: float, clock: LimitClock) -> datetime:
        """The instant by which so many seconds have been counted.

        Args:
            start: Aware instant.
            counted_s: Seconds, at least 0.
            clock: What counts them.
        """
        if not clock.counts_work or counted_s <= 0:
            return self.site.local(start + timedelta(seconds=max(counted_s, 0.0)))
        found = self._timetable.after(start, counted_s)
        if found is None:
            raise ValueError("the calendar has no working day within a year")
        return found

    def counted_s(self, start: datetime, end: datetime, clock: LimitClock) -> float:
        """Seconds that a clock counts between two instants; 0 if the end is not later."""
        if end <= start:
            return 0.0
        if clock.counts_work:
            return self._timetable.seconds(start, end)
        return (end - start).total_seconds()


def pause(case: CaseRow, at: datetime, worktime: WorkTime) -> None:
    """Stop the clock of a case that is suspended; time that ran out stays run out."""
    if case.deadline_at is None or case.deadline_clock is None:
        return
    clock = LimitClock(case.deadline_clock)
    if case.deadline_at <= at:
        return
    case.deadline_left_s = worktime.counted_s(at, case.deadline_at, clock)
    case.deadline_at = None


def go_on(case: CaseRow, at: datetime, worktime: WorkTime) -> None:
    """Let the clock of a case run on, with what was left of its limit."""
    if case.deadline_left_s is None or case.deadline_clock is None:
        return
    clock = LimitClock(case.deadline_clock)
    case.deadline_at = worktime.after(at, case.deadline_left_s, clock)
    case.deadline_left_s = None
