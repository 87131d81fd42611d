"""Errors as problem details (RFC 9457), everywhere."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from service.evidence.files import EvidenceStoreError
from vision.errors import JiexuError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_ANYWHERE = (400, 413, 422, 503)
"""A body that cannot be read or is too large, a field that is wrong, a store that is away."""


class FieldFault(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Where it stands: body.zones[0].points, query.limit, ...")
    message: str


class ProblemBody(BaseModel):
    """Problem details after RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:jiexu:problem:invalid",
                "title": "Unprocessable Content",
                "status": 422,
                "detail": "body.zones[0].points: a polygon needs at least 3 points",
                "request_id": "5f0c0d9a1b7e4c55",
                "errors": [
                    {
                        "field": "body.zones[0].points",
                        "message": "a polygon needs at least 3 points",
                    }
                ],
            }
        }
    )

    type: str = Field(description="URN that names the kind of problem; the same for the same kind")
    title: str
    status: int
    detail: str
    request_id: str | None = Field(default=None, description="The id that logs know it by")
    errors: list[FieldFault] = Field(default=[], description="Fields that are wrong")


class Problem(Exception):  # noqa: N818 - the name that RFC 9457 gives it
    """A request that is answered with an error.

    Attributes:
        status: HTTP status.
        kind: Last part of the URN.
        detail: What is wrong, for a person.
        headers: Headers of the answer.
        errors: Fields that are wrong.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[FieldFault] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = list(errors)


def invalid(field: str, message: str) -> Problem:
    """A field that is wrong."""
    fault = FieldFault(field=field, message=message)
    return Problem(422, "invalid", f"{field}: {message}", errors=[fault])


def not_found(what: str) -> Problem:
    """A thing that is not there."""
    return Problem(404, "not_found", f"there is no such {what}")


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Documentation of the errors that a route may answer with, besides those that any may."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "model": ProblemBody,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
        }
        for status in sorted({*statuses, *_ANYWHERE})
    }


def field_name(loc: Sequence[int | str]) -> str:
    """A place in the request, as a person would write it."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "body"


def faults_of(errors: Sequence[Any]) -> list[FieldFault]:
    """Faults that pydantic found; what was sent is not repeated."""
    return [
        FieldFault(
            field=field_name(error["loc"]),
            message="unknown field"
            if error["type"] == "extra_forbidden"
            else str(error["msg"]).removeprefix("Value error, "),
        )
        for error in errors
    ]


def response(request: Request, problem: Problem) -> Response:
    """The answer that tells of a problem."""
    body = ProblemBody(
        type=f"urn:jiexu:problem:{problem.kind}",
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        request_id=getattr(request.state, "request_id", None),
        errors=problem.errors,
    )
    return JSONResponse(
        body.model_dump(exclude_defaults=True),
        problem.status,
        headers={"cache-control": "no-store", **problem.headers},
        media_type=MEDIA_TYPE,
    )


def add_handlers(app: FastAPI) -> None:
    """Answer the errors that an application knows with problem details."""

    async def told(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return response(request, error)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = HTTPStatus(error.status_code).name.lower()
        return response(
            request, Problem(error.status_code, kind, str(error.detail), headers=error.headers)
        )

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        faults = faults_of(error.errors())
        detail = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
        return response(request, Problem(422, "invalid", detail, errors=faults))

    async def known(request: Request, error: Exception) -> Response:
        return response(request, Problem(422, "invalid", str(error)))

    async def database(request: Request, error: Exception) -> Response:
        assert isinstance(error, OperationalError)
        log.error("database: %s", type(error.orig).__name__)
        return response(
            request,
            Problem(503, "database", "the database does not answer", headers={"retry-after": "5"}),
        )

    async def evidence(request: Request, error: Exception) -> Response:
        log.error("evidence store: %s", error)
        return response(
            request,
            Problem(
                503,
                "evidence_store",
                "the evidence store does not answer",
                headers={"retry-after": "5"},
            ),
        )

    app.add_exception_handler(Problem, told)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(JiexuError, known)
    app.add_exception_handler(OperationalError, database)
    app.add_exception_handler(EvidenceStoreError, evidence)
