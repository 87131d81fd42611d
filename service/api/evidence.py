"""Evidence files: links to them, and the files behind the links."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from service import audit
from service.api.fields import Id, Text
from service.api.problem import Problem, answers, not_found
from service.api.security import Origin, Supervisor, TheService
from service.auth.principal import Principal
from service.context import Service
from service.evidence import access
from service.store.tables import EvidenceRow, Variant

router = APIRouter(prefix="/evidence", tags=["evidence"])

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_BINARY = {"schema": {"type": "string", "format": "binary"}}


class LinkBody(BaseModel):
    """A link to one file, for whoever has it, for a short time."""

    url: str
    expires_at: AwareDatetime


class EvidenceBody(BaseModel):
    """One evidence file."""

    id: str
    role: str = Field(description="scene, frame, crop, before, after or clip")
    variant: Variant = Field(description="masked; or sealed: the original, for supervisors")
    sha256: str
    bytes: int
    width: int
    height: int
    media_type: str
    taken_at: AwareDatetime
    superseded: bool = Field(description="A newer file of this role came")
    removed_at: AwareDatetime | None = Field(description="When retention took the file")
    link: LinkBody | None = Field(description="For masked files that are there")


class OpenForm(BaseModel):
    """Why an original is opened."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"reason": "plate needed for the owner's notice"}},
    )

    reason: Annotated[Text, StringConstraints(min_length=3, max_length=500)]


@router.post("/{evidence_id}/open", responses=answers(401, 403, 404, 410))
def open_original(
    evidence_id: Id, form: OpenForm, service: TheService, who: Supervisor, origin: Origin
) -> LinkBody:
    """Get a link to an original. Who, which case and why is written to the audit."""
    now = service.clock()
    with service.database.write() as session:
        row = _find(service, session.get(EvidenceRow, evidence_id))
        access.open_original(session, row, who.actor, origin, now, reason=form.reason)
    return _link(service, row, who, now)


@router.get(
    "/{evidence_id}",
    response_class=StreamingResponse,
    responses=answers(403, 404, 410)
    | {
        200: {"content": {"image/jpeg": _BINARY, "video/mp4": _BINARY}},
        206: {
            "description": "Partial Content",
            "content": {"image/jpeg": _BINARY, "video/mp4": _BINARY},
        },
        304: {"description": "Not Modified"},
        416: answers(416)[416],
    },
)
def get_file(
    evidence_id: Id,
    service: TheService,
    origin: Origin,
    grant: Annotated[str, Query(max_length=1000, description="From a link")],
    range_: Annotated[str | None, Header(alias="Range")] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The file behind a link, or a range of it. Reading an original is audited each time."""
    now = service.clock()
    granted = service.signer.grant(grant, now)
    if granted is None or granted.evidence_id != evidence_id:
        raise Problem(403, "link", "this link holds no more: get a new one")
    with service.database.read() as session:
        row = _find(service, session.get(EvidenceRow, evidence_id))
    if row.variant == Variant.SEALED:
        with service.database.write() as session:
            audit.write(
                session,
                now,
                origin,
                granted.actor,
                "evidence.read",
                subject=f"case:{row.case_id}",
                details={"evidence": row.id, "sha256": row.sha256, "range": range_ is not None},
            )
    tag = f'"{row.sha256}"'
    headers = {
        "etag": tag,
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=600"
        if row.variant == Variant.MASKED
        else "private, no-store",
        "content-disposition": "inline",
    }
    if if_none_match is not None and tag in if_none_match:
        return Response(status_code=304, headers=headers)
    start, end = byte_range(range_, row.bytes)
    partial = (start, end) != (0, row.bytes)
    if partial:
        headers["content-range"] = f"bytes {start}-{end - 1}/{row.bytes}"
    headers["content-length"] = str(end - start)
    return StreamingResponse(
        service.files.chunks(row.key, start, end),
        206 if partial else 200,
        headers,
        row.media_type,
    )


def byte_range(header: str | None, size: int) -> tuple[int, int]:
    """First byte and byte behind the last of a request; all of a file where no single range is.

    Several ranges at once, and units other than bytes, are answered with the whole file, which
    RFC 9110 allows.

    Raises:
        Problem: 416 if no byte of the file lies in the range.
    """
    match = None if header is None else _RANGE.fullmatch(header.strip().lower())
    if match is None or match.group() == "bytes=-":
        return 0, size
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < int(first):
            return 0, size
    if start >= end:
        raise Problem(
            416,
            "range",
            "no byte of the file lies in this range",
            headers={"content-range": f"bytes */{size}"},
        )
    return start, end


def evidence_body(
    service: Service, row: EvidenceRow, who: Principal, now: datetime
) -> EvidenceBody:
    """A file, for an answer, with its link."""
    return EvidenceBody(
        id=row.id,
        role=row.role,
        variant=Variant(row.variant),
        sha256=row.sha256,
        bytes=row.bytes,
        width=row.width,
        height=row.height,
        media_type=row.media_type,
        taken_at=row.taken_at,
        superseded=row.superseded_at is not None,
        removed_at=row.removed_at,
        link=_link(service, row, who, now) if access.is_shown(row) else None,
    )


def _find(service: Service, row: EvidenceRow | None) -> EvidenceRow:
    if row is None:
        raise not_found("evidence")
    if row.removed_at is not None or service.files.size(row.key) != row.bytes:
        raise Problem(410, "removed", "this file is kept no more")
    return row


def _link(service: Service, row: EvidenceRow, who: Principal, now: datetime) -> LinkBody:
    link = access.link_to(service, row, who.actor, now)
    return LinkBody(
        url=f"{service.settings.public_url or ''}{link.path}", expires_at=link.expires_at
    )
