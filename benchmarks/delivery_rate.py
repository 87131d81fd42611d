"""How many cases a second reach a platform that is well.

    python -m benchmarks.delivery_rate [--cases 500] [--workers 2]

The rig is that of ``benchmarks/delivery_faults.py`` without its faults: a real sandbox platform, a
real ``jiexu serve`` on SQLite, all three interfaces. The cases are confirmed before the service
starts; counted is from the first delivery to the last.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.delivery_faults import (
    add_confirmed,
    arguments,
    free_port,
    new_keys,
    run_sandbox,
    write_settings,
)
from service.dispatch import queue
from service.dispatch.platforms import DispatchSettings
from service.dispatch.schedule import State
from service.store.database import Database
from service.store.migrate import upgrade
from service.store.tables import DeliveryRow
from vision.learn.measure.speed import machine

LIMIT_S = 300.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2, help="for each platform")
    options = parser.parse_args()
    rate = measure(options.cases, workers=options.workers)
    print(f"{machine()}: {rate:.1f} deliveries a second ({options.cases} cases)")


def measure(cases: int, *, workers: int = 2) -> float:
    """Deliveries a second of so many cases.

    Raises:
        TimeoutError: Not all arrived in time.
    """
    calm = ["--fail", "0", "--down-every", "86400", "--detour", "0", "--step", "2"]
    well = [*calm, "--workers", str(workers)]
    options = arguments().parse_args(well)
    ports, keys = (free_port(), free_port()), new_keys()
    with tempfile.TemporaryDirectory(prefix="jiexu-rate-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'jiexu.db'}"
        settings = write_settings(folder, url, ports, keys, options)
        database = Database(url)
        upgrade(database)
        with database.write() as session:
            queue.name_destinations(session, DispatchSettings.model_validate(settings["dispatch"]))
            for number in range(cases):
                add_confirmed(session, number)
        config = str(folder / "service.yaml")
        with run_sandbox(ports, keys, options):
            process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve", "--config", config],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                took_s = _until_delivered(database, cases)
            finally:
                process.terminate()
                process.wait(30)
                database.close()
    return (cases - 1) / took_s


def _until_delivered(database: Database, cases: int) -> float:
    """Seconds from the first of so many deliveries to the last."""
    confirmed = DeliveryRow.subject == "confirmed"
    arrived = select(
        func.count(), func.min(DeliveryRow.delivered_at), func.max(DeliveryRow.delivered_at)
    ).where(DeliveryRow.state == State.DELIVERED, confirmed)
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        with database.read() as session:
            count, first, last = session.execute(arrived).one()
        if count == cases:
            return float((last - first).total_seconds())
        time.sleep(0.5)
    raise TimeoutError(f"{count} of {cases} cases arrived within {LIMIT_S:.0f} s")


if __name__ == "__main__":
    main()
