"""Decided cases as a data set to learn from: YOLO and COCO, with what nobody said left open.

Pictures are those that live cameras keep without drawings (evidence of the role ``frame``), masked
unless originals are asked for by someone who may see them. Each picture that is given out is in the
audit.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import audit
from service.evidence.files import EvidenceFiles
from service.evidence.masking import PERSONS, VEHICLES
from service.learning.decided_cases import DecidedCase
from service.store.database import Database
from service.store.tables import (
    CaseLinkRow,
    CaseRow,
    EvidenceRow,
    Relation,
    Variant,
    ViolationRow,
)
from vision.errors import InputError
from vision.learn.feedback.decided import (
    DecidedBox,
    DecidedData,
    DecidedPicture,
    Progress,
    write_decided,
)
from vision.learn.feedback.looks import CLASSES, CLASSES_OF_KIND, class_of
from vision.record import ViolationRecord

ROLE = "frame"

MASKED_AWAY = frozenset(CLASSES_OF_KIND["abandoned_vehicle"])
"""Classes of which masking leaves too little to learn: the lower part of vehicles is gone."""

CHANGED_BY_MASKING = frozenset({*PERSONS, *VEHICLES, *MASKED_AWAY})

_AT_ONCE = 500
"""So many ids in one query."""


@dataclass(frozen=True)
class Asked:
    """Who asks for an export, and of what.

    Attributes:
        variant: ``masked``, or ``sealed`` for originals.
        actor: Who, as the audit calls them; whether they may was asked before.
        reason: Why; needed for originals.
        since: Pictures of cases that were decided from then on.
    """

    variant: Variant
    actor: str
    reason: str | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Export:
    """What was exported.

    Attributes:
        data: What was written.
        passed_over: Decided cases from which nothing can be learnt, by reason.
    """

    data: DecidedData
    passed_over: Mapping[str, int]


@dataclass(frozen=True)
class _Moment:
    """A decided case with the picture that was taken of it."""

    case: DecidedCase
    picture: EvidenceRow


@dataclass
class _Around:
    """What else stood in a picture."""

    boxes: list[DecidedBox] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)


def export_decided(
    database: Database,
    files: EvidenceFiles,
    cases: Sequence[DecidedCase],
    out_dir: Path,
    asked: Asked,
    *,
    clock: Callable[[], datetime],
    progress: Progress = lambda step, done, of: None,  # noqa: ARG005
) -> Export:
    """Write decided cases as a data set.

    Args:
        database: The store.
        files: Its evidence.
        cases: All decided cases of the cameras that pictures are wanted of; what is undecided and
            stood in their pictures is looked up.
        out_dir: New or empty folder.
        asked: Who asks, and of what.
        clock: Tells aware wall-clock time.
        progress: Told how many pictures are written.

    Raises:
        InputError: The folder is not empty, a reason is missing, or nothing is left to learn from.
        EvidenceStoreError: The place of the evidence does not answer.
    """
    if asked.variant is Variant.SEALED and not (asked.reason or "").strip():
        raise InputError("originals are given out for a reason only")
    passed_over: Counter[str] = Counter()
    with database.read() as session:
        wanted = [c for c in cases if asked.since is None or c.decided_at >= asked.since]
        moments = _moments(session, wanted, asked.variant, passed_over)
        around = _around(session, moments, {case.case_id: case for case in cases})
        together = _cameras_of_the_same(session)
    rows: dict[str, EvidenceRow] = {}
    pictures = []
    for moment in moments:
        picture = _picture(moment, around[moment.case.case_id], asked.variant)
        try:
            picture.labels()
        except InputError:
            passed_over["the box lies outside the picture"] += 1
            continue
        if files.size(moment.picture.key) != moment.picture.bytes:
            passed_over["the picture is not where it was kept"] += 1
            continue
        rows[picture.case_id] = moment.picture
        pictures.append(picture)
    if not pictures:
        why = "; ".join(f"{reason} ({n})" for reason, n in passed_over.items())
        raise InputError(f"no decided case to learn from{': ' + why if why else ''}")
    # Before a picture leaves: what fails later was given out in part.
    _write_audit(database, rows, asked, clock())
    data = write_decided(
        pictures,
        lambda one: files.read(rows[one.case_id].key),
        out_dir,
        together=together,
        progress=progress,
    )
    return Export(data, passed_over)


def _moments(
    session: Session, cases: Sequence[DecidedCase], variant: Variant, passed_over: Counter[str]
) -> list[_Moment]:
    teaching = []
    for case in cases:
        taught = {*case.taught} - {None}
        if not taught:
            passed_over[_why_nothing(case)] += 1
        elif variant is Variant.MASKED and taught & MASKED_AWAY:
            passed_over[f"{case.kind}: masked pictures do not show its looks"] += 1
        else:
            teaching.append(case)
    pictures = _pictures(session, [case.case_id for case in teaching], variant)
    passed_over["no picture without drawings is kept"] += len(teaching) - len(pictures)
    passed_over += Counter()  # without what is zero
    return [_Moment(case, pictures[case.case_id]) for case in teaching if case.case_id in pictures]


def _why_nothing(case: DecidedCase) -> str:
    if case.reason is not None and case.taught == (None, None):
        return f"rejected as {case.reason}: the thing may be real"
    return f"{case.kind}: not about looks that can be learnt"


def _pictures(session: Session, ids: Sequence[str], variant: Variant) -> dict[str, EvidenceRow]:
    """The picture of each violation; of several the newest."""
    found: dict[str, EvidenceRow] = {}
    for start in range(0, len(ids), _AT_ONCE):
        query = (
            select(EvidenceRow)
            .where(
                EvidenceRow.violation_id.in_(ids[start : start + _AT_ONCE]),
                EvidenceRow.role == ROLE,
                EvidenceRow.variant == variant,
                EvidenceRow.removed_at.is_(None),
            )
            .order_by(EvidenceRow.taken_at)
        )
        found.update({row.violation_id: row for row in session.scalars(query)})
    return found


def _around(
    session: Session, moments: Sequence[_Moment], decided: Mapping[str, DecidedCase]
) -> dict[str, _Around]:
    """What was decided, and what was not, of all that stood before a camera at each moment."""
    found = {moment.case.case_id: _Around() for moment in moments}
    by_camera: dict[str, list[_Moment]] = defaultdict(list)
    for moment in moments:
        by_camera[moment.case.camera_id].append(moment)
    for camera_id, there in by_camera.items():
        there.sort(key=lambda moment: moment.picture.taken_at)
        times = [moment.picture.taken_at for moment in there]
        query = (
            select(ViolationRow.case_id, ViolationRow.record)
            .where(ViolationRow.camera_id == camera_id, ViolationRow.raised_at <= times[-1])
            .execution_options(yield_per=_AT_ONCE)
        )
        for case_id, document in session.execute(query):
            first = bisect_left(times, datetime.fromisoformat(document["started_at"]))
            last = bisect_right(times, datetime.fromisoformat(document["last_seen_at"]))
            others = [m for m in there[first:last] if m.case.case_id != case_id]
            if others:
                record = ViolationRecord.model_validate(document)
                for moment in others:
                    _note(found[moment.case.case_id], record, decided.get(case_id))
    return found


def _note(around: _Around, record: ViolationRecord, case: DecidedCase | None) -> None:
    """Add another violation to what stood in a picture."""
    present, absent = (None, None) if case is None else case.taught
    if case is not None and present is not None:
        box = case.box if case.box is not None and record.id == case.case_id else record.box
        around.boxes.append(DecidedBox(name=present, box=box))
    if absent is not None:
        around.absent.add(absent)
    if present is None and absent is None:
        name = class_of(record.kind, record, CLASSES)
        if name is not None:
            around.open.add(name)


def _picture(moment: _Moment, around: _Around, variant: Variant) -> DecidedPicture:
    case, row = moment.case, moment.picture
    present, absent = case.taught
    own = [] if present is None else [DecidedBox(name=present, box=case.box or case.record.box)]
    hidden = CHANGED_BY_MASKING if variant is Variant.MASKED else frozenset()
    others = [box for box in around.boxes if box.name not in hidden]
    rejected = {*around.absent, absent} - {None} - hidden
    return DecidedPicture(
        case_id=case.case_id,
        camera_id=case.camera_id,
        taken_at=row.taken_at,
        width=row.width,
        height=row.height,
        variant="masked" if variant is Variant.MASKED else "sealed",
        boxes=(*own, *others),
        absent=tuple(sorted(str(name) for name in rejected)),
        open=tuple(sorted({*around.open, *hidden})),
    )


def _cameras_of_the_same(session: Session) -> list[tuple[str, str]]:
    """Pairs of cameras that may have seen the same thing."""
    one, other = CaseRow.__table__.alias(), CaseRow.__table__.alias()
    query = (
        select(one.c.camera_id, other.c.camera_id)
        .select_from(CaseLinkRow)
        .join(one, one.c.id == CaseLinkRow.case_id)
        .join(other, other.c.id == CaseLinkRow.other_id)
        .where(
            CaseLinkRow.relation.in_((Relation.POSSIBLE_DUPLICATE, Relation.DUPLICATE_OF)),
            one.c.camera_id != other.c.camera_id,
        )
        .distinct()
    )
    return [(first, second) for first, second in session.execute(query)]


def _write_audit(
    database: Database, rows: Mapping[str, EvidenceRow], asked: Asked, now: datetime
) -> None:
    with database.write() as session:
        for case_id, row in rows.items():
            audit.write(
                session,
                now,
                audit.NOWHERE,
                asked.actor,
                "evidence.exported",
                subject=f"case:{case_id}",
                reason=asked.reason,
                details={"evidence": row.id, "variant": row.variant, "sha256": row.sha256},
            )
