"""What a GeoReport server says of a request beyond open and closed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dispatch_rig import NOW, confirm, name, open311, settings, state_of
from sqlalchemy import select, update

from service.cases.deadlines import LimitClock, WorkTime
from service.dispatch.adapters.open311 import ServiceRequest
from service.dispatch.platforms import Open311Platform
from service.dispatch.polling import poll_once
from service.store.database import Database
from service.store.tables import CallbackRow, CaseRow, DeliveryRow
from vision.calendars import load_calendar
from vision.schedule import SiteClock

WORKTIME = WorkTime(SiteClock(ZoneInfo("Asia/Shanghai"), load_calendar("cn")))
PLATFORM = Open311Platform.model_validate(
    open311(
        poll_s=60,
        statuses={"On Hold": "suspended", "Withdrawn by us": "cancelled", "not ours": "declined"},
    )
)
ID, DUE = "violation-0", NOW + timedelta(hours=8)


class Server:
    """Says what the test puts into it."""

    def __init__(self) -> None:
        self.said: ServiceRequest | None = None

    def request_id(self, token: str, now: datetime) -> str | None:
        """No tokens here."""
        raise NotImplementedError

    def requests(self, ids: Sequence[str], now: datetime) -> list[ServiceRequest]:
        """What was put in."""
        assert ids == ["R1"]
        return [] if self.said is None else [self.said]


@pytest.fixture
def server(database: Database) -> Server:
    """A server that has one case, due in eight hours."""
    name(database, settings(geo=open311()))
    with database.write() as session:
        confirm(session)
        case = session.get_one(CaseRow, ID)
        case.deadline_clock, case.deadline_at = LimitClock.URGENT_HOUR, DUE
        session.execute(update(DeliveryRow).values(state="delivered", reference="R1", attempts=1))
    return Server()


def poll(database: Database, server: Server, minute: int, said: str, **more: datetime) -> int:
    """``open/on hold``: status and notes that are told at a minute."""
    word, _, notes = said.partition("/")
    at = NOW + timedelta(minutes=minute)
    is_open = word.lower() != "closed"
    server.said = ServiceRequest(
        "R1", is_open, notes, None, "", word=word, expected_at=more.get("expected_at")
    )
    return poll_once(database, "geo", PLATFORM, server, lambda: at, worktime=WORKTIME)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("open", "accepted"),
        ("open/on hold", "suspended"),
        ("ON HOLD/waits for the owner", "suspended"),
        ("open/was on hold", "accepted"),
        ("closed/Withdrawn by us", "cancelled"),
        ("closed/not ours", "declined"),
        ("closed/done", "handled"),
    ],
)
def test_words_of_the_settings_are_understood(
    database: Database, server: Server, said: str, state: str
) -> None:
    poll(database, server, 1, said)
    assert state_of(database) == state


def test_the_same_word_counts_again_after_another(database: Database, server: Server) -> None:
    states = []
    for minute, said in enumerate(["open", "open/on hold", "open", "open/on hold", "open/on hold"]):
        poll(database, server, 2 * minute, said)
        states.append(state_of(database))
    assert states == ["accepted", "suspended", "handling", "suspended", "suspended"]
    with database.read() as session:
        assert len(session.scalars(select(CallbackRow)).all()) == 4


def test_expected_later_than_before_is_an_extension(database: Database, server: Server) -> None:
    day = timedelta(days=1)
    told = [DUE + day, DUE + day, DUE + 2 * day, DUE + 3 * day, DUE + 2 * day]
    due = []
    for minute, expected_at in enumerate(told):
        poll(database, server, 2 * minute, "open", expected_at=expected_at)
        with database.read() as session:
            due.append(session.get_one(CaseRow, ID).deadline_at)
    # What the server expects at first is no extension of what the city gave.
    assert due == [DUE, DUE, DUE + 2 * day, DUE + 3 * day, DUE + 3 * day]
