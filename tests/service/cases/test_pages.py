from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from databases import Databases
from sqlalchemy import Select, insert, text
from sqlalchemy.orm import Session

from service.cases.pages import (
    Narrowing,
    Order,
    Position,
    case_page,
    case_query,
    violation_page,
    violation_query,
)
from service.store.database import Database
from service.store.tables import CaseRow, CaseState, ViolationRow

START = datetime(2026, 5, 4, tzinfo=UTC)
KINDS = ("street_stall", "debris_pile", "hoarding_missing")
STATES = (CaseState.CLOSED, CaseState.REJECTED, CaseState.CANDIDATE)
COUNT = 3000


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


def some_cases() -> list[dict[str, Any]]:
    """Cases of which many share a time, so that their ids must decide."""
    chance = random.Random(1)
    rows = []
    for number in range(COUNT):
        at = minute(number // 4)
        rows.append(
            {
                "id": f"{chance.getrandbits(64):016x}",
                "state": chance.choices(STATES, (80, 18, 2))[0],
                "kind": chance.choices(KINDS, (60, 35, 5))[0],
                "camera_id": f"cam{chance.randrange(12)}",
                "zone_id": f"zone{chance.randrange(3)}",
                "confidence": 0.5,
                "experimental": False,
                "started_at": at,
                "raised_at": at,
                "ended_at": None if chance.random() < 0.1 else at,
                "version": 1,
                "created_at": at,
                "updated_at": at,
            }
        )
    # Not in the order of the pages, or reading the table would be as good as an index.
    chance.shuffle(rows)
    return rows


ROWS = some_cases()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Database]:
    databases = Databases(request.param, tmp_path_factory.mktemp("pages"), request)
    with databases.url() as url:
        database = Database(url)
        with database.write() as session:
            session.execute(insert(CaseRow), ROWS)
            dropped = ("state", "confidence", "experimental", "started_at", "version")
            violations = [
                {**{k: v for k, v in row.items() if k not in dropped}, "record": {}} for row in ROWS
            ]
            session.execute(
                insert(ViolationRow), [{**row, "case_id": row["id"]} for row in violations]
            )
        with database.write() as session:
            session.execute(text("ANALYZE"))
        yield database
        database.close()


NARROWINGS = {
    "all": Narrowing(),
    "state": Narrowing(states=(CaseState.CANDIDATE,)),
    "states": Narrowing(states=(CaseState.CANDIDATE, CaseState.REJECTED)),
    "kind": Narrowing(kinds=("debris_pile",)),
    "kinds": Narrowing(kinds=("debris_pile", "hoarding_missing")),
    "state and kind": Narrowing(states=(CaseState.REJECTED,), kinds=("street_stall",)),
    "states and kinds": Narrowing(
        states=(CaseState.REJECTED, CaseState.CLOSED), kinds=("street_stall", "debris_pile")
    ),
    "all states and kinds": Narrowing(states=tuple(CaseState), kinds=KINDS),
    "camera": Narrowing(camera_id="cam3"),
    "camera and state": Narrowing(camera_id="cam3", states=(CaseState.CLOSED,)),
    "camera and states": Narrowing(
        camera_id="cam3", states=(CaseState.CLOSED, CaseState.CANDIDATE, CaseState.HANDLING)
    ),
    "camera and kind": Narrowing(camera_id="cam3", kinds=("debris_pile",)),
    "zone": Narrowing(camera_id="cam3", zone_id="zone1"),
    "zone, state and kind": Narrowing(
        camera_id="cam3", zone_id="zone1", states=(CaseState.CLOSED,), kinds=("street_stall",)
    ),
    "times": Narrowing(raised_from=minute(100), raised_before=minute(200)),
    "ongoing": Narrowing(ongoing=True),
    "over": Narrowing(ongoing=False, camera_id="cam3"),
    "none": Narrowing(camera_id="nowhere"),
}


def wanted(narrowing: Narrowing, order: Order) -> list[str]:
    """What the pages together must be, without a database."""
    found = [
        row
        for row in ROWS
        if (not narrowing.states or row["state"] in narrowing.states)
        and (not narrowing.kinds or row["kind"] in narrowing.kinds)
        and narrowing.camera_id in (None, row["camera_id"])
        and narrowing.zone_id in (None, row["zone_id"])
        and (narrowing.raised_from is None or row["raised_at"] >= narrowing.raised_from)
        and (narrowing.raised_before is None or row["raised_at"] < narrowing.raised_before)
        and narrowing.ongoing in (None, row["ended_at"] is None)
    ]
    found.sort(key=lambda row: (row["raised_at"], row["id"]), reverse=order == "newest")
    return [row["id"] for row in found]


def walked(session: Session, pages: Any, narrowing: Narrowing, order: Order) -> list[str]:
    ids: list[str] = []
    after: Position | None = None
    while True:
        page = pages(session, narrowing, limit=97, after=after, order=order)
        ids += [row.id for row in page.rows]
        if page.next is None:
            return ids
        after = page.next


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("name", NARROWINGS)
def test_pages_walk_over_every_case_once(filled: Database, name: str, order: Order) -> None:
    with filled.read() as session:
        assert walked(session, case_page, NARROWINGS[name], order) == wanted(
            NARROWINGS[name], order
        )


