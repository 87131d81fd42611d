"""Taking in what the cameras find: a violation becomes a stored violation and a candidate case."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.cases.events import CASE_CHANGED, CASE_CREATED, tell
from service.cases.lifecycle import case_summary
from service.cases.likeness import signature_of
from service.cases.priority import priority_of
from service.cases.sameness import Sameness, earlier_case_of, near_cases, open_case_of
from service.dispatch import queue
from service.evidence.files import EvidenceFiles, key_of
from service.store.cameras import camera_of
from service.store.database import Database
from service.store.tables import (
    CameraRow,
    CaseLinkRow,
    CaseRow,
    CaseState,
    CaseStepRow,
    EvidenceRow,
    Relation,
    Variant,
    ViolationRow,
)
from service.store.upsert import insert_new
from vision.errors import InputError
from vision.record import FileRecord, ViolationRecord


class Mask(Protocol):
    """Makes the masked version of evidence."""

    def __call__(self, data: bytes, media_type: str) -> bytes | None:
        """The masked version of a file, ``None`` if there is none of its kind."""
        ...


@dataclass(frozen=True)
class _Kept:
    """A file that lies in the evidence store."""

    role: str
    variant: Variant
    key: str
    sha256: str
    bytes: int
    described: FileRecord


class Intake:
    """Keeps violations with their cases and evidence.

    Args:
        database: Where they are kept.
        files: Where evidence is kept.
        mask: Makes the masked version of evidence; what comes in is kept as the sealed one.
        clock: Tells aware wall-clock time.
        same: When two violations are one case.
    """

    def __init__(
        self,
        database: Database,
        files: EvidenceFiles,
        *,
        mask: Mask,
        clock: Callable[[], datetime],
        same: Sameness | None = None,
    ) -> None:
        self._database = database
        self._files = files
        self._mask = mask
        self._clock = clock
        self._same = same or Sameness()

    def take(
        self,
        record: ViolationRecord,
        evidence: Mapping[str, Path],
        guard: Callable[[Session], object] = lambda _: None,
    ) -> None:
        """Keep a violation as it is known now, under its id.

        The first time it opens a candidate case, or is counted with the open case of its place.
        The same told again changes nothing; what is older than what is kept is passed over. Files
        come before rows: a row never names a file that is not there. Of a clip that comes when the
        case was sent already, its platforms are told.

        Args:
            record: The violation.
            evidence: Its evidence files by role; only roles that the record describes are kept.
            guard: Raises, in the transaction that writes, where whoever gives the record may not.

        Raises:
            InputError: A file is not the one that the record describes.
        """
        with self._database.read() as session:
            known = _known_files(session, record.id)
        kept = [
            one
            for role, path in sorted(evidence.items())
            if (described := getattr(record.evidence, role)) is not None
            and (role, described.sha256) not in known
            for one in self._keep(role, path, described)
        ]
        appearance = None
        if any(one.role == "frame" for one in kept):
            appearance = signature_of(evidence["frame"].read_bytes(), record.box)
        now = self._clock()
        with self._database.write() as session:
            guard(session)
            opened, changed = _keep_violation(session, record, now, self._same)
            new = [one for one in kept if _keep_file(session, record.id, one, now)]
            added = [one.role for one in new]
            if appearance is not None:
                session.get_one(ViolationRow, record.id).appearance = appearance
            if opened or changed or added:
                case_id = _case_of(session, record.id)
                case = session.get_one(CaseRow, case_id, with_for_update=True)
                if any(one.role == "clip" and one.variant is Variant.MASKED for one in new):
                    queue.tell_evidence(session, case, now)
                data = {**case_summary(case), "evidence": sorted(set(added))}
                tell(session, CASE_CREATED if opened else CASE_CHANGED, case.id, data, now)

    def add_picture(self, violation_id: str, role: str, data: bytes, described: FileRecord) -> None:
        """Keep one more picture of a violation, with its masked version.

        Raises:
            InputError: It is not the one that is described.
        """
        kept = self._keep_bytes(role, described.path, data, described)
        now = self._clock()
        with self._database.write() as session:
            for one in kept:
                _keep_file(session, violation_id, one, now)

    def _keep(self, role: str, path: Path, described: FileRecord) -> list[_Kept]:
        """Keep a file and its masked version."""
        return self._keep_bytes(role, path.name, path.read_bytes(), described)

    def _keep_bytes(self, role: str, name: str, data: bytes, described: FileRecord) -> list[_Kept]:
        if hashlib.sha256(data).hexdigest() != described.sha256:
            raise InputError(f"evidence {name}: is not the file whose hash was recorded")
        versions = {Variant.SEALED: data}
        masked = self._mask(data, described.media_type)
        if masked is not None:
            versions[Variant.MASKED] = masked
        found = []
        for variant, content in versions.items():
            sha256 = hashlib.sha256(content).hexdigest()
            key = key_of(variant, sha256, described.media_type)
            if self._files.size(key) != len(content):
                self._files.keep(variant, content, described.media_type)
            found.append(_Kept(role, variant, key, sha256, len(content), described))
        return found


def evidence_of(session: Session, case_id: str) -> Sequence[EvidenceRow]:
    """Evidence of a case, newest first."""
    query = (
        select(EvidenceRow)
        .where(EvidenceRow.case_id == case_id)
        .order_by(EvidenceRow.created_at.desc(), EvidenceRow.role, EvidenceRow.variant)
    )
    return session.scalars(query).all()


def _case_of(session: Session, violation_id: str) -> str:
    return session.get_one(ViolationRow, violation_id).case_id


def _known_files(session: Session, violation_id: str) -> set[tuple[str, str]]:
    query = select(EvidenceRow.role, EvidenceRow.sha256).where(
        EvidenceRow.violation_id == violation_id,
        EvidenceRow.variant == Variant.SEALED,
        EvidenceRow.superseded_at.is_(None),
    )
    return {(role, sha256) for role, sha256 in session.execute(query)}


def _keep_violation(
    session: Session, record: ViolationRecord, now: datetime, same: Sameness
) -> tuple[bool, bool]:
    """Write a violation and its case.

    Returns:
        Whether its case is new, and whether what was known of it changed.
    """
    document = record.model_dump(mode="json")
    raised_at = record.raised_at or record.started_at
    seen: dict[str, Any] = {
        "kind": record.kind,
        "camera_id": record.camera_id,
        "zone_id": record.zone_id,
        "raised_at": raised_at,
        "ended_at": record.ended_at,
        "created_at": now,
        "updated_at": now,
    }
    violation = session.get(ViolationRow, record.id, with_for_update=True)
    if violation is None:
        case = open_case_of(session, record, same)
        if case is not None:
            if _add_occurrence(session, case.id, record, document, seen):
                return False, True
        elif _open_case(session, record, seen, same):
            session.add(ViolationRow(id=record.id, case_id=record.id, record=document, **seen))
            session.flush()
            _tell_start(session, record, "raised", case_id=record.id, state=CaseState.CANDIDATE)
            return True, True
        violation = session.get_one(ViolationRow, record.id, with_for_update=True)
    if violation.record == document or _is_older(record, violation):
        return False, False
    case = session.get_one(CaseRow, violation.case_id, with_for_update=True)
    if record.ended_at is not None and violation.ended_at is None:
        state = CaseState(case.state)
        _step(session, record, "ended", record.ended_at, case_id=case.id, state=state)
    violation.record = document
    violation.ended_at = record.ended_at
    violation.updated_at = now
    if _is_newest(session, violation):
        case.ended_at = record.ended_at
        case.updated_at = now
    if case.id == record.id:
        case.confidence = record.confidence
        case.experimental = record.experimental
        case.updated_at = now
    session.flush()
    return False, True


def _open_case(
    session: Session, record: ViolationRecord, seen: Mapping[str, Any], same: Sameness
) -> bool:
    """Write the case that a violation opens; ``False`` if another writer was faster."""
    camera = session.get(CameraRow, record.camera_id)
    place = {} if camera is None else camera_of(camera).place_of(record.zone_id).told()
    earlier = earlier_case_of(session, record, same)
    recurrences = 0 if earlier is None else earlier.recurrences + 1
    priority = priority_of(record.kind, place.get("assess_level"), recurrences)
    opened = insert_new(
        session,
        CaseRow,
        id=record.id,
        state=CaseState.CANDIDATE,
        confidence=record.confidence,
        experimental=record.experimental,
        started_at=record.started_at,
        version=1,
        priority=priority,
        queue_at=seen["raised_at"] - timedelta(hours=priority),
        place=place or None,
        recurrence_of=None if earlier is None else earlier.id,
        recurrences=recurrences,
        **seen,
    )
    if not opened:
        return False
    links = [
        (Relation.POSSIBLE_DUPLICATE, one.case_id, one.distance_m)
        for one in near_cases(session, record, seen["raised_at"], same)
    ]
    if earlier is not None:
        links.append((Relation.RECURRENCE_OF, earlier.id, 0.0))
    for relation, other_id, metres in links:
        session.add(
            CaseLinkRow(
                case_id=record.id,
                other_id=other_id,
                relation=relation,
                distance_m=metres,
                created_at=seen["created_at"],
            )
        )
    return True


def _add_occurrence(
    session: Session,
    case_id: str,
    record: ViolationRecord,
    document: Mapping[str, Any],
    seen: Mapping[str, Any],
) -> bool:
    """Count a violation with an open case; ``False`` if another writer was faster."""
    case = session.get_one(CaseRow, case_id, with_for_update=True)
    if not insert_new(
        session, ViolationRow, id=record.id, case_id=case_id, record=document, **seen
    ):
        return False
    case.occurrences += 1
    case.ended_at = record.ended_at
    case.updated_at = seen["updated_at"]
    state = CaseState(case.state)
    _tell_start(session, record, "occurred_again", case_id=case_id, state=state)
    session.flush()
    return True


def _is_newest(session: Session, violation: ViolationRow) -> bool:
    """Whether a violation is the last one raised of its case."""
    newer = select(ViolationRow.id).where(
        ViolationRow.case_id == violation.case_id, ViolationRow.raised_at > violation.raised_at
    )
    return session.scalar(newer.limit(1)) is None


def _tell_start(
    session: Session, record: ViolationRecord, action: str, *, case_id: str, state: CaseState
) -> None:
    """Write into the history that a violation began, and ended if it did already."""
    raised_at = record.raised_at or record.started_at
    _step(session, record, action, raised_at, case_id=case_id, state=state)
    if record.ended_at is not None:
        _step(session, record, "ended", record.ended_at, case_id=case_id, state=state)


def _is_older(record: ViolationRecord, violation: ViolationRow) -> bool:
    """Whether a record tells of an earlier time than what is kept, as after a restart."""
    kept = ViolationRecord.model_validate(violation.record)
    if record.last_seen_at != kept.last_seen_at:
        return record.last_seen_at < kept.last_seen_at
    return record.ended_at is None and kept.ended_at is not None


def _step(
    session: Session,
    record: ViolationRecord,
    action: str,
    at: datetime,
    *,
    case_id: str,
    state: CaseState,
) -> None:
    details: dict[str, Any] = {"violation_id": record.id}
    if action == "ended" and record.end_reason is not None:
        details["end_reason"] = record.end_reason
    session.add(
        CaseStepRow(
            case_id=case_id,
            at=at,
            actor=f"camera:{record.camera_id}",
            action=action,
            state=state,
            details=details,
        )
    )


def _keep_file(session: Session, violation_id: str, kept: _Kept, now: datetime) -> bool:
    """Write the row of a file; ``False`` if it is there."""
    same_place = (
        EvidenceRow.violation_id == violation_id,
        EvidenceRow.role == kept.role,
        EvidenceRow.variant == kept.variant,
    )
    new = insert_new(
        session,
        EvidenceRow,
        id=str(uuid.uuid4()),
        violation_id=violation_id,
        case_id=_case_of(session, violation_id),
        role=kept.role,
        variant=kept.variant,
        sha256=kept.sha256,
        bytes=kept.bytes,
        width=kept.described.width,
        height=kept.described.height,
        media_type=kept.described.media_type,
        taken_at=kept.described.timestamp,
        key=kept.key,
        created_at=now,
    )
    session.execute(
        update(EvidenceRow)
        .where(*same_place, EvidenceRow.sha256 != kept.sha256)
        .where(EvidenceRow.superseded_at.is_(None))
        .values(superseded_at=now)
    )
    if not new:
        session.execute(
            update(EvidenceRow)
            .where(*same_place, EvidenceRow.sha256 == kept.sha256)
            .values(superseded_at=None, removed_at=None)
        )
    return new
