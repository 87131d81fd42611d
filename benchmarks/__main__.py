"""All benchmarks by one command, beside their peers, as JSON, table and plot.

    python -m benchmarks --footage CLIP --out DIR [--quick] [--runs 3] [--only scan --only api]

``--quick`` is some minutes of what else takes about twenty on two quiet cores; its ratios are
rough, its absolute values say little. ``DIR/benchmarks.json`` holds every value of every run,
``DIR/benchmarks.md`` the table, ratios first, and ``DIR/benchmarks.png`` the speeds of scans. What
cannot be measured here is named with its reason. ``python -m benchmarks.cost`` makes the bill of a
city from the JSON.
"""

from __future__ import annotations

import argparse
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import NotMeasuredError, Results, plot, table, write_json
from benchmarks.suite import SECTIONS, Plan
from vision.learn.measure.speed import machine


def main() -> None:
    """Measure section by section; the files are written anew after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, required=True, help="a real clip, fixed camera")
    parser.add_argument("--out", type=Path, required=True, help="folder for results and clips")
    parser.add_argument("--runs", type=int, help="3; 1 in the short form")
    parser.add_argument("--quick", action="store_true", help="the short form")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="this section alone")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    runs = options.runs or (1 if options.quick else 3)
    plan = Plan(options.footage, options.out, runs, options.quick)
    results = Results(machine(), datetime.now(UTC).isoformat(timespec="seconds"), options.quick)
    for name in options.only or SECTIONS:
        print(f"{name}: {(SECTIONS[name].__doc__ or '').strip()}", flush=True)
        try:
            SECTIONS[name](plan, results)
        except (NotMeasuredError, OSError, ImportError, subprocess.CalledProcessError) as error:
            results.not_measured[name] = str(error)
        write_json(results, options.out / "benchmarks.json")
        (options.out / "benchmarks.md").write_text(table(results), "utf-8")
        plot(results, options.out / "benchmarks.png")
    print(table(results))


if __name__ == "__main__":
    main()
