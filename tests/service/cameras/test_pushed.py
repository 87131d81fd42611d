from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from blobs import BlobDetector
from live_street import DWELL_S, START, KeepingSink, picture, settings
from watched import LOOPBACK

from service.cameras.live import LiveCamera, LiveCameras
from service.cameras.pushed import SILENT_S, Pushed, PushedCameras, Snapshot
from service.cameras.sink import CameraHealth, Role
from service.cameras.states import FailureKind, SourceState
from service.cameras.supervisor import Taken
from vision.frames.looks import LookPolicy
from vision.observe.look import Health
from vision.record import ViolationRecord

LATE_S = 20.0
SMALL = np.zeros((48, 64, 3), np.uint8)


@dataclass
class Played:
    """Pushed cameras with everything they tell, and a clock that is set."""

    now_s: float = 0.0
    pictures: list[tuple[str, Taken]] = field(default_factory=list)
    healths: list[CameraHealth] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cameras = PushedCameras(
            on_picture=lambda camera_id, taken: self.pictures.append((camera_id, taken)),
            on_health=self.healths.append,
            monotonic=lambda: self.now_s,
        )
        self.cameras.add("square", late_s=LATE_S, newest_at=None)

    def push(self, time_s: float, image: np.ndarray = SMALL, camera_id: str = "square") -> Pushed:
        return self.cameras.push(camera_id, Snapshot(image, START + timedelta(seconds=time_s)))


def test_of_several_pictures_the_newest_is_looked_at_and_never_an_older_one() -> None:
    played = Played()
    assert [played.push(time_s) for time_s in (0, 1, 1, 0.5, 2)] == [
        Pushed.TAKEN,
        Pushed.TAKEN,
        Pushed.NOT_NEWER,
        Pushed.NOT_NEWER,
        Pushed.TAKEN,
    ]
    assert played.cameras.want("square")
    assert not played.cameras.want("square"), "the last picture is still in use"
    ((_, taken),) = played.pictures
    assert taken.arrived_at == START + timedelta(seconds=2)
    played.cameras.done("square")
    assert not played.cameras.want("square"), "nothing has come since"
    assert played.push(1.5) is Pushed.NOT_NEWER
    assert played.push(3) is Pushed.TAKEN
    assert played.cameras.want("square")


def test_what_was_looked_at_before_a_restart_is_not_looked_at_again() -> None:
    played = Played()
    played.cameras.add("square", late_s=LATE_S, newest_at=START + timedelta(seconds=10))
    assert played.push(10) is Pushed.NOT_NEWER
    assert played.push(10.001) is Pushed.TAKEN


def test_more_than_can_be_looked_at_is_refused_until_there_is_time() -> None:
    played = Played()
    assert played.push(0) is Pushed.TAKEN
    played.now_s = LATE_S
    assert played.push(20) is Pushed.TAKEN
    played.now_s = LATE_S + 1
    assert played.push(21) is Pushed.BUSY
    played.cameras.want("square")
    assert played.push(21) is Pushed.TAKEN


def test_pictures_that_wait_have_a_bound_in_all() -> None:
    played = Played()
    large = np.zeros((4000, 4000, 3), np.uint8)
    answers = []
    for number in range(7):
        played.cameras.add(f"cam{number}", late_s=LATE_S, newest_at=None)
        answers.append(played.push(0, large, f"cam{number}"))
    assert answers == [Pushed.TAKEN] * 5 + [Pushed.BUSY] * 2
    assert played.push(1, large, "cam0") is Pushed.TAKEN, "it takes the place of an older one"


def test_a_camera_that_pushes_nothing_is_told_as_silent_and_comes_back() -> None:
    played = Played()
    assert played.push(0) is Pushed.TAKEN
    assert played.cameras.want("square")
    played.now_s = SILENT_S
    played.cameras.notice_silence()
    assert played.healths[-1].state is SourceState.LIVE
    played.now_s = SILENT_S + 1
    played.cameras.notice_silence()
    played.cameras.notice_silence()
    assert played.push(70) is Pushed.TAKEN
    states = [(one.state, one.failure) for one in played.healths]
    assert states == [
        (SourceState.CONNECTING, None),
        (SourceState.LIVE, None),
        (SourceState.WAITING, FailureKind.READ_TIMEOUT),
        (SourceState.LIVE, None),
    ]
    assert played.healths[-1].reconnects == 1


