"""How fast is a scan, and beside what? All in one run on one machine.

    python -m benchmarks.scan_speed --footage CLIP --out DIR [--peers] [--hour]

It makes a 10-minute 1080p 25 fps 4 Mb/s H.264 clip with a keyframe every 2 s from the footage and
measures, as multiples of real time: Jiexu at fixed 2 s looks and adaptive (whole command, start of
the interpreter and report included), the floor of decoding all keyframes on all cores, and with
``--peers`` ultralytics tracking every frame (an excerpt, it is slow) and every 50th frame, with the
same weights. ``--hour`` adds a clip of an hour and the memory that its scan takes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import psutil

from benchmarks.clip import make_clip

SECONDS = 600.0
HOUR = 3600.0
EXCERPT = 60.0


def main() -> None:
    """Measure and print a table; the figures go to ``DIR/scan_speed.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, required=True, help="a real clip, fixed camera")
    parser.add_argument("--out", type=Path, required=True, help="folder for clips and runs")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", action="store_true", help="measure ultralytics too")
    parser.add_argument("--hour", action="store_true", help="memory over a clip of an hour")
    options = parser.parse_args()

    clip = make_clip(options.footage, options.out, SECONDS)
    weights = str(shipped_weights())
    measured: dict[str, list[float]] = {}
    looks: dict[str, Any] = {}
    for _ in range(options.runs):
        for name, arguments in (("fixed_2s", ["--every", "2"]), ("adaptive", [])):
            took_s, run = scan(clip, options.out / name, arguments)
            measured.setdefault(f"jiexu_{name}", []).append(SECONDS / took_s)
            looks[name] = run["totals"]
        took_s = keyframe_floor(clip)
        measured.setdefault("keyframe_floor_all_cores", []).append(SECONDS / took_s)
    if options.peers:
        excerpt = make_clip(options.footage, options.out, EXCERPT)
        measured["ultralytics_track_every_frame"] = [EXCERPT / track(excerpt, weights, 1)]
        measured["ultralytics_track_stride_50"] = [SECONDS / track(clip, weights, 50)]
    result: dict[str, Any] = {
        "machine": {
            "cpu": cpu_name(),
            "cores": len(os.sched_getaffinity(0)),
            "python": platform.python_version(),
        },
        "clip": {"footage": options.footage.name, "seconds": SECONDS, "bytes": clip.stat().st_size},
        "times_real": {name: spread(values) for name, values in measured.items()},
        "looks": looks,
        "ratios": ratios(measured),
    }
    if options.hour:
        hour = make_clip(options.footage, options.out, HOUR)
        result["memory_hour"] = memory(hour, options.out / "hour")
    (options.out / "scan_speed.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def shipped_weights() -> Path:
    """PyTorch weights of the registry's default model: the same that Jiexu runs."""
    from vision.detect.registry import load_registry

    return load_registry().model().verified_files("pytorch")[0]


def scan(clip: Path, out: Path, arguments: list[str]) -> tuple[float, dict[str, Any]]:
    """Run ``jiexu scan`` into an empty folder; returns seconds and ``run.json``."""
    shutil.rmtree(out, ignore_errors=True)
    began = time.perf_counter()
    subprocess.run([*command(clip, out), *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began, json.loads((out / "run.json").read_text())


def command(clip: Path, out: Path) -> list[str]:
    """The command line of a scan."""
    return [sys.executable, "-m", "service.cli", "scan", str(clip), "--out", str(out)]


def keyframe_floor(clip: Path) -> float:
    """Seconds to decode all keyframes, the clip shared out over all cores."""
    cores = len(os.sched_getaffinity(0))

    def decode(part: int) -> None:
        with av.open(clip) as reader:
            stream = reader.streams.video[0]
            stream.codec_context.skip_frame = "NONKEY"
            stream.codec_context.thread_type = "NONE"
            assert stream.time_base is not None
            end_s = SECONDS * (part + 1) / cores
            reader.seek(round(SECONDS * part / cores / stream.time_base), stream=stream)
            for frame in reader.decode(stream):
                if frame.time is not None and frame.time >= end_s:
                    break

    began = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(decode, range(cores)))
    return time.perf_counter() - began


def track(clip: Path, weights: str, stride: int) -> float:
    """Seconds that ``model.track`` takes over a clip, loading not counted."""
    code = (
        "import sys, time\n"
        "from vision.detect.ultralytics_setup import prepare\n"
        "prepare()\n"
        "from ultralytics import YOLO\n"
        "model = YOLO(sys.argv[1])\n"
        "began = time.perf_counter()\n"
        "for _ in model.track(sys.argv[2], stream=True, vid_stride=int(sys.argv[3]), imgsz=640,\n"
        "                     verbose=False):\n"
        "    pass\n"
        "print('took', time.perf_counter() - began)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, weights, str(clip), str(stride)],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.split("took ")[1])


def memory(clip: Path, out: Path) -> dict[str, float]:
    """Resident memory of a fixed 2 s scan over an hour, in MB: peak, and at the quarters."""
    shutil.rmtree(out, ignore_errors=True)
    process = psutil.Popen([*command(clip, out), "--every", "2"], stdout=subprocess.DEVNULL)
    seen: list[float] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.5):
            try:
                seen.append(process.memory_info().rss / 1e6)
            except psutil.Error:
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    process.wait()
    took_s = time.perf_counter() - began
    stop.set()
    watcher.join()
    quarters = {}
    step = max(1, len(seen) // 4)
    for i in range(4):
        part = seen[i * step : (i + 1) * step] or seen[-1:]
        quarters[f"median_quarter_{i + 1}"] = round(statistics.median(part), 1)
    return {"times_real": round(HOUR / took_s, 1), "peak": round(max(seen), 1), **quarters}


def ratios(measured: dict[str, list[float]]) -> dict[str, float]:
    """Medians beside each other."""
    middle = {name: statistics.median(values) for name, values in measured.items()}
    pairs = {
        "fixed_2s_to_floor": ("jiexu_fixed_2s", "keyframe_floor_all_cores"),
        "fixed_2s_to_every_frame_tracking": ("jiexu_fixed_2s", "ultralytics_track_every_frame"),
        "adaptive_to_every_frame_tracking": ("jiexu_adaptive", "ultralytics_track_every_frame"),
        "fixed_2s_to_same_interval_tracking": ("jiexu_fixed_2s", "ultralytics_track_stride_50"),
    }
    return {
        name: round(middle[a] / middle[b], 2)
        for name, (a, b) in pairs.items()
        if a in middle and b in middle
    }


def spread(values: list[float]) -> dict[str, float]:
    """Minimum, median and maximum."""
    return {
        "min": round(min(values), 2),
        "median": round(statistics.median(values), 2),
        "max": round(max(values), 2),
    }


def cpu_name() -> str:
    """Model name of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
