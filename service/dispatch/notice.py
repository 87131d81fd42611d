"""What a platform is told of a case: words of our own, which each adapter puts into its form."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.dispatch.candidate import CaseCamera, CaseKind, CaseLocation
from service.dispatch.schedule import State
from service.evidence.files import EvidenceFiles
from service.evidence.links import Grant, Signer
from service.store.cameras import camera_of
from service.store.tables import (
    CameraRow,
    CaseRow,
    DeliveryRow,
    EvidenceRow,
    Variant,
    ViolationRow,
)
from vision.record import ViolationRecord
from vision.rules.kinds import KINDS

ROLES = ("scene", "crop", "before", "after", "clip")
"""Evidence that is shown to platforms, masked."""


class Subject(StrEnum):
    """What is told of a case."""

    CONFIRMED = "confirmed"
    """It is a case: please handle it."""
    CORRECTED = "corrected"
    """It was declined and has been put right: please take it up again."""
    REOPENED = "reopened"
    """It was said to be handled and is still there (返工)."""
    VERIFIED = "verified"
    """A camera saw that it is gone."""
    CANCELLED = "cancelled"
    """It should never have been sent (作废)."""
    EVIDENCE = "evidence"
    """There is evidence that was not there when it was told of first."""


ASKING = (Subject.CONFIRMED, Subject.CORRECTED, Subject.REOPENED)
"""What asks a platform to have a case handled."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NoticeEvidence(_Part):
    """One masked picture."""

    id: str
    role: str
    sha256: str
    bytes: int
    width: int
    height: int
    media_type: str
    taken_at: AwareDatetime
    key: str = Field(description="Where it lies in the evidence store")


class Notice(_Part):
    """One message about a case to one platform."""

    id: str = Field(description="The idempotency key: the same in every attempt")
    subject: Subject
    case_id: str
    number: int = Field(description="Place among the messages about the case, from 1")
    first_id: str = Field(description="Id of the first message about the case")
    at: AwareDatetime = Field(description="When what is told happened")
    kind: CaseKind
    code_system: str | None = Field(default=None, description="Catalogue that code is of")
    code: str | None = None
    deadline_at: AwareDatetime | None = None
    camera: CaseCamera
    zone_id: str
    place: dict[str, str] = Field(default={}, description="district, street, grid, address, ...")
    box: tuple[float, float, float, float]
    confidence: float
    started_at: AwareDatetime
    raised_at: AwareDatetime
    last_seen_at: AwareDatetime
    ended_at: AwareDatetime | None
    signs: tuple[str, ...] = ()
    recurrences: int = 0
    evidence: tuple[NoticeEvidence, ...] = ()
    links_until: AwareDatetime = Field(description="Links to evidence hold until then")

    @property
    def sentence(self) -> str:
        """What is wrong, where and since when, for a person, without markup."""
        where = " ".join(
            part for part in (self.place.get("address"), self.camera.name or self.camera.id) if part
        )
        since = self.started_at.isoformat(sep=" ", timespec="minutes")
        head = {
            Subject.CONFIRMED: "",
            Subject.CORRECTED: "Put right after it was declined / 更正后重报: ",
            Subject.REOPENED: "Still there after it was said to be handled / 返工: ",
            Subject.VERIFIED: "Seen to be gone / 已核查整改: ",
            Subject.CANCELLED: "Withdrawn / 作废: ",
            Subject.EVIDENCE: "More evidence / 补充证据: ",
        }[self.subject]
        return f"{head}{self.kind.zh} ({self.kind.en}), {where}, since {since}"


