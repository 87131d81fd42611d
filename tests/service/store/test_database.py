from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from service.store.database import Database, DatabaseError
from service.store.tables import AuditRow, CheckpointRow, EventRow, SettingRow, ViolationRow
from vision.errors import ConfigError

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)


def setting(name: str, at: datetime = NOON) -> SettingRow:
    return SettingRow(name=name, document={"value": [1, None, "街"]}, updated_at=at)


def test_what_was_written_is_read_back(database: Database) -> None:
    with database.write() as session:
        session.add(setting("a"))
        session.add(CheckpointRow(camera_id="gate", state=b"\x00\xff", saved_at=NOON))
    with database.read() as session:
        row = session.get_one(SettingRow, "a")
        assert row.document == {"value": [1, None, "街"]}
        assert row.version == 1
        assert row.updated_at == NOON
        assert session.get_one(CheckpointRow, "gate").state == b"\x00\xff"


def test_a_failed_block_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as session:
        session.add(setting("a"))
        session.flush()
        raise RuntimeError
    with database.read() as session:
        assert session.get(SettingRow, "a") is None


def test_times_come_back_in_utc_and_sort_as_instants(database: Database) -> None:
    shanghai = timezone(timedelta(hours=8))
    later = NOON.replace(hour=13)
    with database.write() as session:
        session.add(setting("later", later))
        session.add(setting("noon in another zone", NOON.astimezone(shanghai)))
    with database.read() as session:
        rows = session.scalars(select(SettingRow).order_by(SettingRow.updated_at)).all()
        assert [row.updated_at for row in rows] == [NOON, later]
        assert all(row.updated_at.utcoffset() == timedelta(0) for row in rows)
        after = select(SettingRow.name).where(SettingRow.updated_at > NOON.astimezone(shanghai))
        assert session.scalars(after).all() == ["later"]


def test_a_time_without_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="UTC offset"), database.write() as session:
        session.add(setting("a", NOON.replace(tzinfo=None)))


def test_rows_that_point_nowhere_are_refused(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(
            ViolationRow(
                id="v",
                case_id="no such case",
                kind="street_stall",
                camera_id="gate",
                zone_id="frame",
                raised_at=NOON,
                record={},
                created_at=NOON,
                updated_at=NOON,
            )
        )


def test_concurrent_writers_lose_nothing(database: Database) -> None:
    """Each reads before it writes: with a deferred BEGIN, SQLite would refuse some of them."""
    with database.write() as session:
        session.add(SettingRow(name="n", document={"n": 0}, updated_at=NOON))
    faults: list[Exception] = []

    def count() -> None:
        try:
            for _ in range(20):
                with database.write() as session:
                    row = session.get_one(SettingRow, "n", with_for_update=True)
                    row.document = {"n": row.document["n"] + 1}
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    with database.read() as session:
        assert session.get_one(SettingRow, "n").document == {"n": 80}


def test_a_reader_is_not_held_up_by_a_writer(database: Database) -> None:
    with database.write() as writing:
        writing.add(setting("a"))
        writing.flush()
        with database.read() as session:
            assert session.get(SettingRow, "a") is None


def audited(database: Database) -> None:
    with database.write() as session:
        session.add(AuditRow(at=NOON, actor="system", action="login", subject="user:a", details={}))


@pytest.mark.parametrize("sql", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"])
def test_the_database_refuses_to_change_the_audit(database: Database, sql: str) -> None:
    audited(database)
    with pytest.raises(DBAPIError, match="append-only"), database.write() as session:
        session.execute(text(sql))
    with database.read() as session:
        assert session.scalars(select(AuditRow.actor)).all() == ["system"]


def test_postgresql_refuses_to_empty_the_audit(database: Database) -> None:
    if database.engine_name != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    audited(database)
    with pytest.raises(DBAPIError, match="append-only"), database.write() as session:
        session.execute(text("TRUNCATE audit"))


def test_numbers_of_events_are_never_given_twice(database: Database) -> None:
    def tell() -> int:
        with database.write() as session:
            row = EventRow(at=NOON, type="case.created", subject="c", data={})
            session.add(row)
            session.flush()
            return row.id

    first = tell()
    with database.write() as session:
        session.execute(text("DELETE FROM events"))
    assert tell() > first


def test_sqlite_is_set_up_for_a_service(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/deep/er/jiexu.db")
    with database.read() as session:
        found = {
            name: session.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    database.close()
    assert found == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "synchronous": 1,
    }


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "mysql://u:secret@host/db"])
def test_other_databases_are_refused_without_telling_passwords(url: str) -> None:
    with pytest.raises(ConfigError) as told:
        Database(url)
    assert "secret" not in str(told.value)


def test_a_database_that_is_away_is_waited_for_and_then_told_of(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database.wait(0)
    monkeypatch.setattr("service.store.database.AGAIN_S", 0.01)
    tries = []

    def check(self: Database) -> None:
        tries.append(self)
        if len(tries) < 4:
            raise DatabaseError("postgresql://jiexu:***@db/jiexu: OperationalError")

    with monkeypatch.context() as away:
        away.setattr(Database, "check", check)
        database.wait(20)
    assert len(tries) == 4
    assert caplog.text.count("waiting for the database") == 3
    there_is_none = Database("postgresql://jiexu:s3cret@127.0.0.1:9/jiexu")
    with pytest.raises(DatabaseError) as told:
        there_is_none.wait(0.05)
    assert "s3cret" not in str(told.value) + caplog.text
