"""How long detectors take for a picture, timed in turns so that a busy machine is fair to all."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vision.detect.detector import Detector
from vision.frames.frame import Image

RUNS = 5


@dataclass(frozen=True)
class Spread:
    """Minimum, median and maximum over runs."""

    min: float
    median: float
    max: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        """Spread of at least one value."""
        return Spread(min(values), statistics.median(values), max(values))


@dataclass(frozen=True)
class Speed:
    """Speed of one detector; scaling of the picture and reading of the output included.

    Attributes:
        pictures: Pictures in each run.
        runs: Runs.
        ms_a_picture: Milliseconds a picture, one at a time, the next when the last is done.
        pictures_per_s: Pictures a second, all given at once.
    """

    pictures: int
    runs: int
    ms_a_picture: Spread
    pictures_per_s: Spread


def measure_speed(
    detectors: Mapping[str, Detector], images: Sequence[Image], *, runs: int = RUNS
) -> dict[str, Speed]:
    """Measure detectors on the same pictures, in turns.

    Every detector sees all pictures once before, so that nothing is compiled while it is timed.

    Args:
        detectors: Detectors by name.
        images: BGR uint8 pictures ``(h, w, 3)``; at least one.
        runs: How often each detector is measured.
    """
    for detector in detectors.values():
        detector.detect(images)
    one_by_one: dict[str, list[float]] = {name: [] for name in detectors}
    together: dict[str, list[float]] = {name: [] for name in detectors}
    for _ in range(runs):
        for name, detector in detectors.items():
            alone_s = seconds(lambda d=detector: [d.detect([image]) for image in images])  # type: ignore[misc]
            one_by_one[name].append(1000 * alone_s / len(images))
            batch_s = seconds(lambda d=detector: d.detect(images))  # type: ignore[misc]
            together[name].append(len(images) / batch_s)
    return {
        name: Speed(len(images), runs, Spread.of(one_by_one[name]), Spread.of(together[name]))
        for name in detectors
    }


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds that a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def machine() -> str:
    """Processor and number of cores that this process may use."""
    cores = len(os.sched_getaffinity(0))
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {cores} cores"
