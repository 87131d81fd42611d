"""A run is understood from its folder alone."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.report.runs import STARTED, entry, failed, run_folder, violation
from vision.archive import write_looks
from vision.detect.detections import Detections
from vision.errors import InputError
from vision.observe.look import Health, Look
from vision.report.summary import LOOK_GATED, LOOK_INSPECTED, LOOK_UNHEALTHY, summary_from


def test_a_folder_is_read_with_its_violations(tmp_path: Path) -> None:
    root = run_folder(
        tmp_path, [entry(), failed("a.mp4", "broken")], [violation(tmp_path, n) for n in range(3)]
    )
    summary = summary_from(root)
    assert len(summary.violations) == 3
    assert summary.run.inputs[0].start is not None
    assert summary.run.inputs[0].start.value == STARTED
    assert summary.run.inputs[1].duration_s == 0.0
    assert summary.looks == {}


def test_looks_come_from_the_archive(tmp_path: Path) -> None:
    root = run_folder(tmp_path, [entry()])
    states = [(Health.OK, True), (Health.OK, False), (Health.FROZEN, False)]
    looks = [
        Look(
            "gate",
            float(n),
            STARTED + timedelta(seconds=n),
            (64, 40),
            health,
            0,
            inspected,
            Detections.empty(("car",)),
        )
        for n, (health, inspected) in enumerate(states)
    ]
    write_looks(
        root / "detections.parquet",
        looks,
        input_name="gate.mp4",
        names=("car",),
        timezone="Asia/Shanghai",
    )
    times = summary_from(root).looks["gate.mp4"]
    assert times.time_s.tolist() == [0.0, 1.0, 2.0]
    assert times.state.tolist() == [LOOK_INSPECTED, LOOK_GATED, LOOK_UNHEALTHY]


def test_what_later_versions_add_is_passed_over(tmp_path: Path) -> None:
    root = run_folder(tmp_path, [entry(weather="rain")], mood="fine")
    assert summary_from(root).run.inputs[0].name == "gate.mp4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"run\.json:1: no JSON"),
        (json.dumps({"inputs": []}), r"run\.json: started_at"),
        (
            json.dumps({"started_at": "2026-01-01T00:00:00Z", "inputs": [{"name": 3}]}),
            r"run\.json: inputs\.0\.name",
        ),
        (json.dumps({"started_at": "2026-01-01T00:00:00", "inputs": []}), r"run\.json: started_at"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    root = run_folder(tmp_path, [entry()])
    (root / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        summary_from(root)


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run\.json: cannot be read"):
        summary_from(tmp_path)


def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    root = run_folder(tmp_path, [entry()])
    (root / "detections.parquet").write_bytes(b"not parquet")
    with pytest.raises(InputError, match=r"detections\.parquet"):
        summary_from(root)
