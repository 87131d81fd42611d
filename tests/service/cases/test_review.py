from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select
from stored import NOW, add_case, case_of

from service.cases.agreement import agreement, cohens_kappa
from service.cases.claims import ClaimedByOther, NotForReview, Reviewer, claim, claim_next
from service.cases.lifecycle import Action, StaleCase, take_step
from service.cases.review import (
    Decision,
    ReviewRules,
    UndoRefused,
    decide,
    decisions_of,
    is_doubly_reviewed,
    undo,
    visible_decisions,
)
from service.store.database import Database
from service.store.tables import CaseRow, CaseStepRow, DecisionRow, Stage, Verdict
from vision.errors import InputError

LI = Reviewer("user:li")
WANG = Reviewer("user:wang")
ZHAO = Reviewer("user:zhao")
BOSS = Reviewer("user:boss", is_supervisor=True)
ONCE = ReviewRules()
TWICE = ReviewRules(double_share=1.0)
CONFIRM = Decision(Verdict.CONFIRM)
REJECT = Decision(Verdict.REJECT, reason="not_there")
NOT_SURE = Decision(Verdict.NOT_SURE)


def said(
    database: Database,
    reviewer: Reviewer,
    decision: Decision,
    *,
    rules: ReviewRules = ONCE,
    case_id: str = "violation-0",
    version: int | None = None,
    after_s: float = 0,
) -> CaseRow:
    at = NOW + timedelta(seconds=after_s)
    with database.write() as session:
        return decide(session, case_id, reviewer, decision, at, version=version, rules=rules)


def kept(database: Database) -> Sequence[DecisionRow]:
    with database.read() as session:
        return session.scalars(select(DecisionRow).order_by(DecisionRow.id)).all()


def test_a_confirmed_case_waits_until_it_cannot_be_taken_back(database: Database) -> None:
    add_case(database)
    case = said(database, LI, Decision(Verdict.CONFIRM, on_screen_s=2.5), version=1)
    assert (case.state, case.queue_at, case.version) == ("confirmed", None, 2)
    assert case.settled_at == NOW + timedelta(seconds=ONCE.undo_s)
    (decision,) = kept(database)
    assert (decision.reviewer, decision.verdict, decision.settles) == ("user:li", "confirm", True)
    assert (decision.on_screen_s, decision.confidence) == (2.5, case.confidence)
    assert decision.box_before == decision.box_after != None  # noqa: E711


def test_kind_and_box_are_corrected_and_both_are_kept(database: Database) -> None:
    add_case(database)
    box = (12.5, 20.0, 110.0, 225.0)
    case = said(database, LI, Decision(Verdict.CONFIRM, kind="debris_pile", box=box))
    assert (case.kind, case.box) == ("debris_pile", list(box))
    (decision,) = kept(database)
    assert (decision.kind_before, decision.kind_after) == ("street_stall", "debris_pile")
    assert decision.box_before != decision.box_after == list(box)


@pytest.mark.parametrize(
    ("decision", "part"),
    [
        (Decision(Verdict.REJECT), "reason"),
        (Decision(Verdict.REJECT, reason="bored"), "reason"),
        (Decision(Verdict.CONFIRM, reason="not_there"), "reason"),
        (Decision(Verdict.CONFIRM, kind="unicorn"), "kind"),
        (Decision(Verdict.REJECT, reason="other_thing", kind="debris_pile"), "kind"),
        (Decision(Verdict.CONFIRM, box=(5, 5, 5, 9)), "box"),
        (Decision(Verdict.CONFIRM, box=(0, 0, float("nan"), 9)), "box"),
        (Decision(Verdict.REJECT, reason="not_there", duplicate_of="violation-1"), "duplicate_of"),
        (Decision(Verdict.REJECT, reason="duplicate", duplicate_of="violation-0"), "duplicate_of"),
    ],
)
def test_parts_that_do_not_fit_are_named(database: Database, decision: Decision, part: str) -> None:
    add_case(database)
    with pytest.raises(InputError, match=f"^{part}: "):
        said(database, LI, decision)
    assert case_of(database, "violation-0").state == "candidate"


def test_a_case_that_someone_else_has_open_is_not_decided(database: Database) -> None:
    add_case(database)
    with database.write() as session:
        claim(session, "violation-0", WANG, NOW, 300)
    with pytest.raises(ClaimedByOther):
        said(database, LI, CONFIRM)
    assert said(database, LI, CONFIRM, after_s=301).state == "confirmed"
    with pytest.raises(NotForReview, match="is confirmed"):
        said(database, WANG, REJECT)


