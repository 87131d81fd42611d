"""The outbox in the database: written with the step, claimed by one, never out of order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from dispatch_rig import (
    NOW,
    add_candidate,
    confirm,
    deliveries,
    name,
    panorama,
    settings,
    state_of,
    webhook,
)

from service.cases.lifecycle import Action, StepRefused, take_step
from service.dispatch import queue
from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.callbacks import Report, Status, UnknownCaseError, receive
from service.dispatch.dispatcher import arrived
from service.dispatch.queue import BREAKER_FAILURES, Claimed
from service.dispatch.schedule import SCHEDULE_S
from service.store.database import Database
from service.store.tables import CaseRow, DeliveryRow, DestinationRow

FAILED = Attempt(Outcome.FAILED, 500, error="500 Internal Server Error")
DELIVERED = Attempt(Outcome.DELIVERED, 201, "C1")


@pytest.fixture(autouse=True)
def _platforms(database: Database) -> None:
    name(database, settings(city=webhook()))


def claim(database: Database, after_s: float = 0.0, rate_per_s: float = 1000) -> object:
    with database.write() as session:
        at = NOW + timedelta(seconds=after_s)
        return queue.claim(session, "city", at, lease_s=30, rate_per_s=rate_per_s)


def claimed(database: Database, after_s: float = 0.0) -> Claimed:
    found = claim(database, after_s)
    assert isinstance(found, Claimed)
    return found


def settle(
    database: Database, held: Claimed, attempt: Attempt = DELIVERED, after_s: float = 0.0
) -> bool:
    at = NOW + timedelta(seconds=after_s)
    with database.write() as session:
        row = queue.settle(session, held, attempt, at, jitter=lambda: 0.0)
        if row is not None and attempt.outcome is Outcome.DELIVERED:
            arrived(session, row, at)
        return row is not None


def step(database: Database, case_id: str, action: Action) -> None:
    with database.write() as session:
        take_step(session, case_id, action, "user:li", NOW)


def test_a_confirmed_case_is_written_down_for_every_platform_that_takes_its_kind(
    database: Database,
) -> None:
    name(
        database,
        settings(
            city=webhook(),
            muck=panorama(event_types={"debris_pile": 12}),
            copies=webhook(kinds=["street_stall"]),
        ),
    )
    with database.write() as session:
        confirm(session)
    assert [(row.destination, row.number, row.state) for row in deliveries(database)] == [
        ("city", 1, "pending"),
        ("copies", 1, "pending"),
    ]


def test_neither_the_step_nor_the_delivery_is_without_the_other(database: Database) -> None:
    with database.write() as session:
        add_candidate(session)

    def confirm_and_fail() -> None:
        with database.write() as session:
            take_step(session, "violation-0", Action.CONFIRM, "user:li", NOW)
            raise RuntimeError("the power is cut")

    with pytest.raises(RuntimeError):
        confirm_and_fail()
    assert (state_of(database), deliveries(database)) == ("candidate", [])


def test_what_can_still_be_taken_back_is_not_sent_and_then_is(database: Database) -> None:
    with database.write() as session:
        case = session.get_one(CaseRow, add_candidate(session))
        case.settled_at = NOW + timedelta(seconds=10)
        take_step(session, case.id, Action.CONFIRM, "user:li", NOW)
    assert claim(database) is None
    step(database, "violation-0", Action.UNDO)
    assert claim(database, 60) is None
    assert [row.state for row in deliveries(database)] == ["withdrawn"]
    step(database, "violation-0", Action.CONFIRM)
    assert isinstance(claim(database, 60), Claimed)
    first, second = deliveries(database)
    assert (second.number, second.event_id != first.event_id) == (2, True)


def test_a_delivery_is_held_by_one_and_free_again_when_the_lease_ends(database: Database) -> None:
    with database.write() as session:
        confirm(session)
    lost = claimed(database)
    assert claim(database, 29) is None
    taken_over = claimed(database, 31)
    assert not settle(database, lost, FAILED, 32), "too late: another holds it"
    assert settle(database, taken_over, after_s=33)
    (row,) = deliveries(database)
    assert (row.state, row.attempts, row.reference) == ("delivered", 1, "C1")
    assert state_of(database) == "submitted"


def test_an_attempt_that_was_cut_off_is_known_to_have_perhaps_arrived(database: Database) -> None:
    with database.write() as session:
        confirm(session)
    assert claimed(database).maybe_sent_at is None
    again = claimed(database, 31)
    assert again.maybe_sent_at == NOW
    settle(database, again, Attempt(Outcome.FAILED, error="no connection", unsent=True), 32)
    assert claimed(database, 60).maybe_sent_at == NOW


def test_an_attempt_that_cannot_have_arrived_leaves_no_doubt(database: Database) -> None:
    with database.write() as session:
        confirm(session)
    settle(database, claimed(database), Attempt(Outcome.FAILED, error="refused", unsent=True))
    assert claimed(database, 10).maybe_sent_at is None


def test_messages_about_a_case_keep_their_order(database: Database) -> None:
    with database.write() as session:
        case_id = confirm(session)
    held = claimed(database)
    for action in (Action.SUBMIT, Action.FINISH, Action.REOPEN):
        step(database, case_id, action)
    assert claim(database) is None, "the first is under way"
    settle(database, held, FAILED)
    assert claim(database, 1) is None, "the first has to arrive before"
    settle(database, claimed(database, 10), after_s=10)
    second = claimed(database, 11)
    with database.read() as session:
        assert session.get_one(DeliveryRow, second.id).subject == "reopened"


def test_what_is_over_before_it_was_sent_is_taken_back(database: Database) -> None:
    with database.write() as session:
        confirm(session)
        confirm(session, 1)
    step(database, "violation-0", Action.CANCEL)
    step(database, "violation-1", Action.SELF_RECTIFY)
    assert [row.state for row in deliveries(database)] == ["withdrawn", "withdrawn"]
    assert claim(database) is None


def test_what_was_perhaps_sent_is_followed_by_its_contrary(database: Database) -> None:
    with database.write() as session:
        confirm(session)
    settle(database, claimed(database), FAILED)
    step(database, "violation-0", Action.CANCEL)
    assert [row.subject for row in deliveries(database)] == ["confirmed", "cancelled"]


def test_after_the_whole_schedule_it_is_given_up_until_someone_sends_it_again(
    database: Database,
) -> None:
    with database.write() as session:
        confirm(session)
    at = 0.0
    for delay_s in (*SCHEDULE_S, 0.0):
        _close_circuit(database)
        settle(database, claimed(database, at), FAILED, at)
        at += delay_s
    (row,) = deliveries(database)
    assert (row.state, row.attempts, row.error) == ("dead", 10, "500 Internal Server Error")
    assert queue_of(database) == (0, 1)
    _close_circuit(database)
    with database.write() as session:
        queue.resend(session.get_one(DeliveryRow, row.id), NOW + timedelta(seconds=at))
    assert settle(database, claimed(database, at), after_s=at)
    assert queue_of(database) == (0, 0)


def _close_circuit(database: Database) -> None:
    with database.write() as session:
        platform = session.get_one(DestinationRow, "city")
        platform.failures, platform.open_until = 0, None


def queue_of(database: Database) -> tuple[int, int]:
    with database.read() as session:
        one = queue.waiting(session)["city"]
    return one.waiting, one.dead


def test_a_platform_that_fails_again_and_again_is_left_alone_and_tried_by_one(
    database: Database,
) -> None:
    with database.write() as session:
        for number in range(8):
            confirm(session, number)
    for _ in range(BREAKER_FAILURES):
        settle(database, claimed(database), FAILED)
    until = claim(database)
    assert until == NOW + timedelta(seconds=5), "half of ten seconds, without chance"
    probe = claimed(database, 6)
    assert not isinstance(claim(database, 7), Claimed), "one tries whether it is back"
    settle(database, probe, FAILED, 7)
    assert claim(database, 8) == NOW + timedelta(seconds=7 + 10), "twice as long"
    settle(database, claimed(database, 18), after_s=18)
    assert isinstance(claim(database, 18), Claimed)


def test_retry_after_holds_for_the_whole_platform(database: Database) -> None:
    with database.write() as session:
        confirm(session)
        confirm(session, 1)
    busy = Attempt(Outcome.FAILED, 503, error="busy", retry_after_s=120)
    settle(database, claimed(database), busy)
    assert claim(database, 100) == NOW + timedelta(seconds=120)
    assert isinstance(claim(database, 121), Claimed)


def test_a_wrong_key_uses_up_no_case(database: Database) -> None:
    with database.write() as session:
        confirm(session)
    refused = Attempt(Outcome.REFUSED, 401, error="401 Unauthorized", concerns_all=True)
    settle(database, claimed(database), refused)
    (row,) = deliveries(database)
    assert (row.state, row.error) == ("retrying", "401 Unauthorized")


def test_a_message_that_is_refused_is_given_up_at_once(database: Database) -> None:
    with database.write() as session:
        confirm(session)
    settle(database, claimed(database), Attempt(Outcome.REFUSED, 422, error="422: no place"))
    assert queue_of(database) == (0, 1)


def test_a_platform_that_is_gone_is_sent_nothing_until_it_is_resumed(database: Database) -> None:
    with database.write() as session:
        confirm(session)
    settle(database, claimed(database), Attempt(Outcome.GONE, 410, error="410 Gone"))
    assert claim(database, 1e6) is None
    with database.write() as session:
        assert queue.resume(session, "city", NOW) == 0
    assert isinstance(claim(database, 60), Claimed)


def test_requests_begin_no_faster_than_the_rate(database: Database) -> None:
    with database.write() as session:
        for number in range(3):
            confirm(session, number)
    begins = []
    for _ in range(3):
        one = claim(database, rate_per_s=2)
        assert isinstance(one, Claimed)
        begins.append((one.begin_at - NOW).total_seconds())
    assert begins == [0.0, 0.5, 1.0]


def test_a_platform_that_is_named_no_more_keeps_what_waits_for_it(database: Database) -> None:
    with database.write() as session:
        confirm(session)
    name(database, settings(other=webhook()))
    assert claim(database) is None
    name(database, settings(city=webhook()))
    assert isinstance(claim(database), Claimed)


def test_several_workers_never_hold_the_same(database: Database) -> None:
    with database.write() as session:
        for number in range(40):
            confirm(session, number)
    held: list[str] = []

    def work() -> None:
        while isinstance(one := claim(database), Claimed):
            held.append(one.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(held), len(set(held))) == (40, 40)


def test_steps_attempts_and_callbacks_at_once_wait_for_each_other_and_never_in_a_circle(
    database: Database,
) -> None:
    """PostgreSQL would end one of two that wait for each other with an error."""
    with database.write() as session:
        for number in range(30):
            confirm(session, number)
    faults: list[Exception] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:
            faults.append(error)

    def deliver() -> None:
        while isinstance(one := claim(database), Claimed):
            settle(database, one)

    def call_back() -> None:
        for number in range(30):
            report = Report(f"r{number}", Status.HANDLED, NOW, case_id=f"violation-{number}")
            with suppress(UnknownCaseError), database.write() as session:
                receive(session, "city", report, NOW)

    def cancel() -> None:
        for number in reversed(range(30)):
            with suppress(StepRefused):
                step(database, f"violation-{number}", Action.CANCEL)

    works = (deliver, deliver, call_back, cancel)
    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    assert {state_of(database, f"violation-{number}") for number in range(30)} == {"cancelled"}
