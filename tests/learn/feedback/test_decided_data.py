"""Pictures of decided cases as YOLO and COCO data, and as what a model learns from."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.frames.encoded_clips import encode
from tests.learn.feedback.test_reviewed_pictures import decided, found, reviewed_run
from vision.errors import InputError
from vision.learn.data.folders import read_folder
from vision.learn.data.lint import lint
from vision.learn.data.pictures import class_names, read_pictures
from vision.learn.feedback.decided import (
    DECIDED_FILE,
    DecidedBox,
    DecidedData,
    DecidedPicture,
    camera_groups,
    read_decided,
    sides_of,
    write_decided,
)
from vision.learn.feedback.looks import CLASSES
from vision.learn.feedback.reviewed_pictures import write_reviewed

WIDTH, HEIGHT = 96, 64
STALL = DecidedBox(name="street_stall", box=(24, 16, 72, 80))


def case_picture(number: int = 0, camera_id: str = "gate", **changes: object) -> DecidedPicture:
    told = {
        "case_id": f"case-{number}",
        "camera_id": camera_id,
        "taken_at": datetime(2026, 11, 24, 9, number % 60, tzinfo=UTC),
        "width": WIDTH,
        "height": HEIGHT,
        "variant": "masked",
        "boxes": (),
        "absent": ("debris_pile",),
        "open": (),
        **changes,
    }
    return DecidedPicture.model_validate(told)


def jpeg(one: DecidedPicture) -> bytes:
    seed = int.from_bytes(one.case_id.encode()[-2:])
    noise = np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


def written(out: Path, *pictures: DecidedPicture) -> DecidedData:
    return write_decided(pictures, jpeg, out)


def test_yolo_and_coco_say_the_same_and_what_is_not_known(tmp_path: Path) -> None:
    out = tmp_path / "out"
    written(out, case_picture(0, boxes=(STALL,), open=("overflow_bin",)))
    label = (out / "labels/train/gate_case-0.txt").read_text().split()
    # The box is cut at the picture's edge: 24..72 of 96, 16..64 of 64.
    assert class_names(out)[int(label[0])] == "street_stall"
    assert [float(value) for value in label[1:]] == [0.5, 0.625, 0.5, 0.75]
    (row,) = read_pictures(out)
    assert row.file == "images/train/gate_case-0.jpg"
    # Nobody looked for other stalls; that there is no heap was said.
    assert set(row.unknown) == {*CLASSES} - {"debris_pile"}
    document = json.loads((out / "annotations/instances_train.json").read_text())
    names = {one["id"]: one["name"] for one in document["categories"]}
    (image,), (annotation,) = document["images"], document["annotations"]
    assert [names[n] for n in image["neg_category_ids"]] == ["debris_pile"]
    assert {names[n] for n in image["not_exhaustive_category_ids"]} == set(row.unknown)
    assert (annotation["bbox"], names[annotation["category_id"]]) == (
        [24, 16, 48, 48],
        "street_stall",
    )
    assert json.loads((out / "annotations/instances_val.json").read_text())["images"] == []


def test_the_folder_is_a_sound_data_set(tmp_path: Path) -> None:
    out = tmp_path / "out"
    pictures = [case_picture(n, f"camera-{n % 7}", boxes=(STALL,)) for n in range(28)]
    written(out, *pictures)
    folder = read_folder(out)
    assert (folder.layout, len(folder.pictures)) == ("built", 28)
    assert [one for one in lint(folder) if one.severity == "error"] == []
    assert [
        one.model_copy(update={"file": "", "split": "train", "group": ""})
        for one in (read_decided(out))
    ] == pictures


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=60), st.data())
def test_a_camera_is_on_one_side_and_those_that_see_the_same_with_it(
    cameras: list[str], data: st.DataObject
) -> None:
    pictures = [case_picture(n, camera) for n, camera in enumerate(cameras)]
    pairs = data.draw(st.lists(st.tuples(*[st.sampled_from("abcdefgh")] * 2), max_size=3))
    sides = sides_of(pictures, camera_groups(set(cameras), pairs))
    for one, other in pairs:
        if one in sides and other in sides:
            assert sides[one] == sides[other]
    held_out = sum(sides[one.camera_id] == "val" for one in pictures)
    assert held_out <= 0.5 * len(pictures)
    if len(set(cameras)) == 1:
        assert held_out == 0


def test_more_cases_of_known_cameras_leave_the_sides_as_they_were() -> None:
    names = [f"camera-{n}" for n in range(10)]
    few = [case_picture(n, name) for n, name in enumerate(names * 2)]
    many = [case_picture(n, name) for n, name in enumerate(names * 9)]
    groups = camera_groups(names, ())
    assert sides_of(few, groups) == sides_of(many, groups)
    assert 2 * list(sides_of(few, groups).values()).count("val") == 4


def test_nothing_is_written_over_and_nothing_outside(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match="no picture"):
        written(out)
    with pytest.raises(InputError, match=r"case case-0 .*outside the picture|outside the picture"):
        written(
            out, case_picture(0, boxes=(DecidedBox(name="street_stall", box=(200, 0, 300, 9)),))
        )
    written(tmp_path / "whole", case_picture())
    with pytest.raises(InputError, match="is not empty"):
        written(tmp_path / "whole", case_picture())


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{}", "case_id: Field required"),
        (case_picture(file="../secret.jpg").model_dump_json(), "lies outside images/"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, fault: str) -> None:
    (tmp_path / DECIDED_FILE).write_text(f"\n{line}\n")
    with pytest.raises(InputError, match=rf"{DECIDED_FILE}:2: .*{fault}"):
        read_decided(tmp_path)


def test_a_model_learns_its_own_classes_from_cases(tmp_path: Path) -> None:
    out = tmp_path / "out"
    written(
        out,
        case_picture(0, boxes=(STALL,), absent=(), open=("car", "overflow_bin")),
        case_picture(1, absent=("street_stall", "debris_pile")),
        case_picture(2, absent=("overflow_bin",)),
    )
    learnt = write_reviewed(
        [], ("car", "street_stall", "debris_pile"), tmp_path / "l", exports=[out]
    )
    assert learnt.counts == {
        "street_stall": {"confirmed": 1, "rejected": 1},
        "debris_pile": {"rejected": 1},
    }
    assert set(learnt.folders) == {"street_stall+open-car", "no-debris_pile+no-street_stall"}
    assert learnt.origins == {"masked": 2}
    assert learnt.passed_over == {"cases of classes that this model does not have": 1}
    (copied,) = (tmp_path / "l/street_stall+open-car/images").iterdir()
    assert copied.read_bytes() == jpeg(case_picture(0)), "as it was exported, not encoded again"


def test_a_case_that_was_exported_twice_is_learnt_from_once(tmp_path: Path) -> None:
    written(tmp_path / "may", case_picture(0))
    written(tmp_path / "june", case_picture(0, boxes=(STALL,), absent=()))
    learnt = write_reviewed(
        [], CLASSES, tmp_path / "l", exports=[tmp_path / "may", tmp_path / "june"]
    )
    assert learnt.counts == {"street_stall": {"confirmed": 1}}


def test_scans_and_cases_of_one_camera_are_of_one_group(tmp_path: Path) -> None:
    clip = encode(tmp_path / "gate.mp4")
    run = reviewed_run(
        tmp_path / "run",
        clip,
        [found(tmp_path / "run", 0, clip=clip)],
        [decided("id-0", "confirmed")],
    )
    written(tmp_path / "out", case_picture(0, "gate"), case_picture(1, "yard"))
    write_reviewed([run], CLASSES, tmp_path / "l", exports=[tmp_path / "out"])
    groups = {
        file.stem.partition("_")[2]: file.stem.partition("_")[0]
        for file in (tmp_path / "l").rglob("*.jpg")
    }
    assert groups["id-0"] == groups["case-0"] != groups["case-1"]