def test_a_decision_holds_for_the_version_that_was_seen(database: Database) -> None:
    add_case(database)
    said(database, LI, NOT_SURE)
    with pytest.raises(StaleCase):
        said(database, WANG, CONFIRM, version=1)


def test_not_sure_passes_the_case_on_and_two_ask_a_supervisor(database: Database) -> None:
    add_case(database)
    case = said(database, LI, NOT_SURE)
    assert (case.state, case.stage, case.claimed_by) == ("candidate", "first", None)
    with database.write() as session:
        assert claim_next(session, LI, NOW, 300) is None
    with pytest.raises(NotForReview, match="someone else"):
        said(database, LI, CONFIRM)
    assert said(database, WANG, NOT_SURE).stage == Stage.SUPERVISOR
    with pytest.raises(NotForReview, match="nobody after"):
        said(database, BOSS, NOT_SURE)
    assert said(database, BOSS, CONFIRM).state == "confirmed"


def test_two_who_agree_settle_a_case(database: Database) -> None:
    add_case(database)
    first = said(database, LI, Decision(Verdict.CONFIRM, kind="debris_pile"), rules=TWICE)
    assert (first.state, first.stage, first.kind) == ("candidate", "second", "street_stall")
    with pytest.raises(NotForReview):
        said(database, LI, CONFIRM, rules=TWICE)
    second = said(database, WANG, Decision(Verdict.CONFIRM, kind="debris_pile"), rules=TWICE)
    assert (second.state, second.kind) == ("confirmed", "debris_pile")
    assert [one.settles for one in kept(database)] == [False, True]


@pytest.mark.parametrize("second", [REJECT, Decision(Verdict.CONFIRM, kind="debris_pile")])
def test_where_two_differ_a_supervisor_decides(database: Database, second: Decision) -> None:
    add_case(database)
    said(database, LI, CONFIRM, rules=TWICE)
    assert said(database, WANG, second, rules=TWICE).stage == Stage.SUPERVISOR
    with pytest.raises(NotForReview, match="supervisor"):
        said(database, ZHAO, CONFIRM, rules=TWICE)
    assert said(database, BOSS, REJECT, rules=TWICE).state == "rejected"


def test_the_second_reviewer_sees_nothing_of_the_first_decision(database: Database) -> None:
    add_case(database)
    said(database, LI, Decision(Verdict.REJECT, reason="in_use", note="a van"), rules=TWICE)
    with database.read() as session:
        case = session.get_one(CaseRow, "violation-0")
        assert visible_decisions(session, case, WANG) == []
        assert visible_decisions(session, case, BOSS) == []
        assert len(visible_decisions(session, case, LI)) == 1
        told = [(step.action, step.details) for step in session.scalars(select(CaseStepRow))]
        assert told == [("reviewed", {"asked_next": "second"})]
    said(database, WANG, CONFIRM, rules=TWICE)
    with database.read() as session:
        case = session.get_one(CaseRow, "violation-0")
        assert len(visible_decisions(session, case, BOSS)) == 2
        assert len(visible_decisions(session, case, ZHAO)) == 0


def test_a_decision_is_taken_back_for_a_short_time(database: Database) -> None:
    add_case(database)
    box = (12.5, 20.0, 110.0, 225.0)
    said(database, LI, Decision(Verdict.CONFIRM, kind="debris_pile", box=box))
    with pytest.raises(UndoRefused, match="not yours"), database.write() as session:
        undo(session, "violation-0", WANG, NOW, ONCE)
    with database.write() as session:
        case = undo(session, "violation-0", LI, NOW + timedelta(seconds=59), ONCE)
    assert (case.state, case.kind, case.box) == ("candidate", "street_stall", None)
    assert (case.claimed_by, case.settled_at) == ("user:li", None)
    with database.read() as session:
        assert decisions_of(session, "violation-0") == []
    assert said(database, LI, REJECT, after_s=62).state == "rejected"
    with pytest.raises(UndoRefused, match="60 s only"), database.write() as session:
        undo(session, "violation-0", LI, NOW + timedelta(seconds=122), ONCE)


