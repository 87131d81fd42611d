"""Cases: violations offered for review, and what became of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.api.conditional import etag
from service.api.evidence import EvidenceBody, evidence_body
from service.api.fields import Id, InOrder, States, Text, narrowing_of
from service.api.paging import Cursor, Limit, PageBody, cursor_of, position_of
from service.api.problem import answers, not_found
from service.api.security import Origin, Reader, TheService
from service.api.violations import ViolationBody, violation_body
from service.cases.deadlines import LimitClock
from service.cases.pages import Narrowing, case_page
from service.cases.sameness import cases_at_place, links_of
from service.evidence import access
from service.store.tables import (
    CaseRow,
    CaseState,
    CaseStepRow,
    EvidenceRow,
    Stage,
    ViolationRow,
)
from vision.rules.kinds import KINDS

router = APIRouter(prefix="/cases", tags=["cases"], responses=answers(401, 403))


class CaseBody(BaseModel):
    """A case."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "0b0e5dc3-4a0c-5d49-8c52-c7f4c9ed7a86",
                "state": "candidate",
                "kind": "street_stall",
                "kind_en": "Street stall",
                "kind_zh": "占道经营",
                "camera_id": "gate-3",
                "zone_id": "footway",
                "confidence": 0.75,
                "experimental": True,
                "started_at": "2026-05-04T09:00:00Z",
                "raised_at": "2026-05-04T09:05:00Z",
                "ended_at": None,
                "version": 1,
                "created_at": "2026-05-04T09:05:01Z",
                "updated_at": "2026-05-04T09:05:01Z",
                "priority": 10,
                "stage": "first",
                "claimed_by": None,
                "claimed_until": None,
                "settled_at": None,
                "box": None,
                "place": {"street": "Nandajie", "assess_level": 1},
                "occurrences": 1,
                "recurrence_of": None,
                "recurrences": 0,
                "code_system": None,
                "code": None,
                "deadline_at": None,
            }
        }
    )

    id: str
    state: CaseState
    kind: str
    kind_en: str
    kind_zh: str
    camera_id: str
    zone_id: str
    confidence: float
    experimental: bool = Field(description="Not to be trusted like the rest")
    started_at: AwareDatetime
    raised_at: AwareDatetime
    ended_at: AwareDatetime | None = Field(description="null while the violation lasts")
    version: int = Field(description="Counts steps; the ETag")
    created_at: AwareDatetime
    updated_at: AwareDatetime
    priority: int = Field(description="Hours of waiting that it is ahead of others")
    stage: Stage = Field(description="Who is to review it, while it is a candidate")
    claimed_by: str | None = Field(description="Who looks at it")
    claimed_until: AwareDatetime | None = Field(description="When that ends by itself")
    settled_at: AwareDatetime | None = Field(
        description="From then on the decision cannot be taken back"
    )
    box: list[float] | None = Field(description="Box in pixels as a reviewer corrected it")
    place: dict[str, Any] | None = Field(description="What the city calls the place")
    occurrences: int = Field(description="Violations that are this case")
    recurrence_of: str | None = Field(description="Case that was over not long before, there")
    recurrences: int = Field(description="How many went before it in that way")
    code_system: str | None = Field(description="Catalogue that code is of")
    code: str | None
    deadline_at: AwareDatetime | None = Field(description="Until when it is to be handled")


class StepBody(BaseModel):
    """One step in the history of a case."""

    at: AwareDatetime
    actor: str = Field(description="camera:..., user:..., key:... or system")
    action: str
    state: CaseState = Field(description="State after it")
    details: dict[str, Any]