@dataclass(frozen=True)
class EvidenceAccess:
    """How platforms get at evidence.

    Attributes:
        files: The evidence store.
        signer: Signs links.
        public_url: Where platforms reach this service.
        platform: Name of the platform, which links are made out to.
    """

    files: EvidenceFiles
    signer: Signer
    public_url: str | None
    platform: str

    def link(self, evidence: NoticeEvidence, until: datetime) -> str:
        """A link to a file; the same each time, so that a message stays the same."""
        grant = Grant(
            evidence_id=evidence.id,
            actor=f"platform:{self.platform}",
            until=int(until.timestamp()),
        )
        token = self.signer.token(grant)
        return f"{self.public_url or ''}/api/v1/evidence/{evidence.id}?grant={token}"

    def content(self, evidence: NoticeEvidence) -> bytes | None:
        """The file itself, ``None`` where retention took it."""
        try:
            return self.files.read(evidence.key)
        except FileNotFoundError:
            return None


def event_id_of(case_id: str, number: int) -> str:
    """Id of a message: ``case_`` and 32 hex digits, the same for the same message always."""
    named = json.dumps(["org.jiexu.case", case_id, number])
    return f"case_{hashlib.sha256(named.encode()).hexdigest()[:32]}"


def notice_of(
    session: Session,
    row: DeliveryRow,
    case: CaseRow,
    now: datetime,
    *,
    link_days: float,
    with_evidence: bool,
) -> Notice:
    """What a delivery tells, as the case stands now."""
    violation = session.get_one(ViolationRow, case.id)
    record = ViolationRecord.model_validate(violation.record)
    kind = KINDS.get(case.kind)
    evidence = _evidence(session, case.id) if with_evidence else ()
    return Notice(
        id=row.event_id,
        subject=Subject(row.subject),
        case_id=case.id,
        number=row.number,
        first_id=event_id_of(case.id, _first_number(session, row)),
        at=row.created_at,
        kind=CaseKind(
            id=case.kind, en=kind.en if kind else case.kind, zh=kind.zh if kind else case.kind
        ),
        code_system=case.code_system,
        code=case.code,
        deadline_at=case.deadline_at,
        camera=_camera(session, case.camera_id),
        zone_id=case.zone_id,
        place={name: str(value) for name, value in (case.place or {}).items() if value},
        box=tuple(case.box) if case.box is not None else record.box,
        confidence=case.confidence,
        started_at=case.started_at,
        raised_at=case.raised_at,
        last_seen_at=record.last_seen_at,
        ended_at=case.ended_at,
        signs=record.signs,
        recurrences=case.recurrences,
        evidence=evidence,
        links_until=now + timedelta(days=link_days),
    )


def evidence_links(notice: Notice, access: EvidenceAccess) -> dict[str, str]:
    """Links by role."""
    return {one.role: access.link(one, notice.links_until) for one in notice.evidence}


def _first_number(session: Session, row: DeliveryRow) -> int:
    """Number of the message by which the platform came to know the case."""
    query = select(func.min(DeliveryRow.number)).where(
        DeliveryRow.case_id == row.case_id,
        DeliveryRow.destination == row.destination,
        DeliveryRow.state != State.WITHDRAWN,
    )
    return session.scalar(query) or row.number


def _camera(session: Session, camera_id: str) -> CaseCamera:
    row = session.get(CameraRow, camera_id)
    if row is None:
        return CaseCamera(id=camera_id)
    camera = camera_of(row)
    located = camera.lon is not None and camera.lat is not None and camera.coord_sys is not None
    location = (
        CaseLocation.model_validate(
            {"lon": camera.lon, "lat": camera.lat, "coord_sys": camera.coord_sys}
        )
        if located
        else None
    )
    return CaseCamera(id=camera.id, name=camera.name, location=location)


def _evidence(session: Session, case_id: str) -> tuple[NoticeEvidence, ...]:
    """The newest masked picture of each role."""
    query = (
        select(EvidenceRow)
        .where(
            EvidenceRow.case_id == case_id,
            EvidenceRow.variant == Variant.MASKED,
            EvidenceRow.role.in_(ROLES),
            EvidenceRow.removed_at.is_(None),
        )
        .order_by(EvidenceRow.created_at, EvidenceRow.id)
    )
    newest = {row.role: row for row in session.scalars(query)}
    return tuple(
        NoticeEvidence(
            **{name: getattr(newest[role], name) for name in NoticeEvidence.model_fields}
        )
        for role in ROLES
        if role in newest
    )
