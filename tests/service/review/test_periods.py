"""Days, months and quarters, one after the other, and how one went, by the clocks of the place."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import add_case

from service.reports.window import Span, window_of
from service.review.periods import course_of, label_of, neighbour
from service.store.database import Database
from service.store.tables import DecisionRow

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("label", "before", "after"),
    [
        ("2026-01-01", "2025-12-31", "2026-01-02"),
        ("2026-03", "2026-02", "2026-04"),
        ("2026-12", "2026-11", "2027-01"),
        ("2026-Q1", "2025-Q4", "2026-Q2"),
    ],
)
def test_one_goes_back_and_forth(label: str, before: str, after: str) -> None:
    window = window_of(label, ZONE)
    assert (neighbour(window, -1), neighbour(window, 1)) == (before, after)


@given(
    st.dates(date(1971, 1, 1), date(2199, 1, 1)),
    st.sampled_from(["day", "month", "quarter"]),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/Santiago"]),
)
def test_forth_and_back_is_where_one_was(day: date, span: Span, place: str) -> None:
    zone = ZoneInfo(place)
    label = label_of(span, day)
    there = window_of(neighbour(window_of(label, zone), 1), zone)
    assert neighbour(there, -1) == label


def test_what_came_in_and_was_settled_is_counted_part_by_part(database: Database) -> None:
    first = datetime(2026, 4, 30, 16, 30, tzinfo=UTC)  # 00:30 on 1 May at Changzhou
    for number, days in enumerate((0, 0, 2, 31)):
        case_id = add_case(database, number, raised_at=first + timedelta(days=days))
        with database.write() as session:
            session.add(
                DecisionRow(
                    case_id=case_id,
                    at=first + timedelta(days=days, hours=1),
                    reviewer="user:li",
                    stage="first",
                    verdict="reject" if number == 1 else "confirm",
                    settles=number != 2,
                    kind_before="street_stall",
                    kind_after="street_stall",
                    confidence=0.8,
                )
            )
    with database.read() as session:
        may = course_of(session, window_of("2026-05", ZONE))
        day = course_of(session, window_of("2026-05-01", ZONE))
        quarter = course_of(session, window_of("2026-Q2", ZONE))
    assert (len(may.names), may.names[0], may.names[-1]) == (31, "01", "31")
    assert may.found[:4] == (2, 0, 1, 0)
    assert may.confirmed[:4] == (1, 0, 0, 0)
    assert may.rejected[:4] == (1, 0, 0, 0)
    assert (sum(may.found), sum(quarter.found)) == (3, 4)
    assert (day.names[1], day.found[0], day.confirmed[1]) == ("01:00", 2, 1)
    assert quarter.names[:2] == ("04-01", "04-08")
