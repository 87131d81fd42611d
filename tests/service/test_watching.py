from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

import pytest
from posting import CREATED_AT, FakeClock

from service.cameras.counts import LiveCounts
from service.cameras.live import LiveCamera
from service.cameras.sink import CameraHealth, SourceState
from service.detecting import Detectors
from service.live import Pushed, Snapshot
from service.reach import AddressPolicy
from service.store.cameras import add_camera, change_camera
from service.store.database import Database
from service.store.tables import CameraRow
from service.watching import WatchedCameras
from vision.detect.detector import Detector
from vision.detect.registry import ModelEntry, load_registry
from vision.errors import ModelError
from vision.frames.looks import LookPolicy
from vision.schedule import SiteClock
from vision.site import Camera


@dataclass
class Told:
    """What watches cameras, as far as it is told to."""

    watched: dict[str, LiveCamera] = field(default_factory=dict)
    is_running: bool = False

    def start(self) -> None:
        self.is_running = True

    def stop(self, within_s: float = 10.0) -> None:
        self.is_running = False

    def add(self, camera: LiveCamera) -> None:
        self.watched[camera.id] = camera

    def remove(self, camera_id: str) -> None:
        del self.watched[camera_id]

    def snapshot(self, camera_id: str) -> Snapshot | None:
        return None

    def push(self, camera_id: str, snapshot: Snapshot) -> Pushed:
        return Pushed.TAKEN if camera_id in self.watched else Pushed.NOT_WATCHED

    def counts(self) -> LiveCounts:
        return LiveCounts(looks=dict.fromkeys(self.watched, 1))

    def change_policy(self, policy: AddressPolicy) -> None:
        self.policy = policy

    def health(self, camera_id: str) -> CameraHealth:
        assert self.watched[camera_id]
        return CameraHealth(camera_id, SourceState.LIVE, since=CREATED_AT)


class NoDetectors(Detectors):
    """The registry that ships, and no process."""

    def detector(self, entry: ModelEntry) -> Detector:
        if entry.name == "jiexu-site":
            raise ModelError("broken")
        return object()  # type: ignore[return-value]


def camera(id_: str, source: str | None, **more: object) -> Camera:
    return Camera.model_validate({"id": id_, "source": source} | more)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def watched(
    database: Database, told: Told, clock: FakeClock, tmp_path: Path
) -> Iterator[WatchedCameras]:
    site = [{"id": "site", "purpose": "site", "points": [[0, 0], [1, 0], [1, 1]]}]
    with database.write() as session:
        for one, enabled in (
            (camera("broken", "rtsp://10.1.1.0/a", zones=site), True),
            (camera("gate", "rtsp://10.1.1.1/a"), True),
            (camera("off", "rtsp://10.1.1.2/a"), False),
            (camera("pushes", None), True),
        ):
            add_camera(session, one, clock.now(), enabled=enabled)
    cameras = WatchedCameras(
        database,
        told,
        NoDetectors(load_registry()),
        clock=SiteClock(UTC),
        folder=tmp_path / "cameras",
    )
    cameras.start()
    yield cameras
    cameras.stop()
    assert not told.is_running


def test_enabled_cameras_are_watched_and_a_broken_one_harms_none(
    watched: WatchedCameras, told: Told
) -> None:
    until(lambda: "pushes" in told.watched)
    assert sorted(told.watched) == ["gate", "pushes"]
    assert told.watched["pushes"].source is None
    assert told.watched["gate"].source.look.host == "10.1.1.1"
    health = watched.health("gate")
    assert health is not None
    assert health.state is SourceState.LIVE
    assert watched.health("off") is None


def test_a_camera_is_looked_at_as_often_as_its_settings_say(
    watched: WatchedCameras, told: Told, database: Database, clock: FakeClock
) -> None:
    until(lambda: "gate" in told.watched)
    assert told.watched["gate"].policy == LookPolicy(rest_s=10, active_s=2)
    with database.write() as session:
        row = session.get_one(CameraRow, "off")
        often = camera("off", "rtsp://10.1.1.9/b", inspect_s=1.5)
        change_camera(row, often, clock.now(), enabled=True)
    watched.settings_changed("off")
    until(lambda: "off" in told.watched)
    assert told.watched["off"].policy == LookPolicy(rest_s=1.5, active_s=1.5)


def test_changes_reach_the_cameras(
    watched: WatchedCameras, told: Told, database: Database, clock: FakeClock
) -> None:
    until(lambda: "gate" in told.watched)
    with database.write() as session:
        row = session.get_one(CameraRow, "off")
        change_camera(row, camera("off", "rtsp://10.1.1.9/b"), clock.now(), enabled=True)
        session.delete(session.get_one(CameraRow, "gate"))
    watched.settings_changed("off")
    watched.settings_changed("gate")
    until(lambda: sorted(told.watched) == ["off", "pushes"])
    assert told.watched["off"].source.look.host == "10.1.1.9"


def test_a_camera_whose_detector_fails_at_first_is_watched_later(
    database: Database,
    told: Told,
    clock: FakeClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = []

    class Detectors(NoDetectors):
        def detector(self, entry: ModelEntry) -> Detector:
            tries.append(entry.name)
            if len(tries) < 3:
                raise ModelError("the detector ended while it was starting")
            return object()  # type: ignore[return-value]

    monkeypatch.setattr("service.watching.AGAIN_S", 0.02)
    with database.write() as session:
        add_camera(session, camera("gate", "rtsp://10.1.1.1/a"), clock.now(), enabled=True)
    cameras = WatchedCameras(
        database,
        told,
        Detectors(load_registry()),
        clock=SiteClock(UTC),
        folder=tmp_path / "cameras",
    )
    cameras.start()
    until(lambda: "gate" in told.watched)
    cameras.stop()
    assert len(tries) == 3
