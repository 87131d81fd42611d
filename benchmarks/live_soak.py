"""How many live cameras does a machine hold, and does it stay so?

    python -m benchmarks.live_soak --footage CLIP --out DIR [--cameras 64] [--minutes 30] [--files]

The footage becomes a 1080p 25 fps 4 Mb/s H.264 clip with a keyframe every 2 s (two minutes of it,
looped), which a real RTSP server (GStreamer's, in a process of its own) gives to every camera.
With ``--files`` the cameras play the clip themselves, where the server would eat the cores that are
to be measured. The model that ships looks at them in a process of its own; a sink keeps nothing.

Printed and written to ``DIR/live_soak.json``: seconds between the looks at a camera (p50, p99,
longest), age of pictures when they were looked at, looks shed and failed, memory over time (RSS as
the system counts it, and without what processes share), growth after the warm-up, processor time by
process, threads and open files at the start and the end, and what readers had to be started anew.
"""

from __future__ import annotations

import argparse
import functools
import json
import platform
import statistics
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import av
import psutil
from av.bitstream import BitStreamFilterContext

from benchmarks.clip import FPS, make_clip
from service.cameras.address import CameraSource, parse_address
from service.cameras.inference import DetectorProcess
from service.cameras.live import LiveCamera, LiveCameras
from service.cameras.reach import AddressPolicy
from service.cameras.sink import CameraHealth, Role
from service.cameras.watch import WatchSettings
from tests.service.cameras.rtsp_clips import RtspServer
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


class Counter:
    """A sink that notes when cameras were looked at."""

    def __init__(self, dwell_s: float) -> None:
        self._dwell_s = dwell_s
        self.looked_s: dict[str, list[float]] = defaultdict(list)
        self.ages_s: list[float] = []
        self.delays_s: list[float] = []
        self.violations: set[str] = set()
        self.failures: dict[str, int] = defaultdict(int)
        self._states: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def violation_changed(
        self,
        record: ViolationRecord,
        evidence: Mapping[Role, Path],  # noqa: ARG002 - kept by other sinks
    ) -> None:
        """Note how long after its dwell a violation was told."""
        now = datetime.now(UTC)
        with self._lock:
            if record.id in self.violations or record.raised_at is None:
                return
            self.violations.add(record.id)
            self.delays_s.append((now - record.started_at).total_seconds() - self._dwell_s)

    def looked(self, look: Look) -> None:
        """Note a look."""
        with self._lock:
            self.looked_s[look.camera_id].append(time.monotonic())
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


def main() -> None:
    """Run the soak and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, required=True, help="a real clip, fixed camera")
    parser.add_argument("--out", type=Path, required=True, help="folder for clips and figures")
    parser.add_argument("--cameras", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--warm-up", type=float, default=5.0, help="minutes that do not count")
    parser.add_argument("--dwell", type=float, default=60.0, help="seconds, for every kind")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--files", action="store_true", help="no RTSP server: play the clip")
    options = parser.parse_args()

    options.out.mkdir(parents=True, exist_ok=True)
    clip = make_clip(options.footage, options.out, CLIP_S).resolve()
    server = None if options.files else RtspServer([units_of(clip)], rate=FPS)
    url = server.url(clip.stem) if server else f"file://{clip}"
    sink = Counter(options.dwell)
    detector = DetectorProcess(functools.partial(open_model, options.workers))
    policy = AddressPolicy(networks=(ip_network("127.0.0.0/8"),), folders=(clip.parent,))
    live = LiveCameras(sink, policy, workers=options.workers)
    live.start()
    for number in range(options.cameras):
        live.add(camera(f"cam{number:03}", url, detector, options.out, options.dwell))
    me = psutil.Process()
    own = {"threads": me.num_threads(), "files": me.num_fds()}
    samples: list[dict[str, float]] = []
    end_s = time.monotonic() + 60 * options.minutes
    while time.monotonic() < end_s:
        time.sleep(SAMPLE_S)
        samples.append(memory(me, [detector.pid, *live.processes()]))
    spent = processor(me, detector.pid, live.processes(), server)
    counts = live.counts()
    began_s = time.monotonic()
    figures = {
        "machine": f"{platform.processor() or platform.machine()}, {psutil.cpu_count()} cores",
        "cameras": options.cameras,
        "minutes": options.minutes,
        "through": "files" if options.files else "rtsp",
        **intervals(sink.looked_s, 60 * options.warm_up),
        "picture_age_s": spread(sink.ages_s),
        "violations": len(sink.violations),
        "delay_beyond_dwell_s": spread(sink.delays_s),
        "shed": {"rest": counts.shed.rest, "closer": counts.shed.closer},
        "failed_looks": counts.failed,
        "restarts": {**counts.restarts, "detector": detector.restarts},
        "failures": dict(sink.failures),
        **grown(samples, 60 * options.warm_up),
        "reader_rss_mib": [round(resident(pid)) for pid in live.processes()],
        "processor_s": spent,
        "own_at_start": own,
        "own_at_end": {"threads": me.num_threads(), "files": me.num_fds()},
    }
    live.stop()
    figures["stopped_in_s"] = round(time.monotonic() - began_s, 1)
    detector.close()
    if server:
        server.kill()
    (options.out / "live_soak.json").write_text(
        json.dumps({**figures, "samples": samples}, indent=1)
    )
    print(json.dumps(figures, indent=1))


def open_model(threads: int) -> Detector:
    """Open the model that ships; runs in the detector's process."""
    return load_detector(load_registry().model(MODEL), threads=threads)


def camera(name: str, url: str, detector: Detector, out: Path, dwell_s: float) -> LiveCamera:
    """One camera with brief dwells."""
    return LiveCamera(
        watch=WatchSettings(
            camera=Camera(id=name),
            model=load_registry().model(MODEL),
            rules=rule_options([str(dwell_s)], []),
            clock=SiteClock(ZoneInfo("Asia/Shanghai")),
            folder=out / "cameras" / name,
        ),
        source=CameraSource(parse_address(url)),
        policy=LookPolicy(),
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


def memory(me: psutil.Process, pids: Sequence[int | None]) -> dict[str, float]:
    """MiB of this process and its children, the RTSP server not among them."""
    sample = {"at_s": round(time.monotonic(), 1), "rss": 0.0, "uss": 0.0}
    for process in [me, *(psutil.Process(pid) for pid in pids if pid and psutil.pid_exists(pid))]:
        try:
            full = process.memory_full_info()
        except psutil.Error:
            continue
        sample["rss"] += full.rss / MIB
        sample["uss"] += full.uss / MIB
    return sample


def resident(pid: int) -> float:
    """MiB that a process holds, with what it shares."""
    return float(psutil.Process(pid).memory_info().rss) / MIB


def processor(
    me: psutil.Process, detector: int | None, readers: Sequence[int], server: RtspServer | None
) -> dict[str, float]:
    """Seconds of processor time by what spent them."""

    def spent(pid: int | None) -> float:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.Error:
            return 0.0
        return times.user + times.system

    return {
        "service": round(spent(me.pid), 1),
        "detector": round(spent(detector), 1),
        "readers": round(sum(spent(pid) for pid in readers), 1),
        "rtsp_server": round(spent(server.pid), 1) if server else 0.0,
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
        "rss_growth_percent": round(100 * (late / early - 1), 1),
    }


if __name__ == "__main__":
    main()
