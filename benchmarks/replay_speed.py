"""How much less a recorded day costs to judge again than to scan, in CPU seconds.

    python -m benchmarks.replay_speed --footage CLIP --out DIR [--looks 43200]

The day is one look every 2 s at real footage, looped: ten minutes of it are scanned, and their
looks repeated, shifted in time. What the day's scan would cost is the cost of a look, times its
looks; that is taken from two scans of the same clip with few looks and with many, so that what a
scan costs once (start, model, report) is left out. For the replay all is counted. CPU seconds, user
and system, of all threads: other work on the machine disturbs them less than the clock's.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import resource
import shutil
import subprocess
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.clip import make_clip
from benchmarks.judging_cost import DAY_LOOKS
from benchmarks.scanning import command
from vision.archive import join_archives, read_named_looks, write_looks
from vision.progress import ConsoleProgress
from vision.record import write_violations
from vision.replay.judging import ReplayOptions
from vision.replay.run import run_replay

SECONDS = 600.0
INTERVAL_S = 2.0
SELDOM_S = 8.0
PART_LOOKS = 2000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, required=True, help="a real clip, fixed camera")
    parser.add_argument("--out", type=Path, required=True, help="folder for clip and runs")
    parser.add_argument("--looks", type=int, default=DAY_LOOKS)
    options = parser.parse_args()

    clip = make_clip(options.footage, options.out, SECONDS)
    seldom_s, few = scan(clip, options.out / "seldom", SELDOM_S)
    often_s, many = scan(clip, options.out / "often", INTERVAL_S)
    look_s = (often_s - seldom_s) / (many - few)
    day = camera_day(options.out / "often", options.out / "day", options.looks)
    before_mb, began = peak_mb(), time.process_time()
    progress = ConsoleProgress(Console(file=io.StringIO()))
    result = run_replay(day, options.out / "day-replay", ReplayOptions(), progress)
    replay_s = time.process_time() - began
    scan_s = look_s * options.looks
    print(
        f"scan: {1e3 * look_s:.1f} ms a look ({many} looks {often_s:.1f} s, {few} looks "
        f"{seldom_s:.1f} s); {options.looks} looks: {scan_s:.0f} s\n"
        f"replay: {1e6 * replay_s / options.looks:.0f} us a look; {replay_s:.1f} s, "
        f"{scan_s / replay_s:.0f} times less; {len(result.records)} violations; "
        f"peak {before_mb:.0f} -> {peak_mb():.0f} MB"
    )


def scan(clip: Path, out: Path, every_s: float) -> tuple[float, int]:
    """CPU seconds of a scan in a process of its own, and its number of looks."""
    shutil.rmtree(out, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [*command(clip, out), "--every", str(every_s)], check=True, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return spent_s, json.loads((out / "run.json").read_text("utf-8"))["totals"]["looks"]


def camera_day(run: Path, out: Path, count: int) -> Path:
    """Write a run folder of one input with so many looks."""
    content = json.loads((run / "run.json").read_text("utf-8"))
    named = list(read_named_looks(run / "detections.parquet"))
    name, source = named[0][0], [look for _, look in named]
    entry: dict[str, Any] = copy.deepcopy(content["inputs"][0])
    entry |= {"looks": count, "duration_s": count * INTERVAL_S, "violations": 0}
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
    inspected = sum(look.inspected for look in source) / len(source)
    print(f"day of {name}: {found:.1f} detections a look, {inspected:.0%} of the looks inspected")
    return out


def peak_mb() -> float:
    """Peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
