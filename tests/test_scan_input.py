from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blobs import APPEARS_S, LEAVES_S, BlobDetector

from vision import scan_input as module
from vision.archive import read_looks
from vision.detect.registry import ModelEntry
from vision.frames.inputs import content_sha256, discover
from vision.frames.looks import LookPolicy
from vision.observe.look import Look
from vision.rules.judge import Judge
from vision.run_folder import RunFolder
from vision.scan_input import Job, scan_input
from vision.site import Camera


class Watcher:
    """Hears the progress of a scan and may interrupt it after some looks."""

    def __init__(self, interrupt_after: int | None = None) -> None:
        self.times: list[float] = []
        self._interrupt_after = interrupt_after

    def input_started(self, name: str, number: int, of: int) -> None: ...

    def opened(self, duration_s: float | None) -> None: ...

    def input_ended(self, report: dict[str, Any]) -> None: ...

    def looked(self, time_s: float, violations: int) -> None:
        self.times.append(time_s)
        if len(self.times) == self._interrupt_after:
            raise KeyboardInterrupt


def job_of(clip: Path) -> Job:
    item = discover([str(clip)])[0]
    return Job(
        input=item,
        sha256=content_sha256(item.paths),
        camera=Camera(id="square"),
        model=ModelEntry.model_construct(name="blobs", thresholds={"debris_pile": 0.5}),
        rules={"debris_pile": {"dwell_s": 12.0}},
        policy=LookPolicy(rest_s=4.0, active_s=2.0),
        forced_look_s=60.0,
        start=None,
        timezone="UTC",
        clip_s=4.0,
    )


def scan(clip: Path, out: Path, watcher: Watcher | None = None) -> dict[str, Any]:
    job, detector = job_of(clip), BlobDetector()
    return scan_input(job, job.key(detector), detector, RunFolder(out), watcher or Watcher())


