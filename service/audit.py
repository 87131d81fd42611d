"""The audit: who did what, when and why. Rows are only ever added; the database sees to that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.store.tables import AuditRow


@dataclass(frozen=True)
class Origin:
    """Where a request comes from: network address, and the id that logs know it by."""

    address: str | None = None
    request_id: str | None = None


NOWHERE = Origin()
"""Of what is done at the command line or by the service itself."""


def write(
    session: Session,
    at: datetime,
    origin: Origin,
    actor: str,
    action: str,
    *,
    subject: str,
    reason: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add to the audit, in the transaction of what is audited.

    Args:
        session: A writing session.
        at: Aware wall-clock time.
        origin: Where the request comes from.
        actor: Who: ``user:...``, ``key:...``, ``system`` or ``nobody``.
        action: What: ``login``, ``evidence.read``, ``camera.changed``, ...
        subject: To what: ``case:...``, ``user:...``, ...
        reason: Why, where a reason is asked for.
        details: What else is worth knowing; never a secret.
    """
    session.add(
        AuditRow(
            at=at,
            actor=actor,
            action=action,
            subject=subject,
            reason=reason,
            address=origin.address,
            request_id=origin.request_id,
            details=dict(details or {}),
        )
    )


def page(
    session: Session,
    *,
    limit: int,
    before: int | None = None,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
) -> Sequence[AuditRow]:
    """The newest rows before a number that are by, of and about what is asked for."""
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditRow.id < before)
    if actor is not None:
        query = query.where(AuditRow.actor == actor)
    if action is not None:
        query = query.where(AuditRow.action == action)
    if subject is not None:
        query = query.where(AuditRow.subject == subject)
    return session.scalars(query).all()
