"""How many live cameras does a machine hold, and does it stay so?

    python -m benchmarks.live_soak --footage CLIP --out DIR [--cameras 64] [--minutes 30] [--files]
    python -m benchmarks.live_soak --footage CLIP --out DIR --search [--minutes 2.5]

The footage becomes a 1080p 25 fps 4 Mb/s H.264 clip with a keyframe every 2 s (two minutes of it,
looped), which a real RTSP server (GStreamer's, in a process of its own) gives to every camera but
some. Those show a drawn street of the same form, on which stalls and heaps stand at times that are
known: from these times, and the dwell, comes the delay from the glass to the violation. With
``--files`` the other cameras play the clip themselves, where the server would eat the cores that
are to be measured. The model that ships looks at them in a process of its own; what is found is not
kept.

Printed and written to ``DIR/live_soak.json``: seconds between the looks at a camera (p50, p99,
longest), age of pictures when they were looked at, delay of violations beyond their dwell, looks
shed since the warm-up and failed, memory over time (RSS as the system counts it, and without what
processes share), growth after the warm-up, processor time by process, threads and open files at the
start and the end, and what readers had to be started anew.

With ``--search`` short runs look for the largest number of cameras that holds: every camera looked
at, p99 of the look interval at most 15 s, memory below 4 GB, at most one look of a hundred shed. A
run that takes more memory ends at once. Five runs, a quarter of an hour, tell numbers up to 128.
Written to ``DIR/live_search.json``, each run with what it took.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import platform
import random
import shutil
import statistics
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import av
import psutil
from av.bitstream import BitStreamFilterContext
from rich.console import Console
from rich.table import Table

from benchmarks.chaos_world import EMPTY, THINGS, Appearance, Form, Scene, World, draw_scene
from benchmarks.clip import BIT_RATE, FPS, HEIGHT, KEYFRAME_S, WIDTH, make_clip
from service.cameras.address import CameraSource, parse_address
from service.cameras.counts import LiveCounts
from service.cameras.inference import DetectorProcess
from service.cameras.live import LiveCamera, LiveCameras
from service.cameras.schedule import Shed
from service.cameras.sink import CameraHealth, Role
from service.cameras.watch import WatchSettings
from service.reach import AddressPolicy
from vision.detect.detector import Detector
from vision.detect.load import load_detector
from vision.detect.registry import load_registry
from vision.frames.looks import LookPolicy
from vision.observe.look import Look
from vision.record import ViolationRecord
from vision.rule_options import rule_options
from vision.schedule import SiteClock
from vision.site import Camera

MODEL = "jiexu-street"
CLIP_S = 120.0
SAMPLE_S = 5.0
MIB = 2**20
FORM = Form((WIDTH, HEIGHT), FPS, KEYFRAME_S, BIT_RATE)

MOST_INTERVAL_S = 15.0
MOST_RSS_MIB = 4e9 / MIB
MOST_SHED = 0.01
STEP = 8
"""The search ends when it knows the number of cameras to so many."""


class Counter:
    """A sink that notes when cameras were looked at."""

    def __init__(self) -> None:
        self.looked_s: dict[str, list[float]] = defaultdict(list)
        self.ages_s: list[float] = []
        self.told: dict[str, tuple[ViolationRecord, float]] = {}
        self.failures: dict[str, int] = defaultdict(int)
        self.views: dict[str, int] = defaultdict(int)
        self._states: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def violation_changed(
        self,
        record: ViolationRecord,
        evidence: Mapping[Role, Path],  # noqa: ARG002 - kept by other sinks
    ) -> None:
        """Note when a violation was told first."""
        with self._lock:
            if record.raised_at is not None:
                self.told.setdefault(record.id, (record, time.monotonic()))

    def looked(self, look: Look) -> None:
        """Note a look."""
        with self._lock:
            self.looked_s[look.camera_id].append(time.monotonic())
            self.views[look.health.value] += 1
            self.ages_s.append((datetime.now(UTC) - look.timestamp).total_seconds())

    def health_changed(self, health: CameraHealth) -> None:
        """Count failures by kind."""
        if health.failure is not None:
            with self._lock:
                self.failures[health.failure.value] += 1

    def save_state(self, camera_id: str, state: bytes) -> None:
        """Keep the newest state."""
        self._states[camera_id] = state

    def load_state(self, camera_id: str) -> bytes | None:
        """Begin anew."""
        return self._states.get(camera_id)


@dataclass(frozen=True)
class Sources:
    """Where pictures come from.

    Attributes:
        world: The RTSP server.
        scene: The drawn street.
        acted: Cameras that show it.
        url: Address of every other camera.
        folders: Folders whose recordings are played.
    """

    world: World
    scene: Scene
    acted: Sequence[str]
    url: str
    folders: tuple[Path, ...]


def main() -> None:
    """Run the soak, or the search, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--footage", type=Path, required=True, help="a real clip, fixed camera")
    parser.add_argument("--out", type=Path, required=True, help="folder for clips and figures")
    parser.add_argument("--cameras", type=int, default=64)
    parser.add_argument("--acted", type=int, default=8, help="how many of them show the street")
    parser.add_argument("--minutes", type=float, help="30; 2.5 for each run of the search")
    parser.add_argument("--warm-up", type=float, help="minutes that do not count: 5; 1 of a search")
    parser.add_argument("--dwell", type=float, default=60.0, help="seconds, for every kind")
    parser.add_argument("--rest", type=float, default=10.0, help="seconds between looks at rest")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--files", action="store_true", help="play the clip, but for the street")
    parser.add_argument("--search", action="store_true", help="how many cameras hold?")
    options = parser.parse_args()
    options.minutes = options.minutes or (2.5 if options.search else 30.0)
    options.warm_up = options.warm_up or (1.0 if options.search else 5.0)
    options.acted = min(options.acted, options.cameras)

    options.out.mkdir(parents=True, exist_ok=True)
    sources = open_sources(options)
    try:
        if options.search:
            figures = search(options, sources)
        else:
            figures = soak(options, sources, options.cameras)
    finally:
        sources.world.kill()
    path = options.out / ("live_search.json" if options.search else "live_soak.json")
    path.write_text(json.dumps(figures, indent=1) + "\n")
    show(figures)


