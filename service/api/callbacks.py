"""What platforms say of cases that they were sent."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from service.api.fields import Text, Time, refuse_unstorable
from service.api.problem import Problem, answers, faults_of, invalid, not_found
from service.api.security import COOKIE, TheService
from service.auth import keys
from service.context import Service
from service.dispatch.adapters.panorama import from_shanghai
from service.dispatch.callbacks import Report, Status, UnknownCaseError, receive
from service.dispatch.platforms import PanoramaPlatform, WebhookPlatform
from service.store.tables import CaseState, Scope

router = APIRouter(prefix="/callbacks", tags=["callbacks"])

PlatformName = Annotated[
    str, Path(max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$", description="Name of a destination")
]
_Form = TypeVar("_Form", bound=BaseModel)
_Word = Annotated[Text, StringConstraints(min_length=1, max_length=128)]
_Note = Annotated[Text, StringConstraints(max_length=500)]


class CallbackForm(BaseModel):
    """What a platform says of a case."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "example": {
                "id": "C000042-3",
                "event_id": "case_8c1f0c2b7a5e4f0b9d3a6c1e2f708192",
                "status": "handled",
                "said_at": "2026-05-04T10:02:11+08:00",
                "operator": "street team 2",
                "note": "stall moved",
            }
        },
    )

    id: _Word = Field(description="Id of this report: sent again, it is the same")
    status: Status
    said_at: Time = Field(description="When, by the platform's clock")
    event_id: _Word | None = Field(default=None, description="webhook-id that it answers")
    reference: _Word | None = Field(default=None, description="The platform's id of the case")
    case_id: _Word | None = Field(default=None, description="Our id of the case")
    deadline_at: Time | None = Field(
        default=None, description="With extended: the deadline that holds from then on"
    )
    operator: _Note = ""
    note: _Note = Field(default="", description="Why; needed with extended")


class PanoramaForm(BaseModel):
    """The callback of panorama-video platforms.

    Of the states, its specification has ``processing`` and ``closed``; the others are ours.
    """

    model_config = ConfigDict(extra="ignore")

    push_id: _Word
    disposal_status: Literal[
        "processing",
        "closed",
        "declined",
        "returned",
        "suspended",
        "cancelled",
        "extended",
        "appealed",
        "exempted",
    ]
    disposal_time: str = Field(description="yyyy-MM-dd HH:mm:ss, Shanghai")
    disposal_deadline: str | None = Field(
        default=None, description="With extended: yyyy-MM-dd HH:mm:ss, Shanghai"
    )
    disposal_result: _Note = Field(default="", description="Why; needed with extended")
    disposal_operator: _Note = ""


class CallbackBody(BaseModel):
    """What came of it. Everything but an error is settled: do not send it again."""

    outcome: Literal["moved", "noted", "late", "copy", "repeated"]
    case_id: str
    state: CaseState


class PanoramaBody(BaseModel):
    """The answer that panorama-video platforms expect."""

    code: Literal[200] = 200
    message: str = "请求已成功"
    data: dict[str, Any] = {}


_BEARER = HTTPBearer(auto_error=False, scheme_name="key", bearerFormat="jxk_...")

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        CallbackForm.model_json_schema(),
                        PanoramaForm.model_json_schema(),
                    ]
                }
            }
        },
    }
}


