"""What a platform declined is put right and sent again, under the same number and only once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from dispatch_rig import (
    NOW,
    confirm,
    deliveries,
    name,
    open311,
    panorama,
    settings,
    state_of,
    wait_for,
    webhook,
)
from sqlalchemy import select
from test_sandbox_loop import running

from service.cases.correction import Correction, correct
from service.cases.lifecycle import Action, StaleCase, StepRefused, take_step
from service.dispatch import queue
from service.dispatch.callbacks import Report, Status, receive
from service.store.database import Database
from service.store.tables import CaseRow, CaseStepRow, DeliveryRow
from vision.errors import InputError

ID = "violation-0"
LATER = NOW + timedelta(hours=1)


def say(database: Database, by: str, status: Status, *, event_id: str | None = None) -> str:
    report = Report(f"{by}-{status}-{event_id}", status, LATER, event_id, None, ID)
    with database.write() as session:
        return receive(session, by, report, LATER).outcome


def put_right(database: Database, *, version: int | None = None, **changes: object) -> None:
    with database.write() as session:
        correction = Correction("it is a heap", **changes)  # type: ignore[arg-type]
        correct(session, ID, "user:li", correction, LATER, version=version)


def declined(database: Database, **platforms: dict[str, object]) -> None:
    """A stall that the first of these platforms declined; all of them had been told of it."""
    name(database, settings(**platforms))
    with database.write() as session:
        confirm(session)
        for row in session.scalars(select(DeliveryRow)):
            row.state, row.attempts, row.reference = "delivered", 1, "C1"
    say(database, next(iter(platforms)), Status.DECLINED)
    assert state_of(database) == "declined"


def told(database: Database) -> list[tuple[str, int, str, str]]:
    return [(row.destination, row.number, row.subject, row.state) for row in deliveries(database)]


def test_it_is_told_again_by_a_message_of_its_own(database: Database) -> None:
    declined(database, city=webhook())
    put_right(database)
    first, second = deliveries(database)
    assert (second.subject, second.number, second.state) == ("corrected", 2, "pending")
    assert first.event_id != second.event_id
    assert state_of(database) == "confirmed"
    with database.read() as session:
        assert queue.reference_before(session, second) == "C1"
        assert queue.is_due(session, "city", LATER), "it waits for nobody"


def test_what_it_says_of_the_first_message_is_late_and_of_the_second_counts(
    database: Database,
) -> None:
    declined(database, city=webhook())
    put_right(database)
    first, second = deliveries(database)
    assert say(database, "city", Status.HANDLED, event_id=first.event_id) == "late"
    assert say(database, "city", Status.ACCEPTED, event_id=second.event_id) == "moved"
    assert state_of(database) == "accepted"


def test_kind_box_and_history_are_put_right(database: Database) -> None:
    declined(database, city=webhook())
    put_right(database, kind="debris_pile", box=(1.0, 2.0, 3.0, 4.0))
    with database.read() as session:
        case = session.get_one(CaseRow, ID)
        assert (case.kind, case.box) == ("debris_pile", [1, 2, 3, 4])
        query = select(CaseStepRow).where(CaseStepRow.action == "correct")
        details = session.scalars(query).one().details
    assert (details["kind_before"], details["kind_after"]) == ("street_stall", "debris_pile")
    assert details["note"] == "it is a heap"


def test_another_kind_goes_to_who_takes_it_and_others_forget_it(database: Database) -> None:
    declined(
        database,
        city=webhook(kinds=["street_stall"]),
        copies=webhook(kinds=["street_stall"]),
        heaps=webhook(kinds=["debris_pile"]),
        both=webhook(),
    )
    put_right(database, kind="debris_pile")
    assert told(database) == [
        ("both", 1, "confirmed", "delivered"),
        ("both", 2, "corrected", "pending"),
        ("city", 1, "confirmed", "delivered"),
        ("copies", 1, "confirmed", "delivered"),
        ("copies", 2, "cancelled", "pending"),
        ("heaps", 1, "confirmed", "pending"),
    ]
    with database.read() as session:
        assert queue.leading(session, ID) == "heaps"
    assert say(database, "city", Status.CLOSED) == "copy"
    assert say(database, "heaps", Status.HANDLED) == "moved"
    with database.write() as session:
        take_step(session, ID, Action.VERIFY, "camera:gate-3", LATER)
    verified = {row.destination for row in deliveries(database) if row.subject == "verified"}
    assert verified == {"both", "heaps"}, "who forgot it is not told"


@pytest.mark.parametrize("platform", [open311(), panorama()])
def test_every_interface_has_a_word_for_it(database: Database, platform: dict[str, object]) -> None:
    declined(database, one=platform)
    put_right(database)
    assert [row.subject for row in deliveries(database)] == ["confirmed", "corrected"]


def test_only_what_was_declined_can_be_put_right(database: Database) -> None:
    name(database, settings(city=webhook()))
    with database.write() as session:
        confirm(session)
    with pytest.raises(StepRefused, match="correct is not possible"):
        put_right(database)
    declined_again = Report("r", Status.DECLINED, LATER, case_id=ID)
    with database.write() as session:
        receive(session, "city", declined_again, LATER)
    with pytest.raises(StaleCase):
        put_right(database, version=1)
    with pytest.raises(InputError, match=r"^kind: none of"):
        put_right(database, kind="nothing")
    with pytest.raises(InputError, match=r"^box: "):
        put_right(database, box=(3.0, 2.0, 1.0, 4.0))
    assert state_of(database) == "declined"


def test_at_the_platform_it_is_the_same_case_and_is_handled(
    database: Database, tmp_path: Path
) -> None:
    with running(database, tmp_path, step_s=0) as url:
        with database.write() as session:
            confirm(session)
        wait_for(lambda: state_of(database) == "accepted")
        (held,) = httpx.get(f"{url}/cases").json()["cases"]
        httpx.post(f"{url}/cases/{held['reference']}/declined")
        wait_for(lambda: state_of(database) == "declined")
        put_right(database)
        wait_for(lambda: state_of(database) == "accepted")
        (held,) = httpx.get(f"{url}/cases").json()["cases"]
        assert (held["rounds"], held["stage"]) == (2, "accepted")
        httpx.post(f"{url}/cases/{held['reference']}/handled")
        wait_for(lambda: state_of(database) == "handled")
    assert {row.reference for row in deliveries(database)} == {held["reference"]}