@pytest.mark.parametrize("name", [name for name, it in NARROWINGS.items() if not it.states])
def test_pages_walk_over_every_violation_once(filled: Database, name: str) -> None:
    with filled.read() as session:
        assert walked(session, violation_page, NARROWINGS[name], "newest") == wanted(
            NARROWINGS[name], "newest"
        )


def test_a_page_that_ends_with_the_list_has_no_next(filled: Database) -> None:
    narrowing = NARROWINGS["camera"]
    count = len(wanted(narrowing, "newest"))
    with filled.read() as session:
        assert case_page(session, narrowing, limit=count).next is None
        assert case_page(session, narrowing, limit=count - 1).next is not None


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_a_position_outside_the_times_asked_for_hides_nothing_else(
    filled: Database, order: Order
) -> None:
    narrowing = NARROWINGS["times"]
    with filled.read() as session:
        for number, rest in ((50, order == "oldest"), (300, order == "newest")):
            after = Position(minute(number), "")
            page = case_page(session, narrowing, limit=COUNT, after=after, order=order)
            found = [row.id for row in page.rows]
            assert found == (wanted(narrowing, order) if rest else [])


def plan(session: Session, query: Select[Any]) -> str:
    """How the database means to answer, in its own words.

    PostgreSQL would rather read so small a table whole: it is asked what it does when it cannot.
    """
    sql = query.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    if session.get_bind().dialect.name == "sqlite":
        rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
        return "\n".join(row[-1] for row in rows)
    for way in ("seqscan", "sort", "incremental_sort", "bitmapscan"):
        session.execute(text(f"SET LOCAL enable_{way} = off"))
    text_of = str(sql).replace("%", "%%")
    return "\n".join(session.connection().exec_driver_sql(f"EXPLAIN {text_of}").scalars())


CASE_INDEXES = {
    "all": "ix_cases_page",
    "state": "ix_cases_state_page",
    "kind": "ix_cases_kind_page",
    "state and kind": "ix_cases_state_kind_page",
    "camera": "ix_cases_camera_page",
    "camera and state": "ix_cases_camera_state_page",
    "camera and kind": "ix_cases_camera_page",
    "zone": "ix_cases_zone_page",
    "zone, state and kind": "ix_cases_camera_state_page",
    "times": "ix_cases_page",
}


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("name", CASE_INDEXES)
def test_a_page_of_cases_is_read_off_its_index(filled: Database, name: str, order: Order) -> None:
    with filled.read() as session:
        query = case_query(NARROWINGS[name], limit=50, after=None, order=order)
        told = plan(session, query)
    assert CASE_INDEXES[name] + " " in f"{told} ".replace("\n", " ")
    assert "TEMP B-TREE" not in told
    assert "Sort" not in told


@pytest.mark.parametrize("after", [None, Position(minute(300), "8")], ids=["first", "later"])
@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize(
    "name", ["states", "kinds", "states and kinds", "all states and kinds", "camera and states"]
)
def test_a_page_of_several_states_reads_a_page_of_each(
    filled: Database, name: str, order: Order, after: Position | None
) -> None:
    """Each part is read off its index up to a page; the table itself is reached by id alone."""
    with filled.read() as session:
        query = case_query(NARROWINGS[name], limit=50, after=after, order=order)
        told = plan(session, query)
    walks = [
        line
        for line in told.splitlines()
        if re.search(r"SCAN cases|Seq Scan on cases|ix_cases_page", line)
    ]
    assert walks == []
    nodes = [line for line in told.splitlines() if re.search("->|SEARCH|SCAN|CO-ROUTINE", line)]
    reads = [number for number, line in enumerate(nodes) if PART.search(line)]
    assert len(reads) >= 2
    # Whatever is read begins where the page does and ends with it: a bound stands right around it.
    bound = "CO-ROUTINE" if filled.engine_name == "sqlite" else "Limit"
    assert [nodes[number] for number in reads if bound not in nodes[number - 1]] == []
    assert all("SEARCH" in nodes[number] or "->" in nodes[number] for number in reads)


PART = re.compile(r"ix_cases_(?:state|kind|state_kind|camera_state)_page")

VIOLATION_INDEXES = {
    "all": "ix_violations_page",
    "kind": "ix_violations_kind_page",
    "camera": "ix_violations_camera_page",
    "camera and kind": "ix_violations_camera_page",
    "zone": "ix_violations_zone_page",
    "times": "ix_violations_page",
    "ongoing": "ix_violations_ongoing_page",
}


@pytest.mark.parametrize("name", VIOLATION_INDEXES)
def test_a_page_of_violations_is_read_off_its_index(filled: Database, name: str) -> None:
    after = Position(minute(500), "8")
    with filled.read() as session:
        query = violation_query(NARROWINGS[name], limit=50, after=after, order="newest")
        told = plan(session, query)
    assert VIOLATION_INDEXES[name] + " " in f"{told} ".replace("\n", " ")
    assert "TEMP B-TREE" not in told
    assert "Sort" not in told
