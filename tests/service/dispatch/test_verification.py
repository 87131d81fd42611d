"""A camera looks again: gone, still there, cannot see; played cameras, a real store."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from dispatch_rig import NOW, confirm, deliveries, name, panorama, settings, state_of, webhook
from posting import FakeClock
from sqlalchemy import select

from service.cameras.pushed import Snapshot
from service.cameras.standings import Standings
from service.cases.intake import Intake
from service.cases.lifecycle import Action, take_step
from service.cases.verification import Verifier
from service.dispatch import queue
from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.callbacks import Report, Status, receive
from service.dispatch.dispatcher import arrived
from service.dispatch.platforms import DispatchSettings, VerificationSettings
from service.dispatch.queue import Claimed
from service.evidence.files import EvidenceFiles
from service.store.database import Database
from service.store.tables import (
    CaseRow,
    CaseStepRow,
    EvidenceRow,
    VerificationRow,
    ViolationRow,
)
from vision.rules.finding import Verification

RULES = VerificationSettings(looks=3, span_s=60, within_s=600)
CITY = settings(city=webhook())
ID = "violation-0"


@dataclass
class PlayedView:
    """One camera that sees what a test says."""

    standings_: Standings | None = None
    picture: Snapshot | None = None
    asked: list[str] = field(default_factory=list)

    def standings(self, camera_id: str) -> Standings | None:
        self.asked.append(camera_id)
        return self.standings_

    def snapshot(self, camera_id: str) -> Snapshot | None:
        return self.picture


class Street:
    """A case of one camera, and the verifier."""

    def __init__(self, database: Database, folder: Path, dispatch: DispatchSettings = CITY) -> None:
        self.database = database
        self.clock = FakeClock(NOW)
        self.view = PlayedView()
        files = EvidenceFiles(folder / "evidence")
        intake = Intake(
            database, files, mask=lambda data, _: b"masked" + data, clock=self.clock.now
        )
        self.verifier = Verifier(
            database, intake, self.view, self.clock.now, RULES, lambda: dispatch
        )
        name(database, dispatch)
        with database.write() as session:
            confirm(session)
        with database.write() as session:
            claimed = queue.claim(session, "city", NOW, lease_s=30, rate_per_s=1000)
            assert isinstance(claimed, Claimed)
            row = queue.settle(session, claimed, Attempt(Outcome.DELIVERED, 201, "C1"), NOW)
            assert row is not None
            arrived(session, row, NOW)

    def step(self, action: Action) -> None:
        with self.database.write() as session:
            take_step(session, ID, action, "platform:city", self.clock.now())

    def sees(self, said: Verification | None, after_s: float = 30) -> None:
        """Time passes, a look is made, and the verifier takes it in."""
        self.clock.sleep(after_s)
        self.view.standings_ = None if said is None else Standings(self.clock.now(), {ID: said})
        self.verifier.look_again()

    def is_over(self, reason: str = "gone") -> None:
        """The camera told that the violation ended."""
        at = self.clock.now()
        with self.database.write() as session:
            row = session.get_one(ViolationRow, ID)
            row.record = row.record | {
                "ended_at": at.isoformat(),
                "end_s": 900.0,
                "end_reason": reason,
            }
            row.ended_at = session.get_one(CaseRow, ID).ended_at = at

    @property
    def rows(self) -> list[VerificationRow]:
        with self.database.read() as session:
            order = (VerificationRow.begun_at, VerificationRow.id)
            return list(session.scalars(select(VerificationRow).order_by(*order)))

    @property
    def actions(self) -> list[str]:
        with self.database.read() as session:
            query = select(CaseStepRow.action).where(CaseStepRow.case_id == ID)
            return list(session.scalars(query.order_by(CaseStepRow.id)))


@pytest.fixture
def street(database: Database, tmp_path: Path) -> Street:
    return Street(database, tmp_path)


def test_gone_is_verified_and_closed_once_the_platform_says_so_too(street: Street) -> None:
    street.step(Action.FINISH)
    street.sees("still_there")
    street.is_over()
    street.sees(None)
    (row,) = street.rows
    assert (row.result, row.open, row.decided_by) == ("gone", None, "camera:gate-3")
    assert state_of(street.database) == "verified"
    with street.database.write() as session:
        report = Report("r1", Status.CLOSED, NOW, case_id=ID)
        receive(session, "city", report, street.clock.now())
    assert state_of(street.database) == "closed"
    assert [one.subject for one in deliveries(street.database)] == ["confirmed", "verified"]


def test_gone_closes_at_once_where_the_platform_has_said_closed(street: Street) -> None:
    with street.database.write() as session:
        report = Report("r1", Status.CLOSED, NOW, case_id=ID)
        receive(session, "city", report, street.clock.now())
    assert state_of(street.database) == "handled", "the camera has not looked yet"
    street.is_over()
    street.sees(None)
    assert state_of(street.database) == "closed"


def test_gone_closes_at_once_where_the_platform_never_says_more(
    database: Database, tmp_path: Path
) -> None:
    street = Street(database, tmp_path, settings(city=panorama()))
    street.step(Action.FINISH)
    street.is_over()
    street.sees(None)
    assert state_of(database) == "closed"


def test_still_there_takes_several_looks_over_time_and_reopens(street: Street) -> None:
    street.view.picture = Snapshot(np.full((48, 64, 3), 90, np.uint8), NOW)
    street.step(Action.FINISH)
    street.sees("still_there", 0)
    for _ in range(2):
        street.sees("still_there")
        assert state_of(street.database) == "handled"
    street.sees("still_there")
    assert state_of(street.database) == "reopened"
    (row,) = street.rows
    assert (row.result, row.looks, row.open) == ("still_there", 3, None)
    with street.database.read() as session:
        after = session.get_one(EvidenceRow, row.after_id)
    assert (after.role, after.variant, after.width) == ("after", "masked", 64)


def test_the_same_look_counts_once(street: Street) -> None:
    street.step(Action.FINISH)
    street.sees("still_there", 0)
    street.sees("still_there")
    for _ in range(5):
        street.clock.sleep(30)
        street.verifier.look_again()
    assert street.rows[0].looks == 1


def test_cannot_see_never_is_rectified_and_asks_a_person(street: Street) -> None:
    street.step(Action.FINISH)
    for _ in range(25):
        street.sees("cannot_see")
    (row,) = street.rows
    assert (row.result, row.open, row.looks) == ("cannot_see", True, 0)
    assert state_of(street.database) == "handled"
    assert street.actions.count("cannot_be_seen") == 1, "asked once"


def test_looks_that_cannot_see_neither_count_nor_undo_those_that_saw(street: Street) -> None:
    street.step(Action.FINISH)
    street.sees(None, 0)
    for said in ("still_there", "cannot_see", None, "still_there", "cannot_see", "still_there"):
        street.sees(said)
    assert state_of(street.database) == "reopened"


def test_what_is_seen_later_counts_though_a_person_was_asked(street: Street) -> None:
    street.step(Action.FINISH)
    street.sees("cannot_see", 0)
    street.sees("cannot_see", 700)
    street.is_over()
    street.sees(None)
    assert [row.result for row in street.rows] == ["gone"]
    assert state_of(street.database) == "verified"


def test_a_person_who_says_how_it_is_ends_the_asking(street: Street) -> None:
    street.step(Action.FINISH)
    street.sees("cannot_see", 0)
    street.sees("cannot_see", 700)
    street.step(Action.VERIFY)
    street.sees("cannot_see")
    assert [(row.result, row.open) for row in street.rows] == [("cannot_see", None)]


def test_a_case_that_only_merged_into_another_cannot_be_seen(street: Street) -> None:
    street.step(Action.FINISH)
    street.is_over("merged")
    street.sees(None, 0)
    street.sees(None, 700)
    assert state_of(street.database) == "handled"
    assert street.rows[0].result == "cannot_see"


def test_gone_before_anyone_handled_it_is_proposed_and_a_person_agrees(street: Street) -> None:
    street.is_over()
    street.sees(None)
    street.sees(None)
    (row,) = street.rows
    assert (row.why, row.result, row.open) == ("unhandled", "gone", True)
    assert street.actions.count("self_rectification_proposed") == 1
    assert state_of(street.database) == "submitted"
    street.step(Action.SELF_RECTIFY)
    street.sees(None)
    assert street.rows[0].open is None


def test_at_the_deadline_the_camera_looks_and_says_still_there(street: Street) -> None:
    with street.database.write() as session:
        session.get_one(CaseRow, ID).deadline_at = NOW + timedelta(seconds=10)
    street.sees("still_there", 0)
    assert street.rows == []
    for _ in range(5):
        street.sees("still_there")
    (row,) = street.rows
    assert (row.why, row.result, row.open) == ("deadline", "still_there", None)
    street.sees("still_there")
    assert len(street.rows) == 1, "once a case"
    assert state_of(street.database) == "submitted"


def test_a_second_round_is_looked_at_again(street: Street) -> None:
    street.step(Action.FINISH)
    for _ in range(5):
        street.sees("still_there")
    assert state_of(street.database) == "reopened"
    street.step(Action.FINISH)
    street.is_over()
    street.sees(None)
    assert [row.result for row in street.rows] == ["still_there", "gone"]
    assert state_of(street.database) == "verified"