@router.get("")
def list_cases(
    service: TheService,
    _who: Reader,
    narrowing: Annotated[Narrowing, Depends(narrowing_of)],
    state: States = None,
    order: InOrder = "newest",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageBody[CaseBody]:
    """Cases by the time at which they were raised."""
    narrowing = replace(narrowing, states=tuple(dict.fromkeys(state or ())))
    after = position_of(cursor)
    with service.database.read() as session:
        page = case_page(session, narrowing, limit=limit, after=after, order=order)
    return PageBody(items=[case_body(row) for row in page.rows], next_cursor=cursor_of(page.next))


@router.get("/{case_id}", responses=answers(404))
def get_case(case_id: Id, service: TheService, _who: Reader, response: Response) -> CaseBody:
    """One case; its ETag is asked for where it is decided."""
    with service.database.read() as session:
        row = _find(session, case_id)
        response.headers["etag"] = etag(row.version)
        return case_body(row)


@router.get("/{case_id}/history", responses=answers(404))
def get_history(case_id: Id, service: TheService, _who: Reader) -> list[StepBody]:
    """What was done with a case, oldest first."""
    query = select(CaseStepRow).where(CaseStepRow.case_id == case_id).order_by(CaseStepRow.id)
    with service.database.read() as session:
        _find(session, case_id)
        return [
            StepBody(
                at=row.at,
                actor=row.actor,
                action=row.action,
                state=CaseState(row.state),
                details=row.details,
            )
            for row in session.scalars(query)
        ]


@router.get("/{case_id}/violations", responses=answers(404))
def list_violations_of(case_id: Id, service: TheService, _who: Reader) -> list[ViolationBody]:
    """What was seen that is this case, oldest first, with the dwell ledger of each."""
    query = (
        select(ViolationRow)
        .where(ViolationRow.case_id == case_id)
        .order_by(ViolationRow.raised_at, ViolationRow.id)
    )
    with service.database.read() as session:
        _find(session, case_id)
        return [violation_body(row) for row in session.scalars(query)]


class ClassBody(BaseModel):
    """What a case is filed under, or would be if it were confirmed now."""

    code_system: str
    code: str
    name: str
    file_when: str = Field(description="Condition to file it")
    close_when: str = Field(description="Condition to close it")
    limit_amount: float | None = Field(description="How long handling may take")
    limit_clock: LimitClock | None = Field(description="Hours or days of what")
    evidence: list[str] = Field(description="What must be there to file it")
    missing: list[str] = Field(description="What of it is not there")
    inferred: bool = Field(description="The code was concluded, not read in print")


@router.get(
    "/{case_id}/class", responses=answers(404) | {204: {"description": "There is no such class"}}
)
def get_class(
    case_id: Id, service: TheService, _who: Reader, response: Response
) -> ClassBody | None:
    """The class of the city's catalogue that a case belongs to."""
    with service.database.read() as session:
        case = _find(session, case_id)
        one = service.filing.class_of(session, case)
        kept = select(EvidenceRow.role).where(
            EvidenceRow.case_id == case_id, EvidenceRow.removed_at.is_(None)
        )
        roles = set(session.scalars(kept))
    if one is None:
        response.status_code = 204
        return None
    return ClassBody(
        code_system=service.filing.catalogue.id,
        code=one.code,
        name=one.name,
        file_when=one.file_when,
        close_when=one.close_when,
        limit_amount=None if one.limit is None else one.limit.amount,
        limit_clock=None if one.limit is None else one.limit.clock,
        evidence=list(one.evidence),
        missing=one.missing(roles),
        inferred=one.inferred,
    )


class RelatedBody(BaseModel):
    """A case and what it has to do with the one that was asked about."""

    relation: Literal["possible_duplicate", "duplicate_of", "recurrence_of", "same_place"] = Field(
        description="same_place: of the kind, at the place, at another time"
    )
    distance_m: float | None = Field(description="Between the two cameras")
    case: CaseBody


@router.get("/{case_id}/related", responses=answers(404))
def list_related(case_id: Id, service: TheService, _who: Reader) -> list[RelatedBody]:
    """Cases that may be the same, were there before, or are at the same place."""
    with service.database.read() as session:
        case = _find(session, case_id)
        found: dict[str, RelatedBody] = {}
        for link, other in links_of(session, case_id):
            found[other.id] = RelatedBody.model_validate(
                {
                    "relation": link.relation,
                    "distance_m": link.distance_m,
                    "case": case_body(other),
                }
            )
        for other in cases_at_place(session, case):
            same = RelatedBody(relation="same_place", distance_m=None, case=case_body(other))
            found.setdefault(other.id, same)
        return list(found.values())


@router.get("/{case_id}/evidence", responses=answers(404))
def list_evidence(
    case_id: Id,
    service: TheService,
    who: Reader,
    origin: Origin,
    reason: Annotated[
        Text | None, Query(max_length=500, description="Why; written to the audit")
    ] = None,
) -> list[EvidenceBody]:
    """Evidence of a case, newest first, with links to the masked files.

    Links hold for a short time and for whoever has them. That they were given out is audited.
    """
    now = service.clock()
    with service.database.write() as session:
        _find(session, case_id)
        rows = access.list_evidence(session, case_id, who.actor, origin, now, reason=reason)
    return [evidence_body(service, row, who, now) for row in rows]


def case_body(row: CaseRow) -> CaseBody:
    """A case, for an answer."""
    kind = KINDS.get(row.kind)
    return CaseBody(
        id=row.id,
        state=CaseState(row.state),
        kind=row.kind,
        kind_en=kind.en if kind else row.kind,
        kind_zh=kind.zh if kind else row.kind,
        camera_id=row.camera_id,
        zone_id=row.zone_id,
        confidence=row.confidence,
        experimental=row.experimental,
        started_at=row.started_at,
        raised_at=row.raised_at,
        ended_at=row.ended_at,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        priority=row.priority,
        stage=Stage(row.stage),
        claimed_by=row.claimed_by,
        claimed_until=row.claimed_until,
        settled_at=row.settled_at,
        box=row.box,
        place=row.place,
        occurrences=row.occurrences,
        recurrence_of=row.recurrence_of,
        recurrences=row.recurrences,
        code_system=row.code_system,
        code=row.code,
        deadline_at=row.deadline_at,
    )


def _find(session: Session, case_id: str) -> CaseRow:
    row = session.get(CaseRow, case_id)
    if row is None:
        raise not_found("case")
    return row
