"""Machines of a real cluster are lost while things stand before their cameras."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from blob_hosts import blob_detectors
from lost_machines import Machines, until
from sqlalchemy import select

from service.hosts.actors import find_hosts
from service.hosts.cluster import find_coordinator, stop_all
from service.hosts.host import HostSettings
from service.hosts.live import HostedCameras
from service.reach import AddressPolicy
from service.settings import Duplicates
from service.store.cameras import add_camera
from service.store.database import Database
from service.store.tables import AssignmentRow, CaseRow, CheckpointRow, ViolationRow
from vision.site import Camera

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

CAMERAS = ("c0", "c1", "c2", "c3")
DWELL_S = 30.0
MOVED_S = 30.0


def store_cameras(database: Database, clip: Path) -> None:
    for id_ in CAMERAS:
        camera = Camera.model_validate(
            {
                "id": id_,
                "source": clip.as_uri(),
                "inspect_s": 1,
                "standing_picture": False,
                "rules": {
                    "debris_pile": {"dwell_s": DWELL_S},
                    "standing_object": {"enabled": False},
                },
            }
        )
        with database.write() as session:
            add_camera(session, camera, datetime.now(UTC), enabled=True)


def settings_for(database: Database, clip: Path, folder: Path) -> HostSettings:
    return HostSettings(
        data=folder / "data",
        database_url=database.engine.url.render_as_string(hide_password=False),
        evidence=str(folder / "evidence"),
        networks=(),
        folders=(clip.parent,),
        models=None,
        timezone="Asia/Shanghai",
        calendar="cn",
        duplicates=Duplicates(),
        open_detectors=blob_detectors,
    )


def hosts_of(database: Database) -> dict[str, str | None]:
    """Ray's id of the machine of each camera."""
    with database.read() as session:
        rows = session.execute(select(AssignmentRow.camera_id, AssignmentRow.host)).all()
    return {row.camera_id: row.host and row.host.split("-")[1] for row in rows}


def seen_since(live: HostedCameras, cameras: Any, since: datetime) -> bool:
    healths = [live.health(camera_id) for camera_id in cameras]
    return all(
        one is not None and one.last_frame_at is not None and one.last_frame_at > since
        for one in healths
    )


def violations(database: Database) -> list[ViolationRow]:
    with database.read() as session:
        return list(session.scalars(select(ViolationRow).order_by(ViolationRow.camera_id)))


def saved_since(database: Database, since: datetime) -> bool:
    with database.read() as session:
        times = session.scalars(select(CheckpointRow.saved_at)).all()
    return len(times) == len(CAMERAS) and min(times) > since


@pytest.fixture
def live(
    machines: Machines, stored: Database, heap_clip: Path, tmp_path: Path
) -> Iterator[HostedCameras]:
    """Cameras on two machines, as the service sees them."""
    store_cameras(stored, heap_clip)
    while len(machines.nodes) < 2:
        machines.add()
    watched = HostedCameras(machines.cluster.address, settings_for(stored, heap_clip, tmp_path))
    began = datetime.now(UTC)
    watched.start()
    try:
        until(lambda: seen_since(watched, CAMERAS, began), 120, "the cameras are looked at")
        yield watched
    finally:
        coordinator = find_coordinator()
        if coordinator is not None:
            stop_all(coordinator)
        watched.stop()


def test_cameras_of_a_lost_machine_go_on_elsewhere_with_their_memory(
    machines: Machines, stored: Database, live: HostedCameras
) -> None:
    first, second = machines.nodes
    placed = hosts_of(stored)
    assert sorted(placed.values()) == sorted([first, first, second, second])
    seen_by = datetime.now(UTC) + timedelta(seconds=1)
    until(lambda: saved_since(stored, seen_by), 60, "memories are saved")

    lost = [camera_id for camera_id, node in placed.items() if node == first]
    machines.lose(first)
    at = datetime.now(UTC)
    until(
        lambda: set(hosts_of(stored).values()) == {second} and seen_since(live, lost, at),
        MOVED_S,
        "the cameras of a lost machine are looked at elsewhere",
    )

    until(lambda: len(violations(stored)) == len(CAMERAS), 150, "all heaps are raised")
    for violation in violations(stored):
        assert violation.record["started_at"] is not None
        started_at = datetime.fromisoformat(violation.record["started_at"])
        assert started_at <= seen_by, "a camera that moved began to count anew"
        assert (violation.raised_at - started_at).total_seconds() >= DWELL_S

    machines.kill_coordinator()
    third = machines.add()
    until(
        lambda: sorted(hosts_of(stored).values()) == sorted([second, second, third, third]),
        60,
        "the coordinator is back, and a machine that joined has its share",
    )
    at = datetime.now(UTC)
    until(lambda: seen_since(live, CAMERAS, at), 60, "cameras that moved are looked at")

    with stored.read() as session:
        assert sorted(session.scalars(select(CaseRow.camera_id))) == list(CAMERAS)
        assert sorted(session.scalars(select(ViolationRow.camera_id))) == list(CAMERAS)


def test_a_machine_that_stood_still_and_goes_on_doubles_nothing(
    machines: Machines, stored: Database, live: HostedCameras
) -> None:
    first, second = machines.nodes
    mine = [camera_id for camera_id, node in hosts_of(stored).items() if node == first]
    frozen = machines.freeze(first)
    try:
        at = datetime.now(UTC)
        until(
            lambda: set(hosts_of(stored).values()) == {second} and seen_since(live, mine, at),
            MOVED_S,
            "the cameras of a silent machine are looked at elsewhere",
        )
    finally:
        for process in frozen:
            process.send_signal(signal.SIGCONT)
    until(
        lambda: sorted(hosts_of(stored).values()) == sorted([first, first, second, second]),
        60,
        "a machine that goes on has its share",
    )
    until(lambda: len(violations(stored)) == len(CAMERAS), 150, "all heaps are raised")
    at = datetime.now(UTC)
    until(lambda: seen_since(live, CAMERAS, at), 60, "all cameras are looked at")
    with stored.read() as session:
        assert sorted(session.scalars(select(CaseRow.camera_id))) == list(CAMERAS)
        assert sorted(session.scalars(select(ViolationRow.camera_id))) == list(CAMERAS)


def test_hosts_outlive_the_service_unless_it_comes_back_with_other_settings(
    machines: Machines, live: HostedCameras, stored: Database, heap_clip: Path, tmp_path: Path
) -> None:
    before = set(live.state().reports)
    assert len(before) == len(machines.nodes)
    live.stop()

    again = HostedCameras(machines.cluster.address, settings_for(stored, heap_clip, tmp_path))
    again.start()
    try:
        at = datetime.now(UTC)
        until(lambda: seen_since(again, CAMERAS, at), 60, "hosts outlive the service")
        assert set(again.state().reports) == before

        again.change_policy(AddressPolicy(folders=(heap_clip.parent, tmp_path)))
        until(
            lambda: not before & set(again.state().reports) and again.state().reports,
            60,
            "hosts are started anew",
        )
        at = datetime.now(UTC)
        until(
            lambda: seen_since(again, CAMERAS, at), 60, "the cameras are looked at after the change"
        )

        began_s = time.monotonic()
        stop_all(find_coordinator())
        assert time.monotonic() - began_s < 10
        assert find_hosts() == {}
    finally:
        again.stop()
