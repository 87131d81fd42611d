"""How long does a loaded service take to end?

    python -m benchmarks.live_stop --out DIR [--cameras 64] [--rounds 3]

A real ``jiexu serve`` with its embedded database watches cameras of 1080p on a real RTSP server
(GStreamer's), all of which show a stall that becomes a violation after twelve seconds. When half of
the cameras have one, while the others are being judged, evidence is written and clips are encoded,
the service is told to stop. Printed and written to ``DIR/live_stop.json``: seconds until its
process was gone, its exit code, processes that it left behind, and what it logged of the end.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from benchmarks.chaos_world import Scene, World, draw_scene
from benchmarks.live_chaos import ServiceProcess, prepare, told_by
from benchmarks.live_soak import FORM

SHOWN = "street_stall"
LOADED_S = 300.0
LEFT_S = 3.0


@dataclass(frozen=True)
class Stop:
    """One end of the service.

    Attributes:
        took_s: Seconds from the signal until the process was gone.
        code: Its exit code.
        violations: How many it had told.
        left_behind: Ids of its processes that ran on.
        parts: How long each part took, as it logged.
    """

    took_s: float
    code: int | None
    violations: int
    left_behind: list[int]
    parts: list[str]


def main() -> None:
    """Stop it a few times and print how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for clips and figures")
    parser.add_argument("--cameras", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    scene = draw_scene(options.out / "street", FORM)
    stops = []
    for number in range(options.rounds):
        stops.append(stop_once(options.out / "service", scene, options.cameras))
        print(f"{number + 1}: {stops[-1]}", flush=True)
    found = [asdict(one) for one in stops]
    (options.out / "live_stop.json").write_text(json.dumps(found, indent=1) + "\n")


def stop_once(folder: Path, scene: Scene, count: int) -> Stop:
    """Start a service on nothing, load it, and tell it to stop.

    Raises:
        RuntimeError: It was not loaded in time.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    world = World(scene, [], folder, fps=FORM.fps)
    try:
        sources = {f"cam{number:02}": world.url(SHOWN) for number in range(count)}
        url = f"sqlite:///{folder.resolve() / 'data' / 'jiexu.db'}"
        key = prepare(url, sources, scene.zones)
        service = ServiceProcess(folder, url)
        service.keep_alive()
        try:
            violations = loaded(service, key, count // 2)
            began_s = time.monotonic()
            service.end(signal.SIGTERM, "the trial")
            took_s = round(time.monotonic() - began_s, 1)
        finally:
            service.end(signal.SIGKILL, "the end")
        service.keep_alive()
        time.sleep(LEFT_S)
        left = service.left_behind()
        return Stop(took_s, service.lives[-1].code, violations, left, logged(folder))
    finally:
        world.kill()


def logged(folder: Path) -> list[str]:
    """What the service logged of its end."""
    lines = (folder / "service.log").read_text().splitlines()
    told = [json.loads(line) for line in lines if '"service.ending"' in line]
    return [one["message"] for one in told]


def loaded(service: ServiceProcess, key: str, least: int) -> int:
    """Wait until the service has told so many violations; gives how many it has."""
    until_s = time.monotonic() + LOADED_S
    told = 0
    while time.monotonic() < until_s:
        time.sleep(1.0)
        service.sample()
        if not service.lives[-1].answered:
            continue
        try:
            told = len(told_by(service.url, key, "violations"))
        except httpx.HTTPError:
            continue
        if told >= least:
            return told
    raise RuntimeError(f"after {LOADED_S:g} s it has told {told} violations, not {least}")


if __name__ == "__main__":
    main()
