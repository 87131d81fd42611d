from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from posting import FakeClock, picture_of, record
from sqlalchemy import func, select

from service.backup import back_up, restore, seen_so_far
from service.cases.intake import Intake
from service.evidence.files import EvidenceFiles
from service.evidence.links import load_signer
from service.replays.archive import LookArchive
from service.settings import ServiceSettings
from service.store.database import Database
from service.store.migrate import is_current, upgrade
from service.store.tables import CaseRow, EvidenceRow, SettingRow
from vision.detect.detections import Detections
from vision.errors import ConfigError, InputError
from vision.observe.look import Health, Look


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


SEEN_AT = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def looks(first: int, count: int) -> list[Look]:
    return [
        Look(
            camera_id="gate",
            time_s=10.0 * number,
            timestamp=SEEN_AT + timedelta(seconds=10 * number),
            frame_size=(640, 360),
            health=Health.OK,
            pose=0,
            inspected=True,
            detections=Detections.empty(("debris_pile",)),
        )
        for number in range(first, first + count)
    ]


def kept_looks(settings: ServiceSettings) -> list[float]:
    archive = LookArchive(settings.data / "archive", "UTC")
    return [look.time_s for look in archive.looks("gate", SEEN_AT, SEEN_AT + timedelta(hours=12))]


def test_what_was_seen_is_copied_when_it_is_asked_for(
    filled: Database, settings: ServiceSettings, tmp_path: Path, clock: FakeClock
) -> None:
    archive = LookArchive(settings.data / "archive", "UTC")
    for look in looks(0, 5):
        archive.add(look)
    archive.flush()
    (settings.data / "replays").mkdir()
    (settings.data / "replays" / "one.json").write_text("{}")
    earlier = settings.data / "cameras" / "gate" / "earlier"
    earlier.mkdir(parents=True)
    (earlier / "0-1.jpg").write_bytes(b"picture")
    (earlier / ".0-2.jpg.partial").write_bytes(b"half")

    assert back_up(settings, tmp_path / "small", clock.now).seen == {}
    done = back_up(settings, tmp_path / "all", clock.now, with_seen=True)
    assert done.seen == seen_so_far(settings)
    assert {name: amount.files for name, amount in done.seen.items()} == {
        "archive": 1,
        "replays": 1,
        "cameras": 1,
    }
    target = elsewhere(tmp_path)
    assert restore(target, tmp_path / "all").seen == done.seen
    assert kept_looks(target) == [look.time_s for look in looks(0, 5)]
    assert (target.data / "cameras" / "gate" / "earlier" / "0-1.jpg").read_bytes() == b"picture"


def test_no_look_is_lost_that_was_joined_with_others_while_it_was_copied(
    filled: Database, settings: ServiceSettings, tmp_path: Path, clock: FakeClock
) -> None:
    """Twelve files become one under the name of the first, again and again while it is copied."""
    archive = LookArchive(settings.data / "archive", "UTC")
    begun = looks(0, 40)
    for look in begun:
        archive.add(look)
        archive.flush()
    stop = threading.Event()

    def go_on() -> None:
        number = len(begun)
        while not stop.is_set():
            archive.add(looks(number, 1)[0])
            archive.flush()
            number += 1

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        back_up(settings, tmp_path / "backup", clock.now, with_seen=True)
    finally:
        stop.set()
        writer.join()
    target = elsewhere(tmp_path)
    restore(target, tmp_path / "backup")
    assert kept_looks(target)[: len(begun)] == [look.time_s for look in begun]


def test_what_is_seen_already_where_a_backup_goes_stays(
    filled: Database, settings: ServiceSettings, tmp_path: Path, clock: FakeClock
) -> None:
    (settings.data / "replays").mkdir()
    (settings.data / "replays" / "one.json").write_text("old")
    back_up(settings, tmp_path / "backup", clock.now, with_seen=True)
    target = elsewhere(tmp_path)
    (target.data / "replays").mkdir(parents=True)
    (target.data / "replays" / "one.json").write_text("newer")
    restore(target, tmp_path / "backup")
    assert (target.data / "replays" / "one.json").read_text() == "newer"