@pytest.fixture(scope="module")
def whole(blob_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("whole")
    return out, scan(blob_clip, out)


def test_a_heap_that_stood_too_long_is_found_with_its_onset(
    whole: tuple[Path, dict[str, Any]],
) -> None:
    _, result = whole
    (violation,) = result["violations"]
    assert violation["kind"] == "debris_pile"
    assert violation["start_s"] == pytest.approx(APPEARS_S, abs=0.5)
    assert violation["end_s"] == pytest.approx(LEAVES_S, abs=4.0)
    assert violation["box"] == pytest.approx([178, 106, 222, 134], abs=4)
    assert violation["started_at"].startswith("2026-05-18T09:00:1")


def test_a_violation_of_an_experimental_class_says_so(
    blob_clip: Path, tmp_path: Path, whole: tuple[Path, dict[str, Any]]
) -> None:
    job, detector = job_of(blob_clip), BlobDetector()
    trial = replace(job, model=job.model.model_copy(update={"experimental": ("debris_pile",)}))
    assert trial.key(detector) != job.key(detector), (
        "a run that knew it otherwise is not taken over"
    )
    result = scan_input(trial, "key", detector, RunFolder(tmp_path), Watcher())
    (violation,) = result["violations"]
    assert violation["experimental"] is True
    assert violation["class_names"] == ["debris_pile"]
    assert whole[1]["violations"][0]["experimental"] is False


def test_the_start_of_the_clock_and_where_it_came_from_are_told(
    whole: tuple[Path, dict[str, Any]],
) -> None:
    start = whole[1]["input"]["start"]
    assert datetime.fromisoformat(start["value"]) == datetime(2026, 5, 18, 9, tzinfo=UTC)
    assert start["origin"] == "file_name"


def test_evidence_is_there_and_is_what_its_hash_says(whole: tuple[Path, dict[str, Any]]) -> None:
    out, result = whole
    evidence = result["violations"][0]["evidence"]
    assert all(evidence[role] for role in ("scene", "crop", "before", "after", "clip"))
    assert evidence["frame"] is None, "there is the recording"
    for file in filter(None, evidence.values()):
        data = (out / file["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
    assert evidence["before"]["time_s"] < APPEARS_S < evidence["scene"]["time_s"]
    assert evidence["after"]["time_s"] > LEAVES_S - 2.0


def test_all_looks_are_archived(whole: tuple[Path, dict[str, Any]]) -> None:
    out, result = whole
    (archive,) = out.glob("inputs/*/looks.parquet")
    looks = list(read_looks(archive))
    assert len(looks) == result["input"]["looks"]
    assert result["input"]["inspected"] == sum(look.inspected for look in looks)


@pytest.mark.parametrize("after", [1, 5, 11, 17])
def test_an_interrupted_scan_goes_on_where_it_stopped(
    blob_clip: Path, tmp_path: Path, whole: tuple[Path, dict[str, Any]], after: int
) -> None:
    first = Watcher(interrupt_after=after)
    with pytest.raises(KeyboardInterrupt):
        scan(blob_clip, tmp_path, first)
    second = Watcher()
    result = scan(blob_clip, tmp_path, second)
    assert second.times[0] > first.times[-1]
    assert result["violations"] == whole[1]["violations"]
    for role in ("scene", "crop", "before", "after", "clip"):
        file = result["violations"][0]["evidence"][role]
        assert hashlib.sha256((tmp_path / file["path"]).read_bytes()).hexdigest() == file["sha256"]


def test_what_was_judged_before_an_interruption_is_not_judged_again(
    blob_clip: Path,
    tmp_path: Path,
    whole: tuple[Path, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged: list[float] = []
    plain = Judge.look

    def counted(judge: Judge, look: Look) -> None:
        judged.append(look.time_s)
        plain(judge, look)

    monkeypatch.setattr(Judge, "look", counted)
    with pytest.raises(KeyboardInterrupt):
        scan(blob_clip, tmp_path, Watcher(interrupt_after=11))
    result = scan(blob_clip, tmp_path)
    assert judged == sorted(set(judged))
    assert len(judged) == result["input"]["looks"]
    assert result["violations"] == whole[1]["violations"]


def test_checkpoints_in_between_change_nothing(
    blob_clip: Path,
    tmp_path: Path,
    whole: tuple[Path, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SAVE_EVERY_S", 0.0)
    assert scan(blob_clip, tmp_path)["violations"] == whole[1]["violations"]


def test_the_key_follows_content_and_settings(blob_clip: Path) -> None:
    job, detector = job_of(blob_clip), BlobDetector()
    other = BlobDetector(model_sha256="c" * 64)
    keys = {
        job.key(detector),
        job.key(other),
        replace(job, clip_s=5.0).key(detector),
        replace(job, rules={}).key(detector),
        replace(job, model=ModelEntry.model_construct(thresholds={})).key(detector),
        replace(job, sha256="0" * 64).key(detector),
    }
    assert len(keys) == 6
    assert job.key(detector) == job_of(blob_clip).key(BlobDetector())


def test_results_can_be_read_by_others(whole: tuple[Path, dict[str, Any]]) -> None:
    out, result = whole
    (path,) = out.glob("inputs/*/result.json")
    assert json.loads(path.read_text()) == result


class RednessClassifier:
    """How red a crop is stands for how derelict a vehicle looks."""

    names = ("derelict_vehicle",)
    runtime = "drawn"
    model_name = "redness"
    model_sha256 = "d" * 64

    def classify(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        return np.array([[crop[..., 2].mean() / 255] for crop in crops], np.float32).reshape(-1, 1)


def scan_vehicles(clip: Path, out: Path, watcher: Watcher | None = None) -> dict[str, Any]:
    """The heap of the clip as a vehicle that a second stage looks at."""
    settings = {"derelict_dwell_s": 12.0, "second_stage_after_s": 6.0, "second_stage_looks": 2}
    job = replace(
        job_of(clip),
        model=ModelEntry.model_construct(name="blobs", thresholds={"derelict_vehicle": 0.5}),
        rules={"abandoned_vehicle": settings},
    )
    detector, classifier = BlobDetector(names=("derelict_vehicle", "person")), RednessClassifier()
    return scan_input(
        job,
        job.key(detector, classifier),
        detector,
        RunFolder(out),
        watcher or Watcher(),
        classifier=classifier,
    )


def scores_in(out: Path) -> list[list[float]]:
    (archive,) = out.glob("inputs/*/looks.parquet")
    return [
        np.nan_to_num(look.detections.derelict, nan=-1).tolist() for look in read_looks(archive)
    ]


@pytest.mark.parametrize("after", [6, 9, 12, 15])
def test_scores_of_the_second_stage_outlive_an_interruption(
    blob_clip: Path, tmp_path: Path, after: int
) -> None:
    whole = scan_vehicles(blob_clip, tmp_path / "whole")
    (violation,) = whole["violations"]
    assert violation["signs"][:3] == ["derelict_look", "derelict_class", "derelict_crops"]
    with pytest.raises(KeyboardInterrupt):
        scan_vehicles(blob_clip, tmp_path / "cut", Watcher(interrupt_after=after))
    assert scan_vehicles(blob_clip, tmp_path / "cut")["violations"] == whole["violations"]
    assert scores_in(tmp_path / "cut") == scores_in(tmp_path / "whole")
    assert max(map(max, filter(None, scores_in(tmp_path / "whole")))) > 0.5


def test_another_classifier_is_another_result(blob_clip: Path) -> None:
    job, detector = job_of(blob_clip), BlobDetector()
    assert job.key(detector) != job.key(detector, RednessClassifier())
