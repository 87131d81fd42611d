"""``jiexu dataset reviewed`` and ``jiexu calibrate`` as they are typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from decided_store import CONFIRM, CREATED_AT, NOT_THERE, PERMITTED, DecidedStore
from sqlalchemy import select
from typer.testing import CliRunner

from service.auth.users import add_user
from service.cli import app
from service.store.cameras import add_camera, camera_of
from service.store.database import Database
from service.store.migrate import upgrade
from service.store.tables import AuditRow, CameraRow, Role
from vision.learn.feedback.decided import read_decided
from vision.site import Camera

PASSWORD = "a password for trials"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DecidedStore]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JIEXU_DATA", str(tmp_path))
    monkeypatch.setenv("JIEXU_EVIDENCE", str(tmp_path / "kept"))
    database = Database(f"sqlite:///{tmp_path / 'jiexu.db'}")
    upgrade(database)
    with database.write() as session:
        add_user(session, "zhao", Role.SUPERVISOR, CREATED_AT, password=PASSWORD)
        add_user(session, "li", Role.REVIEWER, CREATED_AT, password=PASSWORD)
    yield DecidedStore(database, tmp_path)
    database.close()


def jiexu(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, [*words], input=typed)


def test_masked_pictures_are_exported_and_what_was_left_out_is_said(store: DecidedStore) -> None:
    store.case(0, CONFIRM)
    store.case(1, PERMITTED, zone_id="other")
    done = jiexu("dataset", "reviewed", "--out", "out", "--camera", "gate-3")
    assert done.exit_code == 0, done.output
    assert "masked pictures" in done.output
    assert "passed over (1): rejected as permitted: the thing may be real" in done.output
    (picture,) = read_decided(Path("out"))
    assert picture.variant == "masked"


def test_originals_are_for_supervisors_who_say_why(store: DecidedStore) -> None:
    store.case(0, CONFIRM)
    asked = ("dataset", "reviewed", "--out", "out", "--originals")
    assert "needs --user and --reason" in str(jiexu(*asked).exception)
    asked += ("--reason", "derelict cars are missed")
    for user, typed, fault in (
        ("zhao", "a wrong password\n", "name or password is wrong"),
        ("nobody", PASSWORD + "\n", "name or password is wrong"),
        ("li", PASSWORD + "\n", "may not see originals"),
    ):
        refused = jiexu(*asked, "--user", user, typed=typed)
        assert fault in str(refused.exception)
        assert not Path("out").exists()
    done = jiexu(*asked, "--user", "zhao", typed=PASSWORD + "\n")
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    with store.database.read() as session:
        row = session.scalars(select(AuditRow).where(AuditRow.action == "evidence.exported")).one()
        assert (row.actor, row.reason) == ("user:zhao", "derelict cars are missed")


def heaps(store: DecidedStore, count: int = 60) -> None:
    """Heaps of six cameras, right from a confidence of 0.6 on."""
    for number in range(count):
        confidence = round(0.4 + number / 100, 4)
        store.case(
            number,
            CONFIRM if confidence >= 0.6 else NOT_THERE,
            with_frame=False,
            kind="debris_pile",
            class_names=["debris_pile"],
            camera_id=f"camera-{number % 6}",
            zone_id=f"zone-{number}",
            confidence=confidence,
        )


def test_thresholds_are_told_and_set_for_the_cameras_when_asked(store: DecidedStore) -> None:
    heaps(store)
    store.case(90, PERMITTED, zone_id="stalls")
    with store.database.write() as session:
        yard = Camera.model_validate({"id": "camera-0", "rules": {"debris_pile": {"dwell_s": 60}}})
        add_camera(session, yard, CREATED_AT, enabled=True)
    told = jiexu("calibrate", "--precision", "1", "--json")
    document = json.loads(told.stdout)
    (heap,) = document["kinds"]
    assert heap["likely"]["min_confidence"] == 0.6
    assert (heap["shown"]["candidates"], heap["shown"]["right"]) == (60, 40)
    assert heap["likely"]["kept_of_right"] == 1.0
    assert document["left_out"] == {"rejected as permitted, which is not the model's fault": 1}
    with store.database.read() as session:
        assert session.get_one(CameraRow, "camera-0").version == 1, "nothing unless it is asked for"

    done = jiexu("calibrate", "--precision", "1", "--write")
    assert "camera camera-0: debris_pile.min_confidence: 0.6" in done.output
    assert "goes by it when it starts next" in done.output
    with store.database.read() as session:
        row = session.get_one(CameraRow, "camera-0")
        rules = camera_of(row).rules.model_dump(exclude_unset=True)
        audited = session.scalars(select(AuditRow)).all()
    assert rules == {"debris_pile": {"dwell_s": 60, "min_confidence": 0.6}}
    assert row.version == 2
    assert [(one.action, one.subject, one.details) for one in audited] == [
        ("camera.calibrated", "camera:camera-0", {"min_confidence": {"debris_pile": 0.6}})
    ]


def test_few_decisions_set_nothing(store: DecidedStore, tmp_path: Path) -> None:
    heaps(store, 30)
    (tmp_path / "site.yaml").write_text("timezone: Asia/Shanghai\ncameras: [{id: camera-0}]\n")
    done = jiexu("calibrate", "--precision", "0.9", "--write", "--site", "site.yaml")
    assert "only 30 decisions; 50 are the least" in done.output
    assert "Nothing to set." in done.output
    assert "debris_pile" not in (tmp_path / "site.yaml").read_text()


def test_without_decisions_it_says_so(store: DecidedStore) -> None:
    assert store.decided(CREATED_AT + timedelta(days=1)) == []
    done = jiexu("calibrate")
    assert done.exit_code == 0
    assert "No decisions to calibrate by." in done.output
