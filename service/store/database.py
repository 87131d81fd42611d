"""The database: SQLite in one file, or PostgreSQL, behind the same two ways in.

``read()`` and ``write()`` give a session in one transaction. On SQLite a write begins with
``BEGIN IMMEDIATE``: it waits for its turn at the start, where waiting is safe, instead of failing
in the middle, where a transaction that has read cannot become a writer any more.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from vision.errors import ConfigError, JiexuError

log = logging.getLogger(__name__)

AGAIN_S = 2.0
BUSY_TIMEOUT_MS = 5000
"""A writer waits so long for another one on SQLite."""

_EVENT_ORDER_LOCK = 0x6A78_0001
_WRITES = "jiexu_writes"
_IDLE = "idle_in_transaction_session_timeout"


class DatabaseError(JiexuError):
    """The database cannot be reached; the text says why and holds no password."""


class Database:
    """An engine and how to use it.

    Args:
        url: SQLAlchemy URL, ``sqlite:///path`` or ``postgresql://...``.
        pool_size: Connections kept open to PostgreSQL.
        idle_s: PostgreSQL ends a transaction in which nothing was asked for so long, so that a
            machine that is cut off holds no lock.

    Raises:
        ConfigError: The URL is of no database that is supported.
    """

    def __init__(self, url: str, *, pool_size: int = 10, idle_s: float | None = None) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise ConfigError("database: no database URL") from None
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise ConfigError("database: SQLite needs a file")
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = create_engine(parsed)
            event.listen(self.engine, "connect", _set_up_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        elif backend == "postgresql":
            ends = {} if idle_s is None else {"options": f"-c {_IDLE}={round(idle_s * 1000)}"}
            self.engine = create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_pre_ping=True,
                connect_args=ends,
            )
        else:
            raise ConfigError(f"database: {backend} is not supported; sqlite and postgresql are")

    @property
    def engine_name(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads, in one transaction that sees one state of the database."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are kept together if the block ends well, or not at all."""
        writing = self.engine.execution_options(**{_WRITES: True})
        with Session(writing, expire_on_commit=False) as session, session.begin():
            yield session

    def check(self) -> None:
        """Ask the database something.

        Raises:
            DatabaseError: It does not answer.
        """
        try:
            with self.read() as session:
                session.execute(text("SELECT 1"))
        except DBAPIError as error:
            raise DatabaseError(f"{self.shown}: {type(error.orig).__name__}") from None

    def wait(self, most_s: float) -> None:
        """Wait until it answers: after a power cut, it may start later than those who need it.

        Args:
            most_s: Seconds to wait.

        Raises:
            DatabaseError: It does not answer by then.
        """
        until_s = time.monotonic() + most_s
        while True:
            try:
                self.check()
            except DatabaseError as error:
                if time.monotonic() >= until_s:
                    raise
                log.warning("waiting for the database: %s", error)
                time.sleep(min(AGAIN_S, most_s))
            else:
                return

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def keep_event_order(session: Session) -> None:
    """Let no other writer number events until this transaction is over.

    PostgreSQL gives numbers when rows are written, but shows rows when they are committed: a reader
    that follows by number would miss a lower one that comes later. SQLite has one writer anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _EVENT_ORDER_LOCK})


def sqlite_file(engine: Engine) -> Path:
    """The file of an SQLite database."""
    assert engine.url.database is not None
    return Path(engine.url.database)


def _set_up_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "synchronous = NORMAL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options: Any = connection.get_execution_options()
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITES) else "BEGIN")
