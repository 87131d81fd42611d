"""Decided cases as a data set: what is taught, what is left open, what leaves the house."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from decided_store import (
    BOX,
    CONFIRM,
    CREATED_AT,
    DECIDED_AT,
    LATER,
    NOT_THERE,
    PERMITTED,
    PERSON,
    DecidedStore,
    scene,
)
from sqlalchemy import select

from service.cases.lifecycle import Action, take_step
from service.cases.review import Decision
from service.learning.export import Asked, Export, export_decided
from service.store.database import Database
from service.store.tables import AuditRow, CaseLinkRow, Relation, Variant, Verdict
from vision.errors import InputError
from vision.learn.feedback.decided import DecidedPicture, read_decided

MASKED = Asked(Variant.MASKED, "system")
ORIGINALS = Asked(Variant.SEALED, "user:zhao", reason="derelict cars are missed")
DERELICT = {
    "kind": "abandoned_vehicle",
    "class_names": ["derelict_vehicle"],
    "signs": ["derelict_look"],
}


@pytest.fixture
def store(database: Database, tmp_path: Path) -> DecidedStore:
    return DecidedStore(database, tmp_path)


def exported(store: DecidedStore, out: Path, asked: Asked = MASKED) -> Export:
    return export_decided(
        store.database, store.files, store.decided(), out, asked, clock=lambda: LATER
    )


def by_case(out: Path) -> dict[str, DecidedPicture]:
    return {picture.case_id: picture for picture in read_decided(out)}


def apart(number: int, **changes: object) -> dict[str, object]:
    """Changes for a violation of another zone, so that it is a case of its own."""
    return {"zone_id": f"zone-{number}", **changes}


def test_confirmed_ones_are_boxes_and_rejected_ones_pictures_without(
    store: DecidedStore, tmp_path: Path
) -> None:
    store.case(0, CONFIRM, camera_id="gate")
    store.case(1, NOT_THERE, camera_id="yard")
    done = exported(store, tmp_path / "out")
    assert done.passed_over == {}
    pictures = by_case(tmp_path / "out")
    confirmed, rejected = pictures["violation-0"], pictures["violation-1"]
    assert [(box.name, box.box) for box in confirmed.boxes] == [("street_stall", BOX)]
    assert (rejected.boxes, rejected.absent) == ((), ("street_stall",))
    assert "person" in confirmed.open, "heads are masked: nobody is to learn people from it"


def test_corrections_win_and_the_kind_that_was_wrong_is_absent(
    store: DecidedStore, tmp_path: Path
) -> None:
    better = (30.0, 50.0, 110.0, 140.0)
    store.case(0, Decision(Verdict.CONFIRM, kind="debris_pile", box=better))
    exported(store, tmp_path / "out")
    (picture,) = read_decided(tmp_path / "out")
    assert [(box.name, box.box) for box in picture.boxes] == [("debris_pile", better)]
    assert picture.absent == ("street_stall",)


def test_all_that_stood_there_at_that_moment_is_in_the_picture(
    store: DecidedStore, tmp_path: Path
) -> None:
    heap = {"kind": "debris_pile", "class_names": ["overflow_bin"]}
    store.case(0, CONFIRM)
    store.case(1, CONFIRM, **apart(1, box=(130.0, 60.0, 180.0, 150.0)))
    store.case(2, **apart(2, **heap))  # nobody has decided
    early = {"last_seen_at": CREATED_AT + timedelta(seconds=20), "last_seen_s": 20.0}
    store.case(3, NOT_THERE, taken_s=10.0, **apart(3, kind="debris_pile", **early))
    exported(store, tmp_path / "out")
    picture = by_case(tmp_path / "out")["violation-0"]
    assert [box.name for box in picture.boxes] == ["street_stall", "street_stall"]
    assert "overflow_bin" in picture.open
    assert picture.absent == (), "the heap that was none was gone by then"


def test_what_may_be_real_is_no_negative(store: DecidedStore, tmp_path: Path) -> None:
    store.case(0, CONFIRM)
    store.case(1, PERMITTED, **apart(1))
    done = exported(store, tmp_path / "out")
    assert done.passed_over == {"rejected as permitted: the thing may be real": 1}
    assert "street_stall" in by_case(tmp_path / "out")["violation-0"].open


def test_masked_pictures_leave_heads_out_and_say_nothing_of_derelict_vehicles(
    store: DecidedStore, tmp_path: Path
) -> None:
    store.case(0, CONFIRM)
    store.case(1, CONFIRM, **apart(1, **DERELICT))
    done = exported(store, tmp_path / "out")
    assert done.passed_over == {"abandoned_vehicle: masked pictures do not show its looks": 1}
    (picture,) = read_decided(tmp_path / "out")
    assert {box.name for box in picture.boxes} == {"street_stall"}
    assert {"derelict_vehicle", "car"} <= {*picture.open}
    given = cv2.imread(str(tmp_path / "out" / picture.file))
    x1, y1, x2, _ = (round(edge) for edge in PERSON)
    head = np.s_[y1 + 4 : y1 + 40, x1 + 4 : x2 - 4]
    assert given[head].std() < 10 < cv2.imdecode(np.frombuffer(scene(0), np.uint8), 1)[head].std()


def test_originals_are_whole_and_each_is_in_the_audit_with_the_reason(
    store: DecidedStore, tmp_path: Path
) -> None:
    store.case(0, CONFIRM, **apart(0))
    store.case(1, CONFIRM, **apart(1, **DERELICT))
    exported(store, tmp_path / "out", ORIGINALS)
    pictures = by_case(tmp_path / "out")
    file = tmp_path / "out" / pictures["violation-1"].file
    assert file.read_bytes() == scene(1)
    assert {box.name for box in pictures["violation-1"].boxes} == {
        "derelict_vehicle",
        "street_stall",
    }
    with store.database.read() as session:
        rows = session.scalars(select(AuditRow).order_by(AuditRow.id)).all()
    assert [(row.actor, row.action, row.subject, row.reason) for row in rows] == [
        ("user:zhao", "evidence.exported", f"case:violation-{n}", ORIGINALS.reason) for n in (0, 1)
    ]
    assert {row.details["variant"] for row in rows} == {"sealed"}
    with pytest.raises(InputError, match="for a reason only"):
        exported(store, tmp_path / "other", Asked(Variant.SEALED, "user:zhao", reason=" "))


def test_cameras_that_may_have_seen_the_same_are_on_one_side(
    store: DecidedStore, tmp_path: Path
) -> None:
    for number in range(12):
        store.case(number, CONFIRM, camera_id=f"camera-{number}")
    with store.database.write() as session:
        session.add_all(
            CaseLinkRow(
                case_id=f"violation-{n}",
                other_id=f"violation-{n + 1}",
                relation=Relation.POSSIBLE_DUPLICATE,
                created_at=LATER,
            )
            for n in range(0, 12, 2)
        )
    exported(store, tmp_path / "out")
    pictures = by_case(tmp_path / "out")
    for n in range(0, 12, 2):
        one, other = pictures[f"violation-{n}"], pictures[f"violation-{n + 1}"]
        assert (one.split, one.group) == (other.split, other.group)
    assert {picture.split for picture in pictures.values()} == {"train", "val"}


def test_cases_that_cannot_be_learnt_from_are_told(store: DecidedStore, tmp_path: Path) -> None:
    store.case(0, CONFIRM, with_frame=False)
    store.case(1, CONFIRM, **apart(1, kind="hoarding_missing", class_names=[]))
    store.case(2, CONFIRM, **apart(2, box=(900.0, 10.0, 990.0, 50.0)))
    with pytest.raises(InputError) as refused:
        exported(store, tmp_path / "out")
    for why in (
        "no picture without drawings is kept (1)",
        "hoarding_missing: not about looks that can be learnt (1)",
        "the box lies outside the picture (1)",
    ):
        assert why in str(refused.value)
    assert not (tmp_path / "out").exists()
    with store.database.read() as session:
        assert session.scalars(select(AuditRow)).all() == []


def test_what_can_be_taken_back_or_was_taken_back_is_not_learnt_from(
    store: DecidedStore,
) -> None:
    store.case(0, CONFIRM, **apart(0))
    store.case(1, CONFIRM, **apart(1))
    assert store.decided(DECIDED_AT + timedelta(seconds=30)) == []
    with store.database.write() as session:
        take_step(session, "violation-1", Action.CANCEL, "user:zhao", LATER)
    assert [case.case_id for case in store.decided()] == ["violation-0"]
    assert store.decided(cameras=["elsewhere"]) == []


def test_only_cases_decided_since_then_are_given_out(store: DecidedStore, tmp_path: Path) -> None:
    store.case(0, CONFIRM)
    store.case(1, **apart(1))
    store.decide("violation-1", NOT_THERE, at=DECIDED_AT + timedelta(minutes=10))
    since = Asked(Variant.MASKED, "system", since=DECIDED_AT + timedelta(minutes=5))
    exported(store, tmp_path / "out", since)
    (picture,) = read_decided(tmp_path / "out")
    assert picture.case_id == "violation-1"
    assert {box.name for box in picture.boxes} == {"street_stall"}, "what was decided before counts"
