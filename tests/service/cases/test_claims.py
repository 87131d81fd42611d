from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from posting import CREATED_AT
from stored import NOW, add_case, case_of

from service.cases.claims import (
    ClaimedByOther,
    NotForReview,
    Reviewer,
    Wanted,
    claim,
    claim_next,
    queue_counts,
    queue_page,
    release,
)
from service.cases.events import CASE_RELEASED, events_after
from service.store.database import Database
from service.store.tables import CaseState, Stage

LI = Reviewer("user:li")
WANG = Reviewer("user:wang")
BOSS = Reviewer("user:boss", is_supervisor=True)
LEASE_S = 300.0


def given(database: Database, reviewer: Reviewer, *, after_s: float = 0, **wanted: object) -> str:
    at = NOW + timedelta(seconds=after_s)
    with database.write() as session:
        case = claim_next(session, reviewer, at, LEASE_S, Wanted(**wanted))  # type: ignore[arg-type]
        return "" if case is None else case.id


def test_the_queue_goes_by_priority_and_age(database: Database) -> None:
    add_case(database, 1)
    add_case(database, 2)
    add_case(database, 3, queue_at=CREATED_AT - timedelta(hours=4))
    add_case(database, 4, state=CaseState.CONFIRMED)
    with database.read() as session:
        found = [case.id for case in queue_page(session, LI, NOW, 10)]
    assert found == ["violation-3", "violation-1", "violation-2"]


def test_a_claimed_case_is_given_to_nobody_else(database: Database) -> None:
    for number in range(2):
        add_case(database, number)
    assert given(database, LI) == "violation-0"
    assert given(database, WANG) == "violation-1"
    assert given(database, BOSS) == ""
    with pytest.raises(ClaimedByOther, match="user:li looks at it"), database.write() as session:
        claim(session, "violation-0", WANG, NOW, LEASE_S)


def test_one_s_own_claim_is_given_again_unless_it_is_skipped(database: Database) -> None:
    for number in range(2):
        add_case(database, number)
    assert given(database, LI) == given(database, LI) == "violation-0"
    with database.write() as session:
        following = claim_next(session, LI, NOW, LEASE_S, skip=["violation-0"])
        assert following is not None
        assert following.id == "violation-1"


def test_a_claim_ends_by_itself_is_renewed_and_is_given_up(database: Database) -> None:
    add_case(database)
    assert given(database, LI) == "violation-0"
    assert given(database, WANG, after_s=LEASE_S - 1) == ""
    with database.write() as session:
        claim(session, "violation-0", LI, NOW + timedelta(seconds=LEASE_S - 1), LEASE_S)
    assert given(database, WANG, after_s=LEASE_S) == ""
    assert given(database, WANG, after_s=2 * LEASE_S) == "violation-0"
    with database.write() as session:
        release(session, "violation-0", LI, NOW)
        assert events_after(session, 0, 10) == []
    assert case_of(database, "violation-0").claimed_by == WANG.actor
    with database.write() as session:
        release(session, "violation-0", WANG, NOW)
        (told,) = events_after(session, 0, 10)
        assert (told.type, told.subject) == (CASE_RELEASED, "violation-0")
    assert given(database, LI) == "violation-0"


def test_reviewers_ask_for_what_they_want(database: Database) -> None:
    add_case(database, 0)
    add_case(database, 1, kind="debris_pile")
    add_case(database, 2, camera_id="market")
    assert given(database, LI, kinds=("debris_pile", "construction_dust")) == "violation-1"
    assert given(database, WANG, camera_id="market") == "violation-2"
    assert given(database, BOSS, camera_id="nowhere") == ""


def test_what_waits_for_a_supervisor_is_for_supervisors(database: Database) -> None:
    add_case(database, 0, stage=Stage.SUPERVISOR)
    assert given(database, LI) == ""
    with pytest.raises(NotForReview, match="supervisor"), database.write() as session:
        claim(session, "violation-0", LI, NOW, LEASE_S)
    assert given(database, BOSS) == "violation-0"


def test_only_candidates_are_claimed(database: Database) -> None:
    add_case(database, 0, state=CaseState.CLOSED)
    with pytest.raises(NotForReview, match="is closed"), database.write() as session:
        claim(session, "violation-0", LI, NOW, LEASE_S)


def test_how_many_wait(database: Database) -> None:
    for number in range(3):
        add_case(database, number)
    add_case(database, 3, kind="debris_pile", stage=Stage.SECOND)
    given(database, LI)
    with database.read() as session:
        counted = [
            (one.kind, one.stage, one.waiting, one.claimed) for one in queue_counts(session, NOW)
        ]
    assert counted == [
        ("debris_pile", Stage.SECOND, 1, 0),
        ("street_stall", Stage.FIRST, 3, 1),
    ]


def test_reviewers_at_the_same_time_never_get_the_same_case(database: Database) -> None:
    for number in range(24):
        add_case(database, number)
    start = threading.Barrier(6)
    got: list[str] = []

    def review(name: str) -> None:
        start.wait()
        held: list[str] = []
        for _ in range(4):
            with database.write() as session:
                case = claim_next(session, Reviewer(name), NOW, LEASE_S, skip=held)
                assert case is not None
                held.append(case.id)
        got.extend(held)

    threads = [threading.Thread(target=review, args=(f"user:{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 24
    assert set(Counter(got).values()) == {1}
