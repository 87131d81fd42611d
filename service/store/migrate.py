"""Bring a database to the form that this version needs."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from service.store.database import Database, DatabaseError

_MIGRATION_LOCK = 0x6A78_0002


def upgrade(database: Database, revision: str = "head") -> None:
    """Apply the migrations that are missing, all or none.

    Raises:
        DatabaseError: The database was written by a newer version.
    """
    with database.engine.begin() as connection:
        _lock(connection)
        _refuse_newer(connection)
        command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Take migrations back; what only they held is lost."""
    with database.engine.begin() as connection:
        _lock(connection)
        command.downgrade(_config(connection), revision)


def current_revision(database: Database) -> str | None:
    """The last migration applied, ``None`` for an empty database."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_current(database: Database) -> bool:
    """Whether the database has the form that this version needs."""
    return current_revision(database) == _scripts().get_current_head()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "service.store:migrations")
    config.attributes["connection"] = connection
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _lock(connection: Connection) -> None:
    """Let several hosts start at once: one of them migrates, the others wait."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})


def _refuse_newer(connection: Connection) -> None:
    there = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in _scripts().walk_revisions()}
    if there is not None and there not in known:
        raise DatabaseError(
            f"the database was written by a newer Jiexu (migration {there}); this one would harm it"
        )
