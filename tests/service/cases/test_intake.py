from __future__ import annotations

import hashlib
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from posting import CREATED_AT, FakeClock, picture_of, record
from sqlalchemy import func, select

from service.cases.events import CASE_CHANGED, CASE_CREATED, events_after
from service.cases.intake import Intake, evidence_of
from service.evidence.files import EvidenceFiles
from service.store.database import Database
from service.store.tables import CaseRow, CaseStepRow, EvidenceRow, Variant, ViolationRow
from vision.errors import InputError
from vision.record import ViolationRecord

LATER = CREATED_AT + timedelta(minutes=5)


def masked(data: bytes, media_type: str) -> bytes | None:
    """Clips have no masked version here."""
    return b"masked " + data if media_type == "image/jpeg" else None


@pytest.fixture
def files(tmp_path: Path) -> EvidenceFiles:
    return EvidenceFiles(tmp_path / "kept")


@pytest.fixture
def intake(database: Database, files: EvidenceFiles, clock: FakeClock) -> Intake:
    return Intake(database, files, mask=masked, clock=clock.now)


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    path = tmp_path / "scene.jpg"
    path.write_bytes(picture_of(0))
    return {"scene": path}


def with_scene(data: bytes, tmp_path: Path, **changes: Any) -> tuple[ViolationRecord, Path]:
    """The violation with another picture of its scene."""
    path = tmp_path / f"{hashlib.sha256(data).hexdigest()[:8]}.jpg"
    path.write_bytes(data)
    scene = record().evidence.scene
    assert scene is not None
    other = scene.model_copy(
        update={"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    )
    return record(**changes, evidence={"scene": other.model_dump()}), path


def ended(**changes: Any) -> ViolationRecord:
    return record(
        last_seen_at=LATER, ended_at=LATER, last_seen_s=300, end_s=300, end_reason="gone", **changes
    )


def types(database: Database) -> list[str]:
    with database.read() as session:
        return [event.type for event in events_after(session, 0, 100)]


def test_a_violation_opens_one_candidate_case(
    intake: Intake, database: Database, pictures: dict[str, Path]
) -> None:
    intake.take(record(), pictures)
    with database.read() as session:
        case = session.scalars(select(CaseRow)).one()
        assert (case.id, case.state, case.kind) == ("violation-0", "candidate", "street_stall")
        assert (case.camera_id, case.zone_id) == ("gate-3", "footway")
        assert (case.raised_at, case.ended_at) == (CREATED_AT, None)
        kept = session.scalars(select(ViolationRow)).one()
        assert ViolationRecord.model_validate(kept.record) == record()
        step = session.scalars(select(CaseStepRow)).one()
        assert (step.actor, step.action, step.state) == ("camera:gate-3", "raised", "candidate")
    assert types(database) == [CASE_CREATED]


def test_the_same_told_again_changes_nothing(
    intake: Intake, database: Database, pictures: dict[str, Path]
) -> None:
    for _ in range(3):
        intake.take(record(), pictures)
    with database.read() as session:
        for table in (CaseRow, ViolationRow, CaseStepRow):
            assert session.scalar(select(func.count()).select_from(table)) == 1
        assert session.scalar(select(func.count()).select_from(EvidenceRow)) == 2
    assert types(database) == [CASE_CREATED]


def test_told_by_several_at_once_it_is_one_case(
    intake: Intake, database: Database, pictures: dict[str, Path]
) -> None:
    faults: list[Exception] = []

    def tell() -> None:
        try:
            intake.take(record(), pictures)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=tell) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert types(database) == [CASE_CREATED]


def test_evidence_is_kept_sealed_and_masked(
    intake: Intake, database: Database, files: EvidenceFiles, pictures: dict[str, Path]
) -> None:
    intake.take(record(), pictures)
    pictures["scene"].unlink()
    with database.read() as session:
        found = {row.variant: row for row in evidence_of(session, "violation-0")}
    assert files.read(found[Variant.SEALED].key) == picture_of(0)
    assert files.read(found[Variant.MASKED].key) == b"masked " + picture_of(0)
    for row in found.values():
        assert hashlib.sha256(files.read(row.key)).hexdigest() == row.sha256
        assert row.bytes == len(files.read(row.key))


def test_the_end_is_written_to_violation_case_and_history(
    intake: Intake, database: Database, pictures: dict[str, Path]
) -> None:
    intake.take(record(), pictures)
    intake.take(ended(), pictures)
    with database.read() as session:
        assert session.get_one(CaseRow, "violation-0").ended_at == LATER
        assert session.get_one(ViolationRow, "violation-0").ended_at == LATER
        steps = session.scalars(select(CaseStepRow).order_by(CaseStepRow.id)).all()
        assert [step.action for step in steps] == ["raised", "ended"]
        assert steps[1].details["end_reason"] == "gone"
    assert types(database) == [CASE_CREATED, CASE_CHANGED]


def test_a_violation_first_told_at_its_end_has_its_whole_history(
    intake: Intake, database: Database
) -> None:
    intake.take(ended(), {})
    with database.read() as session:
        actions = session.scalars(select(CaseStepRow.action).order_by(CaseStepRow.id)).all()
    assert actions == ["raised", "ended"]


def test_what_is_told_late_undoes_nothing(
    intake: Intake, database: Database, pictures: dict[str, Path]
) -> None:
    """After a restart from a checkpoint, the start is told once more."""
    intake.take(ended(), pictures)
    intake.take(record(), pictures)
    with database.read() as session:
        assert session.get_one(CaseRow, "violation-0").ended_at == LATER
    assert types(database) == [CASE_CREATED]


def test_evidence_taken_anew_supersedes_and_keeps_what_was_shown(
    intake: Intake,
    database: Database,
    files: EvidenceFiles,
    pictures: dict[str, Path],
    tmp_path: Path,
) -> None:
    intake.take(record(), pictures)
    newer, path = with_scene(b"a newer picture", tmp_path, last_seen_at=LATER)
    intake.take(newer, {"scene": path})
    with database.read() as session:
        rows = evidence_of(session, "violation-0")
    current = {row.sha256 for row in rows if row.superseded_at is None}
    assert hashlib.sha256(b"a newer picture").hexdigest() in current
    assert len(rows) == 4
    assert len(current) == 2
    assert all(files.size(row.key) == row.bytes for row in rows)
    assert types(database) == [CASE_CREATED, CASE_CHANGED]


def test_a_file_that_is_not_the_recorded_one_is_refused(
    intake: Intake, database: Database, pictures: dict[str, Path]
) -> None:
    pictures["scene"].write_bytes(b"something else")
    with pytest.raises(InputError, match="whose hash"):
        intake.take(record(), pictures)
    assert types(database) == []


def test_a_lost_file_is_kept_anew(
    intake: Intake, database: Database, files: EvidenceFiles, pictures: dict[str, Path]
) -> None:
    """The row is written after the file, so only someone outside can have taken it."""
    intake.take(record(), pictures)
    with database.read() as session:
        keys = [row.key for row in evidence_of(session, "violation-0")]
    files.remove(keys[0])
    other, path = with_scene(picture_of(0), pictures["scene"].parent, id="violation-9")
    intake.take(other, {"scene": path})
    assert all(files.size(key) for key in keys)
