"""Reviewers' decisions as labelled folders: clean frames, right classes, groups that hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.frames.encoded_clips import STREET, encode, picture
from tests.report.runs import STARTED, entry, run_folder, violation
from vision.decisions import DECISIONS_FILE, read_decisions
from vision.errors import InputError
from vision.frames.inputs import content_sha256
from vision.learn.data.labels import read_boxes
from vision.learn.feedback.reviewed_pictures import write_reviewed
from vision.record import ViolationRecord

CLASSES = ("person", "street_stall", "debris_pile", "overflow_bin", "derelict_vehicle")
BOX = [20, 10, 60, 50]


def decided(violation_id: str, decision: str, **more: Any) -> dict[str, Any]:
    at = "2026-11-24T09:00:00+08:00"
    return {"violation_id": violation_id, "decision": decision, "decided_at": at, **more}


def found(
    root: Path, number: int, *, clip: Path, scene_s: float = 4.0, **changes: Any
) -> ViolationRecord:
    fields = {
        "kind": "street_stall",
        "class_names": ["street_stall"],
        "box": BOX,
        "start_s": 2.0,
        "last_seen_s": 9.0,
        "source": {"name": clip.name, "sha256": content_sha256(clip)},
        **changes,
    }
    source = fields.pop("source")
    made = violation(root, number, **fields)
    assert made.evidence.scene is not None
    scene = made.evidence.scene.model_copy(update={"time_s": scene_s})
    return made.model_copy(
        update={
            "source": made.source.model_copy(update=source),
            "evidence": made.evidence.model_copy(update={"scene": scene}),
        }
    )


def reviewed_run(
    root: Path, clip: Path, violations: Sequence[ViolationRecord], decisions: Sequence[Any]
) -> Path:
    width, height = STREET
    run_folder(
        root,
        [entry(clip.name, path=str(clip), sha256=content_sha256(clip), width=width, height=height)],
        violations,
    )
    lines = [json.dumps(row) for row in decisions]
    (root / DECISIONS_FILE).write_text("\n".join(lines) + "\n", "utf-8")
    return root


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("clips") / "gate.mp4")


def written(folder: Path) -> dict[str, list[str]]:
    """Class names in each picture's labels, by folder."""
    return {
        image.parent.parent.name: [
            box.name
            for box in read_boxes(
                image.parent.parent / "labels" / f"{image.stem}.txt",
                (image.parent.parent / "classes.txt").read_text().split(),
            )
        ]
        for image in sorted(folder.rglob("*.jpg"))
    }


def test_a_confirmed_violation_is_the_clean_frame_with_its_box(tmp_path: Path, clip: Path) -> None:
    run = reviewed_run(
        tmp_path / "run",
        clip,
        [found(tmp_path / "run", 0, clip=clip)],
        [decided("id-0", "confirmed")],
    )
    result = write_reviewed([run], CLASSES, tmp_path / "out")
    assert result.counts == {"street_stall": {"confirmed": 1}}
    assert result.origins == {"recording": 1}
    (image,) = (tmp_path / "out/street_stall/images").iterdir()
    # The frame at 4 s of a clip at 5 frames a second, without any drawing of the evidence.
    shown = cv2.imread(str(image)).astype(int)
    assert np.abs(shown - picture(20)[:, :, ::-1]).mean() < 6
    (box,) = read_boxes(tmp_path / f"out/street_stall/labels/{image.stem}.txt", CLASSES)
    width, height = STREET
    assert box.xyxy == pytest.approx((20 / width, 10 / height, 60 / width, 50 / height), abs=1e-5)


def test_a_rejected_one_is_a_picture_without_the_class(tmp_path: Path, clip: Path) -> None:
    run = reviewed_run(
        tmp_path / "run",
        clip,
        [found(tmp_path / "run", 0, clip=clip)],
        [decided("id-0", "rejected")],
    )
    result = write_reviewed([run], CLASSES, tmp_path / "out")
    assert written(tmp_path / "out") == {"no-street_stall": []}
    assert result.folders["no-street_stall"].absent == ("street_stall",)


def test_a_changed_one_is_the_other_kind_in_the_corrected_box(tmp_path: Path, clip: Path) -> None:
    run = reviewed_run(
        tmp_path / "run",
        clip,
        [found(tmp_path / "run", 0, clip=clip)],
        [decided("id-0", "changed", kind="debris_pile", box=[0, 0, 48, 32])],
    )
    result = write_reviewed([run], CLASSES, tmp_path / "out")
    assert written(tmp_path / "out") == {"debris_pile+no-street_stall": ["debris_pile"]}
    (label,) = (tmp_path / "out/debris_pile+no-street_stall/labels").iterdir()
    assert read_boxes(label, CLASSES)[0].xyxy == pytest.approx((0, 0, 0.5, 0.5))
    assert result.counts == {"debris_pile": {"confirmed": 1}, "street_stall": {"rejected": 1}}


def test_all_that_is_known_of_a_moment_is_in_its_picture(tmp_path: Path, clip: Path) -> None:
    run = tmp_path / "run"
    things = [
        found(run, 0, clip=clip),
        found(run, 1, clip=clip, box=[70, 10, 90, 40]),
        found(run, 2, clip=clip, kind="debris_pile", class_names=["overflow_bin"], start_s=3.0),
        found(run, 3, clip=clip, kind="debris_pile", class_names=["debris_pile"], start_s=8.0),
    ]
    reviewed_run(
        run,
        clip,
        things,
        [decided("id-0", "confirmed"), decided("id-1", "confirmed"), decided("id-3", "rejected")],
    )
    write_reviewed([run], CLASSES, tmp_path / "out")
    names = written(tmp_path / "out")
    # The bin was not decided: it is neither taught nor denied. The heap came only later.
    assert names["street_stall+open-overflow_bin"] == ["street_stall", "street_stall"]


