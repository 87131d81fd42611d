"""Timelines: true to time, nothing outside the axis, nothing hidden behind another."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.report.runs import STARTED, entry, failed, run_folder, violation
from vision.report.summary import (
    LOOK_INSPECTED,
    LOOK_UNHEALTHY,
    InputEntry,
    LookTimes,
    RunFile,
    RunSummary,
    summary_from,
)
from vision.report.timeline import CameraTimeline, timelines


def one(root: Path) -> CameraTimeline:
    (line,) = timelines(summary_from(root))
    return line


def test_a_violation_lies_where_it_happened(tmp_path: Path) -> None:
    found = violation(tmp_path, 0, start_s=20.0, end_s=70.0, last_seen_s=65.0)
    line = one(run_folder(tmp_path, [entry()], [found]))
    (bar,) = line.rows[0].bars
    assert (bar.x, bar.width) == (20.0, 50.0)
    assert not bar.open_end


def test_what_still_stood_ends_where_it_was_last_seen(tmp_path: Path) -> None:
    line = one(run_folder(tmp_path, [entry()], [violation(tmp_path, 0, last_seen_s=90.0)]))
    (bar,) = line.rows[0].bars
    assert bar.x + bar.width == pytest.approx(90.0)
    assert bar.open_end


def test_recordings_of_a_camera_stand_side_by_side_with_a_notch_at_a_leap(tmp_path: Path) -> None:
    later = STARTED + timedelta(hours=5)
    adjoining = later + timedelta(seconds=100.5)
    line = one(
        run_folder(
            tmp_path,
            [
                entry("c.mp4", started=adjoining),
                entry("b.mp4", started=later),
                entry("a.mp4"),
            ],
            [violation(tmp_path, 0, source="b.mp4", started=later, start_s=0.0, end_s=100.0)],
        )
    )
    assert line.recordings == 3
    assert len(line.notches) == 1
    (bar,) = line.rows[0].bars
    assert bar.x == pytest.approx(33.3 + 0.8, abs=0.5)
    assert bar.width == pytest.approx(33.1, abs=0.3)


def test_violations_at_one_time_lie_in_lanes_of_their_own(tmp_path: Path) -> None:
    found = [
        violation(tmp_path, n, kind="debris_pile", start_s=s, end_s=e, last_seen_s=e)
        for n, (s, e) in enumerate([(0.0, 50.0), (10.0, 60.0), (55.0, 90.0)])
    ]
    (row,) = one(run_folder(tmp_path, [entry()], found)).rows
    assert [bar.lane for bar in row.bars] == [0, 1, 0]
    assert row.lanes == 2


def test_unknown_stretches_are_health_events_and_holes(tmp_path: Path) -> None:
    item = entry(
        health_events=[{"kind": "black", "start_s": 80.0, "end_s": None, "detail": ""}],
        gaps=[{"start_s": 10.0, "end_s": 20.0}],
    )
    line = one(run_folder(tmp_path, [item]))
    assert {(s.kind, s.x, s.width) for s in line.unknown} == {
        ("black", 80.0, 20.0),
        ("gap", 10.0, 10.0),
    }
    assert [s.kind for s in line.health] == ["black"]


def test_cameras_with_violations_come_first_and_failed_inputs_have_no_line(tmp_path: Path) -> None:
    root = run_folder(
        tmp_path,
        [entry("a.mp4", "a"), entry("b.mp4", "b"), failed("c.mp4", "broken")],
        [violation(tmp_path, 0, source="b.mp4", camera_id="b")],
    )
    assert [line.camera_id for line in timelines(summary_from(root))] == ["b", "a"]


def test_the_axis_tells_wall_clock_time_of_the_recording_and_the_date_where_it_changes(
    tmp_path: Path,
) -> None:
    midnight = STARTED.replace(hour=23, minute=59, second=0)
    line = one(run_folder(tmp_path, [entry(started=midnight, duration_s=120.0)]))
    texts = [tick.text for tick in line.ticks]
    assert texts[0] == "11-20 23:59:00"
    assert "11-21 00:00:00" in texts
    at = {tick.text: tick.x for tick in line.ticks}
    assert at["11-21 00:00:00"] == pytest.approx(50.0)


def test_without_a_start_the_axis_counts_from_zero(tmp_path: Path) -> None:
    line = one(run_folder(tmp_path, [entry(started=None)]))
    assert line.ticks[0].text == "+0:00:00"


def test_looks_are_counted_where_they_were(tmp_path: Path) -> None:
    root = run_folder(tmp_path, [entry()])
    read = summary_from(root)
    times = LookTimes(
        np.array([1.0, 50.0, 50.1]),
        np.array([LOOK_INSPECTED, LOOK_INSPECTED, LOOK_UNHEALTHY], np.int8),
    )
    (line,) = timelines(RunSummary(root, read.run, (), {"gate.mp4": times}))
    assert [round(look.x) for look in line.looks] == [1, 50]
    assert line.looks[1].inspected == 0.5
    assert line.looks[1].unhealthy == 0.5


@given(
    starts=st.lists(st.integers(0, 20_000), min_size=1, max_size=12),
    durations=st.lists(st.floats(0.0, 5000.0), min_size=12, max_size=12),
    spans=st.lists(st.tuples(st.floats(0, 6000), st.floats(0, 6000)), max_size=12),
)
@settings(max_examples=40, deadline=None)
def test_nothing_leaves_the_axis(
    starts: list[int], durations: list[float], spans: list[tuple[float, float]]
) -> None:
    inputs = [
        InputEntry.model_validate(
            entry(
                f"{n}.mp4",
                started=STARTED + timedelta(seconds=start),
                duration_s=durations[n],
                health_events=[
                    {"kind": "black", "start_s": min(span), "end_s": max(span)} for span in spans
                ],
            )
        )
        for n, start in enumerate(starts)
    ]
    run = RunSummary(Path(), RunFile(started_at=STARTED, inputs=tuple(inputs)), (), {})
    (line,) = timelines(run)
    for stretch in line.unknown:
        assert 0 <= stretch.x <= stretch.x + stretch.width <= 100.001
    assert list(line.notches) == sorted(line.notches)
    assert all(0 <= x <= 100 for x in line.notches)
    places = [tick.x for tick in line.ticks]
    assert all(0 <= x <= 100 for x in places)
    assert all(b - a >= 8.9 for a, b in itertools.pairwise(places))
