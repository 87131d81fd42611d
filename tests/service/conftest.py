"""Fixtures of the tests of the service: receivers of posts, and databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from argon2 import PasswordHasher
from databases import KINDS, Databases, Postgres
from posting import SECRET_TEXT, FakeClock, MakeRun, Receiver, picture_of, record

from service.dispatch.secret import Secret
from service.store.database import Database
from service.store.migrate import upgrade
from vision.record import write_violations


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def secret() -> Secret:
    return Secret.parse(SECRET_TEXT, named="the test")


@pytest.fixture
def stopped_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="session")
def running_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.start()
    yield receiver
    receiver.stop()


@pytest.fixture
def receiver(running_receiver: Receiver) -> Receiver:
    running_receiver.forget()
    return running_receiver


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    def make(count: int, name: str = "run") -> Path:
        run_dir = tmp_path / name
        (run_dir / "evidence").mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (run_dir / f"evidence/{number}-scene.jpg").write_bytes(picture_of(number))
        write_violations(run_dir / "violations.jsonl", [record(n) for n in range(count)])
        return run_dir

    return make


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # As root, the server runs as another user, and any pytest that starts closes pytest's own
    # folders to others.
    with TemporaryDirectory(prefix="jiexu-postgres-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture(params=KINDS)
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Databases:
    """Gives fresh databases; a test that asks for it runs on SQLite and on PostgreSQL."""
    return Databases(request.param, tmp_path, request)


@pytest.fixture
def database(databases: Databases) -> Iterator[Database]:
    with databases.url() as url:
        opened = Database(url)
        yield opened
        opened.close()


@pytest.fixture(autouse=True)
def quick_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords in no time: what they cost is tested where they are hashed."""
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr("service.auth.passwords._HASHER", quick)
