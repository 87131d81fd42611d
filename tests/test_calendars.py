"""Working days, holidays and make-up days are data."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from vision.calendars import WEEK, Calendar, load_calendar
from vision.errors import ConfigError

CN = load_calendar("cn")


@pytest.mark.parametrize(
    ("day", "worked", "holiday"),
    [
        (date(2026, 1, 1), False, True),  # 元旦
        (date(2026, 1, 4), True, False),  # a Sunday that is worked
        (date(2026, 2, 14), True, False),  # 调休 Saturday before 春节
        (date(2026, 2, 18), False, True),  # 春节, a Wednesday
        (date(2026, 2, 24), True, False),
        (date(2025, 10, 8), False, True),  # 中秋 and 国庆 together
        (date(2025, 10, 11), True, False),
        (date(2024, 2, 9), True, False),  # 除夕 2024 was no public holiday
        (date(2026, 6, 13), False, False),  # a plain Saturday
    ],
)
def test_china_s_days_are_those_of_the_notices(day: date, worked: bool, holiday: bool) -> None:
    assert (CN.is_working_day(day), CN.is_holiday(day)) == (worked, holiday)


@pytest.mark.parametrize(("year", "off", "made_up"), [(2024, 28, 8), (2025, 28, 5), (2026, 33, 6)])
def test_each_year_has_as_many_days_as_announced(year: int, off: int, made_up: int) -> None:
    known = CN.years[year]
    assert len({day for one in known.holidays for day in one.days}) == off
    assert len(known.working_days) == made_up
    assert all(day.weekday() >= 5 for day in known.working_days)
    assert known.source


def test_a_year_that_was_not_announced_has_weekends_only() -> None:
    assert not CN.covers(date(2031, 10, 1))
    assert CN.is_working_day(date(2031, 10, 1))
    assert not CN.is_working_day(date(2031, 10, 4))


def test_deadlines_in_working_days_pass_over_holidays_and_count_make_up_days() -> None:
    """From the Friday before 春节 2026: 14 February is worked, then 24 to 27, then Saturday 28."""
    friday = date(2026, 2, 13)
    assert CN.working_day_after(friday, 1) == date(2026, 2, 14)
    assert CN.working_day_after(friday, 2) == date(2026, 2, 24)
    assert CN.working_day_after(friday, 6) == date(2026, 2, 28)
    assert WEEK.working_day_after(friday, 1) == date(2026, 2, 16)


def test_a_city_can_bring_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(
        "weekend: [fri]\n"
        "years:\n  2027:\n    source: notice 3\n"
        "    holidays: [{name: market day, from: 2027-03-02}]\n"
    )
    ours = load_calendar("ours.yaml", tmp_path)
    assert ours.is_holiday(date(2027, 3, 2))
    assert not ours.is_working_day(date(2027, 3, 5))


def test_faults_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no calendar 'cm': shipped are cn"):
        load_calendar("cm", tmp_path)
    (tmp_path / "bad.yaml").write_text(
        "years:\n  2027:\n    holidays: [{name: a, from: 2027-03-02}]\n"
        "    working_days: [2027-03-02]\n"
    )
    with pytest.raises(ConfigError, match="2027-03-02 is both a holiday and a working day"):
        load_calendar("bad.yaml", tmp_path)


def test_nothing_but_weekends_has_no_working_day() -> None:
    always = Calendar(weekend=("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    with pytest.raises(ValueError, match="no working days"):
        always.working_day_after(date(2026, 1, 1), 1)
