"""The cases that a reviewer has open: claimed ahead, given back, decided, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from posting import FakeClock
from queued import queue_candidates

from service import audit
from service.auth.logins import LoggedIn, begin_login, log_out
from service.auth.users import add_user
from service.context import Service
from service.evidence.files import EvidenceFiles
from service.evidence.links import Signer
from service.review.desk import AHEAD, CaseMessage, DecisionMessage, Desk, Fault
from service.review.desks import Desks
from service.review.feed import Feed
from service.review.preferences import Preferences
from service.review.visit import LoggedOutError, NotAllowedError, Visit
from service.review.wording import Language, wording
from service.settings import ServiceSettings
from service.store.database import Database
from service.store.tables import CaseRow, CaseState, Role, Verdict

MakeDesk = Callable[..., Desk]


@pytest.fixture
def service(database: Database, clock: FakeClock, tmp_path: Path) -> Service:
    return Service(
        settings=ServiceSettings(data=tmp_path),
        database=database,
        files=EvidenceFiles(tmp_path / "evidence"),
        signer=Signer(b"a secret of the tests, 32 bytes.."),
        clock=clock.now,
    )


@pytest.fixture
def desk(service: Service) -> MakeDesk:
    """Makes the desk of a user who logged in."""
    desks = Desks()

    def make(name: str, role: Role = Role.REVIEWER) -> Desk:
        with service.database.write() as session:
            user = add_user(session, name, role, service.clock())
            login: LoggedIn = begin_login(
                session,
                user,
                origin=audit.NOWHERE,
                now=service.clock(),
                times=service.login_times,
            )
        return Desk(
            Visit(
                service,
                login.token,
                login.principal,
                Preferences(),
                wording(Language.EN),
                audit.NOWHERE,
                Feed(service),
                desks,
            )
        )

    return make


def put(service: Service, folder: Path, count: int) -> list[str]:
    return queue_candidates(service.database, service.files, folder, count)


def confirm(brief: dict[str, object]) -> DecisionMessage:
    return DecisionMessage.model_validate(
        {"id": brief["id"], "version": brief["version"], "verdict": Verdict.CONFIRM}
    )


def state_of(service: Service, case_id: str) -> str:
    with service.database.read() as session:
        return session.get_one(CaseRow, case_id).state


def test_two_desks_share_the_queue_and_never_a_case(
    service: Service, desk: MakeDesk, tmp_path: Path
) -> None:
    ids = put(service, tmp_path, 12)
    one, two = desk("one"), desk("two")
    first = [brief["id"] for brief in one.fill()]
    second = [brief["id"] for brief in two.fill()]
    assert first == ids[:AHEAD]
    assert second == ids[AHEAD:]
    one.close()
    assert [brief["id"] for brief in two.fill()] == ids[: AHEAD - len(second)]


def test_two_tabs_of_one_reviewer_share_no_case(
    service: Service, desk: MakeDesk, tmp_path: Path
) -> None:
    ids = put(service, tmp_path, AHEAD + 4)
    first = desk("one")
    second = Desk(first.visit)
    assert [brief["id"] for brief in first.fill()] == ids[:AHEAD]
    assert [brief["id"] for brief in second.fill()] == ids[AHEAD:]
    told = second.take(ids[0])
    assert isinstance(told, Fault)
    assert told.word == "other_tab"
    assert second.alike(CaseMessage(id=ids[AHEAD])) != []
    assert not set(second.held) & set(first.held)
    second.close()
    assert len(desk("two").fill()) == 4, "only what the closed tab had is given back"


def test_a_page_that_is_loaded_again_finds_its_cases(
    service: Service, desk: MakeDesk, tmp_path: Path
) -> None:
    ids = put(service, tmp_path, 3)
    left = desk("one")
    left.fill()
    browser = {"is there": False}
    gone = Desk(left.visit, is_there=lambda: browser["is there"])
    left.close()
    gone.fill()
    again = Desk(left.visit)
    assert [brief["id"] for brief in again.fill()] == ids
    gone.close()
    assert desk("two").fill() == [], "the page that was left took nothing from the new one"


def test_tabs_that_fill_at_once_share_no_case(
    service: Service, desk: MakeDesk, tmp_path: Path
) -> None:
    put(service, tmp_path, 2 * AHEAD)
    first = desk("one")
    tabs = [first, Desk(first.visit)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Desk.fill, tabs))
    held = [case_id for tab in tabs for case_id in tab.held]
    assert len(held) == len(set(held)) == 2 * AHEAD


def test_what_is_shown_is_all_that_a_reviewer_decides_by(
    service: Service, desk: MakeDesk, tmp_path: Path
) -> None:
    put(service, tmp_path, 1)
    (brief,) = desk("one").fill()
    assert (brief["kind_name"], brief["rule_dwell_s"]) == ("Street stall", 60)
    scene = brief["evidence"]["scene"]
    assert scene["url"].startswith("/api/v1/evidence/")
    assert (scene["width"], scene["height"], scene["frame_height"]) == (320, 214, 190)


def test_a_decision_on_an_old_version_brings_the_case_back(
    service: Service, desk: MakeDesk, tmp_path: Path
) -> None:
    (case_id,) = put(service, tmp_path, 1)
    mine = desk("one")
    (brief,) = mine.fill()
    with service.database.write() as session:
        session.get_one(CaseRow, case_id).version += 1
    fault = mine.decide(confirm(brief))
    assert isinstance(fault, Fault)
    assert fault.word == "stale"
    assert fault.case is not None
    assert mine.decide(confirm(fault.case)) is None
    assert state_of(service, case_id) == CaseState.CONFIRMED


def test_a_decision_is_taken_back_in_time_and_not_later(
    service: Service, desk: MakeDesk, tmp_path: Path, clock: FakeClock
) -> None:
    (case_id,) = put(service, tmp_path, 1)
    mine = desk("one")
    (brief,) = mine.fill()
    assert mine.decide(confirm(brief)) is None
    back = mine.undo(CaseMessage(id=case_id))
    assert isinstance(back, dict)
    assert mine.held == [case_id]
    assert mine.decide(confirm(back)) is None
    clock.sleep(service.review_rules.undo_s + 1)
    late = mine.undo(CaseMessage(id=case_id))
    assert isinstance(late, Fault)
    assert late.word == "too_late"


def test_a_claim_that_ended_may_be_someone_elses(
    service: Service, desk: MakeDesk, tmp_path: Path, clock: FakeClock
) -> None:
    put(service, tmp_path, 1)
    slow, quick = desk("slow"), desk("quick")
    (brief,) = slow.fill()
    clock.sleep(service.review_rules.lease_s - 1)
    slow.renew()
    clock.sleep(2)
    assert quick.fill() == [], "who works at the screen keeps the case"
    clock.sleep(service.review_rules.lease_s)
    assert len(quick.fill()) == 1
    fault = slow.decide(confirm(brief))
    assert isinstance(fault, Fault)
    assert fault.word == "claimed"


def test_nobody_acts_in_an_open_page_without_the_right_to(
    service: Service, desk: MakeDesk, tmp_path: Path
) -> None:
    put(service, tmp_path, 1)
    with pytest.raises(NotAllowedError):
        desk("looks", Role.VIEWER).fill()
    gone = desk("gone")
    assert len(gone.fill()) == 1
    assert gone.visit.principal.session is not None
    with service.database.write() as session:
        log_out(session, gone.visit.principal.session)
    with pytest.raises(LoggedOutError):
        gone.renew()
    gone.close()
    assert len(desk("stays").fill()) == 1, "what was held comes back to the others"
