"""What a camera could not settle: a person is asked, answers once, and the case moves by it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from dispatch_rig import settings
from sqlalchemy import select
from stored import NOW, add_case, case_of

from service.cases.intake import Intake
from service.cases.questions import (
    Answer,
    AnsweredAlready,
    NoSuchQuestion,
    answer,
    count_questions,
    open_questions,
)
from service.cases.verification import Verifier
from service.dispatch.platforms import VerificationSettings
from service.evidence.files import EvidenceFiles
from service.store.database import Database
from service.store.tables import CaseRow, CaseState, CaseStepRow, VerificationRow, ViolationRow

DISPATCH = settings()
LI = "user:li"


def ask(
    database: Database, number: int, state: CaseState, why: str, result: str | None
) -> tuple[str, str]:
    """A case with a verification; gives the ids of both."""
    case_id = add_case(database, number, state=state, ended_at=NOW)
    with database.write() as session:
        session.add(
            VerificationRow(
                id=f"look-{number}",
                case_id=case_id,
                why=why,
                begun_at=NOW,
                until=NOW,
                result=result,
                decided_at=NOW + timedelta(minutes=number),
                decided_by="camera:gate-3",
                open=True,
            )
        )
    return case_id, f"look-{number}"


def say(database: Database, verification_id: str, said: Answer, **changes: str) -> CaseRow:
    with database.write() as session:
        return answer(session, verification_id, said, LI, NOW, dispatch=DISPATCH, **changes)


def actions(database: Database, case_id: str) -> list[str]:
    query = select(CaseStepRow.action).where(CaseStepRow.case_id == case_id)
    with database.read() as session:
        return list(session.scalars(query.order_by(CaseStepRow.id)))


@pytest.mark.parametrize(
    ("state", "why", "asked", "said", "becomes", "steps"),
    [
        ("handled", "handled", "cannot_see", "gone", "closed", ["verify", "close"]),
        ("handled", "handled", "cannot_see", "still_there", "reopened", ["reopen"]),
        ("handling", "unhandled", "gone", "gone", "closed", ["self_rectify", "close"]),
        ("accepted", "deadline", "gone", "still_there", "accepted", ["seen_still_there"]),
        ("submitted", "deadline", "cannot_see", "gone", "closed", ["self_rectify", "close"]),
        ("reopened", "deadline", "cannot_see", "still_there", "reopened", ["seen_still_there"]),
    ],
)
def test_an_answer_moves_the_case(
    database: Database,
    state: str,
    why: str,
    asked: str,
    said: Answer,
    becomes: str,
    steps: list[str],
) -> None:
    case_id, look = ask(database, 0, CaseState(state), why, asked)
    say(database, look, said, remark="seen on the spot")
    assert case_of(database, case_id).state == becomes
    assert actions(database, case_id) == steps
    with database.read() as session:
        row = session.get_one(VerificationRow, look)
        first = session.scalars(select(CaseStepRow).order_by(CaseStepRow.id)).first()
    assert (row.open, row.result, row.decided_by) == (None, said, LI)
    assert first is not None
    assert (first.actor, first.details["asked"], first.details["remark"]) == (
        LI,
        asked,
        "seen on the spot",
    )


def test_the_second_answer_is_refused(database: Database) -> None:
    _, look = ask(database, 0, CaseState.HANDLED, "handled", "cannot_see")
    say(database, look, "gone")
    with pytest.raises(AnsweredAlready):
        say(database, look, "still_there")
    with pytest.raises(NoSuchQuestion):
        say(database, "none", "gone")


def test_only_what_asks_a_person_is_listed_the_longest_asked_first(database: Database) -> None:
    ask(database, 3, CaseState.HANDLED, "handled", "cannot_see")
    ask(database, 1, CaseState.ACCEPTED, "unhandled", "gone")
    ask(database, 2, CaseState.HANDLED, "handled", None)
    ask(database, 4, CaseState.HANDLED, "deadline", "cannot_see")
    with database.read() as session:
        listed = [row.id for row, _ in open_questions(session, 10)]
        assert count_questions(session) == 2
    assert listed == ["look-1", "look-3"], "a camera looks yet, or the case moved on"


def test_what_a_person_denied_is_not_proposed_again(database: Database, tmp_path: Path) -> None:
    case_id = add_case(database, 0, state=CaseState.ACCEPTED, ended_at=NOW)
    with database.write() as session:
        told = session.get_one(ViolationRow, case_id)
        ended = {"ended_at": NOW.isoformat(), "end_s": 900.0, "end_reason": "gone"}
        told.record = told.record | ended
    intake = Intake(database, EvidenceFiles(tmp_path), mask=lambda data, _: data, clock=lambda: NOW)
    rules = VerificationSettings()
    verifier = Verifier(database, intake, None, lambda: NOW, rules, lambda: DISPATCH)
    verifier.look_again()
    with database.read() as session:
        ((row, _),) = open_questions(session, 10)
    assert (row.why, row.result) == ("unhandled", "gone")
    say(database, row.id, "still_there")
    verifier.look_again()
    with database.read() as session:
        assert count_questions(session) == 0
    assert actions(database, case_id) == ["self_rectification_proposed", "seen_still_there"]
