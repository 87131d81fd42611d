"""挂账, 作废, 延期, 退回, 申诉: what platforms say, and what becomes of case and deadline."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dispatch_rig import NOW, confirm, deliveries, name, settings, state_of, webhook
from sqlalchemy import select

from service.cases.deadlines import LimitClock, WorkTime
from service.cases.lifecycle import Action, take_step
from service.dispatch.callbacks import Report, Status, receive
from service.store.database import Database
from service.store.tables import CaseRow, CaseStepRow
from vision.calendars import load_calendar
from vision.schedule import SiteClock

ID = "violation-0"
WORKTIME = WorkTime(SiteClock(ZoneInfo("Asia/Shanghai"), load_calendar("cn")))
DUE = NOW + timedelta(hours=8)


@pytest.fixture(autouse=True)
def _case(database: Database) -> None:
    """A case of two platforms, due in eight hours as they pass."""
    name(database, settings(city=webhook(), copies=webhook()))
    with database.write() as session:
        confirm(session)
        case = session.get_one(CaseRow, ID)
        case.deadline_clock, case.deadline_at = LimitClock.URGENT_HOUR, DUE


def say(
    database: Database,
    text: str,
    *,
    at: datetime | None = None,
    until: datetime | None = None,
    by: str = "city",
) -> str:
    """``5 handling``: the platform says so of minute 5, and it comes at that minute too."""
    minute, _, word = text.partition(" ")
    said_at = NOW + timedelta(minutes=int(minute))
    report = Report(
        f"r{minute}-{word}",
        Status(word),
        said_at,
        case_id=ID,
        deadline_at=until,
        details={"note": "rain"},
    )
    with database.write() as session:
        return receive(session, by, report, at or said_at, worktime=WORKTIME).outcome


def case_of(database: Database) -> CaseRow:
    with database.read() as session:
        return session.get_one(CaseRow, ID)


def history(database: Database, action: str) -> list[dict[str, object]]:
    query = select(CaseStepRow.details).where(CaseStepRow.action == action)
    with database.read() as session:
        return list(session.scalars(query.order_by(CaseStepRow.id)))


@pytest.mark.parametrize(
    ("said", "outcomes", "state"),
    [
        ("1 accepted, 2 suspended", "moved moved", "suspended"),
        ("1 accepted, 2 suspended, 3 handling", "moved moved moved", "handling"),
        ("1 handling, 2 suspended, 3 accepted", "moved moved moved", "handling"),
        ("1 handling, 2 suspended, 3 handled", "moved moved moved", "handled"),
        ("1 handling, 2 suspended, 3 cancelled", "moved moved moved", "cancelled"),
        ("1 suspended", "moved", "suspended"),
        ("3 handling, 2 suspended", "moved late", "handling"),
        ("1 handled, 2 suspended", "moved noted", "handled"),
        ("1 accepted, 2 cancelled", "moved moved", "cancelled"),
        ("1 cancelled", "moved", "cancelled"),
        ("1 handled, 2 cancelled", "moved moved", "cancelled"),
        ("1 cancelled, 2 handling", "moved late", "cancelled"),
        ("1 cancelled, 2 closed", "moved late", "cancelled"),
        ("1 declined, 2 cancelled", "moved moved", "cancelled"),
        ("1 handling, 2 returned", "moved moved", "accepted"),
        ("1 accepted, 2 returned, 3 handling", "moved moved moved", "handling"),
        ("1 handling, 2 returned, 3 returned", "moved moved moved", "accepted"),
        ("1 handling, 2 suspended, 3 returned", "moved moved moved", "accepted"),
        ("1 handling, 2 returned, 3 declined", "moved moved moved", "declined"),
        ("3 handling, 2 returned", "moved late", "handling"),
        ("1 handled, 2 returned", "moved noted", "handled"),
        ("1 handling, 2 appealed", "moved noted", "handling"),
        ("1 closed, 2 appealed, 3 exempted", "moved noted noted", "handled"),
        ("5 handled, 2 appealed", "moved noted", "handled"),
    ],
)
def test_where_a_case_stands_after_what_was_said(
    database: Database, said: str, outcomes: str, state: str
) -> None:
    told = said.split(", ")
    assert " ".join(say(database, text) for text in told) == outcomes
    assert state_of(database) == state


@pytest.mark.parametrize(
    ("said", "due"),
    [
        ("0 handling, 60 suspended", None),
        ("0 handling, 60 suspended, 180 handling", DUE + timedelta(hours=2)),
        ("0 handling, 60 suspended, 180 returned", DUE + timedelta(hours=2)),
        ("0 handling, 60 suspended, 180 handled", DUE + timedelta(hours=2)),
        ("0 handling, 600 suspended, 700 handling", DUE),
        ("0 handling, 60 returned, 120 handling", DUE),
        ("0 handling, 60 suspended, 120 handling, 180 suspended, 300 handling", 3),
    ],
)
def test_the_deadline_stands_still_while_a_case_is_suspended(
    database: Database, said: str, due: datetime | int | None
) -> None:
    """Put off by as many hours as it was suspended; what had run out stays run out."""
    for text in said.split(", "):
        say(database, text)
    wanted = DUE + timedelta(hours=due) if isinstance(due, int) else due
    assert case_of(database).deadline_at == wanted


def after(hours: float) -> datetime:
    return DUE + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("said", "due"),
    [
        ([("10 extended", after(24))], after(24)),
        ([("10 extended", after(24)), ("20 extended", after(48))], after(48)),
        ([("20 extended", after(48)), ("10 extended", after(24))], after(48)),
        ([("10 extended", after(-1))], DUE),
        ([("10 extended", DUE)], DUE),
        ([("10 handling", None), ("20 handled", None), ("30 extended", after(24))], DUE),
        ([("20 handled", None), ("10 extended", after(24))], after(24)),
        ([("20 closed", None), ("10 extended", after(24))], after(24)),
        ([("20 cancelled", None), ("30 extended", after(24))], DUE),
    ],
)
def test_an_extension_puts_the_deadline_off_and_never_forward(
    database: Database, said: list[tuple[str, datetime | None]], due: datetime
) -> None:
    for text, until in said:
        say(database, text, until=until)
    assert case_of(database).deadline_at == due


def test_an_extension_stands_in_the_history_with_its_reason(database: Database) -> None:
    assert say(database, "10 extended", until=after(24)) == "noted"
    assert say(database, "10 extended", until=after(24)) == "repeated"
    (told,) = history(database, "extended")
    assert told["note"] == "rain"
    assert told["deadline_before"] == DUE.isoformat()
    assert told["deadline_after"] == after(24).isoformat()


def test_what_is_left_of_a_suspended_case_grows(database: Database) -> None:
    say(database, "0 handling")
    say(database, "60 suspended")
    say(database, "120 extended", until=after(24))
    assert case_of(database).deadline_at is None
    say(database, "180 handling")
    # Of the 30 h from minute 120 to the later deadline none has passed: it was suspended.
    assert case_of(database).deadline_at == NOW + timedelta(hours=3 + 30)


def test_a_case_without_a_limit_cannot_be_put_off(database: Database) -> None:
    with database.write() as session:
        case = session.get_one(CaseRow, ID)
        case.deadline_at = case.deadline_clock = None
    assert say(database, "10 extended", until=after(24)) == "noted"
    assert case_of(database).deadline_at is None
    assert history(database, "extended") == []


def test_an_appeal_that_is_granted_counts_once(database: Database) -> None:
    for text in ("1 closed", "2 appealed", "3 exempted", "4 exempted"):
        say(database, text)
    assert len(history(database, "appealed")) == len(history(database, "exempted")) == 1


def test_a_copy_says_nothing_of_the_deadline(database: Database) -> None:
    assert say(database, "10 extended", until=after(24), by="copies") == "copy"
    assert say(database, "11 cancelled", by="copies") == "copy"
    assert (case_of(database).deadline_at, state_of(database)) == (DUE, "confirmed")


def test_who_cancelled_a_case_is_not_told_of_it_and_others_are(database: Database) -> None:
    for row in deliveries(database):
        with database.write() as session:
            kept = session.get_one(type(row), row.id)
            kept.state, kept.attempts = "delivered", 1
    say(database, "1 cancelled")
    told = {(row.destination, row.subject) for row in deliveries(database)}
    assert ("copies", "cancelled") in told
    assert ("city", "cancelled") not in told


def test_what_we_cancel_every_platform_is_told(database: Database) -> None:
    say(database, "1 handling")
    with database.write() as session:
        for row in deliveries(database):
            session.get_one(type(row), row.id).attempts = 1
        take_step(session, ID, Action.CANCEL, "user:li", NOW, worktime=WORKTIME)
    told = {row.destination for row in deliveries(database) if row.subject == "cancelled"}
    assert told == {"city", "copies"}
