"""The sections of the benchmark suite; each can also be measured alone by its own command."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks import (
    api_latency,
    delivery_rate,
    detector_overhead,
    judging_cost,
    replay_speed,
    scan_speed,
)
from benchmarks.clip import make_clip
from benchmarks.figures import Figure, NotMeasuredError, Results, figures_of, ratio
from benchmarks.judging_cost import DAY_LOOKS
from vision.progress import ConsoleProgress
from vision.replay.judging import ReplayOptions
from vision.replay.run import run_replay

CAMERAS_A_CORE = "cameras a core"
MEMORY_A_CAMERA = "memory a camera"

LOOKED_SHARE = 0.8
"""Share of the looks that were due at which live cameras count as kept up with."""


@dataclass(frozen=True)
class Plan:
    """What to measure, and how long.

    Attributes:
        footage: A real clip of a fixed camera.
        out: Folder for clips and runs.
        runs: How often each thing is measured.
        quick: Shorter clips, fewer looks, cases and cameras; one run.
    """

    footage: Path
    out: Path
    runs: int
    quick: bool

    def of(self, whole: int, quick: int) -> int:
        """A number, smaller in the short form."""
        return quick if self.quick else whole


Section = Callable[[Plan, Results], None]
"""Adds what it measured to the results."""


def scan(plan: Plan, results: Results) -> None:
    """Scans beside peers and the floor of decoding."""
    found = scan_speed.measure(
        plan.footage,
        plan.out,
        runs=plan.runs,
        peers=True,
        seconds=float(plan.of(600, 120)),
        excerpt_s=float(plan.of(30, 8)),
    )
    command = "python -m benchmarks.scan_speed --footage CLIP --out DIR --peers"
    results.figures.extend(figures_of("scan", "× real time", found.times_real, command))
    results.ratios.extend(scan_speed.ratios(found.times_real))
    looks = found.totals[scan_speed.ADAPTIVE]["looks"]
    archive = (plan.out / "adaptive" / "detections.parquet").stat().st_size
    results.figures.append(
        Figure("storage", "archive of detections, a look", "bytes", (archive / looks,), command)
    )
    results.not_measured.update(found.not_measured)


def detector(plan: Plan, results: Results) -> None:
    """The detector over bare OpenVINO."""
    found = detector_overhead.measure(max(plan.runs, 3), pictures=plan.of(60, 20))
    command = "python -m benchmarks.detector_overhead"
    results.figures.extend(figures_of("detector", "pictures/s", found, command))
    results.ratios.extend(detector_overhead.ratios(found))


def judging(plan: Plan, results: Results) -> None:
    """Judging a camera-day, the hard case in which every look brings something new."""
    count = plan.of(4320, 1080)
    days_s = [
        judging_cost.cost_of(judging_cost.new_judge(), judging_cost.camera_day(count, 20)).day_s
        for _ in range(plan.runs)
    ]
    results.figures.append(
        Figure(
            "judging",
            "a camera-day of 43,200 looks, 20 detections in each",
            "s of CPU",
            tuple(days_s),
            f"python -m benchmarks.judging_cost --looks {count}",
        )
    )


def replay(plan: Plan, results: Results) -> None:
    """Judging a recorded day again, against scanning it."""
    clip = make_clip(plan.footage, plan.out, replay_speed.SECONDS)
    seldom_s, few = replay_speed.scan(clip, plan.out / "seldom", replay_speed.SELDOM_S)
    often_s, many = replay_speed.scan(clip, plan.out / "often", replay_speed.INTERVAL_S)
    look_s = (often_s - seldom_s) / (many - few)
    looks = plan.of(DAY_LOOKS, DAY_LOOKS // 8)
    day = replay_speed.camera_day(plan.out / "often", plan.out / "day", looks)
    spent_s, quiet = [], ConsoleProgress(Console(file=io.StringIO()))
    for _ in range(plan.runs):
        shutil.rmtree(plan.out / "day-replay", ignore_errors=True)
        began = time.process_time()
        run_replay(day, plan.out / "day-replay", ReplayOptions(), quiet)
        spent_s.append((time.process_time() - began) / looks * DAY_LOOKS)
    command = "python -m benchmarks.replay_speed --footage CLIP --out DIR"
    scan_s = [look_s * DAY_LOOKS] * plan.runs
    results.figures.extend(
        figures_of(
            "replay",
            "s of CPU",
            {"a camera-day replayed": spent_s, "the same day scanned": scan_s},
            command,
        )
    )
    results.ratios.append(ratio("a camera-day scanned / replayed", scan_s, spent_s, 1000.0))


def live(plan: Plan, results: Results) -> None:
    """Live cameras: what each further one costs in processor time, at looks every 10 s."""
    few, many = plan.of(8, 4), plan.of(32, 12)
    per_core, memory = [], []
    # Each run takes minutes whatever the machine.
    for _ in range(min(plan.runs, 2)):
        (few_s, few_mib), (many_s, many_mib) = (_soaked(plan, count) for count in (few, many))
        if many_s <= few_s or many_mib <= few_mib:
            raise NotMeasuredError(f"{many} cameras seemed to cost no more than {few}")
        per_core.append((many - few) / (many_s - few_s))
        memory.append((many_mib - few_mib) / (many - few))
    command = f"python -m benchmarks.live_soak {' '.join(_soak_options(plan, many))}"
    results.figures.extend(
        [
            Figure("live", CAMERAS_A_CORE, "cameras", tuple(per_core), command),
            Figure("live", MEMORY_A_CAMERA, "MiB", tuple(memory), command),
        ]
    )


def _soaked(plan: Plan, cameras: int) -> tuple[float, float]:
    """Cores that so many cameras keep busy, and the memory in MiB that they take.

    Raises:
        NotMeasuredError: They were not kept up with.
    """
    places = ["--footage", str(plan.footage), "--out", str(plan.out)]
    subprocess.run(
        [sys.executable, "-m", "benchmarks.live_soak", *places, *_soak_options(plan, cameras)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    figures = json.loads((plan.out / "live_soak.json").read_text("utf-8"))
    seconds = 60 * figures["minutes"]
    due = cameras * seconds / figures["rest_s"]
    if figures["looks"] < LOOKED_SHARE * due:
        raise NotMeasuredError(
            f"only {figures['looks']} of {due:.0f} looks at {cameras} cameras: the machine is too "
            "busy, and what they cost would seem too little"
        )
    spent_s = sum(figures["processor_s"][one] for one in ("service", "detector", "readers"))
    return spent_s / seconds, figures["uss_mib_max"]


def _soak_options(plan: Plan, cameras: int) -> list[str]:
    minutes = "0.75" if plan.quick else "1"
    return f"--cameras {cameras} --minutes {minutes} --warm-up 0.25 --acted 0 --files".split()


def api(plan: Plan, results: Results) -> None:
    """Latency of the API over many cases."""
    cases, p95 = plan.of(200_000, 20_000), []
    with api_latency.service(cases) as (url, key):
        for _ in range(plan.runs):
            waited = api_latency.measure(url, key, requests=plan.of(2000, 400), callers=4)
            p95.append(api_latency.p95(waited))
    command = f"python -m benchmarks.api_latency --cases {cases}"
    results.figures.append(
        Figure("api", f"95 of 100 requests, {cases:,} cases, 4 callers", "ms", tuple(p95), command)
    )


def deliveries(plan: Plan, results: Results) -> None:
    """Deliveries a second to platforms that are well."""
    cases = plan.of(500, 100)
    rates = tuple(delivery_rate.measure(cases) for _ in range(plan.runs))
    command = f"python -m benchmarks.delivery_rate --cases {cases}"
    results.figures.append(Figure("deliveries", "three platforms at once", "1/s", rates, command))


SECTIONS: dict[str, Section] = {
    "scan": scan,
    "detector": detector,
    "judging": judging,
    "replay": replay,
    "live": live,
    "api": api,
    "deliveries": deliveries,
}
