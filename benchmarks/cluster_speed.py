"""A scan on a cluster of two processes beside a scan in one process, of the same recordings.

    python -m benchmarks.cluster_speed RECORDING... [--every 2] [--runs 3] [--scaling]

Runs alternate, so that whatever else the machine does falls on both. What is timed of one recording
is its scan as ``run.json`` tells it, without the start of the cluster and the loading of models,
which a long recording does not feel; of several, which are under way together, the whole run, start
and all. Ratios come first; violations must be the same byte for byte.

``--scaling`` adds both on one core alone: how much faster two workers on two cores are than one
worker on one, conductor and Ray's own processes on the same cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Setting:
    """How a scan is run.

    Attributes:
        engine: Options of the scan.
        cores: How many cores it may use, Ray's processes included.
    """

    engine: tuple[str, ...]
    cores: int


TWO_WORKERS, ONE_WORKER = "two workers, two cores", "one worker, one core"
PROCESS_TWO, PROCESS_ONE = "one process, two cores", "one process, one core"

SETTINGS = {
    PROCESS_TWO: Setting(("--engine", "local"), 2),
    TWO_WORKERS: Setting(("--engine", "ray", "--workers", "2"), 2),
}
ON_ONE_CORE = {
    PROCESS_ONE: Setting(("--engine", "local"), 1),
    ONE_WORKER: Setting(("--engine", "ray", "--workers", "1"), 1),
}


def scan_s(recordings: Sequence[Path], out: Path, setting: Setting, pace: Sequence[str]) -> float:
    """Scan, and tell how many seconds it took."""
    command = [sys.executable, "-m", "service", "scan", *map(str, recordings), "--out", str(out)]
    cores = sorted(os.sched_getaffinity(0))[: setting.cores]
    pinned = ["taskset", "--cpu-list", ",".join(map(str, cores))]
    subprocess.run(
        [*pinned, *command, *setting.engine, *pace], check=True, stdout=subprocess.DEVNULL
    )
    run = json.loads((out / "run.json").read_text())
    timed = run["inputs"][0] if len(recordings) == 1 else run["totals"]
    return float(timed["wall_s"])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--every", type=float, help="fixed pace; adaptive without it")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scaling", action="store_true", help="also on one core alone")
    given = parser.parse_args()
    pace = [] if given.every is None else ["--every", str(given.every)]
    settings = SETTINGS | (ON_ONE_CORE if given.scaling else {})
    taken: dict[str, list[float]] = {name: [] for name in settings}
    found = set()
    with tempfile.TemporaryDirectory() as folder:
        for run in range(given.runs):
            for number, (name, setting) in enumerate(settings.items()):
                out = Path(folder) / f"{number}-{run}"
                taken[name].append(scan_s(given.recordings, out, setting, pace))
                found.add((out / "violations.jsonl").read_bytes())
    _compare("speed of the cluster over one process", taken[PROCESS_TWO], taken[TWO_WORKERS])
    if given.scaling:
        _compare("two workers over one", taken[ONE_WORKER], taken[TWO_WORKERS])
        _compare("one process, two cores over one", taken[PROCESS_ONE], taken[PROCESS_TWO])
    for name, seconds in taken.items():
        print(f"{name}: " + ", ".join(f"{value:.1f} s" for value in seconds))
    print("violations: " + ("the same byte for byte" if len(found) == 1 else "DIFFERENT"))
    sys.exit(len(found) > 1)


def _compare(name: str, slower_s: Sequence[float], faster_s: Sequence[float]) -> None:
    """Print how much faster the second was, run by run."""
    ratios = [one / other for one, other in zip(slower_s, faster_s, strict=True)]
    spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
    print(f"{name}: {statistics.median(ratios):.2f} {spread}")


if __name__ == "__main__":
    main()