@router.post("/{destination}", responses=answers(401, 403, 404), openapi_extra=_BODY)
async def receive_callback(
    destination: PlatformName,
    request: Request,
    service: TheService,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> CallbackBody | PanoramaBody:
    """Take in what a platform says of a case.

    With a key of the scope ``callback``, or signed as the platform's interface has it: after
    Standard Webhooks with the destination's secret, or with its ``X-Callback-Token``.
    """
    body = await request.body()
    return await run_in_threadpool(_taken, service, destination, request, bearer, body)


def _taken(
    service: Service,
    destination: str,
    request: Request,
    bearer: HTTPAuthorizationCredentials | None,
    body: bytes,
) -> CallbackBody | PanoramaBody:
    now = service.clock()
    _admit(service, destination, request, bearer, body, now)
    platform = service.settings.dispatch.destinations.get(destination)
    if platform is None:
        raise not_found("destination")
    speaks_panorama = isinstance(platform, PanoramaPlatform)
    report = _panorama_report(body) if speaks_panorama else _report(body)
    try:
        with service.database.write() as session:
            found = receive(session, destination, report, now, worktime=service.worktime)
    except UnknownCaseError:
        raise not_found("case") from None
    if speaks_panorama:
        return PanoramaBody()
    return CallbackBody(outcome=found.outcome, case_id=found.case_id, state=found.state)


def _admit(
    service: Service,
    destination: str,
    request: Request,
    bearer: HTTPAuthorizationCredentials | None,
    body: bytes,
    now: datetime,
) -> None:
    """Let in who may speak for a platform.

    Raises:
        Problem: 401 or 403.
    """
    if bearer is not None:
        principal = keys.whose(service.database, bearer.credentials, now)
        if principal is None:
            raise _unauthorized()
        if not principal.may(None, Scope.CALLBACK):
            raise Problem(403, "forbidden", "this needs other rights")
        return
    platform = service.settings.dispatch.destinations.get(destination)
    headers = request.headers
    if isinstance(platform, WebhookPlatform) and platform.signing.has_signed(
        headers.get("webhook-id", ""),
        headers.get("webhook-timestamp", ""),
        body,
        headers.get("webhook-signature", ""),
        now,
    ):
        return
    if isinstance(platform, PanoramaPlatform):
        token = platform.callback_token.get_secret_value().encode()
        if hmac.compare_digest(headers.get("x-callback-token", "").encode(), token):
            return
    if COOKIE in request.cookies:
        raise Problem(403, "forbidden", "this is for platforms, not for users")
    raise _unauthorized()


def _unauthorized() -> Problem:
    return Problem(
        401, "unauthorized", "send a key, or sign", headers={"www-authenticate": "Bearer"}
    )


def _report(body: bytes) -> Report:
    form = _parsed(CallbackForm, body)
    if form.event_id is None and form.reference is None and form.case_id is None:
        raise invalid("body.event_id", "one of event_id, reference and case_id is needed")
    if form.status is Status.EXTENDED and form.deadline_at is None:
        raise invalid("body.deadline_at", "needed with extended: the later deadline")
    if form.status is Status.EXTENDED and not form.note.strip():
        raise invalid("body.note", "needed with extended: why the deadline is put off")
    return Report(
        id=form.id,
        status=form.status,
        said_at=form.said_at,
        event_id=form.event_id,
        reference=form.reference,
        case_id=form.case_id,
        deadline_at=form.deadline_at if form.status is Status.EXTENDED else None,
        details=_details(operator=form.operator, note=form.note),
    )


def _panorama_report(body: bytes) -> Report:
    form = _parsed(PanoramaForm, body)
    said_at = _instant("body.disposal_time", form.disposal_time)
    word = form.disposal_status
    status = Status.HANDLING if word == "processing" else Status(word)
    deadline_at = None
    if status is Status.EXTENDED:
        deadline_at = _instant("body.disposal_deadline", form.disposal_deadline or "")
        if not form.disposal_result.strip():
            raise invalid("body.disposal_result", "needed with extended: why it is put off")
    return Report(
        id=f"{form.push_id[:90]}:{word}:{int(said_at.timestamp())}",
        status=status,
        said_at=said_at,
        event_id=form.push_id,
        deadline_at=deadline_at,
        details=_details(operator=form.disposal_operator, note=form.disposal_result),
    )


def _instant(field: str, text: str) -> datetime:
    try:
        return from_shanghai(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid(field, "must be yyyy-MM-dd HH:mm:ss") from None


def _parsed(form: type[_Form], body: bytes) -> _Form:
    try:
        parsed = form.model_validate_json(body)
    except ValidationError as error:
        faults = faults_of([{**one, "loc": ("body", *one["loc"])} for one in error.errors()])
        raise Problem(
            422,
            "invalid",
            "; ".join(f"{fault.field}: {fault.message}" for fault in faults),
            errors=faults,
        ) from None
    refuse_unstorable(parsed.model_dump(mode="json"), "body")
    return parsed


def _details(**given: str) -> dict[str, str]:
    return {name: value for name, value in given.items() if value}