def test_a_camera_that_is_not_there_takes_nothing() -> None:
    played = Played()
    assert played.push(0, camera_id="elsewhere") is Pushed.NOT_WATCHED
    played.cameras.remove("square")
    assert played.push(0) is Pushed.NOT_WATCHED
    with pytest.raises(KeyError):
        played.cameras.health("square")


class Street:
    """One camera whose pictures are pushed as fast as they are looked at."""

    def __init__(self, sink: KeepingSink, folder: Path) -> None:
        self.sink = sink
        self.live = LiveCameras(sink, LOOPBACK, workers=1)
        self.live.start()
        self.live.add(
            LiveCamera(
                watch=settings(folder),
                source=None,
                detector=BlobDetector(),
                policy=LookPolicy(rest_s=0.05, active_s=0.01),
            )
        )

    def push(self, time_s: float, *, heap: bool) -> None:
        """Push a picture and wait until it was looked at."""
        looks = len(self.sink.looks)
        taken_at = START + timedelta(seconds=time_s)
        pushed = Snapshot(picture(time_s, heap=heap), taken_at)
        assert self.live.push("square", pushed) is Pushed.TAKEN
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        while len(self.sink.looks) == looks:
            assert datetime.now(UTC) < deadline, "it was not looked at"


def test_pushed_pictures_become_a_violation_in_the_cameras_own_time(tmp_path: Path) -> None:
    sink = KeepingSink()
    street = Street(sink, tmp_path)
    assert street.live.snapshot("square") is None
    for time_s in (0, 5, 10, 15, 20):
        street.push(time_s, heap=time_s >= 10)
    assert sink.records == []
    street.live.stop()
    again = Street(sink, tmp_path)
    for time_s in range(25, 25 + 2 * int(DWELL_S), 5):
        again.push(time_s, heap=True)
    assert len(sink.ids) == 1
    record = sink.records[0]
    assert record.started_at == START + timedelta(seconds=10)
    assert record.kind == "debris_pile"
    newest = again.live.snapshot("square")
    assert newest is not None
    assert newest.image.shape == (180, 320, 3)
    assert newest.taken_at == START + timedelta(seconds=60)
    assert [look.health for look in sink.looks].count(Health.OK) == 13
    times = [look.time_s for look in sink.looks]
    assert times == sorted(set(times))
    counts = again.live.counts()
    assert counts.looks == {"square": 8}
    assert counts.skipped["square"] == sum(
        look.health is Health.OK and not look.inspected for look in sink.looks[-8:]
    )
    again.live.stop()
    assert again.live.push("square", newest) is Pushed.NOT_WATCHED


class StuckSink(KeepingSink):
    """Takes no clip, and never says so."""

    def __init__(self) -> None:
        super().__init__()
        self.stuck, self.released = threading.Event(), threading.Event()

    def violation_changed(self, record: ViolationRecord, evidence: Mapping[Role, Path]) -> None:
        if record.evidence.clip is not None:
            self.stuck.set()
            self.released.wait()
            raise ConnectionError("the service ends")
        super().violation_changed(record, evidence)


def test_the_end_does_not_wait_for_a_clip_which_is_told_after_the_next_start(
    tmp_path: Path,
) -> None:
    sink = StuckSink()
    street = Street(sink, tmp_path)
    for time_s in range(0, 60, 5):
        street.push(time_s, heap=time_s >= 10)
    assert sink.stuck.wait(60)
    street.push(60, heap=True)
    began_s = time.monotonic()
    street.live.stop()
    assert time.monotonic() - began_s < 8
    assert sink.records[-1].evidence.clip is None
    later = KeepingSink()
    later.states = dict(sink.states)
    again = Street(later, tmp_path)
    again.push(65, heap=True)
    again.live.stop()
    sink.released.set()
    assert later.records[0].id == sink.records[0].id
    assert later.records[0].evidence.clip is not None