def test_a_longer_time_to_take_back_does_not_hold_for_what_was_settled(database: Database) -> None:
    add_case(database)
    said(database, LI, CONFIRM, rules=ReviewRules(undo_s=5))
    with pytest.raises(UndoRefused), database.write() as session:
        undo(session, "violation-0", LI, NOW + timedelta(seconds=6), ReviewRules(undo_s=600))


def test_what_was_sent_is_not_taken_back(database: Database) -> None:
    add_case(database)
    said(database, LI, CONFIRM)
    with database.write() as session:
        take_step(session, "violation-0", Action.SUBMIT, "system", NOW)
    with pytest.raises(UndoRefused, match="submitted already"), database.write() as session:
        undo(session, "violation-0", LI, NOW, ONCE)
    with database.read() as session:
        assert len(decisions_of(session, "violation-0")) == 1


def test_the_first_of_two_decisions_is_taken_back(database: Database) -> None:
    add_case(database)
    said(database, LI, CONFIRM, rules=TWICE)
    with database.write() as session:
        assert undo(session, "violation-0", LI, NOW, TWICE).stage == Stage.FIRST
    assert said(database, LI, REJECT, rules=TWICE).stage == Stage.SECOND


def test_a_duplicate_counts_as_an_occurrence_of_the_other_case(database: Database) -> None:
    add_case(database, 0)
    add_case(database, 1)
    same = Decision(Verdict.REJECT, reason="duplicate", duplicate_of="violation-0")
    assert said(database, LI, same, case_id="violation-1").state == "rejected"
    assert case_of(database, "violation-0").occurrences == 2
    with database.write() as session:
        undo(session, "violation-1", LI, NOW, ONCE)
    assert case_of(database, "violation-0").occurrences == 1


def test_the_share_that_is_reviewed_twice_depends_on_the_id_alone() -> None:
    ids = [f"violation-{number}" for number in range(4000)]
    chosen = {one for one in ids if is_doubly_reviewed(one, 0.1)}
    assert 0.08 < len(chosen) / len(ids) < 0.12
    assert chosen <= {one for one in ids if is_doubly_reviewed(one, 0.2)}
    assert not any(is_doubly_reviewed(one, 0.0) for one in ids)
    assert all(is_doubly_reviewed(one, 1.0) for one in ids)


def test_kappa_as_worked_by_hand() -> None:
    # 50 pairs: 20 both yes, 5 yes/no, 10 no/yes, 15 both no. Observed 35/50 = 0.7. The first says
    # yes 25 of 50, the second 30 of 50: by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5. (0.7 - 0.5) / 0.5.
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohens_kappa(pairs) == pytest.approx(0.4)
    # Three categories: 6 of 10 alike; chance (4*5 + 4*3 + 2*2) / 100 = 0.36; 0.24 / 0.64.
    three = [("a", "a")] * 3 + [("a", "b")] + [("b", "b")] * 2 + [("b", "a")] * 2
    three += [("c", "c"), ("c", "c")]
    # alike: 3 + 2 + 2 = 7; firsts a4 b4 c2; seconds a5 b3 c2.
    assert cohens_kappa(three) == pytest.approx((0.7 - 0.36) / 0.64)
    assert cohens_kappa([("y", "n"), ("n", "y")]) == pytest.approx(-1.0)
    assert cohens_kappa([]) is None
    assert cohens_kappa([("y", "y")] * 9) is None


def test_agreement_is_of_cases_that_two_decided(database: Database) -> None:
    answers = [(CONFIRM, CONFIRM), (CONFIRM, REJECT), (REJECT, REJECT), (REJECT, REJECT)]
    for number, (first, second) in enumerate(answers):
        add_case(database, number)
        for reviewer, decision in ((LI, first), (WANG, second)):
            said(database, reviewer, decision, rules=TWICE, case_id=f"violation-{number}")
    add_case(database, 9)
    said(database, LI, CONFIRM, rules=TWICE, case_id="violation-9")
    with database.read() as session:
        found = agreement(session, NOW, NOW + timedelta(days=1))
        later = agreement(session, NOW + timedelta(days=1), NOW + timedelta(days=2))
    # Chance: first confirms 2 of 4, second 1 of 4: (2*1 + 2*3) / 16 = 0.5; (0.75 - 0.5) / 0.5.
    assert (found.cases, found.agreed, found.kappa) == (4, 3, pytest.approx(0.5))
    assert (later.cases, later.kappa) == (0, None)
