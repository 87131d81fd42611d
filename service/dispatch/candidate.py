"""A candidate case as it leaves the house: a violation in words that need no code table."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from vision.errors import InputError
from vision.record import FileRecord, ModelRecord, RuleRecord, SourceRecord, ViolationRecord
from vision.rules.finding import EndReason, Verification
from vision.rules.kinds import KINDS
from vision.site import Camera, CoordSys

EvidenceRole = Literal["scene", "crop", "before", "after", "clip"]
EVIDENCE_ROLES: tuple[EvidenceRole, ...] = ("scene", "crop", "before", "after", "clip")

SCHEMA_ID = "urn:jiexu:schema:case.candidate:v1"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CaseKind(_Part):
    """What is wrong, in words. Codes differ between cities and are the receiver's to give."""

    id: str = Field(description="Violation kind, such as street_stall")
    en: str = Field(description="English name")
    zh: str = Field(description="Chinese name")


class CaseLocation(_Part):
    """Where the camera stands, which is not where the thing stands."""

    lon: float = Field(ge=-180, le=180, description="Degrees, in coord_sys")
    lat: float = Field(ge=-90, le=90, description="Degrees, in coord_sys")
    coord_sys: CoordSys


class CaseCamera(_Part):
    """The camera that saw it."""

    id: str
    name: str = Field(default="", description="What people call the place")
    location: CaseLocation | None = None


class CaseEvidence(FileRecord):
    """One picture or clip, known by its hash; its bytes only where they were asked for."""

    content_base64: str | None = Field(default=None, description="The file itself, base64")


class CandidateCase(_Part):
    """A violation offered for review."""

    violation_id: str
    kind: CaseKind
    camera: CaseCamera
    zone_id: str
    box: tuple[float, float, float, float] = Field(
        description="x1, y1, x2, y2 in pixels of the evidence's scene"
    )
    confidence: float = Field(ge=0, le=1)
    started_at: AwareDatetime
    last_seen_at: AwareDatetime
    ended_at: AwareDatetime | None = Field(description="null while it lasts")
    start_s: float = Field(description="Seconds from the start of the recording")
    last_seen_s: float
    end_s: float | None
    frames_seen: int = Field(description="Looks at the view that saw it")
    signs: tuple[str, ...] = Field(description="What spoke for it, such as derelict_look")
    verification: Verification | None = Field(
        default=None, description="What the last look said; cannot_see is never rectified"
    )
    end_reason: EndReason | None = Field(default=None, description="Why it was over")
    permit_id: str | None = Field(default=None, description="Permit outside whose hours it was")
    recurrence_of: str | None = Field(
        default=None, description="violation_id of the earlier one at this place"
    )
    recurrences: int = Field(default=0, description="How many went before it at this place")
    evidence: dict[EvidenceRole, CaseEvidence | None]
    model: ModelRecord
    rule: RuleRecord
    recording: SourceRecord


def candidate_case(
    record: ViolationRecord,
    *,
    camera: Camera | None = None,
    run_dir: Path | None = None,
    embed: Collection[EvidenceRole] = (),
) -> CandidateCase:
    """Put a violation into the words of a candidate case.

    Args:
        record: The violation.
        camera: What the site file says of its camera; adds its name and place.
        run_dir: Folder that the evidence paths are relative to; needed to embed.
        embed: Evidence to send along as base64.

    Raises:
        InputError: Evidence to embed is missing or not what its hash says.
    """
    kind = KINDS.get(record.kind)
    lon, lat, coord_sys = (camera.lon, camera.lat, camera.coord_sys) if camera else (None,) * 3
    location = (
        CaseLocation(lon=lon, lat=lat, coord_sys=coord_sys)
        if lon is not None and lat is not None and coord_sys is not None
        else None
    )
    return CandidateCase(
        violation_id=record.id,
        kind=CaseKind(
            id=record.kind,
            en=kind.en if kind else record.kind,
            zh=kind.zh if kind else record.kind,
        ),
        camera=CaseCamera(
            id=record.camera_id, name=camera.name if camera else "", location=location
        ),
        zone_id=record.zone_id,
        box=record.box,
        confidence=record.confidence,
        started_at=record.started_at,
        last_seen_at=record.last_seen_at,
        ended_at=record.ended_at,
        start_s=record.start_s,
        last_seen_s=record.last_seen_s,
        end_s=record.end_s,
        frames_seen=record.frames_seen,
        signs=record.signs,
        verification=record.verification,
        end_reason=record.end_reason,
        permit_id=record.permit_id,
        recurrence_of=record.recurrence_of,
        recurrences=record.recurrences,
        evidence={
            role: _evidence(getattr(record.evidence, role), run_dir if role in embed else None)
            for role in EVIDENCE_ROLES
        },
        model=record.model,
        rule=record.rule,
        recording=record.source,
    )


def _evidence(file: FileRecord | None, embed_from: Path | None) -> CaseEvidence | None:
    if file is None:
        return None
    content = None
    if embed_from is not None:
        path = embed_from / file.path
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"evidence {path}: cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise InputError(f"evidence {path}: is not the file whose hash was recorded")
        content = base64.b64encode(data).decode()
    return CaseEvidence(**file.model_dump(), content_base64=content)
