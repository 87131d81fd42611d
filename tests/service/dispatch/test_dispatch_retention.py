"""Messages and reports are kept as long as their case is open, and some time after it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from dispatch_rig import NOW, confirm, deliveries, name, settings, webhook
from sqlalchemy import select, update

from service.dispatch.callbacks import Report, Status, UnknownCaseError, receive
from service.dispatch.retention import Forgotten, forget_deliveries
from service.settings import Retention
from service.store.database import Database
from service.store.tables import AuditRow, CallbackRow, CaseRow, CaseStepRow, DeliveryRow

RULES = Retention(deliveries_days=30)
LATER = NOW + timedelta(days=31)
KNOWN = Report("r1", Status.ACCEPTED, NOW, case_id="violation-0")


@pytest.fixture(autouse=True)
def _case(database: Database) -> None:
    """A case that was delivered and accepted."""
    name(database, settings(city=webhook()))
    with database.write() as session:
        confirm(session)
        session.execute(update(DeliveryRow).values(state="delivered", attempts=1))
    with database.write() as session:
        receive(session, "city", KNOWN, NOW)


def become(database: Database, state: str, delivery: str = "delivered") -> None:
    with database.write() as session:
        session.execute(update(CaseRow).values(state=state, updated_at=NOW))
        session.execute(update(DeliveryRow).values(state=delivery))


def test_what_is_over_for_long_goes_and_the_audit_says_so(database: Database) -> None:
    become(database, "closed")
    assert forget_deliveries(database, RULES, LATER) == Forgotten(1, 1)
    assert deliveries(database) == []
    with database.read() as session:
        assert session.scalars(select(CallbackRow)).all() == []
        assert session.scalars(select(CaseStepRow.action)).all() == ["confirm", "submit", "accept"]
        (entry,) = session.scalars(select(AuditRow)).all()
    assert (entry.action, entry.subject) == ("deliveries.removed", "retention")
    assert entry.details["cases"] == ["violation-0"]
    assert (entry.details["deliveries"], entry.details["callbacks"]) == (1, 1)
    assert forget_deliveries(database, RULES, LATER) == Forgotten(0, 0)
    with pytest.raises(UnknownCaseError), database.write() as session:
        receive(session, "city", KNOWN, LATER)


@pytest.mark.parametrize(
    ("state", "delivery", "days"),
    [
        ("handling", "delivered", 400),
        ("declined", "delivered", 400),
        ("verified", "delivered", 400),
        ("closed", "pending", 400),
        ("closed", "retrying", 400),
        ("closed", "delivered", 29),
    ],
)
def test_what_is_open_or_not_so_old_stays(
    database: Database, state: str, delivery: str, days: int
) -> None:
    become(database, state, delivery)
    found = forget_deliveries(database, RULES, NOW + timedelta(days=days))
    assert found == Forgotten(0, 0)
    assert len(deliveries(database)) == 1


@pytest.mark.parametrize("delivery", ["dead", "withdrawn"])
def test_what_will_never_be_delivered_goes_too(database: Database, delivery: str) -> None:
    become(database, "cancelled", delivery)
    assert forget_deliveries(database, RULES, LATER).deliveries == 1
