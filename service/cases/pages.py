"""Pages of cases and violations: newest or oldest first, from a position on, by index alone.

A page begins after a position (time and id of the last row of the page before), never at an
offset, so the thousandth page costs what the first costs and rows that come in between neither
repeat nor hide others. Every filter leads with equal columns of an index whose order is that of the
page; what further narrows it is written such that no planner takes another index for it, which
would have it sort a million rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import ColumnElement, Select, bindparam, func, select, tuple_, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from service.store.tables import CaseRow, CaseState, ViolationRow
from service.store.times import Instant

Order = Literal["newest", "oldest"]
Row = TypeVar("Row", CaseRow, ViolationRow)


@dataclass(frozen=True)
class Position:
    """Where a page ended: the last row's time and id."""

    at: datetime
    id: str


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows, and where the next page begins (``None`` at the end)."""

    rows: Sequence[Row]
    next: Position | None


@dataclass(frozen=True)
class Narrowing:
    """Which rows are wanted; what is empty or ``None`` does not narrow.

    Attributes:
        states: Any of these states; cases only.
        kinds: Any of these kinds.
        camera_id: This camera.
        zone_id: This zone of the camera; only with ``camera_id``.
        raised_from: Raised at this time or later.
        raised_before: Raised before this time.
        ongoing: Whether it lasts still.
    """

    states: tuple[CaseState, ...] = ()
    kinds: tuple[str, ...] = ()
    camera_id: str | None = None
    zone_id: str | None = None
    raised_from: datetime | None = None
    raised_before: datetime | None = None
    ongoing: bool | None = None


def case_page(
    session: Session,
    narrowing: Narrowing,
    *,
    limit: int,
    after: Position | None = None,
    order: Order = "newest",
) -> Page[CaseRow]:
    """One page of cases, at most ``limit`` of them, beginning after a position."""
    query = case_query(narrowing, limit=limit, after=after, order=order)
    return _page(session.scalars(query).all(), limit)


def violation_page(
    session: Session,
    narrowing: Narrowing,
    *,
    limit: int,
    after: Position | None = None,
    order: Order = "newest",
) -> Page[ViolationRow]:
    """One page of violations, at most ``limit`` of them, beginning after a position."""
    query = violation_query(narrowing, limit=limit, after=after, order=order)
    return _page(session.scalars(query).all(), limit)


def case_query(
    narrowing: Narrowing, *, limit: int, after: Position | None, order: Order
) -> Select[CaseRow]:
    """The query behind :func:`case_page`; it asks for one row more, to know of a next page."""
    narrows = _narrows(CaseRow, narrowing, after, order)
    camera = narrowing.camera_id
    if camera is not None:
        narrows.append(CaseRow.camera_id == camera)
        if narrowing.kinds:
            narrows.append(_unindexed(CaseRow.kind).in_(narrowing.kinds))
        if narrowing.zone_id is not None:
            zone = CaseRow.zone_id if not narrowing.states else _unindexed(CaseRow.zone_id)
            narrows.append(zone == narrowing.zone_id)
    states: Sequence[CaseState | None] = narrowing.states or (None,)
    if len(set(states)) == len(CaseState):
        states = (None,)
    kinds: Sequence[str | None] = (narrowing.kinds if camera is None else ()) or (None,)
    parts = []
    for state, kind in product(states, kinds):
        part = list(narrows)
        if state is not None:
            part.append(CaseRow.state == state)
        if kind is not None:
            part.append(CaseRow.kind == kind)
        parts.append(part)
    return _merged(CaseRow, parts, limit + 1, order)


def violation_query(
    narrowing: Narrowing, *, limit: int, after: Position | None, order: Order
) -> Select[ViolationRow]:
    """The query behind :func:`violation_page`; it asks for one row more."""
    narrows = _narrows(ViolationRow, narrowing, after, order)
    if narrowing.camera_id is not None:
        narrows.append(ViolationRow.camera_id == narrowing.camera_id)
        if narrowing.zone_id is not None:
            narrows.append(ViolationRow.zone_id == narrowing.zone_id)
        if narrowing.kinds:
            narrows.append(_unindexed(ViolationRow.kind).in_(narrowing.kinds))
        return _merged(ViolationRow, [narrows], limit + 1, order)
    parts = [[*narrows, ViolationRow.kind == kind] for kind in narrowing.kinds] or [narrows]
    return _merged(ViolationRow, parts, limit + 1, order)


def _narrows(
    row: type[Row], narrowing: Narrowing, after: Position | None, order: Order
) -> list[ColumnElement[bool]]:
    """What applies to every part of a query: the position, times, and whether it lasts."""
    found: list[ColumnElement[bool]] = []
    since, until = narrowing.raised_from, narrowing.raised_before
    # One bound at each end: of two, SQLite seeks by one and walks along the other.
    if after is not None and order == "newest" and (until is None or after.at < until):
        found.append(_place(row) < _point(after))
        until = None
    if after is not None and order == "oldest" and (since is None or after.at >= since):
        found.append(_place(row) > _point(after))
        since = None
    if since is not None:
        found.append(row.raised_at >= since)
    if until is not None:
        found.append(row.raised_at < until)
    if narrowing.ongoing is not None:
        ended = row.ended_at
        found.append(ended.is_(None) if narrowing.ongoing else ended.is_not(None))
    return found


def _place(row: type[Row]) -> Any:
    """Where a row lies in the order of pages."""
    return tuple_(row.raised_at, row.id)


def _point(position: Position) -> Any:
    """A position in the order of pages."""
    return tuple_(bindparam(None, position.at, Instant()), bindparam(None, position.id))


def _merged(
    row: type[Row], parts: Sequence[Sequence[ColumnElement[bool]]], limit: int, order: Order
) -> Select[Row]:
    """The first rows of all parts together; each part is read no further than the page goes."""

    def sorted_(query: Select[Any], at: Any, by: Any) -> Select[Any]:
        columns = (at.desc(), by.desc()) if order == "newest" else (at, by)
        return query.order_by(*columns).limit(limit)

    if len(parts) == 1:
        return sorted_(select(row).where(*parts[0]), row.raised_at, row.id)
    places: list[Any] = [select(row.id, row.raised_at).where(*part) for part in parts]
    firsts: list[Any] = [sorted_(part, row.raised_at, row.id).subquery() for part in places]
    heads = union_all(*(select(part) for part in firsts)).subquery()
    # Cut to a page before rows are read: of many states and kinds there are thousands of heads.
    found = sorted_(select(heads), heads.c.raised_at, heads.c.id).subquery()
    # Ordered by what was found, or a planner may walk the whole table in the order of the page.
    joined = select(row).join(found, row.id == found.c.id)
    return sorted_(joined, found.c.raised_at, found.c.id)


def _unindexed(column: InstrumentedAttribute[str]) -> ColumnElement[str]:
    """A column such that no index is chosen for it."""
    return func.coalesce(column, "")


def _page(found: Sequence[Row], limit: int) -> Page[Row]:
    rows = found[:limit]
    more = len(found) > limit
    return Page(rows, Position(rows[-1].raised_at, rows[-1].id) if more else None)
