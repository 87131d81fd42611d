from __future__ import annotations

import threading
from pathlib import Path

import pytest
from posting import FakeClock, picture_of, record
from sqlalchemy import func, select

from service.backup import back_up, restore
from service.cases.intake import Intake
from service.evidence.files import EvidenceFiles
from service.evidence.links import load_signer
from service.settings import ServiceSettings
from service.store.database import Database
from service.store.migrate import is_current, upgrade
from service.store.tables import CaseRow, EvidenceRow, SettingRow
from vision.errors import ConfigError, InputError


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    return ServiceSettings(data=tmp_path / "data")


@pytest.fixture
def filled(settings: ServiceSettings, tmp_path: Path, clock: FakeClock) -> Database:
    """A service with a case, its evidence and a signing secret."""
    database = Database(settings.database_url)
    upgrade(database)
    load_signer(settings.data, None)
    files = EvidenceFiles(settings.evidence_root)
    intake = Intake(database, files, mask=lambda data, _: b"m" + data, clock=clock.now)
    picture = tmp_path / "scene.jpg"
    picture.write_bytes(picture_of(0))
    intake.take(record(), {"scene": picture})
    return database


def elsewhere(tmp_path: Path) -> ServiceSettings:
    return ServiceSettings(data=tmp_path / "new")


def test_what_was_backed_up_is_restored_whole(
    filled: Database, settings: ServiceSettings, tmp_path: Path, clock: FakeClock
) -> None:
    done = back_up(settings, tmp_path / "backup", clock.now)
    assert (done.evidence_files, done.missing) == (2, ())
    assert (tmp_path / "backup").stat().st_mode & 0o77 == 0
    target = elsewhere(tmp_path)
    assert restore(target, tmp_path / "backup").missing == ()
    database = Database(target.database_url)
    assert is_current(database)
    files = EvidenceFiles(target.evidence_root)
    with database.read() as session:
        assert session.scalars(select(CaseRow.id)).all() == ["violation-0"]
        for row in session.scalars(select(EvidenceRow)):
            assert len(files.read(row.key)) == row.bytes
    assert (target.data / "signing-secret").read_text() == (
        settings.data / "signing-secret"
    ).read_text()


def test_a_backup_taken_while_others_write_is_of_one_moment(
    filled: Database, settings: ServiceSettings, tmp_path: Path, clock: FakeClock
) -> None:
    """Each transaction writes two rows: none of them may be there alone."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            with filled.write() as session:
                for side in ("left", "right"):
                    session.add(
                        SettingRow(name=f"{side}{number}", document={}, updated_at=clock.now())
                    )
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            back_up(settings, tmp_path / f"backup{number}", clock.now)
    finally:
        stop.set()
        writer.join()
    for number in range(3):
        copied = Database(f"sqlite:///{tmp_path}/backup{number}/jiexu.db")
        with copied.read() as session:
            counts = [
                session.scalar(select(func.count()).where(SettingRow.name.startswith(side)))
                for side in ("left", "right")
            ]
        assert counts[0] == counts[1]


def test_nothing_is_overwritten(
    filled: Database, settings: ServiceSettings, tmp_path: Path, clock: FakeClock
) -> None:
    back_up(settings, tmp_path / "backup", clock.now)
    with pytest.raises(ConfigError, match="not empty"):
        back_up(settings, tmp_path / "backup", clock.now)
    with pytest.raises(ConfigError, match="already"):
        restore(settings, tmp_path / "backup")


def test_a_damaged_backup_is_refused(
    filled: Database, settings: ServiceSettings, tmp_path: Path, clock: FakeClock
) -> None:
    back_up(settings, tmp_path / "backup", clock.now)
    with (tmp_path / "backup" / "jiexu.db").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match="is not the database"):
        restore(elsewhere(tmp_path), tmp_path / "backup")
    with pytest.raises(InputError, match="holds no backup"):
        restore(elsewhere(tmp_path), tmp_path)


def test_lost_evidence_is_named(
    filled: Database, settings: ServiceSettings, tmp_path: Path, clock: FakeClock
) -> None:
    files = EvidenceFiles(settings.evidence_root)
    lost = next(iter(files.keys()))
    files.remove(lost)
    assert back_up(settings, tmp_path / "backup", clock.now).missing == (lost,)


def test_postgresql_has_tools_of_its_own(tmp_path: Path, clock: FakeClock) -> None:
    settings = ServiceSettings(data=tmp_path, database="postgresql://nowhere/jiexu")
    with pytest.raises(ConfigError, match="pg_dump"):
        back_up(settings, tmp_path / "backup", clock.now)