def open_sources(options: argparse.Namespace) -> Sources:
    """Make the clips that are not there yet, and start the server."""
    # Encoding takes a gigabyte, which a process that is measured afterwards must not have held.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as maker:
        clip = maker.submit(make_clip, options.footage, options.out, CLIP_S).result().resolve()
        scene = maker.submit(draw_scene, options.out / "street", FORM).result()
    acted = [f"acted{number:02}" for number in range(options.acted)]
    also = [] if options.files else [units_of(clip)]
    world = World(scene, acted, options.out / "street", also=also, fps=FPS)
    url = f"file://{clip}" if options.files else world.url(clip.stem)
    return Sources(world, scene, acted, url, (clip.parent,))


def search(options: argparse.Namespace, sources: Sources) -> dict[str, Any]:
    """Find the largest number of cameras that holds, by doubling and then halving the distance."""
    runs: list[dict[str, Any]] = []

    def is_held(cameras: int) -> bool:
        figures = soak(options, sources, cameras)
        figures.pop("samples")
        runs.append(figures)
        print(f"{cameras} cameras: {figures['fails'] or 'holds'}", flush=True)
        return not figures["fails"]

    good, bad = 0, None
    trial = max(options.cameras, options.acted + 1)
    while bad is None or bad - good > STEP:
        if is_held(trial):
            good = trial
        else:
            bad = trial
        trial = 2 * good if bad is None else (good + bad) // 2
    first_bad = next(run for run in runs if run["cameras"] == bad)
    return {
        "machine": runs[0]["machine"],
        "through": runs[0]["through"],
        "largest_that_holds": good,
        "smallest_that_does_not": bad,
        "fails_by": first_bad["fails"],
        "cores_used_then": first_bad["cores_used"],
        "runs": runs,
    }


