"""The service is killed, not told to stop: nothing is lost and nothing is told as new again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import psutil
import pytest
from live_street import DWELL_S, picture

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def heap_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of a heap that lies there, to be looped."""
    path = tmp_path_factory.mktemp("clip") / "heap.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=5, options={"crf": "18", "g": "5"})
        stream.width, stream.height = 320, 180
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(picture(number, heap=True), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 5)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def told(folder: Path) -> list[dict[str, Any]]:
    path = folder / "told.jsonl"
    if not path.exists():
        return []
    lines = path.read_text().split("\n")
    return [json.loads(line) for line in lines[:-1] if line]


def records(folder: Path) -> list[dict[str, Any]]:
    return [line["record"] for line in told(folder) if "record" in line]


def run_until(clip: Path, folder: Path, holds: Callable[[], bool], timeout_s: float = 150) -> None:
    """Run the service until something holds, then kill it."""
    paths = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("live_process.py"), clip, folder],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    try:
        until_s = time.monotonic() + timeout_s
        while not holds():
            assert process.poll() is None
            assert time.monotonic() < until_s, told(folder)[-5:]
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_killed_before_at_and_after_the_start_of_a_violation(
    heap_clip: Path, tmp_path: Path
) -> None:
    def looked(line_count: int) -> Callable[[], bool]:
        return lambda: sum("look" in line for line in told(tmp_path)) >= line_count

    run_until(heap_clip, tmp_path, looked(8))
    readers = [int(pid) for pid in (tmp_path / "readers").read_text().split()]
    run_until(heap_clip, tmp_path, lambda: bool(records(tmp_path)))
    first = records(tmp_path)[0]
    looks = sum("look" in line for line in told(tmp_path))
    run_until(heap_clip, tmp_path, looked(looks + 15))

    assert {record["id"] for record in records(tmp_path)} == {first["id"]}
    assert {record["started_at"] for record in records(tmp_path)} == {first["started_at"]}
    stood_s = (
        datetime.fromisoformat(first["raised_at"]) - datetime.fromisoformat(first["started_at"])
    ).total_seconds()
    assert stood_s >= DWELL_S
    times = [line["look"] for line in told(tmp_path) if "look" in line]
    assert times == sorted(times)
    assert not any(psutil.pid_exists(pid) for pid in readers), "readers end with the service"
