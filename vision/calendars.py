"""Calendars as data: working days, rest days, public holidays 法定节假日 and make-up days 调休.

Packages that know China's holidays exist (``chinesecalendar``, ``holidays``); each year needs a
release of theirs, at the end of November. A file can be read, checked against the notice and
extended by the operators of a system that is not connected to anything.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vision.configfile import load_config
from vision.errors import ConfigError

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of ``date.weekday()``."""

_DAY = timedelta(days=1)


class Holiday(BaseModel):
    """Days off in a row.

    Attributes:
        name: What is celebrated.
        first: First day off.
        last: Last day off; the first without it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    first: Annotated[date, Field(alias="from")]
    last: Annotated[date | None, Field(alias="until")] = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last is not None and self.last < self.first:
            raise ValueError("until lies before from")
        return self

    @property
    def days(self) -> list[date]:
        """All days off."""
        count = ((self.last or self.first) - self.first).days + 1
        return [self.first + i * _DAY for i in range(count)]


class CalendarYear(BaseModel):
    """What was announced for one year.

    Attributes:
        source: Where it was announced.
        holidays: Public holidays.
        working_days: Days at the weekend on which people work to make up.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = ""
    holidays: tuple[Holiday, ...] = ()
    working_days: tuple[date, ...] = ()


class Calendar(BaseModel):
    """Which days are worked. In years that are not listed only the weekend is free.

    Attributes:
        name: What it is the calendar of.
        weekend: Days of the week that are free.
        years: What was announced, by year.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    weekend: tuple[Weekday, ...] = ("sat", "sun")
    years: dict[int, CalendarYear] = {}

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        both = self._holidays & self._working_days
        if both:
            raise ValueError(f"{min(both)} is both a holiday and a working day")
        return self

    @cached_property
    def _holidays(self) -> frozenset[date]:
        return frozenset(
            day for year in self.years.values() for one in year.holidays for day in one.days
        )

    @cached_property
    def _working_days(self) -> frozenset[date]:
        return frozenset(day for year in self.years.values() for day in year.working_days)

    def covers(self, day: date) -> bool:
        """Whether the holidays of that year are known."""
        return day.year in self.years

    def is_holiday(self, day: date) -> bool:
        """Whether a day is among the days off of a public holiday."""
        return day in self._holidays

    def is_working_day(self, day: date) -> bool:
        """Whether a day is worked: make-up days are, holidays are not, else the week decides."""
        if day in self._working_days:
            return True
        return day not in self._holidays and WEEKDAYS[day.weekday()] not in self.weekend

    def working_day_after(self, day: date, count: int) -> date:
        """The ``count``-th working day after a day, that day itself not counted.

        Args:
            day: A day, worked or not.
            count: At least 1.
        """
        if count < 1:
            raise ValueError("count must be at least 1")
        if len(set(self.weekend)) == len(WEEKDAYS):
            raise ValueError("a calendar whose every weekday is free has no working days to count")
        while count:
            day += _DAY
            count -= self.is_working_day(day)
        return day


WEEK = Calendar(name="week")
"""Nothing but working weeks and weekends."""


def calendar_names() -> list[str]:
    """Names of the calendars that are shipped."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def load_calendar(name: str, folder: Path = Path()) -> Calendar:
    """Read a calendar.

    Args:
        name: Name of a shipped one (``cn``), or path of a file of the same form.
        folder: Folder that a relative path starts from.

    Raises:
        ConfigError: There is no such calendar, or its file is faulty.
    """
    shipped = _folder() / f"{name}.yaml"
    if "/" not in name and "\\" not in name and shipped.is_file():
        return load_config(shipped, Calendar)
    path = folder / name
    if not path.is_file():
        known = ", ".join(calendar_names())
        raise ConfigError(f"no calendar {name!r}: shipped are {known}; there is no file {path}")
    return load_config(path, Calendar)


def _folder() -> Path:
    shipped = Path(str(resources.files("vision"))) / "shipped" / "datasets" / "calendars"
    return shipped if shipped.is_dir() else Path(__file__).parents[1] / "datasets" / "calendars"