def soak(options: argparse.Namespace, sources: Sources, cameras: int) -> dict[str, Any]:
    """Watch so many cameras for the time that the options say.

    Returns:
        The figures; ``fails`` names what does not hold.
    """
    shutil.rmtree(options.out / "cameras", ignore_errors=True)
    sink = Counter()
    before_s = processor(psutil.Process(), None, (), sources.world.pid)
    detector = DetectorProcess(functools.partial(open_model, options.workers))
    policy = AddressPolicy(networks=(ip_network("127.0.0.0/8"),), folders=sources.folders)
    live = LiveCameras(sink, policy, workers=options.workers)
    live.start()
    for number in range(cameras):
        if number < len(sources.acted):
            name = sources.acted[number]
            url, zones = sources.world.url(name), sources.scene.zones
        else:
            name, url, zones = f"cam{number:03}", sources.url, []
        live.add(camera(name, url, zones, detector, options))
    me = psutil.Process()
    own = {"threads": me.num_threads(), "files": me.num_fds()}
    samples: list[dict[str, float]] = []
    began_s = time.monotonic()
    script = appearances(options, sources.acted)
    todo = sorted(
        [(one.from_s, one.camera_id, one.kind) for one in script]
        + [(one.to_s, one.camera_id, EMPTY) for one in script]
    )
    shown_s: dict[tuple[str, float], float] = {}
    warm: LiveCounts | None = None
    while (now_s := time.monotonic() - began_s) < 60 * options.minutes:
        while todo and todo[0][0] <= now_s:
            at_s, name, what = todo.pop(0)
            sources.world.show(name, what)
            shown_s[name, at_s] = time.monotonic()
        if now_s >= SAMPLE_S * (len(samples) + 1):
            samples.append(memory(me.pid, detector.pid, live.processes()))
            if options.search and samples[-1]["rss"] > MOST_RSS_MIB:
                break
        if warm is None and now_s >= 60 * options.warm_up:
            warm = live.counts()
        time.sleep(0.05)
    spent = {
        name: round(used_s - before_s[name], 1)
        for name, used_s in processor(me, detector.pid, live.processes(), sources.world.pid).items()
    }
    counts = live.counts()
    before = warm.shed if warm is not None else Shed()
    looked = intervals(sink.looked_s, 60 * options.warm_up)
    shown = [one for one in script if (one.camera_id, one.from_s) in shown_s]
    found = delays(shown, shown_s, sink.told.values(), options.dwell)
    figures = {
        "machine": f"{platform.processor() or platform.machine()}, {psutil.cpu_count()} cores",
        "cameras": cameras,
        "minutes": round(now_s / 60, 1),
        "is_whole": now_s >= 60 * options.minutes,
        "through": "files" if options.files else "rtsp",
        "rest_s": options.rest,
        **looked,
        "picture_age_s": spread(sink.ages_s),
        "scripted_violations": len(found),
        "scripted_found": sum(delay is not None for delay in found),
        "other_violations": len(sink.told) - sum(delay is not None for delay in found),
        "delay_beyond_dwell_s": spread([delay for delay in found if delay is not None]),
        "shed": {
            "rest": counts.shed.rest - before.rest,
            "closer": counts.shed.closer - before.closer,
        },
        "looks_since": sum(counts.looks.values()) - sum(warm.looks.values() if warm else ()),
        "failed_looks": counts.failed,
        "restarts": {**counts.restarts, "detector": detector.restarts},
        "failures": dict(sink.failures),
        "views": dict(sink.views),
        **grown(samples, 60 * options.warm_up),
        "reader_rss_mib": [round(resident(pid)) for pid in live.processes()],
        "processor_s": spent,
        "cores_used": round(sum(spent.values()) / now_s, 2),
        "own_at_start": own,
        "own_at_end": {"threads": me.num_threads(), "files": me.num_fds()},
    }
    stop_s = time.monotonic()
    live.stop()
    figures["stopped_in_s"] = round(time.monotonic() - stop_s, 1)
    detector.close()
    for name in sources.acted:
        sources.world.show(name, EMPTY)
    figures["fails"] = list(fails(figures))
    return {**figures, "samples": samples}


def fails(figures: Mapping[str, Any]) -> Iterator[str]:
    """What a number of cameras does not hold."""
    if figures["rss_mib_max"] > MOST_RSS_MIB:
        yield f"memory is {figures['rss_mib_max']} MiB"
    if not figures["is_whole"]:
        return
    if figures["cameras_seen"] < figures["cameras"]:
        yield f"{figures['cameras'] - figures['cameras_seen']} cameras were never looked at"
    interval_s = figures["look_interval_s"].get("p99")
    if interval_s is None:
        yield "too few looks after the warm-up"
    elif interval_s > MOST_INTERVAL_S:
        yield f"p99 of the look interval is {interval_s} s"
    due = figures["looks_since"] + figures["shed"]["rest"]
    if figures["shed"]["rest"] > MOST_SHED * due:
        yield f"{figures['shed']['rest']} of {due} looks were shed"


def appearances(options: argparse.Namespace, acted: Sequence[str]) -> list[Appearance]:
    """What stands where and when: long enough to be raised, then gone for as long as to be over."""
    random_ = random.Random(1)  # noqa: S311 - a script, no secret
    stands_s = options.dwell + 60.0
    found: list[Appearance] = []
    for number, name in enumerate(acted):
        kinds = list(THINGS)
        from_s = 20.0 + random_.uniform(0, 30)
        while from_s + stands_s <= 60 * options.minutes:
            kind = kinds[(number + len(found)) % len(kinds)]
            found.append(Appearance(name, kind, from_s, from_s + stands_s))
            from_s += stands_s + 90.0 + random_.uniform(0, 20)
    return found


def delays(
    script: Sequence[Appearance],
    shown_s: Mapping[tuple[str, float], float],
    told: Iterable[tuple[ViolationRecord, float]],
    dwell_s: float,
) -> list[float | None]:
    """Seconds from when a thing was shown to when its violation was told, beyond the dwell.

    Returns:
        One for each appearance, ``None`` where none was told.
    """
    found: list[float | None] = []
    for one in script:
        began_s = shown_s[one.camera_id, one.from_s]
        own = [
            told_s
            for record, told_s in told
            if record.camera_id == one.camera_id
            and record.kind == one.kind
            and began_s <= told_s <= began_s + one.to_s - one.from_s + 30.0
        ]
        found.append(round(min(own) - began_s - dwell_s, 1) if own else None)
    return found


