"""Deadlines against a table that was worked by hand, at Changzhou's clocks in 2026.

The calendar around the rows (国办发明电〔2025〕7号): New Year 1-3 January off, Sunday 4 January
worked. Spring Festival 15-23 February off, Saturdays 14 and 28 February worked. Labour Day 1-5 May
off, Saturday 9 May worked. Mid-autumn 25-27 September off, Sunday 20 September worked. National Day
1-7 October off, Saturday 10 October worked. 25 May and 1 June 2026 are Mondays.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.cases.deadlines import Limit, LimitClock, WorkTime
from vision.calendars import load_calendar
from vision.schedule import DayWindow, SiteClock

ZONE = ZoneInfo("Asia/Shanghai")
WORKTIME = WorkTime(SiteClock(ZONE, load_calendar("cn")))
U, H, D, N = LimitClock

# filed at, amount, clock, due at
TABLE = [
    # Work hours on a plain Wednesday.
    ("05-27 08:00", 1, H, "05-27 09:00"),
    ("05-27 08:00", 4, H, "05-27 12:00"),  # the last moment of the morning, not 14:00
    ("05-27 08:00", 4.5, H, "05-27 14:30"),
    ("05-27 08:00", 8, H, "05-27 18:00"),
    ("05-27 08:00", 8.25, H, "05-28 08:15"),
    ("05-27 10:30", 2, H, "05-27 14:30"),  # 1.5 h before lunch, 0.5 h after
    ("05-27 11:59", 2, H, "05-27 15:59"),
    ("05-27 12:00", 2, H, "05-27 16:00"),  # filed as lunch begins
    ("05-27 13:00", 2, H, "05-27 16:00"),
    ("05-27 13:59", 2, H, "05-27 16:00"),
    ("05-27 14:00", 2, H, "05-27 16:00"),
    ("05-27 15:00", 4, H, "05-28 09:00"),
    ("05-27 16:00", 2, H, "05-27 18:00"),
    ("05-27 16:01", 2, H, "05-28 08:01"),
    ("05-27 17:59", 2, H, "05-28 09:59"),
    # Nights.
    ("05-27 18:00", 2, H, "05-28 10:00"),
    ("05-27 23:30", 2, H, "05-28 10:00"),
    ("05-28 00:00", 2, H, "05-28 10:00"),
    ("05-28 07:59", 2, H, "05-28 10:00"),
    ("05-27 20:00", 5, H, "05-28 15:00"),
    # Friday evening and the weekend.
    ("05-29 17:00", 2, H, "06-01 09:00"),
    ("05-29 18:00", 4, H, "06-01 12:00"),
    ("05-29 19:00", 8, H, "06-01 18:00"),
    ("05-30 10:00", 2, H, "06-01 10:00"),
    ("05-31 23:59", 2, H, "06-01 10:00"),
    ("05-29 16:00", 12, H, "06-02 10:00"),  # 2 h on Friday, 8 on Monday, 2 on Tuesday
    # 调休: days at the weekend that are worked.
    ("05-08 17:00", 2, H, "05-09 09:00"),
    ("05-09 17:00", 2, H, "05-11 09:00"),
    ("05-09 09:00", 8, H, "05-11 09:00"),
    ("09-20 08:00", 4, H, "09-20 12:00"),
    ("09-19 10:00", 4, H, "09-20 12:00"),  # the Saturday is free, the Sunday worked
    ("10-10 15:00", 4, H, "10-12 09:00"),
    ("02-14 17:00", 1.5, H, "02-24 08:30"),  # then nine days of Spring Festival
    ("02-28 16:00", 4, H, "03-02 10:00"),
    # Holidays.
    ("04-30 17:30", 1, H, "05-06 08:30"),
    ("05-03 12:00", 4, H, "05-06 12:00"),
    ("09-30 17:00", 2, H, "10-08 09:00"),
    ("10-01 00:00", 2, H, "10-08 10:00"),
    ("10-05 15:00", 2, H, "10-08 10:00"),
    ("09-24 16:00", 4, H, "09-28 10:00"),  # Mid-autumn from Friday to Sunday
    ("01-01 09:00", 2, H, "01-04 10:00"),
    # Work days are of eight work hours.
    ("05-27 10:00", 1, D, "05-28 10:00"),
    ("05-27 08:00", 1, D, "05-27 18:00"),
    ("05-27 14:00", 1, D, "05-28 12:00"),  # four hours today, four tomorrow morning
    ("05-27 12:30", 1, D, "05-28 12:00"),
    ("05-27 20:00", 1, D, "05-28 18:00"),  # filed at night: the close of the next working day
    ("05-29 16:00", 1, D, "06-01 16:00"),
    ("05-29 18:00", 1, D, "06-01 18:00"),
    ("05-30 11:00", 1, D, "06-01 18:00"),
    ("05-29 09:00", 2, D, "06-02 09:00"),
    ("05-25 09:00", 5, D, "06-01 09:00"),
    ("05-25 09:00", 0.5, D, "05-25 15:00"),
    ("05-08 09:00", 1, D, "05-09 09:00"),  # the Saturday of 9 May is worked
    ("05-08 09:00", 2, D, "05-11 09:00"),
    ("09-30 09:00", 1, D, "10-08 09:00"),
    ("09-30 09:00", 3, D, "10-10 09:00"),  # 8 and 9 October, then the worked Saturday
    ("09-29 15:00", 5, D, "10-12 15:00"),
    ("02-13 09:00", 2, D, "02-24 09:00"),
    ("04-30 09:00", 1, D, "05-06 09:00"),
    ("12-31 09:00", 1, D, "01-01 09:00+1"),  # 2027 is not announced yet: only weekends are free
    # Month ends.
    ("01-30 17:00", 2, H, "02-02 09:00"),
    ("02-27 09:00", 2, D, "03-02 09:00"),  # Saturday 28 February is worked
    ("06-30 17:00", 2, H, "07-01 09:00"),
    ("08-31 16:00", 1, D, "09-01 16:00"),
    # Urgent hours and natural days run on whatever happens.
    ("05-27 11:00", 2, U, "05-27 13:00"),
    ("05-27 23:00", 2, U, "05-28 01:00"),
    ("05-29 23:30", 2, U, "05-30 01:30"),
    ("10-01 00:00", 2, U, "10-01 02:00"),
    ("05-31 23:00", 4, U, "06-01 03:00"),
    ("12-31 23:00", 2, U, "01-01 01:00+1"),
    ("05-29 18:00", 1, N, "05-30 18:00"),
    ("09-30 09:00", 7, N, "10-07 09:00"),
    ("02-27 10:00", 2, N, "03-01 10:00"),
    ("05-27 08:00", 0.5, N, "05-27 20:00"),
]


def at(text: str) -> datetime:
    text, _, years = text.partition("+")
    day = datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=ZONE)
    return day.replace(year=2026 + int(years or 0))


def test_the_table_has_at_least_sixty_rows() -> None:
    assert len(TABLE) >= 60
    assert {row[2] for row in TABLE} == set(LimitClock)


@pytest.mark.parametrize(("filed", "amount", "clock", "due"), TABLE)
def test_deadlines_as_worked_by_hand(
    filed: str, amount: float, clock: LimitClock, due: str
) -> None:
    limit = Limit(amount=amount, clock=clock)
    found = WORKTIME.deadline(at(filed), limit)
    assert found.astimezone(ZONE).strftime("%Y-%m-%d %H:%M") == at(due).strftime("%Y-%m-%d %H:%M")
    assert WORKTIME.counted_s(at(filed), found, clock) == WORKTIME.seconds_of(limit)
    assert WORKTIME.deadline(at(filed).astimezone(UTC), limit) == found


def test_a_city_s_own_hours_are_counted() -> None:
    hours = tuple(
        DayWindow.model_validate({"from": opens, "to": closes})
        for opens, closes in (("08:30", "11:30"), ("13:30", "17:30"))
    )
    worktime = WorkTime(SiteClock(ZONE, load_calendar("cn")), hours)
    assert worktime.work_day_s == 7 * 3600
    due = worktime.deadline(at("05-27 10:30"), Limit(amount=2, clock=H))
    assert due.strftime("%m-%d %H:%M") == "05-27 14:30"


def test_nothing_is_counted_backwards() -> None:
    for clock in LimitClock:
        assert WORKTIME.counted_s(at("05-28 10:00"), at("05-27 10:00"), clock) == 0.0


moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(ZONE)).map(
    lambda time: time.replace(microsecond=0)
)
amounts = st.integers(1, 100).map(lambda quarters: quarters / 4)


@given(moments, st.integers(0, 14 * 86_400), amounts, st.sampled_from(LimitClock))
@settings(deadline=None, max_examples=80)
def test_what_is_filed_later_is_due_no_earlier(
    start: datetime, later_s: int, amount: float, clock: LimitClock
) -> None:
    limit = Limit(amount=amount, clock=clock)
    due = WORKTIME.deadline(start, limit)
    assert due > start
    assert WORKTIME.deadline(start + timedelta(seconds=later_s), limit) >= due


@given(moments, amounts, amounts, st.sampled_from(LimitClock))
@settings(deadline=None, max_examples=80)
def test_a_longer_limit_is_due_later_and_limits_add_up(
    start: datetime, first: float, second: float, clock: LimitClock
) -> None:
    in_steps = WORKTIME.deadline(
        WORKTIME.deadline(start, Limit(amount=first, clock=clock)),
        Limit(amount=second, clock=clock),
    )
    at_once = WORKTIME.deadline(start, Limit(amount=first + second, clock=clock))
    assert in_steps == at_once
    assert at_once > WORKTIME.deadline(start, Limit(amount=first, clock=clock))
