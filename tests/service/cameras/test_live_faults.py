"""Watching goes on when a detector fails, and ends in time and saved when something hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from blobs import BlobDetector
from live_street import KeepingSink, picture, settings
from watched import LOOPBACK, QUICK

from service.cameras.address import Address, CameraSource, parse_address
from service.cameras.checkpoint import unpacked
from service.cameras.live import LiveCamera, LiveCameras
from service.cameras.source import Deadlines, Picture, Source
from service.cameras.states import SourceState
from service.reach import AddressPolicy
from vision.detect.detections import Detections
from vision.errors import ModelError
from vision.frames.frame import Image, Luma
from vision.frames.looks import LookPolicy
from vision.observe.look import Health

pytestmark = pytest.mark.slow
WITHIN_S = 4.0


class Drawn:
    """A source of drawn pictures; one that is slow to close never lets go."""

    codec = "drawn"
    on_demand = False

    def __init__(self, name: str) -> None:
        self._name = name
        self._newest_s = 0.0

    def advance(self, stop: threading.Event) -> None:
        stop.wait(0.1)
        self._newest_s = time.monotonic()
        if self._name == "stuck":
            time.sleep(3600)

    def newest_s(self) -> float | None:
        return self._newest_s

    def earlier(self, newer_s: float) -> Iterator[tuple[float, Luma]]:
        return iter(())

    def forget(self, until_s: float) -> None:
        """Keeps none."""

    def picture(self, arrived_s: float | None = None) -> Picture:
        image = picture(self._newest_s, heap=True)
        return Picture(image[:, :, 0], image, image, self._newest_s, None)

    def close(self) -> None:
        time.sleep(3600)


def open_drawn(address: Address, policy: AddressPolicy, deadlines: Deadlines) -> Source:
    return Drawn(address.path.name)


class HangingDetector(BlobDetector):
    """Never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()

    def submit(self, image: Image, size: tuple[int, int] | None = None) -> Future[Detections]:
        self.asked.set()
        return Future()


def test_it_ends_in_time_though_a_detector_and_a_reader_hang_and_the_rest_is_saved(
    tmp_path: Path,
) -> None:
    sink, hanging = KeepingSink(), HangingDetector()
    live = LiveCameras(sink, LOOPBACK, workers=2, readers=QUICK, opener=open_drawn)
    live.start()
    for name in ("good", "hung", "stuck"):
        base = settings(tmp_path / name)
        live.add(
            LiveCamera(
                watch=replace(base, camera=base.camera.model_copy(update={"id": name})),
                source=CameraSource(parse_address(f"file:///{name}")),
                policy=LookPolicy(rest_s=0.5, active_s=0.5),
                detector=hanging if name == "hung" else BlobDetector(),
            )
        )
    until_s = time.monotonic() + 60
    while live.counts().looks["good"] < 5 or not hanging.asked.is_set():
        assert time.monotonic() < until_s
        time.sleep(0.05)
    processes = [psutil.Process(pid) for pid in live.processes()]
    view = tmp_path / "good" / "view.npz"
    view.unlink()
    began_s = time.monotonic()
    live.stop(WITHIN_S)
    assert time.monotonic() - began_s < WITHIN_S + 1.0
    assert not any(process.is_running() for process in processes)
    memory = unpacked(sink.states["good"])
    last = next(look for look in reversed(sink.looks) if look.camera_id == "good")
    assert last.health is Health.GAP, "it knows until when it saw"
    assert abs(memory.last_at - last.timestamp) < timedelta(seconds=0.1)
    assert view.exists()
    stopped = {health.camera_id for health in sink.healths if health.state is SourceState.STOPPED}
    assert "good" in stopped


class StartingDetector(BlobDetector):
    """Fails for a while, as one that is being started."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    def submit(self, image: Image, size: tuple[int, int] | None = None) -> Future[Detections]:
        if self.failures:
            self.failures -= 1
            raise ModelError("the detector is being started")
        return super().submit(image, size)


def test_what_a_detector_failed_to_see_is_looked_at_again_soon_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At rest the next look would come after a minute."""
    live = LiveCameras(KeepingSink(), LOOPBACK, workers=1, readers=QUICK, opener=open_drawn)
    live.start()
    try:
        live.add(
            LiveCamera(
                watch=settings(tmp_path / "square"),
                source=CameraSource(parse_address("file:///good")),
                policy=LookPolicy(rest_s=60.0, active_s=0.5),
                detector=StartingDetector(failures=4),
            )
        )
        until_s = time.monotonic() + 40
        while live.counts().looks["square"] < 1:
            assert time.monotonic() < until_s
            time.sleep(0.05)
        assert live.counts().failed == 4
    finally:
        live.stop(WITHIN_S)
    assert [record.message for record in caplog.records].count("a look failed") == 1
