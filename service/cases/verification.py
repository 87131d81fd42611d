"""A camera looks again at cases that are said to be handled, and at those whose deadline came.

What a camera can say is what its judgement of live looks says: a violation ends when its thing was
seen to leave or its place was seen empty several times over a minute; while it lasts, each healthy
look either saw it or could not. *Cannot see* counts for neither. A case of several violations at
one place is gone when all of them are.

========================  ========================================================================
handled, gone             verified; closed as soon as the platform has said so too
handled, still there      so many looks over some time: reopened, and the platform is told
handled, cannot be seen   a person is asked; if it is seen later, that counts
not handled, but gone     proposed as rectified by its owner; a person agrees
not handled, still there  written down when the deadline came
========================  ========================================================================
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import cv2
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from service.cameras.pushed import Snapshot
from service.cameras.standings import Standings
from service.cases.intake import Intake
from service.cases.lifecycle import Action, hold, note, take_step
from service.dispatch import queue
from service.dispatch.callbacks import has_closed
from service.dispatch.platforms import DispatchSettings, VerificationSettings, WebhookPlatform
from service.store.database import Database
from service.store.tables import (
    CaseRow,
    CaseState,
    EvidenceRow,
    Variant,
    VerificationRow,
    ViolationRow,
)
from vision.record import FileRecord, ViolationRecord
from vision.rules.finding import Verification

log = logging.getLogger(__name__)

UNHANDLED = (
    CaseState.SUBMITTED,
    CaseState.ACCEPTED,
    CaseState.HANDLING,
    CaseState.REOPENED,
)
"""States in which the platform has a case and has not said that it is handled."""

HANDLED, DEADLINE, GONE_BY_ITSELF = "handled", "deadline", "unhandled"
"""Why a camera looks again."""

_QUALITY = 90


class Cameras(Protocol):
    """The cameras that look again."""

    def standings(self, camera_id: str) -> Standings | None:
        """What the newest look says of the violations, ``None`` if it could not see."""
        ...

    def snapshot(self, camera_id: str) -> Snapshot | None:
        """The newest picture, privacy zones masked."""
        ...


@dataclass(frozen=True)
class Verifier:
    """What verification works with.

    Attributes:
        database: The store.
        intake: Keeps pictures.
        cameras: The cameras; ``None`` where this process watches none.
        clock: Tells aware wall-clock time.
        rules: How a camera looks again.
        dispatch: Tells of the platforms, for who closes cases.
    """

    database: Database
    intake: Intake
    cameras: Cameras | None
    clock: Callable[[], datetime]
    rules: VerificationSettings
    dispatch: Callable[[], DispatchSettings]

    def look_again(self) -> None:
        """Begin what is to be begun, and take in what the cameras have seen since."""
        now = self.clock()
        with self.database.read() as session:
            wanted = _wanted(session, now)
            gone = _gone_by_themselves(session)
        for case_id, why in wanted:
            with self.database.write() as session:
                begin(session, case_id, why, now, self.rules)
        for case_id in gone:
            with self.database.write() as session:
                propose_rectified(session, case_id, now)
        with self.database.read() as session:
            rows = session.scalars(select(VerificationRow).where(VerificationRow.open.is_(True)))
            ids = [(row.id, row.case_id) for row in rows]
        for verification_id, case_id in ids:
            try:
                self._take(verification_id, case_id, now)
            except Exception:
                log.exception("case %s: verification failed; it goes on", case_id)

    def _take(self, verification_id: str, case_id: str, now: datetime) -> None:
        with self.database.read() as session:
            camera_id = session.get_one(CaseRow, case_id).camera_id
        standings = None if self.cameras is None else self.cameras.standings(camera_id)
        with self.database.write() as session:
            row = session.get_one(VerificationRow, verification_id, with_for_update=True)
            case = hold(session, case_id)
            if row.open is None:
                return
            if not _is_wanted_still(row, CaseState(case.state)):
                row.open = None
                return
            said = said_of(_records(session, case_id), standings)
            result = _count(row, said, standings, now, self.rules)
            if result is None or result == row.result:
                return
            picture = result == "still_there"
        snapshot = None if self.cameras is None else self.cameras.snapshot(camera_id)
        if picture and snapshot is not None:
            self.keep_after(case_id, snapshot)
        with self.database.write() as session:
            decide(
                session,
                verification_id,
                result,
                now,
                actor=f"camera:{camera_id}",
                dispatch=self.dispatch(),
            )

    def keep_after(self, case_id: str, snapshot: Snapshot) -> str | None:
        """Keep a picture of how a place is beside those from before.

        Returns:
            Id of its masked version, ``None`` if there is none.

        Raises:
            ModelError: The detector does not work, without which nothing is masked.
            EvidenceStoreError: The place of the evidence does not answer.
        """
        ok, encoded = cv2.imencode(".jpg", snapshot.image, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
        assert ok
        data = encoded.tobytes()
        with self.database.read() as session:
            newest = _violations(session, case_id)[-1]
            record = ViolationRecord.model_validate(newest.record)
            violation_id = newest.id
        height, width = snapshot.image.shape[:2]
        seconds = (snapshot.taken_at - record.started_at).total_seconds()
        described = FileRecord(
            path=f"after/{violation_id}.jpg",
            sha256=hashlib.sha256(data).hexdigest(),
            bytes=len(data),
            time_s=max(0.0, record.start_s + seconds),
            timestamp=snapshot.taken_at,
            width=width,
            height=height,
            media_type="image/jpeg",
        )
        self.intake.add_picture(violation_id, "after", data, described)
        with self.database.read() as session:
            kept = _picture(session, case_id, ("after",))
            is_it = kept is not None and kept.taken_at == snapshot.taken_at
            return kept.id if kept is not None and is_it else None


def begin(
    session: Session, case_id: str, why: str, now: datetime, rules: VerificationSettings
) -> None:
    """Begin to look again at a case, unless that goes on already."""
    hold(session, case_id)
    going_on = exists().where(VerificationRow.case_id == case_id, VerificationRow.open.is_(True))
    if session.scalar(select(going_on)):
        return
    before = _picture(session, case_id, ("before", "scene"))
    session.add(
        VerificationRow(
            id=str(uuid.uuid4()),
            case_id=case_id,
            why=why,
            begun_at=now,
            until=now + timedelta(seconds=rules.within_s),
            before_id=None if before is None else before.id,
            looks=0,
            still=0,
            open=True,
        )
    )
    session.flush()


def propose_rectified(session: Session, case_id: str, now: datetime) -> None:
    """Write down that a case is gone that nobody said to be handled: a person is asked."""
    case = hold(session, case_id)
    running = session.scalars(
        select(VerificationRow).where(
            VerificationRow.case_id == case_id, VerificationRow.open.is_(True)
        )
    ).first()
    if case.state not in UNHANDLED or (running is not None and running.result is not None):
        return
    if running is None:
        begin(session, case_id, GONE_BY_ITSELF, now, VerificationSettings())
        running = session.scalars(
            select(VerificationRow).where(
                VerificationRow.case_id == case_id, VerificationRow.open.is_(True)
            )
        ).one()
    _settle(session, running, "gone", now, f"camera:{case.camera_id}")
    note(
        session,
        case,
        "self_rectification_proposed",
        f"camera:{case.camera_id}",
        now,
        details=_pair(running),
    )


def decide(
    session: Session,
    verification_id: str,
    result: Verification,
    now: datetime,
    *,
    actor: str,
    dispatch: DispatchSettings,
) -> None:
    """Write down what a verification came to, and move its case.

    Call it last in a transaction.
    """
    row = session.get_one(VerificationRow, verification_id, with_for_update=True)
    case = hold(session, row.case_id)
    if row.open is None or not _is_wanted_still(row, CaseState(case.state)):
        return
    _settle(session, row, result, now, actor)
    details = {"why": row.why, "result": result, **_pair(row)}
    if result == "cannot_see":
        # It stays open: whoever is asked finds it, and a later look may still see.
        note(session, case, "cannot_be_seen", actor, now, details=details)
        return
    if row.why == HANDLED and result == "still_there":
        row.open = None
        take_step(session, case.id, Action.REOPEN, actor, now, details=details)
    elif row.why == HANDLED:
        row.open = None
        take_step(session, case.id, Action.VERIFY, actor, now, details=details)
        if closes_by_itself(session, case.id, dispatch):
            take_step(session, case.id, Action.CLOSE, "system", now, details=details)
    elif result == "gone":
        note(session, case, "self_rectification_proposed", actor, now, details=details)
    else:
        row.open = None
        note(session, case, "seen_still_there", actor, now, details=details)


def closes_by_itself(session: Session, case_id: str, dispatch: DispatchSettings) -> bool:
    """Whether a verified case is closed without further word of its platform."""
    name = queue.leading(session, case_id)
    platform = None if name is None else dispatch.destinations.get(name)
    if isinstance(platform, WebhookPlatform) and platform.closes:
        return has_closed(session, case_id)
    return True


def said_of(records: Sequence[ViolationRecord], standings: Standings | None) -> Verification | None:
    """What is known of the violations of a case.

    Args:
        records: As they were told last.
        standings: What the newest look of their camera says.

    Returns:
        ``gone`` once all are over, ``still_there`` if the look saw one, else ``cannot_see``.
    """
    lasting = [one.id for one in records if one.ended_at is None]
    if not lasting:
        merged = all(one.end_reason == "merged" for one in records)
        return "cannot_see" if merged else "gone"
    if standings is not None and any(standings.said.get(id_) == "still_there" for id_ in lasting):
        return "still_there"
    return "cannot_see"


def _count(
    row: VerificationRow,
    said: Verification | None,
    standings: Standings | None,
    now: datetime,
    rules: VerificationSettings,
) -> Verification | None:
    """Count a look, and say what the looks come to, ``None`` while that is open."""
    if said == "gone":
        return "gone"
    is_new = standings is not None and (
        standings.at > row.begun_at
        and (row.last_look_at is None or standings.at > row.last_look_at)
    )
    if is_new and said == "still_there":
        assert standings is not None
        row.looks += 1
        row.still += 1
        row.last_look_at = standings.at
        row.first_still_at = row.first_still_at or standings.at
    if row.first_still_at is not None and row.last_look_at is not None:
        over_s = (row.last_look_at - row.first_still_at).total_seconds()
        if row.still >= rules.looks and over_s >= rules.span_s:
            return "still_there"
    return "cannot_see" if now >= row.until else None


def _settle(
    session: Session, row: VerificationRow, result: Verification, now: datetime, actor: str
) -> None:
    row.result, row.decided_at, row.decided_by = result, now, actor
    after = _picture(session, row.case_id, ("after",))
    row.after_id = None if after is None or result == "cannot_see" else after.id
    session.flush()


def _pair(row: VerificationRow) -> dict[str, Any]:
    """The pictures that show the place before and after."""
    return {"verification": row.id, "before": row.before_id, "after": row.after_id}


def _is_wanted_still(row: VerificationRow, state: CaseState) -> bool:
    return state is CaseState.HANDLED if row.why == HANDLED else state in UNHANDLED


def _wanted(session: Session, now: datetime) -> list[tuple[str, str]]:
    """Cases at which a camera should begin to look again, and why."""
    going_on = exists().where(VerificationRow.case_id == CaseRow.id, VerificationRow.open.is_(True))
    handled = select(CaseRow.id).where(CaseRow.state == CaseState.HANDLED, ~going_on)
    # A deadline that was put off since comes again.
    asked = exists().where(
        VerificationRow.case_id == CaseRow.id,
        VerificationRow.why == DEADLINE,
        VerificationRow.begun_at >= CaseRow.deadline_at,
    )
    overdue = select(CaseRow.id).where(
        CaseRow.state.in_(UNHANDLED), CaseRow.deadline_at <= now, ~going_on, ~asked
    )
    return [
        *((case_id, HANDLED) for case_id in session.scalars(handled)),
        *((case_id, DEADLINE) for case_id in session.scalars(overdue)),
    ]


def _gone_by_themselves(session: Session) -> list[str]:
    """Cases that nobody said to be handled, and of which nothing is seen any more.

    Not those of which a person has said since that they are still there.
    """
    proposed = exists().where(
        VerificationRow.case_id == CaseRow.id,
        VerificationRow.open.is_(True),
        VerificationRow.result.is_not(None),
    )
    denied = exists().where(
        VerificationRow.case_id == CaseRow.id,
        VerificationRow.result == "still_there",
        VerificationRow.decided_by.startswith("user:"),
        VerificationRow.decided_at >= CaseRow.ended_at,
    )
    query = select(CaseRow.id).where(
        CaseRow.state.in_(UNHANDLED), CaseRow.ended_at.is_not(None), ~proposed, ~denied
    )
    return [
        case_id
        for case_id in session.scalars(query)
        if said_of(_records(session, case_id), None) == "gone"
    ]


def _violations(session: Session, case_id: str) -> Sequence[ViolationRow]:
    query = (
        select(ViolationRow)
        .where(ViolationRow.case_id == case_id)
        .order_by(ViolationRow.raised_at, ViolationRow.id)
    )
    return session.scalars(query).all()


def _records(session: Session, case_id: str) -> list[ViolationRecord]:
    return [ViolationRecord.model_validate(row.record) for row in _violations(session, case_id)]


def _picture(session: Session, case_id: str, roles: Sequence[str]) -> EvidenceRow | None:
    """The newest masked picture of the first role that there is one of."""
    for role in roles:
        query = (
            select(EvidenceRow)
            .where(
                EvidenceRow.case_id == case_id,
                EvidenceRow.role == role,
                EvidenceRow.variant == Variant.MASKED,
            )
            .order_by(EvidenceRow.created_at.desc())
            .limit(1)
        )
        found = session.scalars(query).first()
        if found is not None:
            return found
    return None
