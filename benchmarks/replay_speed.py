"""How much faster judging again is than scanning, on a real run and on a camera-day made of it.

    jiexu scan CLIPS --out RUN
    python -m benchmarks.replay_speed RUN --out DIR [--looks 43200] [--input NAME]

The camera-day repeats the looks of one input, shifted in time, until there are ``--looks`` of them
2 s apart. What a scan of it would have cost is the cost of a look in the real run, so the ratio
compares like with like on one machine. Memory is the peak of the process before and after.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import resource
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from vision.archive import join_archives, read_named_looks, write_looks
from vision.observe.look import Look
from vision.progress import ConsoleProgress
from vision.record import write_violations
from vision.replay.judging import ReplayOptions
from vision.replay.run import run_replay

INTERVAL_S = 2.0
PART_LOOKS = 2000
RUNS = 3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--looks", type=int, default=43_200)
    parser.add_argument("--input", help="input to repeat; that with the most detections without it")
    options = parser.parse_args()

    timed("real run", options.run, options.out / "real")
    day = camera_day(options.run, options.out / "day", options.looks, options.input)
    timed("camera-day", day, options.out / "day-replay")


def timed(name: str, run: Path, out: Path) -> None:
    """Replay some times; print the fastest."""
    before_mb = peak_mb()
    took = []
    for _ in range(RUNS):
        began, began_cpu = time.perf_counter(), time.process_time()
        progress = ConsoleProgress(Console(file=io.StringIO()))
        result = run_replay(run, out, ReplayOptions(), progress)
        whole_s, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
        timing = result.summary["timing"]
        took.append((timing["judging_s"], whole_s, cpu_s, timing))
    judging_s, whole_s, cpu_s, timing = min(took, key=lambda one: one[:3])
    print(
        f"{name}: {result.summary['counts']['looks']} looks, judged in {judging_s:.2f} s "
        f"({timing['looks_per_s']:.0f} looks/s), all in {whole_s:.2f} s ({cpu_s:.2f} s CPU); "
        f"scanned in {timing['scan_s']:.1f} s: {timing['times_scan']:.0f} times as fast, "
        f"{timing['scan_s'] / whole_s:.0f} with report and all; {len(result.records)} violations; "
        f"peak {before_mb:.0f} -> {peak_mb():.0f} MB"
    )


def camera_day(run: Path, out: Path, count: int, name: str | None) -> Path:
    """Write a run folder of one input with so many looks."""
    content = json.loads((run / "run.json").read_text("utf-8"))
    looks: dict[str, list[Look]] = {}
    for input_name, look in read_named_looks(run / "detections.parquet"):
        looks.setdefault(input_name, []).append(look)
    name = name or max(looks, key=lambda one: sum(len(look.detections) for look in looks[one]))
    source = looks[name]
    entry: dict[str, Any] = copy.deepcopy(
        next(one for one in content["inputs"] if one["name"] == name)
    )
    entry |= {
        "looks": count,
        "duration_s": count * INTERVAL_S,
        "wall_s": entry["wall_s"] / len(source) * count,
        "violations": 0,
    }
    out.mkdir(parents=True, exist_ok=True)
    parts = []
    for start in range(0, count, PART_LOOKS):
        part = [
            replace(
                source[i % len(source)],
                time_s=i * INTERVAL_S,
                timestamp=source[0].timestamp + timedelta(seconds=i * INTERVAL_S),
            )
            for i in range(start, min(start + PART_LOOKS, count))
        ]
        parts.append(out / f"part-{start}.parquet")
        names = source[0].detections.names
        timezone = content["settings"]["timezone"]
        write_looks(parts[-1], part, input_name=name, names=names, timezone=timezone)
    join_archives(parts, out / "detections.parquet")
    for path in parts:
        path.unlink()
    content["inputs"] = [entry]
    (out / "run.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    write_violations(out / "violations.jsonl", [])
    found = sum(len(look.detections) for look in source) / len(source)
    print(f"camera-day of {name}: {found:.1f} detections a look")
    return out


def peak_mb() -> float:
    """Peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
