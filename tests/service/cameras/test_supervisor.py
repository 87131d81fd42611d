"""Readers: what hangs is killed, what crashes is kept apart, what leaks is started anew."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from watched import QUICK, Watched

from service.cameras.address import Address, parse_address
from service.cameras.failure import CameraError
from service.cameras.source import Deadlines, Picture, Source
from service.cameras.states import FailureKind, SourceState
from service.reach import AddressPolicy
from vision.frames.frame import Luma

pytestmark = pytest.mark.slow


class Scripted:
    """A source whose address says how it behaves."""

    codec = "scripted"
    on_demand = False

    def __init__(self, behaviour: str) -> None:
        self._behaviour = behaviour
        self._newest_s = 0.0
        self._hoard: list[bytes] = []

    def advance(self, stop: threading.Event) -> None:
        stop.wait(0.05)
        self._newest_s = time.monotonic()
        if self._behaviour == "hang":
            time.sleep(3600)
        if self._behaviour == "crash":
            os.abort()
        if self._behaviour == "leak":
            self._hoard.append(os.urandom(4 * 2**20))

    def newest_s(self) -> float | None:
        return self._newest_s

    def earlier(self, newer_s: float) -> Iterator[tuple[float, Luma]]:
        return iter(())

    def forget(self, until_s: float) -> None:
        """Keeps none."""

    def picture(self, arrived_s: float | None = None) -> Picture:
        if self._behaviour == "garbage":
            raise CameraError(FailureKind.GARBAGE, "no picture")
        image = np.full((90, 160, 3), 50, np.uint8)
        return Picture(image[:, :, 0], image, image, self._newest_s, None)

    def close(self) -> None:
        """Holds nothing."""


def open_scripted(address: Address, policy: AddressPolicy, deadlines: Deadlines) -> Source:
    behaviour = address.path.name
    if behaviour == "hang-open":
        time.sleep(3600)
    return Scripted(behaviour)


def open_allowed(address: Address, policy: AddressPolicy, deadlines: Deadlines) -> Source:
    if address.path.parent not in policy.folders:
        raise CameraError(FailureKind.FORBIDDEN_ADDRESS, "not there")
    return Scripted(address.path.name)


def add(cameras: Watched, *behaviours: str) -> None:
    for name in behaviours:
        cameras.supervisor.add(name, parse_address(f"file:///{name}"))


def scripted(**settings: float) -> Watched:
    return Watched(replace(QUICK, **settings), opener=open_scripted)


def test_another_policy_reaches_cameras_that_were_allowed_and_those_that_were_not() -> None:
    with Watched(QUICK, opener=open_allowed) as cameras:
        cameras.supervisor.add("one", parse_address("file:///a/one"))
        cameras.supervisor.add("two", parse_address("file:///b/two"))
        cameras.supervisor.change_policy(AddressPolicy(folders=(Path("/a"),)))
        cameras.wait_for("one", SourceState.LIVE)
        cameras.wait_for("two", FailureKind.FORBIDDEN_ADDRESS)
        cameras.supervisor.change_policy(AddressPolicy(folders=(Path("/b"),)))
        cameras.wait_for("two", SourceState.LIVE)
        cameras.wait_for("one", FailureKind.FORBIDDEN_ADDRESS)


@pytest.mark.parametrize("behaviour", ["hang", "hang-open"])
def test_a_camera_that_hangs_is_killed_and_its_neighbours_go_on(behaviour: str) -> None:
    with scripted() as cameras:
        add(cameras, "good", behaviour)
        cameras.wait_for("good", SourceState.LIVE)
        assert cameras.wait_for(behaviour, FailureKind.HUNG).state is SourceState.WAITING
        cameras.wait_for("good", FailureKind.READER_DIED, SourceState.LIVE)
        cameras.wait_for("good", SourceState.LIVE)
        assert cameras.next_picture("good").image.shape == (90, 160, 3)
        hung = cameras.supervisor.restarts["hung"]
        cameras.wait(lambda: cameras.supervisor.restarts["hung"] > hung)
        good = cameras.latest("good")
        assert good is not None
        assert good.state is SourceState.LIVE, "hung again, and alone this time"
        assert cameras.supervisor.health("good").reconnects <= 1


def test_a_crash_is_survived_and_its_camera_found_out() -> None:
    with scripted() as cameras:
        add(cameras, "good", "crash")
        cameras.wait(lambda: cameras.supervisor.restarts["died"] >= 3)
        cameras.wait_for("good", SourceState.LIVE)
        before = cameras.supervisor.health("good").reconnects
        died = cameras.supervisor.restarts["died"]
        cameras.wait(lambda: cameras.supervisor.restarts["died"] > died)
        assert cameras.supervisor.health("good").reconnects == before
        assert cameras.next_picture("good")


def test_a_process_that_takes_too_much_memory_is_started_anew() -> None:
    with scripted(base_mb=200.0, camera_mb=10.0, memory_every_s=0.2) as cameras:
        add(cameras, "leak")
        cameras.wait(lambda: cameras.supervisor.restarts["memory"] >= 1)
        cameras.wait_for("leak", SourceState.LIVE)


def test_pictures_that_cannot_be_decoded_end_a_connection_and_are_not_made_up() -> None:
    with scripted() as cameras:
        add(cameras, "garbage")
        cameras.wait_for("garbage", FailureKind.GARBAGE)
        assert not cameras.pictures


@pytest.mark.parametrize("behaviour", ["good", "hang", "hang-open", "crash", "garbage"])
@pytest.mark.parametrize("after_s", [0.0, 1.5])
def test_can_be_stopped_in_every_state(behaviour: str, after_s: float) -> None:
    with scripted() as cameras:
        add(cameras, behaviour)
        time.sleep(after_s)
        processes = [psutil.Process(pid) for pid in cameras.supervisor.processes()]
        began_s = time.monotonic()
    assert time.monotonic() - began_s < QUICK.stop_s + 5
    assert not any(process.is_running() for process in processes)
    last = cameras.latest(behaviour)
    assert last is not None
    assert last.state is SourceState.STOPPED


def test_cameras_come_and_go_without_leaving_anything_open() -> None:
    with scripted() as cameras:
        add(cameras, "good")
        cameras.wait_for("good", SourceState.LIVE)
        files = psutil.Process().num_fds()
        for _ in range(5):
            cameras.supervisor.remove("good")
            add(cameras, "good")
            cameras.wait_for("good", SourceState.CONNECTING)
            cameras.wait_for("good", SourceState.LIVE)
        assert psutil.Process().num_fds() <= files
        assert len(cameras.supervisor.processes()) == 1
    assert cameras.supervisor.processes() == []


def test_one_process_holds_as_many_cameras_as_it_has_seats(tmp_path: Path) -> None:
    with scripted(seats=2) as cameras:
        add(cameras, "a", "b", "c")
        for name in "abc":
            cameras.wait_for(name, SourceState.LIVE)
        assert len(cameras.supervisor.processes()) == 2
