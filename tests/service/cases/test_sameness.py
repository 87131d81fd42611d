from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from posting import CREATED_AT, FakeClock, picture_of, record
from sqlalchemy import select
from stored import case_of

from service.cases.intake import Intake
from service.cases.sameness import (
    camera_distance_m,
    cases_at_place,
    distance_m,
    links_of,
    overlap,
    same_place,
)
from service.evidence.files import EvidenceFiles
from service.store.cameras import add_camera
from service.store.database import Database
from service.store.tables import CaseRow, CaseState, CaseStepRow, EvidenceRow, ViolationRow
from vision.site import Camera

HERE = (10.0, 20.0, 110.0, 220.0)
BESIDE = (90.0, 20.0, 190.0, 220.0)
HOUR = timedelta(hours=1)


@pytest.fixture
def intake(database: Database, clock: FakeClock, tmp_path: Path) -> Intake:
    files = EvidenceFiles(tmp_path / "kept")
    return Intake(database, files, mask=lambda *_: None, clock=clock.now)


def seen(number: int, after: timedelta = timedelta(), **changes: Any) -> Any:
    at = CREATED_AT + after
    ended = changes.pop("ended", None)
    fields = {"box": HERE, "started_at": at, "last_seen_at": at, "ended_at": None}
    if ended is not None:
        fields |= {"last_seen_at": at + ended, "ended_at": at + ended, "end_reason": "gone"}
    return record(number, **(fields | changes))


def put(database: Database, case_id: str, state: CaseState) -> None:
    with database.write() as session:
        session.get_one(CaseRow, case_id).state = state


def cases(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(CaseRow.id).order_by(CaseRow.id)))


def test_what_is_seen_again_at_its_place_is_the_open_case(
    intake: Intake, database: Database, tmp_path: Path
) -> None:
    intake.take(seen(0, ended=HOUR), {})
    scene = tmp_path / "scene.jpg"
    scene.write_bytes(picture_of(1))
    intake.take(seen(1, 3 * HOUR), {"scene": scene})
    assert cases(database) == ["violation-0"]
    case = case_of(database, "violation-0")
    assert (case.occurrences, case.ended_at, case.version) == (2, None, 1)
    with database.read() as session:
        assert session.get_one(ViolationRow, "violation-1").case_id == "violation-0"
        assert session.scalars(select(EvidenceRow.case_id)).all() == ["violation-0"]
        steps = session.scalars(select(CaseStepRow).order_by(CaseStepRow.id))
        assert [one.action for one in steps] == ["raised", "ended", "occurred_again"]

    intake.take(seen(1, 3 * HOUR, ended=HOUR), {"scene": scene})
    assert case_of(database, "violation-0").ended_at == CREATED_AT + 4 * HOUR
    assert case_of(database, "violation-0").occurrences == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"box": BESIDE},
        {"kind": "debris_pile"},
        {"zone_id": "carriageway"},
        {"camera_id": "market"},
        {"after": 26 * HOUR},
    ],
)
def test_another_place_kind_zone_camera_or_time_is_another_case(
    intake: Intake, database: Database, changes: dict[str, Any]
) -> None:
    intake.take(seen(0, ended=HOUR), {})
    intake.take(seen(1, **({"after": 2 * HOUR} | changes)), {})
    assert cases(database) == ["violation-0", "violation-1"]


def test_what_concerns_a_whole_zone_is_one_case_wherever_its_box_is(
    intake: Intake, database: Database
) -> None:
    intake.take(seen(0, kind="construction_dust"), {})
    intake.take(seen(1, HOUR, kind="construction_dust", box=(900, 20, 990, 220)), {})
    assert cases(database) == ["violation-0"]


@pytest.mark.parametrize("over", [CaseState.VERIFIED, CaseState.CLOSED])
def test_what_comes_back_after_its_case_was_over_recurs(
    intake: Intake, database: Database, over: CaseState
) -> None:
    for number in range(3):
        day = timedelta(days=20 * number)
        intake.take(seen(number, day, ended=HOUR), {})
        put(database, f"violation-{number}", over)
    chain = [
        (one.recurrence_of, one.recurrences, one.priority)
        for one in (case_of(database, f"violation-{number}") for number in range(3))
    ]
    assert chain == [(None, 0, 3), ("violation-0", 1, 4), ("violation-1", 2, 5)]
    with database.read() as session:
        linked = [(link.relation, other.id) for link, other in links_of(session, "violation-1")]
        assert linked == [("recurrence_of", "violation-0"), ("recurrence_of", "violation-2")]
        there = cases_at_place(session, session.get_one(CaseRow, "violation-1"))
        assert [one.id for one in there] == ["violation-2", "violation-0"]


