"""Insert a row unless it is there, on both databases in one statement."""

from __future__ import annotations

from typing import Any

from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.store.tables import Base


def insert_new(session: Session, table: type[Base], **values: Any) -> bool:
    """Insert a row; ``False``, and nothing changed, if one of the same key is there.

    On PostgreSQL it waits for another transaction that is inserting the same key.
    """
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    keys = inspect(table).primary_key
    statement = insert(table).values(**values).on_conflict_do_nothing().returning(*keys)
    return session.execute(statement).first() is not None
