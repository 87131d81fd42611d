"""Windows in a place's own time: across midnight, holidays, and clocks put forward and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vision.calendars import load_calendar
from vision.schedule import Schedule, SiteClock, Timetable

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
CN = load_calendar("cn")


def timetable(zone: ZoneInfo = SHANGHAI, **schedule: object) -> Timetable:
    return Timetable(Schedule.model_validate(schedule), SiteClock(zone, CN))


def daily(start: str, end: str, zone: ZoneInfo = SHANGHAI, **more: object) -> Timetable:
    return timetable(zone, windows=[{"from": start, "to": end}], **more)


def local(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


NIGHT_MARKET = timetable(windows=[{"days": "fri-sun", "from": "18:00", "to": "01:00"}])


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        ("2026-06-05 17:59:59", False),  # Friday
        ("2026-06-05 18:00", True),
        ("2026-06-06 00:59:59", True),  # Friday's night
        ("2026-06-06 01:00", False),
        ("2026-06-08 00:30", True),  # Monday morning, Sunday's night
        ("2026-06-08 18:30", False),  # Monday
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_began(at: str, holds: bool) -> None:
    assert NIGHT_MARKET.holds(local(at)) is holds


@pytest.mark.parametrize(
    ("days", "on"),
    [
        ("workday", {"2026-02-13", "2026-02-14", "2026-02-24"}),
        ("restday", {"2026-02-15", "2026-02-17", "2026-03-01"}),
        ("holiday", {"2026-02-15", "2026-02-17"}),
        ("sat", {"2026-02-14"}),  # by the week, though it is worked
        (["holiday", "fri"], {"2026-02-13", "2026-02-15", "2026-02-17"}),
    ],
)
def test_days_by_the_week_and_by_the_calendar(days: object, on: set[str]) -> None:
    """13 Friday, 14 made-up Saturday, 15 and 17 春节, 24 Tuesday, 1 March plain Sunday."""
    table = timetable(windows=[{"days": days, "from": "00:00", "to": "24:00"}])
    asked = ["2026-02-13", "2026-02-14", "2026-02-15", "2026-02-17", "2026-02-24", "2026-03-01"]
    assert {day for day in asked if table.holds(local(f"{day} 12:00"))} == on


def test_date_ranges_include_both_ends_and_the_last_night() -> None:
    table = daily("20:00", "02:00", **{"from": date(2026, 5, 1), "until": date(2026, 5, 3)})
    assert not table.holds(local("2026-05-01 01:00"))
    assert table.holds(local("2026-05-01 20:00"))
    assert table.holds(local("2026-05-04 01:59"))
    assert not table.holds(local("2026-05-04 20:00"))


def test_special_days_go_by_windows_of_their_own() -> None:
    table = daily(
        "08:00",
        "18:00",
        until=date(2026, 9, 30),
        special_days=[
            {"from": date(2026, 6, 1), "windows": []},
            {"from": "2026-10-01", "until": "2026-10-03", "windows": [{"from": 600, "to": 1320}]},
        ],
    )
    assert not table.holds(local("2026-06-01 12:00"))
    assert table.holds(local("2026-10-02 21:59"))
    assert not table.holds(local("2026-10-02 09:00"))
    assert not table.holds(local("2026-10-04 12:00"))


def test_without_windows_whole_days_hold() -> None:
    table = timetable(**{"from": date(2026, 5, 1), "until": date(2026, 5, 2)})
    assert table.seconds(local("2026-04-30 00:00"), local("2026-05-05 00:00")) == 2 * 86_400


class TestClocksPutForwardAndBack:
    """Berlin 2026: 29 March 02:00 becomes 03:00, 25 October 03:00 becomes 02:00 again."""

    @pytest.mark.parametrize(
        ("window", "minutes"),
        [
            (("01:30", "02:30"), 30),  # closes at the jump
            (("02:30", "03:30"), 30),  # opens at the jump
            (("02:10", "02:50"), 0),  # the whole window is skipped
            (("01:00", "04:00"), 120),
            (("23:00", "04:00"), 240),
        ],
    )
    def test_a_skipped_hour_is_the_moment_of_the_jump(
        self, window: tuple[str, str], minutes: int
    ) -> None:
        table = daily(*window, BERLIN)
        night = local("2026-03-28 22:00", BERLIN), local("2026-03-29 22:00", BERLIN)
        assert table.seconds(*night) == minutes * 60

    @pytest.mark.parametrize(
        ("window", "minutes"),
        [
            (("01:30", "02:30"), 120),  # opens once, closes when 02:30 has passed for good
            (("02:10", "02:50"), 100),
            (("02:30", "03:30"), 120),
            (("01:00", "04:00"), 240),
            (("23:00", "04:00"), 360),
        ],
    )
    def test_of_a_repeated_hour_the_first_opens_and_the_second_closes(
        self, window: tuple[str, str], minutes: int
    ) -> None:
        table = daily(*window, BERLIN)
        night = local("2026-10-24 22:00", BERLIN), local("2026-10-25 22:00", BERLIN)
        assert table.seconds(*night) == minutes * 60
        (span,) = table.spans(*night)
        assert all(table.holds(span[0] + i * timedelta(minutes=1)) for i in range(minutes))

    def test_a_deadline_counts_what_passes(self) -> None:
        table = daily("00:00", "24:00", BERLIN)
        by = table.after(local("2026-10-25 00:00", BERLIN), 6 * 3600)
        assert by is not None
        assert by.isoformat() == "2026-10-25T05:00:00+01:00"


class TestDeadlines:
    """The same windows serve as the clock of work hours."""

    WORK_HOURS = timetable(
        windows=[
            {"days": "workday", "from": "08:00", "to": "12:00"},
            {"days": "workday", "from": "14:00", "to": "18:00"},
        ]
    )

    @pytest.mark.parametrize(
        ("start", "hours", "by"),
        [
            ("2026-06-08 09:00", 2, "2026-06-08 11:00"),
            ("2026-06-08 11:00", 2, "2026-06-08 15:00"),  # the lunch break does not count
            ("2026-06-08 17:30", 1, "2026-06-09 08:30"),
            ("2026-02-13 17:00", 2, "2026-02-14 09:00"),  # 调休 Saturday
            ("2026-02-14 17:00", 2, "2026-02-24 09:00"),  # over 春节
            ("2026-06-08 08:00", 4, "2026-06-08 12:00"),
            ("2026-06-06 10:00", 0, "2026-06-08 08:00"),
        ],
    )
    def test_work_hours(self, start: str, hours: float, by: str) -> None:
        assert self.WORK_HOURS.after(local(start), hours * 3600) == local(by)

    def test_a_schedule_that_is_over_has_no_deadline(self) -> None:
        assert (
            daily("08:00", "18:00", until=date(2026, 5, 1)).after(local("2026-05-02 08:00"), 1)
            is None
        )


def test_how_long_it_has_held() -> None:
    table = daily("18:00", "01:00")
    inside, outside = table.state(local("2026-06-06 00:30")), table.state(local("2026-06-06 12:00"))
    assert (inside.since, inside.until) == (local("2026-06-05 18:00"), local("2026-06-06 01:00"))
    assert (outside.since, outside.until) == (local("2026-06-06 01:00"), local("2026-06-06 18:00"))
    assert timetable().state(local("2026-06-06 12:00")).since is None
    over = daily("08:00", "18:00", until=date(2026, 4, 30)).state(local("2026-06-06 12:00"))
    assert over.since == local("2026-04-30 18:00")


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ({"windows": [{"from": "8", "to": "18:00"}]}, "is no time"),
        ({"windows": [{"from": "08:60", "to": "18:00"}]}, "no time of a day"),
        ({"windows": [{"from": "08:00", "to": 1500}]}, "25:00 is no time of a day"),
        ({"windows": [{"from": "08:00", "to": "08:00"}]}, "from and to are the same"),
        ({"windows": [{"from": "24:00", "to": "08:00"}]}, "cannot open at 24:00"),
        ({"windows": [{"days": "workdays", "from": "08:00", "to": "9:00"}]}, "workday"),
        ({"from": "2026-05-02", "until": "2026-05-01"}, "until lies before from"),
    ],
)
def test_faults_are_said(schedule: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Schedule.model_validate(schedule)


times = st.integers(0, 86_399)
instants = st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 30)).map(
    lambda at: at.replace(tzinfo=UTC, microsecond=0)
)


def clock_text(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


windows = st.builds(
    lambda days, start, length: {
        "days": days,
        "from": clock_text(start),
        "to": clock_text((start + length) % 86_400),
    },
    st.lists(
        st.sampled_from(["mon", "wed", "sat", "sun", "workday", "restday", "holiday"]),
        min_size=1,
        max_size=3,
    ),
    times,
    st.integers(1, 86_399),
)
tables = st.builds(
    lambda zone, some: Timetable(
        Schedule.model_validate({"windows": some}), SiteClock(ZoneInfo(zone), CN)
    ),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    st.lists(windows, min_size=0, max_size=3),
)


@given(tables, instants, st.integers(0, 14 * 86_400))
@settings(max_examples=60, deadline=None)
def test_spans_are_apart_in_order_and_agree_with_holds(
    table: Timetable, start: datetime, length: int
) -> None:
    end = start + timedelta(seconds=length)
    spans = table.spans(start, end)
    assert all(start <= first < last <= end for first, last in spans)
    assert all(a[1] < b[0] for a, b in pairwise(spans))
    for first, last in spans:
        assert table.holds(first)
        assert table.holds(last - timedelta(seconds=1))
        assert last == end or not table.holds(last)
        assert first == start or not table.holds(first - timedelta(seconds=1))


@given(tables, instants, st.integers(0, 86_400 * 7), st.integers(0, 86_400 * 7))
@settings(max_examples=60, deadline=None)
def test_seconds_add_up(table: Timetable, start: datetime, one: int, two: int) -> None:
    middle, end = start + timedelta(seconds=one), start + timedelta(seconds=one + two)
    assert table.seconds(start, end) == table.seconds(start, middle) + table.seconds(middle, end)
    assert 0 <= table.seconds(start, end) <= one + two


@given(tables, instants, st.integers(1, 5 * 86_400))
@settings(max_examples=60, deadline=None)
def test_a_deadline_is_where_the_seconds_have_passed(
    table: Timetable, start: datetime, seconds: int
) -> None:
    by = table.after(start, seconds)
    if by is not None:
        assert table.seconds(start, by) == seconds


@given(tables, st.lists(instants, max_size=12))
@settings(max_examples=60, deadline=None)
def test_answers_do_not_depend_on_what_was_asked_before(
    table: Timetable, asked: list[datetime]
) -> None:
    for at in asked:
        assert table.state(at).holds == Timetable(table.schedule, table.clock).state(at).holds
