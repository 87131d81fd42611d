"""Candidates in a database, for tests of what is done with them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from posting import CREATED_AT, record

from service.store.database import Database
from service.store.tables import CaseRow, CaseState, ViolationRow

NOW = CREATED_AT + timedelta(hours=1)


def add_case(database: Database, number: int = 0, **changes: Any) -> str:
    """A case with its violation; ``violation-<number>``, raised so many minutes later."""
    raised_at: datetime = changes.pop("raised_at", CREATED_AT + timedelta(minutes=number))
    kind = changes.pop("kind", "street_stall")
    told = record(number, kind=kind, started_at=raised_at, last_seen_at=raised_at)
    seen = {
        "kind": kind,
        "camera_id": changes.pop("camera_id", told.camera_id),
        "zone_id": changes.pop("zone_id", told.zone_id),
        "raised_at": raised_at,
        "ended_at": changes.pop("ended_at", None),
        "created_at": raised_at,
        "updated_at": raised_at,
    }
    with database.write() as session:
        session.add(
            CaseRow(
                id=told.id,
                state=changes.pop("state", CaseState.CANDIDATE),
                confidence=told.confidence,
                experimental=False,
                started_at=raised_at,
                version=1,
                **seen,
                **changes,
            )
        )
        session.flush()
        session.add(
            ViolationRow(id=told.id, case_id=told.id, record=told.model_dump(mode="json"), **seen)
        )
    return told.id


def case_of(database: Database, case_id: str) -> CaseRow:
    """The case as it is kept."""
    with database.read() as session:
        row = session.get_one(CaseRow, case_id)
        session.expunge(row)
        return row
