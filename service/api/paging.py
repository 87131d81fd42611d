"""Cursors of list pages: opaque to clients, a position within."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from service.api.problem import invalid
from service.cases.pages import Position

T = TypeVar("T")

LARGEST = 200

Limit = Annotated[int, Query(ge=1, le=LARGEST, description="Most items on the page")]
Cursor = Annotated[
    str | None,
    Query(max_length=256, description="next_cursor of the page before; the first without it"),
]


class PageBody(BaseModel, Generic[T]):
    """A page of a list."""

    items: list[T]
    next_cursor: str | None = Field(
        description="Give it as cursor for the next page; null at the end"
    )


def cursor_of(position: Position | None) -> str | None:
    """A position as a cursor."""
    if position is None:
        return None
    text = json.dumps([position.at.isoformat(), position.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position_of(cursor: str | None) -> Position | None:
    """The position in a cursor.

    Raises:
        Problem: It is none that was given out.
    """
    if cursor is None:
        return None
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        at, id_ = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        return Position(datetime.fromisoformat(at).astimezone(UTC), _plain(id_))
    except (binascii.Error, ValueError, TypeError, OverflowError):
        raise invalid("query.cursor", "is no cursor that was given out") from None


def _plain(id_: object) -> str:
    if not isinstance(id_, str) or "\0" in id_ or not id_.isprintable():
        raise ValueError("no id")
    return id_
