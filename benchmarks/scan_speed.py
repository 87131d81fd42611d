"""How fast is a scan, and beside what? All in one run on one machine.

    python -m benchmarks.scan_speed --footage CLIP --out DIR [--runs 3] [--peers] [--hour]

It makes a 10-minute 1080p 25 fps 4 Mb/s H.264 clip with a keyframe every 2 s from the footage and
measures, as multiples of real time: Jiexu at fixed 2 s looks and adaptive (whole command, start of
the interpreter and report included), the floor of reading the clip and decoding the same keyframes
on all cores, and with ``--peers`` what :mod:`benchmarks.peers` names: tracking every frame (an
excerpt, it is slow) and every 50th one. All take turns in every run. ``--hour`` adds a clip of an
hour and the memory that its scan takes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.clip import FPS, make_clip
from benchmarks.figures import NotMeasuredError, Ratio, ratio, spread
from benchmarks.peers import keyframe_floor, supervision_loop, track
from benchmarks.scanning import scan, scan_and_watch
from vision.detect.registry import load_registry
from vision.learn.measure.speed import machine

SECONDS = 600.0
HOUR = 3600.0
EXCERPT = 60.0
LOOK_S = 2.0
STRIDE = round(FPS * LOOK_S)

FIXED = "Jiexu, a look every 2 s"
ADAPTIVE = "Jiexu, adaptive"
FLOOR = "floor: all keyframes decoded"
ADAPTIVE_FLOOR = "floor: as many keyframes as adaptive"
TRACK_ALL = "ultralytics track, every frame"
TRACK_SAME = "ultralytics track, a look every 2 s"
SUPERVISION = "supervision + OpenCV, a look every 2 s"


@dataclass
class ScanSpeed:
    """What was measured.

    Attributes:
        times_real: Multiples of real time by run, by what was measured.
        totals: ``totals`` of ``run.json`` of the last scan of each kind.
        not_measured: Why a peer was left out.
    """

    times_real: dict[str, list[float]] = field(default_factory=dict)
    totals: dict[str, dict[str, Any]] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, seconds: float, took_s: float) -> None:
        """Note that so many seconds of film took so long."""
        self.times_real.setdefault(name, []).append(seconds / took_s)

    def add_peer(self, name: str, seconds: float, measured: Callable[[], float]) -> None:
        """Measure a peer, unless it cannot be."""
        if name in self.not_measured:
            return
        try:
            self.add(name, seconds, measured())
        except NotMeasuredError as error:
            self.times_real.pop(name, None)
            self.not_measured[name] = str(error)


def main() -> None:
    """Measure and print; the figures go to ``DIR/scan_speed.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, required=True, help="a real clip, fixed camera")
    parser.add_argument("--out", type=Path, required=True, help="folder for clips and runs")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", action="store_true", help="measure the peers too")
    parser.add_argument("--hour", action="store_true", help="memory over a clip of an hour")
    options = parser.parse_args()

    found = measure(options.footage, options.out, runs=options.runs, peers=options.peers)
    result: dict[str, Any] = {
        "machine": machine(),
        "footage": options.footage.name,
        "ratios": {one.name: spread(one.values) for one in ratios(found.times_real)},
        "times_real": {name: spread(values) for name, values in found.times_real.items()},
        "looks": found.totals,
        "not_measured": found.not_measured,
    }
    if options.hour:
        hour = make_clip(options.footage, options.out, HOUR)
        often = ["--every", str(LOOK_S)]
        result["hour"] = scan_and_watch(hour, options.out / "hour", HOUR, often)
    (options.out / "scan_speed.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def measure(
    footage: Path,
    out: Path,
    *,
    runs: int,
    peers: bool,
    seconds: float = SECONDS,
    excerpt_s: float = EXCERPT,
) -> ScanSpeed:
    """Scan, decode and let the peers track, in turns.

    Args:
        footage: A real clip.
        out: Folder for clips and runs.
        runs: How often each is measured.
        peers: Whether the peers are.
        seconds: Length of the clip.
        excerpt_s: Length of the clip of which every frame is tracked.
    """
    clip = make_clip(footage, out, seconds)
    excerpt = make_clip(footage, out, excerpt_s) if peers else clip
    weights = load_registry().model().verified_files("pytorch")[0]
    found = ScanSpeed()
    for _ in range(runs):
        for name, options in ((FIXED, ["--every", str(LOOK_S)]), (ADAPTIVE, [])):
            took_s, run = scan(clip, out / ("adaptive" if not options else "fixed"), options)
            found.add(name, seconds, took_s)
            found.totals[name] = run["totals"]
        found.add(FLOOR, seconds, keyframe_floor(clip, seconds))
        decoded = max(1, found.totals[ADAPTIVE]["decoded"]["decoded_keyframe"])
        found.add(ADAPTIVE_FLOOR, seconds, keyframe_floor(clip, seconds, apart_s=seconds / decoded))
        if peers:
            found.add_peer(TRACK_SAME, seconds, lambda: track(clip, weights, STRIDE))
            found.add_peer(SUPERVISION, seconds, lambda: supervision_loop(clip, weights, STRIDE))
            found.add_peer(TRACK_ALL, excerpt_s, lambda: track(excerpt, weights, 1))
    return found


def ratios(times_real: Mapping[str, Sequence[float]]) -> list[Ratio]:
    """Run by run, beside each other, with what is wanted on two cores."""
    wanted = [
        (f"{FIXED} / real time", FIXED, None, 50.0),
        (f"{ADAPTIVE} / real time", ADAPTIVE, None, 200.0),
        (f"{FIXED} / {FLOOR}", FIXED, FLOOR, 0.5),
        (f"{ADAPTIVE} / {ADAPTIVE_FLOOR}", ADAPTIVE, ADAPTIVE_FLOOR, 0.4),
        (f"{FIXED} / {TRACK_ALL}", FIXED, TRACK_ALL, 90.0),
        (f"{FIXED} / {TRACK_SAME}", FIXED, TRACK_SAME, 7.0),
        (f"{FIXED} / {SUPERVISION}", FIXED, SUPERVISION, None),
        (f"{ADAPTIVE} / {TRACK_ALL}", ADAPTIVE, TRACK_ALL, None),
    ]
    return [
        ratio(name, times_real[above], times_real[below] if below else [1.0] * runs, least)
        for name, above, below, least in wanted
        if (runs := len(times_real.get(above, ()))) and (below is None or below in times_real)
    ]


if __name__ == "__main__":
    main()