@pytest.mark.parametrize(("state", "after_days"), [(CaseState.CLOSED, 31), (CaseState.REJECTED, 2)])
def test_long_ago_or_rejected_is_no_recurrence(
    intake: Intake, database: Database, state: CaseState, after_days: int
) -> None:
    intake.take(seen(0, ended=HOUR), {})
    put(database, "violation-0", state)
    intake.take(seen(1, timedelta(days=after_days)), {})
    assert case_of(database, "violation-1").recurrence_of is None


def camera(id_: str, **changes: Any) -> Camera:
    at = {"lon": 119.974, "lat": 31.811, "coord_sys": "wgs84"}
    return Camera.model_validate({"id": id_} | at | changes)


def test_cameras_near_by_may_see_the_same(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    # 0.0003 degrees of longitude are 28 m here, of latitude 33 m; 0.001 are 94 m.
    cameras = [
        camera("gate-3"),
        camera("near", lon=119.9743),
        camera("nearer", lat=31.8111),
        camera("far", lon=119.975),
        camera("shifted", lon=119.9743, coord_sys="gcj02"),
    ]
    with database.write() as session:
        for one in cameras:
            add_camera(session, one, clock.now(), enabled=True)
    for number, id_ in enumerate(("near", "nearer", "far", "shifted")):
        intake.take(seen(number, camera_id=id_), {})
    intake.take(seen(4, camera_id="near", kind="debris_pile"), {})
    intake.take(seen(5, HOUR, camera_id="gate-3"), {})
    intake.take(seen(6, 30 * HOUR, camera_id="gate-3", box=BESIDE), {})
    with database.read() as session:
        linked = links_of(session, "violation-5")
        assert [(link.relation, other.id) for link, other in linked] == [
            ("possible_duplicate", "violation-1"),
            ("possible_duplicate", "violation-0"),
        ]
        assert [round(link.distance_m or 0) for link, _ in linked] == [11, 28]
        assert links_of(session, "violation-6") == []


def test_priority_and_place_are_those_of_the_zone(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    zone = {
        "id": "footway",
        "purpose": "footway",
        "points": [[0, 0], [1, 0], [1, 1]],
        "place": {"assess_level": 1, "unit": "Sanitation"},
    }
    place = {"street": "Nandajie", "unit": "Street office", "grid": "32040200100101"}
    with database.write() as session:
        one = camera("gate-3", zones=[zone], place=place)
        add_camera(session, one, clock.now(), enabled=True)
    intake.take(seen(0), {})
    case = case_of(database, "violation-0")
    assert case.place == {
        "street": "Nandajie",
        "unit": "Sanitation",
        "grid": "32040200100101",
        "assess_level": 1,
    }
    assert (case.priority, case.queue_at) == (3 + 8, CREATED_AT - 11 * HOUR)


def test_overlap_of_boxes() -> None:
    assert overlap(HERE, HERE) == 1.0
    assert overlap((0, 0, 10, 10), (0, 5, 10, 15)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0.0
    assert same_place("street_stall", (0, 0, 10, 10), (0, 2, 10, 12))
    assert not same_place("street_stall", (0, 0, 10, 10), (0, 4, 10, 14))


def test_distances() -> None:
    # A degree of the meridian on the mean sphere: 2 pi 6371008.8 m / 360.
    assert distance_m((120.0, 31.0), (120.0, 32.0)) == pytest.approx(111_195.1, abs=0.1)
    assert distance_m((179.9999, 0.0), (-179.9999, 0.0)) == pytest.approx(22.2, abs=0.1)
    here = {"lon": 120.0, "lat": 31.0, "coord_sys": "wgs84"}
    assert camera_distance_m(here, here | {"coord_sys": "cgcs2000"}) == 0.0
    assert camera_distance_m(here, here | {"coord_sys": "gcj02"}) is None
    assert camera_distance_m(here, {"id": "x"}) is None
