"""How long callers of the API wait, over a store of many cases, with several calling at once.

    python -m benchmarks.api_latency [--cases 200000] [--requests 2000] [--callers 4]

A real ``jiexu serve`` on SQLite answers real HTTP requests of a program with a key: pages of cases
with the filters of ``benchmarks/list_pages.py``'s kind, and single cases.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from benchmarks.list_pages import fill
from benchmarks.served import served
from service.auth.keys import add_key
from service.store.database import Database
from service.store.tables import Scope
from vision.learn.measure.speed import machine

PAGES = (
    "/cases?limit=50",
    "/cases?limit=50&state=candidate",
    "/cases?limit=50&state=closed&kind=street_stall",
    "/cases?limit=50&camera_id=cam0001",
    "/cases?limit=50&camera_id=cam0487&state=candidate",
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--callers", type=int, default=4)
    options = parser.parse_args()
    with service(options.cases) as (url, key):
        waited_ms = measure(url, key, requests=options.requests, callers=options.callers)
    print(
        f"{machine()}; {options.cases:,} cases, {options.callers} callers: median "
        f"{statistics.median(waited_ms):.1f} ms, 95 of 100 within {p95(waited_ms):.1f} ms"
    )


@contextmanager
def service(cases: int) -> Iterator[tuple[str, str]]:
    """A service over so many cases; its address and a key that may read."""
    with tempfile.TemporaryDirectory(prefix="jiexu-api-") as name:
        folder = Path(name)
        database = Database(f"sqlite:///{folder / 'jiexu.db'}")
        fill(database, cases)
        with database.write() as session:
            now = datetime.now(UTC)
            key, _ = add_key(session, "benchmark", [Scope.READ], now, created_by="benchmark")
        database.close()
        with served(folder) as url:
            yield f"{url}/api/v1", key


def measure(url: str, key: str, *, requests: int, callers: int) -> list[float]:
    """Milliseconds that each request took, for so many requests by callers at once."""
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        first = client.get(f"{url}{PAGES[0]}").raise_for_status().json()["items"]
        paths = [*PAGES, *(f"/cases/{one['id']}" for one in first[:5])]

        def call(number: int) -> list[float]:
            chance = random.Random(number)  # noqa: S311
            waited_ms = []
            for _ in range(requests // callers):
                began = time.perf_counter()
                client.get(url + chance.choice(paths)).raise_for_status()
                waited_ms.append(1000 * (time.perf_counter() - began))
            return waited_ms

        with ThreadPoolExecutor(callers) as pool:
            return list(itertools.chain.from_iterable(pool.map(call, range(callers))))


def p95(values: list[float]) -> float:
    """Value that 95 of 100 do not exceed."""
    return statistics.quantiles(values, n=20)[18]


if __name__ == "__main__":
    main()