def test_the_last_decision_counts(tmp_path: Path, clip: Path) -> None:
    run = reviewed_run(
        tmp_path / "run",
        clip,
        [found(tmp_path / "run", 0, clip=clip)],
        [decided("id-0", "confirmed"), decided("id-0", "rejected", reviewer="李")],
    )
    assert write_reviewed([run], CLASSES, tmp_path / "out").counts == {
        "street_stall": {"rejected": 1}
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "hoarding_missing", "class_names": ["hoarding"]}, "hoarding_missing"),
        ({"kind": "abandoned_vehicle", "class_names": ["car"]}, "abandoned_vehicle"),
        ({"kind": "construction_dust", "class_names": ["construction_dust"]}, "construction_dust"),
    ],
)
def test_what_is_not_about_looks_is_passed_over_and_told(
    tmp_path: Path, clip: Path, changes: dict[str, Any], reason: str
) -> None:
    run = reviewed_run(
        tmp_path / "run",
        clip,
        [found(tmp_path / "run", 0, clip=clip, **changes)],
        [decided("id-0", "confirmed")],
    )
    result = write_reviewed([run], CLASSES, tmp_path / "out")
    assert not result.folders
    assert [text.startswith(reason) for text in result.passed_over] == [True]


def test_without_the_recording_the_clip_serves_and_without_both_it_is_told(
    tmp_path: Path, clip: Path
) -> None:
    run = tmp_path / "run"
    gone = encode(tmp_path / "gone.mp4", first_number=3)
    with_clip = found(run, 0, clip=gone)
    (run / "evidence").mkdir(parents=True, exist_ok=True)
    (run / "evidence/c.mp4").write_bytes(clip.read_bytes())
    scene = with_clip.evidence.scene
    assert scene is not None
    file = scene.model_copy(
        update={"path": "evidence/c.mp4", "time_s": 0.0, "media_type": "video/mp4"}
    )
    with_clip = with_clip.model_copy(
        update={"evidence": with_clip.evidence.model_copy(update={"clip": file})}
    )
    reviewed_run(
        run,
        gone,
        [with_clip, found(run, 1, clip=gone)],
        [decided("id-0", "confirmed"), decided("id-1", "confirmed")],
    )
    gone.unlink()
    result = write_reviewed([run], CLASSES, tmp_path / "out")
    assert result.origins == {"clip": 1}
    assert list(result.passed_over) == [f"{gone}: the recording is not there any more"]
    (image,) = (tmp_path / "out/street_stall/images").iterdir()
    assert np.abs(cv2.imread(str(image)).astype(int) - picture(15)[:, :, ::-1]).mean() < 6


def test_another_recording_under_the_name_is_refused(tmp_path: Path, clip: Path) -> None:
    other = encode(tmp_path / "other.mp4", first_number=5)
    run = reviewed_run(
        tmp_path / "run",
        other,
        [found(tmp_path / "run", 0, clip=other)],
        [decided("id-0", "confirmed")],
    )
    other.write_bytes(clip.read_bytes())
    result = write_reviewed([run], CLASSES, tmp_path / "out")
    assert [text for text in result.passed_over if "is not the recording" in text]


def test_a_camera_s_day_and_a_place_on_two_days_are_one_group(tmp_path: Path, clip: Path) -> None:
    run = tmp_path / "run"
    day = timedelta(days=1)
    elsewhere = [70, 10, 90, 40]
    things = [
        found(run, 0, clip=clip, camera_id="a"),
        found(run, 1, clip=clip, camera_id="a", box=elsewhere),
        found(run, 2, clip=clip, camera_id="a", started=STARTED + 2 * day),
        found(run, 3, clip=clip, camera_id="a", started=STARTED + 4 * day, box=[0, 40, 20, 60]),
        found(run, 4, clip=clip, camera_id="b"),
    ]
    reviewed_run(run, clip, things, [decided(one.id, "confirmed") for one in things])
    write_reviewed([run], CLASSES, tmp_path / "out")
    group = {
        image.stem.partition("_")[2]: image.stem.partition("_")[0]
        for image in (tmp_path / "out").rglob("*.jpg")
    }
    assert group["id-0"] == group["id-1"] == group["id-2"]
    assert len({group["id-0"], group["id-3"], group["id-4"]}) == 3


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ({"decision": "perhaps"}, "decision"),
        ({"decision": "changed"}, "needs a kind or a box"),
        ({"box": [5, 5, 5, 9]}, "x1 < x2"),
        ({"decided_at": "2026-11-24T09:00:00"}, "decided_at"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_decision_is_named(tmp_path: Path, line: dict[str, Any], named: str) -> None:
    path = tmp_path / DECISIONS_FILE
    good = decided("a", "confirmed")
    path.write_text(f"{json.dumps(good)}\n{json.dumps({**good, **line})}\n", "utf-8")
    with pytest.raises(InputError, match=rf"{DECISIONS_FILE}:2:.*{named}"):
        read_decisions(path)


def test_a_decision_about_nothing_is_refused(tmp_path: Path, clip: Path) -> None:
    run = reviewed_run(tmp_path / "run", clip, [], [decided("id-9", "confirmed")])
    with pytest.raises(InputError, match="id-9"):
        write_reviewed([run], CLASSES, tmp_path / "out")
