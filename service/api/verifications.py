"""What cameras saw when they looked again at cases."""

from __future__ import annotations

import logging
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select

from service.api.cases import CaseBody, case_body
from service.api.fields import Id, Text
from service.api.idempotency import IdempotencyKey, IdempotentRoute
from service.api.problem import answers, not_found
from service.api.refusals import refusals
from service.api.security import Reader, TheService, UserReviewer
from service.auth.principal import Principal
from service.cases.questions import Answer, answer
from service.context import Service
from service.evidence.files import EvidenceStoreError
from service.live import Snapshot
from service.store.tables import CaseRow, VerificationRow
from vision.errors import ModelError
from vision.rules.finding import Verification

log = logging.getLogger(__name__)

router = APIRouter(tags=["verification"], route_class=IdempotentRoute, responses=answers(401, 403))

MOST = 500


class VerificationBody(BaseModel):
    """A case whose place a camera looks at again."""

    id: str
    case_id: str
    why: Literal["handled", "deadline", "unhandled"] = Field(
        description="It was said to be handled; its deadline came; or it was gone by itself"
    )
    begun_at: AwareDatetime
    until: AwareDatetime = Field(description="What was not seen by then cannot be seen")
    looks: int = Field(description="Looks that saw it still there")
    result: Verification | None = Field(description="null while the camera looks")
    decided_at: AwareDatetime | None
    decided_by: str | None
    before_id: str | None = Field(description="Evidence from before")
    after_id: str | None = Field(description="Evidence from after")
    asks_person: bool = Field(description="Somebody has to say how it is")


class AnswerForm(BaseModel):
    """What a person says who was asked."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"result": "gone", "remark": "seen on the spot"}]},
    )

    result: Answer
    remark: Annotated[Text, Field(max_length=500)] | None = Field(
        default=None, description="How they know; stands in the history"
    )


@router.get("/verifications")
def list_verifications(service: TheService, _who: Reader) -> list[VerificationBody]:
    """Verifications that go on, and those that ask a person, oldest first; at most 500."""
    query = (
        select(VerificationRow)
        .where(VerificationRow.open.is_(True))
        .order_by(VerificationRow.begun_at, VerificationRow.id)
        .limit(MOST)
    )
    with service.database.read() as session:
        return [_body(row) for row in session.scalars(query)]


@router.get("/cases/{case_id}/verifications", responses=answers(404))
def list_of_case(case_id: Id, service: TheService, _who: Reader) -> list[VerificationBody]:
    """Verifications of a case, oldest first."""
    query = (
        select(VerificationRow)
        .where(VerificationRow.case_id == case_id)
        .order_by(VerificationRow.begun_at, VerificationRow.id)
    )
    with service.database.read() as session:
        if session.get(CaseRow, case_id) is None:
            raise not_found("case")
        return [_body(row) for row in session.scalars(query)]


@router.post("/verifications/{verification_id}/answer", responses=answers(404, 409))
def post_answer(
    verification_id: Id,
    form: AnswerForm,
    service: TheService,
    who: UserReviewer,
    _key: IdempotencyKey = None,
) -> CaseBody:
    """Answer what a camera could not settle; the case moves by it. 409 once nobody is asked.

    What the camera shows now is kept as evidence, masked and sealed, where there is no picture from
    afterwards.
    """
    return answer_question(service, verification_id, form, who, _newest(service, verification_id))


def answer_question(
    service: Service,
    verification_id: str,
    form: AnswerForm,
    who: Principal,
    seen: Snapshot | None,
) -> CaseBody:
    """Take in what a person says, and keep the picture that they saw as evidence.

    Args:
        service: The service.
        verification_id: The verification that asks.
        form: What they say.
        who: Who says it.
        seen: What the camera showed of the place; not kept where the verification has a picture
            from afterwards already.

    Raises:
        Problem: Nobody is asked, or not any more.
    """
    after_id = _kept(service, verification_id, seen)
    with refusals(), service.database.write() as session:
        case = answer(
            session,
            verification_id,
            form.result,
            who.actor,
            service.clock(),
            dispatch=service.settings.dispatch,
            remark=form.remark,
            after_id=after_id,
        )
        return case_body(case)


def _newest(service: Service, verification_id: str) -> Snapshot | None:
    """What the camera of a verification shows now."""
    with service.database.read() as session:
        row = session.get(VerificationRow, verification_id)
        camera_id = None if row is None else session.get_one(CaseRow, row.case_id).camera_id
    if service.live is None or camera_id is None:
        return None
    return service.live.snapshot(camera_id)


def _kept(service: Service, verification_id: str, seen: Snapshot | None) -> str | None:
    """Evidence of what was seen, if it is needed and can be kept: an answer holds without it."""
    if seen is None or service.verifier is None:
        return None
    with service.database.read() as session:
        row = session.get(VerificationRow, verification_id)
        if row is None or row.open is None or row.after_id is not None:
            return None
        case_id = row.case_id
    try:
        return service.verifier.keep_after(case_id, seen)
    except (EvidenceStoreError, ModelError) as error:
        log.warning("case %s: what was seen is not kept: %s", case_id, error)
        return None


def _body(row: VerificationRow) -> VerificationBody:
    fields = {
        name: getattr(row, name) for name in VerificationBody.model_fields if hasattr(row, name)
    }
    return VerificationBody(**fields, asks_person=bool(row.open) and row.result is not None)
