"""How long messages to platforms and what these said are kept: until some time after the case.

What is still to be delivered stays, and so does all of a case that is not over: its state and what
counts of further reports rest on it. The history of the case says what was done for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, or_, select

from service import audit
from service.dispatch.schedule import OPEN
from service.settings import Retention
from service.store.database import Database
from service.store.tables import FINISHED, CallbackRow, CaseRow, DeliveryRow

BATCH = 200
"""Cases at a time: others want to write too."""


@dataclass(frozen=True)
class Forgotten:
    """What was taken away.

    Attributes:
        deliveries: Messages.
        callbacks: Reports of platforms.
    """

    deliveries: int
    callbacks: int


def forget_deliveries(database: Database, rules: Retention, now: datetime) -> Forgotten:
    """Take away messages and reports of cases that have been over for long; it is audited.

    Args:
        database: The store.
        rules: How long they are kept.
        now: Aware wall-clock time.
    """
    before = now - timedelta(days=rules.deliveries_days)
    deliveries = callbacks = 0
    while found := _forget_some(database, before, now):
        deliveries, callbacks = deliveries + found.deliveries, callbacks + found.callbacks
    return Forgotten(deliveries, callbacks)


def _forget_some(database: Database, before: datetime, now: datetime) -> Forgotten | None:
    of_case = DeliveryRow.case_id == CaseRow.id
    query = (
        select(CaseRow.id)
        .where(
            CaseRow.state.in_(FINISHED),
            CaseRow.updated_at < before,
            or_(exists().where(of_case), exists().where(CallbackRow.case_id == CaseRow.id)),
            ~exists().where(of_case, DeliveryRow.state.in_(OPEN)),
        )
        .order_by(CaseRow.id)
        .limit(BATCH)
    )
    with database.write() as session:
        ids = session.scalars(query).all()
        if not ids:
            return None
        callbacks = session.execute(
            delete(CallbackRow)
            .where(CallbackRow.case_id.in_(ids))
            .returning(CallbackRow.destination, CallbackRow.report_id)
        ).all()
        deliveries = session.scalars(
            delete(DeliveryRow).where(DeliveryRow.case_id.in_(ids)).returning(DeliveryRow.id)
        ).all()
        audit.write(
            session,
            now,
            audit.NOWHERE,
            "system",
            "deliveries.removed",
            subject="retention",
            details={
                "why": "age",
                "cases": list(ids),
                "deliveries": len(deliveries),
                "callbacks": len(callbacks),
            },
        )
    return Forgotten(len(deliveries), len(callbacks))
