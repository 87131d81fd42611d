"""What a host writes about a camera is refused once the camera is another's."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from databases import Postgres
from posting import FakeClock, record

from service.cases.intake import Intake
from service.cases.sink import StoreSink
from service.evidence.files import EvidenceFiles
from service.hosts.assignments import (
    Claim,
    SupersededError,
    assign,
    assignments,
    cameras_of,
    enabled_cameras,
)
from service.store.cameras import add_camera, change_camera
from service.store.database import Database
from service.store.tables import CameraRow, CaseRow, ViolationRow
from vision.site import Camera


def given(database: Database, clock: FakeClock, **wanted: str | None) -> list[str]:
    with database.write() as session:
        return assign(session, wanted, assignments(session), clock.now())


def claim(database: Database, camera_id: str, host: str) -> Claim:
    with database.read() as session:
        return Claim(camera_id, host, assignments(session)[camera_id].number)


def sink(database: Database, clock: FakeClock, folder: Path, held: Claim) -> StoreSink:
    files = EvidenceFiles(folder / "evidence")
    intake = Intake(database, files, mask=lambda data, _: None, clock=clock.now)
    return StoreSink(database, intake, clock.now, guard=held.hold)


def test_a_host_whose_camera_went_elsewhere_neither_files_nor_saves_nor_loads(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    found = record(1)
    camera_id = found.camera_id
    assert given(database, clock, **{camera_id: "a"}) == [camera_id]
    old = sink(database, clock, tmp_path, claim(database, camera_id, "a"))
    old.save_state(camera_id, b"of a")

    given(database, clock, **{camera_id: "b"})
    with pytest.raises(SupersededError):
        old.violation_changed(found, {})
    with pytest.raises(SupersededError):
        old.save_state(camera_id, b"late")
    with pytest.raises(SupersededError):
        old.load_state(camera_id)

    new = sink(database, clock, tmp_path, claim(database, camera_id, "b"))
    assert new.load_state(camera_id) == b"of a"
    new.violation_changed(found, {})
    with database.read() as session:
        assert session.query(ViolationRow).count() == session.query(CaseRow).count() == 1


def test_a_camera_that_comes_back_has_another_number(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    given(database, clock, c1="a")
    first = claim(database, "c1", "a")
    given(database, clock, c1="b")
    given(database, clock, c1=None)
    given(database, clock, c1="a")
    assert claim(database, "c1", "a").number > first.number
    with database.read() as session, pytest.raises(SupersededError):
        first.hold(session)


def test_of_two_coordinators_the_one_that_read_earlier_changes_nothing(
    database: Database, clock: FakeClock
) -> None:
    given(database, clock, c1="a", c2="a")
    with database.read() as session:
        known = assignments(session)
    given(database, clock, c1="b")
    with database.write() as session:
        assert assign(session, {"c1": "c", "c2": "c"}, known, clock.now()) == ["c2"]
    with database.read() as session:
        now = assignments(session)
    assert {name: one.host for name, one in now.items()} == {"c1": "b", "c2": "c"}


def test_a_host_reads_its_enabled_cameras_with_the_versions_of_their_settings(
    database: Database, clock: FakeClock
) -> None:
    with database.write() as session:
        for id_, enabled in (("c1", True), ("c2", True), ("off", False)):
            add_camera(session, Camera(id=id_), clock.now(), enabled=enabled)
    given(database, clock, c1="a", c2="b", off="a", gone="a")
    with database.read() as session:
        assert enabled_cameras(session) == ["c1", "c2"]
        before = cameras_of(session, "a")
    assert {name: one.version for name, one in before.items()} == {"c1": 1}
    with database.write() as session:
        row = session.get_one(CameraRow, "c1")
        change_camera(row, Camera(id="c1", name="gate"), clock.now(), enabled=True)
    with database.read() as session:
        assert cameras_of(session, "a")["c1"].version == 2


def test_a_host_that_is_cut_off_in_a_transaction_holds_no_lock_for_long(
    postgres: Postgres, clock: FakeClock
) -> None:
    url = postgres.migrated.engine.url.render_as_string(hide_password=False)
    cut_off, database = Database(url, idle_s=0.5), postgres.migrated
    try:
        given(database, clock, c1="a")
        held, stands = claim(database, "c1", "a"), threading.Event()

        def hang() -> None:
            with pytest.raises(Exception, match="terminat"), cut_off.write() as session:
                held.hold(session)
                stands.set()
                time.sleep(1.5)
                held.hold(session)

        hanging = threading.Thread(target=hang)
        hanging.start()
        assert stands.wait(10)
        began_s = time.monotonic()
        assert given(database, clock, c1="b") == ["c1"]
        assert 0.2 < time.monotonic() - began_s < 10
        hanging.join()
    finally:
        cut_off.close()
        postgres.empty()
