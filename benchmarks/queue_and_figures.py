"""What the queue of reviewers and the figures of a month cost, over cases made up for it.

python -m benchmarks.queue_and_figures [--cases 200000] [--waiting 12000]

The cases are spread over a year; all but the newest are closed, with seven steps each. Printed are
wall-clock milliseconds of claiming and counting, and CPU seconds of a report: on a machine with
other work, wall-clock time says more of that work.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert

from service.cases.claims import Reviewer, claim_next, queue_counts, release
from service.reports.report import make_report
from service.reports.window import window_of
from service.store.database import Database
from service.store.migrate import upgrade
from service.store.tables import Base, CaseRow, CaseState, CaseStepRow, DecisionRow

ZONE = ZoneInfo("Asia/Shanghai")
YEAR_END = datetime(2026, 5, 1, tzinfo=ZONE)
STEPS = ("raised", "confirm", "submit", "accept", "finish", "verify", "close")
REVIEWER = Reviewer("user:benchmark")


def main() -> None:
    """Fill a database, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--waiting", type=int, default=12_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/jiexu.db")
        upgrade(database)
        fill(database, given.cases, given.waiting)
        measure_queue(database)
        measure_report(database, "2026-02")
        database.close()


def fill(database: Database, cases: int, waiting: int) -> None:
    """Put cases with their history into a database."""
    apart = timedelta(days=330) / cases

    def raised_at(number: int) -> datetime:
        return YEAR_END - timedelta(days=330) + number * apart

    done = range(cases - waiting)
    tables: list[tuple[type[Base], Iterator[dict[str, Any]]]] = [
        (CaseRow, (_case(number, raised_at(number), number in done) for number in range(cases))),
        (
            CaseStepRow,
            (
                {
                    "case_id": f"case-{number}",
                    "at": raised_at(number) + timedelta(minutes=20 * place),
                    "actor": "system",
                    "action": action,
                    "state": CaseState.CLOSED,
                    "details": {},
                }
                for number in done
                for place, action in enumerate(STEPS)
            ),
        ),
        (DecisionRow, (_decision(number, raised_at(number)) for number in done)),
    ]
    for table, rows in tables:
        while batch := list(islice(rows, 20_000)):
            with database.write() as session:
                session.execute(insert(table), batch)


def _case(number: int, at: datetime, is_done: bool) -> dict[str, Any]:
    return {
        "id": f"case-{number}",
        "state": CaseState.CLOSED if is_done else CaseState.CANDIDATE,
        "kind": "street_stall" if number % 3 else "debris_pile",
        "camera_id": f"camera-{number % 64}",
        "zone_id": "footway",
        "confidence": 0.5,
        "experimental": False,
        "started_at": at,
        "raised_at": at,
        "created_at": at,
        "updated_at": at,
        "place": {"street": f"street {number % 10}"},
        "deadline_at": at + timedelta(hours=3) if is_done else None,
    }


def _decision(number: int, at: datetime) -> dict[str, Any]:
    return {
        "case_id": f"case-{number}",
        "at": at + timedelta(minutes=20),
        "reviewer": "user:benchmark",
        "stage": "first",
        "verdict": "confirm",
        "settles": True,
        "kind_before": "street_stall",
        "kind_after": "street_stall",
        "confidence": 0.5,
    }


def measure_queue(database: Database) -> None:
    """Claim the next case many times, and count what waits."""
    took = []
    for _ in range(200):
        start = time.perf_counter()
        with database.write() as session:
            case = claim_next(session, REVIEWER, YEAR_END, 300)
        took.append(1000 * (time.perf_counter() - start))
        assert case is not None
        with database.write() as session:
            release(session, case.id, REVIEWER)
    took.sort()
    print(f"claim the next: median {statistics.median(took):.1f} ms, 95 of 100 {took[189]:.1f} ms")
    with database.read() as session:
        start = time.perf_counter()
        waiting = sum(one.waiting for one in queue_counts(session, YEAR_END))
    print(f"count {waiting} that wait: {1000 * (time.perf_counter() - start):.0f} ms")


def measure_report(database: Database, period: str) -> None:
    """Count the figures of a month."""
    start = time.process_time()
    with database.read() as session:
        report = make_report(session, window_of(period, ZONE), YEAR_END)
    found = report.overall.counts["found"]
    print(f"figures of {found} cases: {time.process_time() - start:.1f} s of CPU")


if __name__ == "__main__":
    main()
