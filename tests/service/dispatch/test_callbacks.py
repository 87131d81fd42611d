"""Reports of platforms: once each, in any order, never backwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from dispatch_rig import NOW, confirm, deliveries, name, settings, state_of, webhook
from hypothesis import HealthCheck, given
from hypothesis import settings as rules
from hypothesis import strategies as st
from sqlalchemy import select

from service.cases.deadlines import WorkTime
from service.cases.lifecycle import Action, take_step
from service.dispatch.callbacks import RANKS, Report, Status, UnknownCaseError, receive
from service.store.database import Database
from service.store.migrate import upgrade
from service.store.tables import CallbackRow, CaseRow, CaseStepRow
from vision.calendars import load_calendar
from vision.schedule import SiteClock

ID = "violation-0"
WORKTIME = WorkTime(SiteClock(ZoneInfo("Asia/Shanghai"), load_calendar("cn")))
TOLD = (Status.ACCEPTED, Status.HANDLING, Status.HANDLED)


@pytest.fixture(autouse=True)
def _case(database: Database) -> None:
    name(database, settings(city=webhook(), copies=webhook()))
    with database.write() as session:
        confirm(session)


def said(minute: int, status: Status, *, event_id: str | None = None, **changes: object) -> Report:
    at = NOW + timedelta(minutes=minute)
    fields: dict[str, object] = {"case_id": ID if event_id is None else None} | changes
    return Report(f"r{minute}-{status}", status, at, event_id=event_id, **fields)  # type: ignore[arg-type]


def take(database: Database, report: Report, by: str = "city") -> str:
    with database.write() as session:
        return receive(session, by, report, NOW).outcome


def actions(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(CaseStepRow.action).order_by(CaseStepRow.id)))


def test_reports_move_the_case_and_the_first_proves_that_it_arrived(database: Database) -> None:
    for minute, status in enumerate(TOLD):
        assert take(database, said(minute, status)) == "moved"
    assert actions(database) == ["confirm", "submit", "accept", "handle", "finish"]


def test_the_same_report_twice_counts_once(database: Database) -> None:
    assert take(database, said(0, Status.HANDLED)) == "moved"
    assert take(database, said(0, Status.HANDLED)) == "repeated"
    assert actions(database).count("finish") == 1


def test_what_was_said_before_is_late(database: Database) -> None:
    take(database, said(5, Status.HANDLED))
    assert take(database, said(1, Status.ACCEPTED)) == "late"
    assert take(database, said(2, Status.DECLINED)) == "late"
    assert state_of(database) == "handled"


def test_after_closed_nothing_counts_any_more(database: Database) -> None:
    take(database, said(1, Status.CLOSED))
    assert state_of(database) == "handled", "a camera has to look before it is closed"
    assert take(database, said(9, Status.HANDLING)) == "late"
    assert state_of(database) == "handled"


def test_what_answers_an_earlier_message_is_late_after_the_case_was_reopened(
    database: Database,
) -> None:
    (first,) = [row for row in deliveries(database) if row.destination == "city"]
    take(database, said(1, Status.HANDLED, event_id=first.event_id))
    with database.write() as session:
        take_step(session, ID, Action.REOPEN, "camera:gate-3", NOW)
    second = [row for row in deliveries(database) if row.destination == "city"][-1]
    assert take(database, said(9, Status.CLOSED, event_id=first.event_id)) == "late"
    assert state_of(database) == "reopened"
    assert take(database, said(2, Status.HANDLED, event_id=second.event_id)) == "moved"
    assert state_of(database) == "handled"


def test_a_platform_that_got_a_copy_moves_nothing(database: Database) -> None:
    assert take(database, said(1, Status.HANDLED), by="copies") == "copy"
    assert state_of(database) == "confirmed"


@pytest.mark.parametrize(
    "known_by", [{"event_id": "case_0"}, {"reference": "C9"}, {"case_id": "no-such"}, {}]
)
def test_a_case_that_it_was_never_told_of_is_unknown(
    database: Database, known_by: dict[str, str]
) -> None:
    with pytest.raises(UnknownCaseError):
        take(database, Report("r", Status.HANDLED, NOW, **known_by))  # type: ignore[arg-type]


def test_a_declined_case_can_be_closed_by_its_platform(database: Database) -> None:
    take(database, said(1, Status.DECLINED))
    assert state_of(database) == "declined"
    take(database, said(2, Status.CLOSED))
    assert state_of(database) == "closed"


@pytest.fixture(scope="module")
def shelf() -> Iterator[Database]:
    """One SQLite for many examples; each has a case of its own."""
    with TemporaryDirectory() as folder:
        opened = Database(f"sqlite:///{Path(folder) / 'shelf.db'}")
        upgrade(opened)
        name(opened, settings(city=webhook()))
        yield opened
        opened.close()


_numbers = iter(range(1000, 10**6))
_REPORTS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(list(RANKS))),
    max_size=8,
)


@rules(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(_REPORTS, st.randoms(use_true_random=False))
def test_in_whatever_order_and_however_often_no_report_moves_a_case_back(
    shelf: Database, reports: list[tuple[int, Status]], order: object
) -> None:
    number = next(_numbers)
    with shelf.write() as session:
        case_id = confirm(session, number)
    sent = [*reports, *reports]
    order.shuffle(sent)  # type: ignore[attr-defined]
    counted: list[tuple[datetime, int]] = []
    for minute, status in sent:
        at = NOW + timedelta(minutes=minute)
        report = Report(f"{number}-{minute}-{status}", status, at, case_id=case_id)
        with shelf.write() as session:
            found = receive(session, "city", report, NOW, worktime=WORKTIME)
            if found.outcome in ("moved", "noted"):
                counted.append((at, RANKS[status]))
    assert counted == sorted(counted), "what counts is in the platform's order"
    with shelf.read() as session:
        kept = session.scalars(select(CallbackRow).where(CallbackRow.case_id == case_id)).all()
        assert len(kept) == len(set(reports))
        assert session.get_one(CaseRow, case_id).state in (
            *("confirmed", "submitted", "accepted", "handling", "handled", "declined", "closed"),
            *("suspended", "cancelled"),
        )
