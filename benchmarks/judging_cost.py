"""What judging costs: a camera-day at one look every 2 s with 20 detections each, on one core.

    python -m benchmarks.judging_cost [--looks 43200] [--detections 20] [--days 1] [--profile]

CPU seconds (``time.process_time``) are measured, so other work on the machine disturbs little. The
day is the hard case: the gate never closes, so every look brings new boxes for everything. Most
things stand, with boxes and scores that wobble as a detector's do, drop out now and then and are
passed by traffic and people; some leave and others come.
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import json
import pstats
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from vision.detect.detections import Detections
from vision.observe.look import Health, Look
from vision.observe.memory import SightingMemory
from vision.rules.judge import Judge
from vision.rules.registry import build_rules
from vision.zones import Purpose, Zone

NAMES = (
    "person",
    "car",
    "truck",
    "bus",
    "motorcycle",
    "bicycle",
    "derelict_vehicle",
    "street_stall",
    "debris_pile",
    "overflow_bin",
    "umbrella",
    "construction_dust",
    "hoarding",
)
FRAME = (1920, 1080)
START = datetime(2026, 3, 1, tzinfo=UTC)
PASSING_SHARE = 0.1
JITTER = 0.015
DROP_OUT = 0.03
DAY_LOOKS = 43_200
"""Looks of a camera-day at one every 2 s."""

LOOKS_AT_ONCE = 500

ZONES = (
    Zone(id="bays", purpose=Purpose.PARKING_BAY, points=((0, 0.4), (0.5, 0.4), (0.5, 1), (0, 1))),
    Zone(
        id="lane",
        purpose=Purpose.NO_STOPPING,
        points=((0.5, 0.4), (0.75, 0.4), (0.75, 1), (0.5, 1)),
    ),
    Zone(
        id="pavement",
        purpose=Purpose.FOOTWAY,
        points=((0.75, 0.4), (1, 0.4), (1, 1), (0.75, 1)),
    ),
    Zone(id="sky", purpose=Purpose.IGNORE, points=((0, 0), (1, 0), (1, 0.2), (0, 0.2))),
)


@dataclass
class _Thing:
    class_id: int
    box: NDArray[np.float64]
    leaves_s: float


def camera_day(
    looks: int, detections: int, *, interval_s: float = 2.0, seed: int = 7, start_s: float = 0.0
) -> Iterator[Look]:
    """Looks of a busy street.

    Args:
        looks: How many.
        detections: In each look, on average.
        interval_s: Seconds between looks.
        seed: Of the randomness.
        start_s: Stream time of the first look.
    """
    rng = np.random.default_rng(seed)
    passing = max(int(PASSING_SHARE * detections), 1)
    columns = detections - passing
    class_ids = [NAMES.index(name) for name in ("car", "truck", "motorcycle", "bicycle")]
    class_ids += [NAMES.index(name) for name in ("debris_pile", "umbrella", "derelict_vehicle")]

    def thing(i: int, now_s: float) -> _Thing:
        width, height = rng.uniform(80, 160), rng.uniform(60, 120)
        x = (i % 8 + 0.5) * FRAME[0] / 8 + rng.uniform(-30, 30)
        y = 0.5 * FRAME[1] + (i // 8) * 160 + rng.uniform(-20, 20)
        return _Thing(
            int(rng.choice(class_ids, p=[0.5, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])),
            np.array([x - width / 2, y - height, x + width / 2, y]),
            now_s + float(rng.exponential(4 * 3600)) + 60,
        )

    things = [thing(i, start_s) for i in range(columns)]
    walkers = rng.uniform([0, 550, -60], [FRAME[0], FRAME[1], 60], (passing, 3))
    for n in range(looks):
        now_s = start_s + n * interval_s
        for i, one in enumerate(things):
            if now_s > one.leaves_s + 120:
                things[i] = thing(i, now_s)
        there = [one for one in things if now_s <= one.leaves_s and rng.random() >= DROP_OUT]
        boxes = np.array([one.box for one in there]).reshape(-1, 4)
        size = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        boxes = boxes + rng.normal(0, JITTER, boxes.shape) * size
        walkers[:, 0] = (walkers[:, 0] + walkers[:, 2] * interval_s) % FRAME[0]
        x, y = walkers[:, 0], walkers[:, 1]
        moving = np.column_stack([x - 25, y - 110, x + 25, y])
        xyxy = np.concatenate([boxes, moving]).astype(np.float32)
        confidence = rng.uniform(0.3, 0.9, len(xyxy)).astype(np.float32)
        class_id = np.array([one.class_id for one in there] + [0] * passing, np.int64)
        class_id[len(there) :: 2] = NAMES.index("car")
        order = np.argsort(-confidence, kind="stable")
        yield Look(
            camera_id="cam",
            time_s=now_s,
            timestamp=START + timedelta(seconds=now_s),
            frame_size=FRAME,
            health=Health.OK,
            pose=0,
            inspected=True,
            detections=Detections(xyxy[order], confidence[order], class_id[order], NAMES),
        )


def new_judge() -> Judge:
    """A judge with all rules at their defaults."""
    return Judge(build_rules(ZONES), SightingMemory(), ZONES, camera_id="cam")


@dataclass(frozen=True)
class Cost:
    """What judging some looks cost.

    Attributes:
        looks: How many.
        detections: In all of them.
        cpu_s: Seconds of the processor.
        wall_s: Seconds by the clock.
    """

    looks: int
    detections: int
    cpu_s: float
    wall_s: float

    @property
    def day_s(self) -> float:
        """Seconds of the processor for a camera-day at this cost."""
        return self.cpu_s / self.looks * DAY_LOOKS


def cost_of(judge: Judge, looks: Iterator[Look], profile: cProfile.Profile | None = None) -> Cost:
    """Judge looks, some at a time: all at once would be a load for the garbage collector.

    Args:
        judge: Judges them.
        looks: Not counted is what it costs to make them up.
        profile: Profiles the judging.
    """
    count = found = 0
    cpu_s = wall_s = 0.0
    while some := list(itertools.islice(looks, LOOKS_AT_ONCE)):
        began, began_wall = time.process_time(), time.perf_counter()
        with profile or nullcontext():
            for look in some:
                judge.look(look)
        cpu_s += time.process_time() - began
        wall_s += time.perf_counter() - began_wall
        count += len(some)
        found += sum(len(look.detections) for look in some)
    return Cost(count, found, cpu_s, wall_s)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--looks", type=int, default=DAY_LOOKS)
    parser.add_argument("--detections", type=int, default=20)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()

    judge = new_judge()
    for day in range(options.days):
        looks = camera_day(options.looks, options.detections, seed=7 + day, start_s=86_400.0 * day)
        profile = cProfile.Profile() if options.profile else None
        cost = cost_of(judge, looks, profile)
        print(
            f"day {day + 1}: {cost.looks} looks, {cost.detections / cost.looks:.1f} detections "
            f"each: {cost.cpu_s:.2f} s CPU ({cost.wall_s:.2f} s wall), "
            f"{1e6 * cost.cpu_s / cost.looks:.0f} us a look; "
            f"{judge.violation_count} violations, state {_state_size(judge)}"
        )
        if profile is not None:
            pstats.Stats(profile).sort_stats("tottime").print_stats(35)


def _state_size(judge: Judge) -> str:
    return f"{len(json.dumps(judge.state())) / 1024:.0f} KiB"


if __name__ == "__main__":
    main()
