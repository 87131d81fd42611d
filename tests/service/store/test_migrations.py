from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from databases import Databases
from sqlalchemy import inspect, text

from service.store.database import Database, DatabaseError
from service.store.migrate import current_revision, downgrade, is_current, upgrade
from service.store.tables import Base


def test_all_tables_come_and_go_and_come_again(databases: Databases) -> None:
    with databases.url(migrated=False) as url:
        database = Database(url)
        assert not is_current(database)
        upgrade(database)
        assert is_current(database)
        names = set(inspect(database.engine).get_table_names())
        assert names == {*Base.metadata.tables, "alembic_version"}

        downgrade(database, "base")
        assert inspect(database.engine).get_table_names() == ["alembic_version"]
        assert current_revision(database) is None
        upgrade(database)
        assert is_current(database)
        database.close()


def test_migrations_make_what_the_tables_say(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    before = current_revision(database)
    upgrade(database)
    assert current_revision(database) == before


def test_a_database_of_a_newer_version_is_left_alone(database: Database) -> None:
    known = current_revision(database)

    def say(revision: str | None) -> None:
        with database.write() as session:
            session.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})

    say("9999")
    try:
        with pytest.raises(DatabaseError, match="newer Jiexu"):
            upgrade(database)
    finally:
        say(known)
