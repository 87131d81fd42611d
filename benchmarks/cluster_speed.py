"""A scan on a cluster of two processes beside a scan in one process, of the same recording.

    python -m benchmarks.cluster_speed RECORDING [--every 2] [--runs 3]

Runs alternate, so that whatever else the machine does falls on both. What is timed is the scan as
``run.json`` tells it, without the start of the cluster and the loading of models, which a long
recording does not feel. Ratios come first; violations must be the same byte for byte.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ENGINES = {"local": ["--engine", "local"], "ray": ["--engine", "ray", "--workers", "2"]}


def scan_s(recording: Path, out: Path, more: list[str]) -> float:
    """Scan, and tell how many seconds the recording took."""
    command = [sys.executable, "-m", "service.cli", "scan", str(recording), "--out", str(out)]
    subprocess.run([*command, *more], check=True, stdout=subprocess.DEVNULL)
    (report,) = json.loads((out / "run.json").read_text())["inputs"]
    return float(report["wall_s"])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--every", type=float, help="fixed pace; adaptive without it")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    pace = [] if given.every is None else ["--every", str(given.every)]
    taken: dict[str, list[float]] = {name: [] for name in ENGINES}
    found = set()
    with tempfile.TemporaryDirectory() as folder:
        for run in range(given.runs):
            for name, options in ENGINES.items():
                out = Path(folder) / f"{name}-{run}"
                taken[name].append(scan_s(given.recording, out, [*options, *pace]))
                found.add((out / "violations.jsonl").read_bytes())
    ratios = [local / ray for local, ray in zip(taken["local"], taken["ray"], strict=True)]
    print(
        f"speed of the cluster over one process: {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f})"
    )
    for name, seconds in taken.items():
        print(f"{name}: " + ", ".join(f"{value:.1f} s" for value in seconds))
    print("violations: " + ("the same byte for byte" if len(found) == 1 else "DIFFERENT"))
    sys.exit(len(found) > 1)


if __name__ == "__main__":
    main()
