"""What is kept how long, and how much of it: files go, their rows stay and say so.

Evidence of open cases is never touched, neither by age nor by quota. When the quota is exceeded
by evidence of open cases alone, that is reported, not solved by losing it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from service import audit
from service.evidence.files import EvidenceFiles
from service.settings import Retention
from service.store.database import Database
from service.store.tables import FINISHED, CaseRow, CaseState, EvidenceRow

log = logging.getLogger(__name__)

BATCH = 500
_CLOSED = (CaseState.CLOSED, CaseState.CANCELLED)


@dataclass(frozen=True)
class Kept:
    """What a run of retention did.

    Attributes:
        removed_files: Files taken away.
        removed_bytes: Their size.
        kept_bytes: Evidence that is left.
        over_quota_bytes: By how much that still exceeds the quota, all of it of open cases.
    """

    removed_files: int
    removed_bytes: int
    kept_bytes: int
    over_quota_bytes: int


def keep_evidence(
    database: Database, files: EvidenceFiles, rules: Retention, now: datetime
) -> Kept:
    """Take away evidence that is too old, then the oldest of what is too much.

    Args:
        database: The store.
        files: Its evidence.
        rules: How long evidence is kept.
        now: Aware wall-clock time.
    """
    count = size = 0
    while batch := _remove(database, files, _too_old(rules, now), now, why="age"):
        count, size = count + len(batch), size + sum(batch)
    quota = None if rules.evidence_quota_gb is None else int(rules.evidence_quota_gb * 1e9)
    kept = kept_bytes(database)
    while quota is not None and kept > quota:
        batch = _remove(database, files, _finished(), now, why="quota", enough=kept - quota)
        if not batch:
            log.error("evidence of open cases exceeds the quota by %d bytes", kept - quota)
            break
        count, size = count + len(batch), size + sum(batch)
        kept = kept_bytes(database)
    return Kept(count, size, kept, max(0, kept - quota) if quota is not None else 0)


def kept_bytes(database: Database) -> int:
    """Size of all evidence that is kept; the same bytes under two rows count once."""
    sizes = (
        select(EvidenceRow.key, func.max(EvidenceRow.bytes).label("bytes"))
        .where(EvidenceRow.removed_at.is_(None))
        .group_by(EvidenceRow.key)
        .subquery()
    )
    with database.read() as session:
        return int(session.scalar(select(func.coalesce(func.sum(sizes.c.bytes), 0))) or 0)


def _too_old(rules: Retention, now: datetime) -> Select[EvidenceRow]:
    rejected = now - timedelta(hours=rules.rejected_hours)
    closed = now - timedelta(days=rules.closed_days)
    superseded = now - timedelta(hours=rules.superseded_hours)
    return _finished(
        or_(
            and_(CaseRow.state == CaseState.REJECTED, CaseRow.updated_at < rejected),
            and_(CaseRow.state.in_(_CLOSED), CaseRow.updated_at < closed),
            EvidenceRow.superseded_at < superseded,
        )
    )


def _finished(*more: ColumnElement[bool]) -> Select[EvidenceRow]:
    """Evidence that is there, of cases in which nothing more is to be done, oldest first."""
    return (
        select(EvidenceRow)
        .join(CaseRow, CaseRow.id == EvidenceRow.case_id)
        .where(EvidenceRow.removed_at.is_(None), CaseRow.state.in_(FINISHED), *more)
        .order_by(EvidenceRow.created_at, EvidenceRow.id)
        .limit(BATCH)
    )


def _remove(
    database: Database,
    files: EvidenceFiles,
    wanted: Select[EvidenceRow],
    now: datetime,
    *,
    why: str,
    enough: int | None = None,
) -> list[int]:
    """Take away some evidence; its rows first, so that no row ever names a file that is gone.

    Returns:
        Sizes of what was taken away.
    """
    sizes: list[int] = []
    keys: list[str] = []
    with database.write() as session:
        rows: Sequence[EvidenceRow] = session.scalars(wanted).all()
        for row in rows:
            if enough is not None and sum(sizes) >= enough:
                break
            row.removed_at = now
            session.flush()
            sizes.append(row.bytes)
            if not _is_needed(session, row.key):
                keys.append(row.key)
        if sizes:
            audit.write(
                session,
                now,
                audit.NOWHERE,
                "system",
                "evidence.removed",
                subject="retention",
                details={"why": why, "evidence": [row.id for row in rows[: len(sizes)]]},
            )
    for key in keys:
        files.remove(key)
    return sizes


def _is_needed(session: Session, key: str) -> bool:
    """Whether another row has the same bytes."""
    other = select(EvidenceRow.id).where(EvidenceRow.key == key, EvidenceRow.removed_at.is_(None))
    return session.scalar(other.limit(1)) is not None
