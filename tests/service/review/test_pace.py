"""How much reviewers decide: counted from decisions that hold, in time at work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from stored import add_case

from service.review.pace import by_hour, paces
from service.store.database import Database
from service.store.tables import DecisionRow, Stage, Verdict

BEGIN = datetime(2026, 5, 4, 1, 30, tzinfo=UTC)
UNTIL = BEGIN + timedelta(hours=3)


def decided(
    after_s: float,
    reviewer: str = "user:li",
    verdict: Verdict = Verdict.CONFIRM,
    on_screen_s: float | None = 4.0,
    undone: bool = False,
) -> DecisionRow:
    at = BEGIN + timedelta(seconds=after_s)
    return DecisionRow(
        case_id="violation-0",
        at=at,
        reviewer=reviewer,
        stage=Stage.FIRST,
        verdict=verdict,
        settles=True,
        kind_before="street_stall",
        kind_after="street_stall",
        confidence=0.5,
        on_screen_s=on_screen_s,
        undone_at=at if undone else None,
    )


@pytest.fixture
def database(database: Database) -> Database:
    add_case(database)
    return database


def test_pauses_do_not_count_as_work(database: Database) -> None:
    with database.write() as session:
        session.add_all(
            [
                decided(10),
                decided(16, verdict=Verdict.REJECT, on_screen_s=6.0),
                decided(2000, verdict=Verdict.NOT_SURE, on_screen_s=None),
                decided(2050, on_screen_s=50.0),
                decided(2060, undone=True),
                decided(30, reviewer="user:wang"),
            ]
        )
    with database.read() as session:
        li, wang = paces(session, BEGIN, UNTIL)
    assert (li.decisions, li.confirmed, li.not_sure) == (4, 2, 1)
    # 4 s before the first, 6 s between the first two, then a pause, then 50 s.
    assert li.worked_s == 4 + 6 + 0 + 50
    assert li.per_hour == 4 / 60 * 3600
    assert li.median_on_screen_s == 6.0
    assert (wang.reviewer, wang.decisions) == ("user:wang", 1)


def test_hours_are_those_of_the_site_and_none_is_left_out(database: Database) -> None:
    with database.write() as session:
        session.add_all([decided(0), decided(60), decided(2.2 * 3600), decided(5 * 3600)])
    with database.read() as session:
        hours = by_hour(session, BEGIN, UNTIL, "Asia/Shanghai")
    assert hours == [("09:00", 2), ("10:00", 0), ("11:00", 1), ("12:00", 0)]


def test_without_decisions_there_is_nothing(database: Database) -> None:
    with database.read() as session:
        assert paces(session, BEGIN, UNTIL) == []
