from __future__ import annotations

import shutil
import threading
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from databases import Databases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from stored import NOW, add_case, case_of

from service.cases.deadlines import LimitClock, WorkTime
from service.cases.events import CASE_CHANGED, events_after
from service.cases.lifecycle import (
    TRANSITIONS,
    Action,
    NoSuchCase,
    StaleCase,
    StepRefused,
    actions_of,
    take_step,
)
from service.store.database import Database
from service.store.tables import FINISHED, CaseState, CaseStepRow
from vision.calendars import load_calendar
from vision.schedule import SiteClock

WORKTIME = WorkTime(SiteClock(ZoneInfo("Asia/Shanghai"), load_calendar("cn")))


def steps(database: Database, *actions: Action) -> CaseState:
    for action in actions:
        with database.write() as session:
            take_step(session, "violation-0", action, "user:li", NOW, worktime=WORKTIME)
    return CaseState(case_of(database, "violation-0").state)


@pytest.mark.parametrize(
    "way",
    [
        "confirm submit accept handle finish verify close",
        "confirm submit accept handle finish reopen handle finish verify close",
        "confirm submit finish close",
        "confirm submit decline submit accept decline close",
        "confirm submit accept handle suspend resume finish verify close",
        "confirm submit handle self_rectify close",
        "confirm submit accept handle return handle suspend return handle finish verify close",
    ],
)
def test_ways_from_candidate_to_closed(database: Database, way: str) -> None:
    add_case(database)
    assert steps(database, *(Action(word) for word in way.split())) is CaseState.CLOSED


def test_a_step_is_in_the_history_and_is_told(database: Database) -> None:
    add_case(database)
    with database.write() as session:
        case = take_step(
            session, "violation-0", Action.CONFIRM, "user:li", NOW, version=1, details={"by": "me"}
        )
        assert (case.state, case.version) == ("confirmed", 2)
    with database.read() as session:
        (step,) = session.scalars(select(CaseStepRow)).all()
        assert (step.actor, step.action, step.state) == ("user:li", "confirm", "confirmed")
        assert step.details == {"by": "me"}
        (event,) = events_after(session, 0, 10)
        assert (event.type, event.subject) == (CASE_CHANGED, "violation-0")
        assert (event.data["state"], event.data["version"]) == ("confirmed", 2)


def test_what_is_not_possible_names_state_and_action(database: Database) -> None:
    add_case(database)
    with pytest.raises(StepRefused, match=r"close is not possible for a case that is candidate"):
        steps(database, Action.CLOSE)
    with database.read() as session:
        assert session.scalars(select(CaseStepRow)).all() == []
    with pytest.raises(NoSuchCase), database.write() as session:
        take_step(session, "another", Action.CONFIRM, "user:li", NOW)


def test_a_decision_upon_what_was_changed_meanwhile_is_refused(database: Database) -> None:
    add_case(database)
    steps(database, Action.CONFIRM)
    with pytest.raises(StaleCase, match="version 2") as told, database.write() as session:
        take_step(session, "violation-0", Action.SUBMIT, "user:li", NOW, version=1)
    assert told.value.version == 2


def test_only_candidates_stand_in_the_queue(database: Database) -> None:
    add_case(database, priority=3)
    steps(database, Action.CONFIRM)
    assert case_of(database, "violation-0").queue_at is None
    steps(database, Action.UNDO)
    case = case_of(database, "violation-0")
    assert case.queue_at == case.raised_at - timedelta(hours=3)


def test_while_a_case_is_suspended_its_deadline_stands_still(database: Database) -> None:
    # 17:00 on Friday 29 May 2026 leaves one work hour of the three on that day.
    friday = NOW.replace(month=5, day=29, hour=9, minute=0)
    add_case(database, state=CaseState.HANDLING)
    with database.write() as session:
        case = take_step(session, "violation-0", Action.FINISH, "platform:x", friday)
        case.state, case.deadline_clock = "handling", "work_hour"
        case.deadline_at = WORKTIME.after(friday, 3 * 3600, LimitClock.WORK_HOUR)
    assert (case.deadline_at.day, case.deadline_at.hour) == (1, 10)
    at = friday + timedelta(minutes=30)
    with database.write() as session:
        case = take_step(
            session, "violation-0", Action.SUSPEND, "platform:x", at, worktime=WORKTIME
        )
        assert (case.deadline_at, case.deadline_left_s) == (None, 2.5 * 3600)
    wednesday = friday + timedelta(days=5)
    with database.write() as session:
        case = take_step(
            session, "violation-0", Action.RESUME, "platform:x", wednesday, worktime=WORKTIME
        )
    # Wednesday 17:00 to 18:00, then Thursday from 08:00.
    assert case.deadline_at is not None
    assert case.deadline_at.astimezone(WORKTIME.site.timezone).strftime("%d %H:%M") == "04 09:30"
    assert case.deadline_left_s is None


def test_suspending_needs_to_know_when_people_work(database: Database) -> None:
    add_case(database, state=CaseState.HANDLING)
    with pytest.raises(ValueError, match="working time"), database.write() as session:
        take_step(session, "violation-0", Action.SUSPEND, "platform:x", NOW)


def test_every_state_is_reached_and_only_finished_ones_are_left_by_nothing_but_undo() -> None:
    reached = {one.target for one in TRANSITIONS.values()} | {CaseState.CANDIDATE}
    assert reached == set(CaseState)
    for state in CaseState:
        left = set(actions_of(state)) - {Action.UNDO}
        assert (not left) == (state in FINISHED), state


@given(actions=st.lists(st.sampled_from(Action), max_size=25))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_sequence_of_actions_leaves_the_graph(
    migrated_sqlite: Path, tmp_path: Path, actions: list[Action]
) -> None:
    database = Database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'walked.db')}")
    add_case(database)
    state, taken = CaseState.CANDIDATE, []
    for action in actions:
        possible = action in actions_of(state)
        try:
            after = steps(database, action)
        except StepRefused as refused:
            assert not possible
            assert (refused.state, refused.action) == (state, action)
        else:
            assert possible
            assert after is TRANSITIONS[action].target
            state = after
            taken.append((action, after))
    case = case_of(database, "violation-0")
    assert (case.state, case.version) == (state, 1 + len(taken))
    assert (case.queue_at is not None) == (state is CaseState.CANDIDATE)
    with database.read() as session:
        history = session.scalars(select(CaseStepRow).order_by(CaseStepRow.id))
        assert [(row.action, row.state) for row in history] == taken
    database.close()


def test_of_steps_at_the_same_time_exactly_one_wins(databases: Databases) -> None:
    with databases.url() as url:
        database = Database(url)
        add_case(database)
        start = threading.Barrier(8)
        outcomes: list[str] = []

        def try_it(action: Action) -> None:
            start.wait()
            try:
                with database.write() as session:
                    take_step(session, "violation-0", action, "user:li", NOW, version=1)
                outcomes.append("won")
            except (StaleCase, StepRefused) as lost:
                outcomes.append(type(lost).__name__)

        threads = [
            threading.Thread(target=try_it, args=(action,))
            for action in [Action.CONFIRM, Action.REJECT] * 4
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["StaleCase"] * 7 + ["won"]
        with database.read() as session:
            assert len(session.scalars(select(CaseStepRow)).all()) == 1
        database.close()