def show(figures: Mapping[str, Any]) -> None:
    """Print what matters."""
    table = Table("figure", "value")
    for name, value in figures.items():
        if name not in ("samples", "runs"):
            table.add_row(name, json.dumps(value, ensure_ascii=False))
    Console(width=120).print(table)


def open_model(threads: int) -> Detector:
    """Open the model that ships; runs in the detector's process."""
    return load_detector(load_registry().model(MODEL), threads=threads)


def camera(
    name: str,
    url: str,
    zones: Sequence[Mapping[str, Any]],
    detector: Detector,
    options: argparse.Namespace,
) -> LiveCamera:
    """One camera with brief dwells."""
    return LiveCamera(
        watch=WatchSettings(
            camera=Camera.model_validate({"id": name, "zones": zones}),
            model=load_registry().model(MODEL),
            rules=rule_options([str(options.dwell)], []),
            clock=SiteClock(ZoneInfo("Asia/Shanghai")),
            folder=options.out / "cameras" / name,
        ),
        source=CameraSource(parse_address(url)),
        policy=LookPolicy(rest_s=options.rest),
        detector=detector,
    )


def units_of(clip: Path) -> Path:
    """The access units of an H.264 recording, each after its length in four bytes."""
    path = clip.with_suffix(".au")
    if path.exists():
        return path
    with av.open(str(clip)) as reader, path.open("wb") as out:
        stream = reader.streams.video[0]
        to_bytes = BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in reader.demux(stream):
            for unit in to_bytes.filter(packet if packet.size else None):
                out.write(struct.pack("!I", unit.size) + bytes(unit))
    return path


def memory(me: int, detector: int | None, readers: Sequence[int]) -> dict[str, float]:
    """MiB of all processes but the RTSP server, and of each kind what it does not share."""
    sample = {"at_s": round(time.monotonic(), 1), "rss": 0.0, "uss": 0.0}
    for name, pids in (
        ("service", [me]),
        ("detector", [] if detector is None else [detector]),
        ("readers", readers),
    ):
        sample[name] = 0.0
        for pid in pids:
            with suppress(psutil.Error):
                full = psutil.Process(pid).memory_full_info()
                sample["rss"] += full.rss / MIB
                sample["uss"] += full.uss / MIB
                sample[name] += full.uss / MIB
    return sample


def resident(pid: int) -> float:
    """MiB that a process holds, with what it shares."""
    return float(psutil.Process(pid).memory_info().rss) / MIB


def processor(
    me: psutil.Process, detector: int | None, readers: Sequence[int], server: int
) -> dict[str, float]:
    """Seconds of processor time by what spent them, since each process began."""

    def spent(pid: int | None) -> float:
        if pid is None:
            return 0.0
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)

    return {
        "service": round(spent(me.pid), 1),
        "detector": round(spent(detector), 1),
        "readers": round(sum(spent(pid) for pid in readers), 1),
        "rtsp_server": round(spent(server), 1),
    }


def intervals(looked_s: Mapping[str, Sequence[float]], warm_up_s: float) -> dict[str, Any]:
    """Seconds between looks after the warm-up, over all cameras."""
    first_s = min((times[0] for times in looked_s.values() if times), default=0.0)
    gaps = [
        later - earlier
        for times in looked_s.values()
        for earlier, later in pairwise(times)
        if earlier - first_s >= warm_up_s
    ]
    looks = sum(len(times) for times in looked_s.values())
    return {"looks": looks, "cameras_seen": len(looked_s), "look_interval_s": spread(gaps)}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and maximum."""
    if len(values) < 2:
        return {}
    return {
        "p50": round(statistics.median(values), 2),
        "p99": round(statistics.quantiles(values, n=100)[98], 2),
        "max": round(max(values), 2),
    }


def grown(samples: Sequence[Mapping[str, float]], warm_up_s: float) -> dict[str, Any]:
    """Memory at its highest, and how it grew from after the warm-up to the end."""
    first_s = samples[0]["at_s"]
    steady = [one for one in samples if one["at_s"] - first_s >= warm_up_s] or list(samples)
    tenth = max(1, len(steady) // 10)
    early = statistics.mean(one["rss"] for one in steady[:tenth])
    late = statistics.mean(one["rss"] for one in steady[-tenth:])
    return {
        "rss_mib_max": round(max(one["rss"] for one in samples)),
        "uss_mib_max": round(max(one["uss"] for one in samples)),
        "uss_mib_max_by_process": {
            name: round(max(one[name] for one in samples))
            for name in ("service", "detector", "readers")
        },
        "rss_growth_percent": round(100 * (late / early - 1), 1),
    }


if __name__ == "__main__":
    main()
