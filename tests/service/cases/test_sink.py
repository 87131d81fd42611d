from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from posting import CREATED_AT, FakeClock, picture_of, record

from service.cameras.sink import CameraHealth, FailureKind, Sink, SourceState
from service.cases.events import events_after
from service.cases.intake import Intake
from service.cases.sink import StoreSink
from service.evidence.files import EvidenceFiles
from service.store.database import Database
from service.store.tables import CaseRow
from vision.detect.detections import Detections
from vision.observe.look import Health, Look

HEALTH = CameraHealth("gate-3", SourceState.LIVE, since=CREATED_AT)


@pytest.fixture
def sink(database: Database, clock: FakeClock, tmp_path: Path) -> StoreSink:
    intake = Intake(
        database, EvidenceFiles(tmp_path / "kept"), mask=lambda *_: None, clock=clock.now
    )
    return StoreSink(database, intake, clock.now)


def look(seconds: float) -> Look:
    return Look(
        camera_id="gate-3",
        time_s=seconds,
        timestamp=CREATED_AT + timedelta(seconds=seconds),
        frame_size=(1920, 1080),
        health=Health.OK,
        pose=0,
        inspected=True,
        detections=Detections.empty(("person",)),
    )


def test_it_is_a_sink(sink: StoreSink) -> None:
    given: Sink = sink
    assert given.load_state("gate-3") is None


def test_a_violation_becomes_a_case(sink: StoreSink, database: Database, tmp_path: Path) -> None:
    picture = tmp_path / "scene.jpg"
    picture.write_bytes(picture_of(0))
    sink.violation_changed(record(), {"scene": picture})
    with database.read() as session:
        assert session.get(CaseRow, "violation-0") is not None


def test_the_last_state_is_kept_for_each_camera(sink: StoreSink) -> None:
    sink.save_state("gate-3", b"first")
    sink.save_state("gate-4", b"other")
    sink.save_state("gate-3", b"\x00second\xff")
    assert sink.load_state("gate-3") == b"\x00second\xff"
    assert sink.load_state("gate-4") == b"other"


def test_health_is_told_when_it_changes_and_not_at_every_look(
    sink: StoreSink, database: Database
) -> None:
    sink.health_changed(HEALTH)
    for seconds in range(5):
        sink.looked(look(seconds))
    sink.health_changed(replace(HEALTH, view=Health.OK, last_frame_at=CREATED_AT))
    gone = replace(HEALTH, state=SourceState.WAITING, failure=FailureKind.READ_TIMEOUT)
    sink.health_changed(gone)
    assert sink.health("gate-3") == gone
    assert sink.health("elsewhere") is None
    with database.read() as session:
        told = [(event.type, event.data["state"]) for event in events_after(session, 0, 100)]
    assert told == [("camera.health", "live"), ("camera.health", "waiting")]


def test_the_time_of_the_last_frame_follows_the_looks(sink: StoreSink) -> None:
    sink.health_changed(HEALTH)
    sink.looked(look(7))
    known = sink.health("gate-3")
    assert known is not None
    assert known.last_frame_at == CREATED_AT + timedelta(seconds=7)
