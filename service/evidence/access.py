"""Giving evidence out: links to masked files, originals for a reason, each written to the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from service import audit
from service.cases.intake import evidence_of
from service.context import Service
from service.evidence.links import Grant
from service.store.tables import EvidenceRow, Variant


@dataclass(frozen=True)
class Link:
    """A link to one file.

    Attributes:
        path: Path on this host, with the grant.
        expires_at: Until when it holds.
    """

    path: str
    expires_at: datetime


def link_to(service: Service, row: EvidenceRow, actor: str, now: datetime) -> Link:
    """A link to a file, for whoever has it, for a short time.

    Args:
        service: The service.
        row: The file.
        actor: Who asked for it.
        now: Aware wall-clock time.
    """
    settings = service.settings
    lasts_s = settings.link_s if row.variant == Variant.MASKED else settings.sealed_link_s
    until = int((now + timedelta(seconds=lasts_s)).timestamp())
    token = service.signer.token(Grant(evidence_id=row.id, actor=actor, until=until))
    return Link(f"/api/v1/evidence/{row.id}?grant={token}", datetime.fromtimestamp(until, UTC))


def is_shown(row: EvidenceRow) -> bool:
    """Whether a file is a masked one that is there: then whoever may see the case may see it."""
    return row.variant == Variant.MASKED and row.removed_at is None


def list_evidence(
    session: Session,
    case_id: str,
    actor: str,
    origin: audit.Origin,
    now: datetime,
    *,
    reason: str | None = None,
) -> Sequence[EvidenceRow]:
    """Evidence of a case, newest first, to give out links to its masked files.

    Args:
        session: A writing session: that links are given out is audited.
        case_id: The case.
        actor: Who asks.
        origin: Where the request comes from.
        now: Aware wall-clock time.
        reason: Why, if they say so.
    """
    rows = evidence_of(session, case_id)
    linked = [row.id for row in rows if is_shown(row)]
    if linked:
        audit.write(
            session,
            now,
            origin,
            actor,
            "evidence.listed",
            subject=f"case:{case_id}",
            reason=reason,
            details={"evidence": linked},
        )
    return rows


def open_original(
    session: Session,
    row: EvidenceRow,
    actor: str,
    origin: audit.Origin,
    now: datetime,
    *,
    reason: str,
) -> None:
    """Write down who opens an original, of which case, and why. Ask first whether they may."""
    audit.write(
        session,
        now,
        origin,
        actor,
        "evidence.opened",
        subject=f"case:{row.case_id}",
        reason=reason,
        details={"evidence": row.id, "variant": row.variant, "sha256": row.sha256},
    )
