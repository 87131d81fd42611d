"""Violations: what the cameras found, in the words of ``violations.jsonl``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from service.api.fields import Id, InOrder, narrowing_of
from service.api.paging import Cursor, Limit, PageBody, cursor_of, position_of
from service.api.problem import answers, not_found
from service.api.security import Reader, TheService
from service.cases.pages import Narrowing, violation_page
from service.store.tables import ViolationRow
from vision.record import ViolationRecord

router = APIRouter(prefix="/violations", tags=["violations"], responses=answers(401, 403))


class ViolationBody(BaseModel):
    """A violation as it is known now."""

    case_id: str = Field(description="The case that it belongs to")
    record: ViolationRecord


@router.get("")
def list_violations(
    service: TheService,
    _who: Reader,
    narrowing: Annotated[Narrowing, Depends(narrowing_of)],
    order: InOrder = "newest",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageBody[ViolationBody]:
    """Violations by the time at which they were raised."""
    after = position_of(cursor)
    with service.database.read() as session:
        page = violation_page(session, narrowing, limit=limit, after=after, order=order)
    return PageBody(
        items=[violation_body(row) for row in page.rows], next_cursor=cursor_of(page.next)
    )


@router.get("/{violation_id}", responses=answers(404))
def get_violation(violation_id: Id, service: TheService, _who: Reader) -> ViolationBody:
    """One violation."""
    with service.database.read() as session:
        row = session.get(ViolationRow, violation_id)
    if row is None:
        raise not_found("violation")
    return violation_body(row)


def violation_body(row: ViolationRow) -> ViolationBody:
    """A violation, for an answer."""
    return ViolationBody(case_id=row.case_id, record=ViolationRecord.model_validate(row.record))
