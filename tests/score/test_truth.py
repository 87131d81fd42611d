"""Truth files: their form, what is wrong with them, and scoring a run folder by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from report.runs import entry, failed, run_folder, violation

from vision.cli import app
from vision.errors import InputError
from vision.score.events import Expectation, Outcome
from vision.score.run import score_run
from vision.score.truth import read_truth


def event(**changes: Any) -> dict[str, Any]:
    return {
        "type": "debris_pile",
        "box_xyxy": [1, 2, 3, 4],
        "start_s": 10.0,
        "end_s": 50.0,
        "expected": "alert",
        **changes,
    }


def truth_file(folder: Path, content: Any) -> Path:
    path = folder / "truth.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def clip(*events: dict[str, Any], file: str = "gate.mp4", **more: Any) -> dict[str, Any]:
    return {"file": file, "events": list(events), **more}


def test_clips_alone_in_a_list_and_with_their_types_are_read(tmp_path: Path) -> None:
    one = clip(event(), licence="CC0")
    for content in (one, [one], {"clips": [one]}):
        assert read_truth(truth_file(tmp_path, content)).clips[0].events[0].start_s == 10


def test_types_become_kinds_and_a_file_may_overrule_them(tmp_path: Path) -> None:
    bag = event(type="abandoned_object")
    assert read_truth(truth_file(tmp_path, [clip(bag)])).kinds_of("abandoned_object") == (
        "standing_object",
        "debris_pile",
    )
    content = {"types": {"abandoned_object": ["debris_pile"]}, "clips": [clip(bag)]}
    truth = read_truth(truth_file(tmp_path, content))
    (one,) = truth.events(truth.clips[0], "gate.mp4", {"debris_pile": 30.0})
    assert one.kinds == ("debris_pile",)
    assert one.dwell_s == 30


@pytest.mark.parametrize(
    ("expected", "meant"),
    [
        ("alert", (Expectation.RAISE, None)),
        ("alert_if_threshold<=9s", (Expectation.RAISE_IF_BRIEF, 9.0)),
        ("no_alert", (Expectation.QUIET, None)),
        ("no_alert_unless_zone", (Expectation.QUIET_UNLESS_ZONE, None)),
        ("detect", (Expectation.UNSCORED, None)),
        ("context", (Expectation.UNSCORED, None)),
        ("ignore", (Expectation.UNSCORED, None)),
    ],
)
def test_every_word_of_what_is_expected_is_understood(
    tmp_path: Path, expected: str, meant: tuple[Expectation, float | None]
) -> None:
    truth = read_truth(truth_file(tmp_path, [clip(event(expected=expected))]))
    assert truth.clips[0].events[0].expectation == meant


def test_an_event_until_the_end_of_its_clip_has_no_end(tmp_path: Path) -> None:
    truth = read_truth(truth_file(tmp_path, [clip(event(end_s=39.5), duration_s=40.0)]))
    assert truth.events(truth.clips[0], "gate.mp4", {})[0].end_s is None


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("text", "list of clips"),
        ([{"events": []}], r"clip 1: file"),
        ([clip(event(expected="alarm"))], r"gate\.mp4: events\[0\]\.expected: unknown: 'alarm'"),
        ([clip(event(), event(start_s=-1))], r"gate\.mp4: events\[1\]\.start_s"),
        ([clip(event(end_s=5))], r"events\[0\]: end_s lies before"),
        ([clip(event(box_xyxy=[3, 2, 1, 4]))], r"events\[0\]\.box_xyxy: .*x1 < x2"),
        ([clip(event(box_xyxy=None))], r"events\[0\]: .*needs box_xyxy or zone_id"),
        ([clip(event(colour="red"))], r"events\[0\]\.colour: unknown key"),
        ([clip(event(type="ufo"))], r"gate\.mp4: events\[0\]\.type: .*'ufo'"),
        ({"types": {"ufo": "car"}, "clips": []}, r"types\.ufo"),
    ],
)
def test_what_is_wrong_is_named_with_file_entry_and_key(
    tmp_path: Path, content: Any, named: str
) -> None:
    with pytest.raises(InputError, match=rf"truth\.json: .*{named}"):
        read_truth(truth_file(tmp_path, content))


def test_a_file_that_is_no_json_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text("[\n{,", "utf-8")
    with pytest.raises(InputError, match=r"truth\.json:2: no JSON"):
        read_truth(path)


def test_a_run_is_scored_by_what_its_inputs_are_called(tmp_path: Path) -> None:
    run = run_folder(
        tmp_path / "run",
        [entry("gate.mp4"), entry("yard/square.mp4", sha256="b" * 64), failed("bad.mp4", "cut")],
        [violation(tmp_path / "run", 2, kind="debris_pile", end_s=50.0)],
    )
    truth = read_truth(
        truth_file(
            tmp_path,
            [
                clip(event(), file="videos/gate.mp4"),
                clip(event(), file="bad.mp4"),
                clip(file="renamed.mp4", sha256="b" * 64),
                clip(file="never-scanned.mp4"),
            ],
        )
    )
    result = score_run(run, truth)
    assert result.clips == ("gate.mp4", "yard/square.mp4", "bad.mp4")
    assert (result.score.total.found, result.score.total.missed) == (1, 1)
    assert result.score.watched_s == 200
    assert [note.split(":")[0] for note in result.notes] == ["bad.mp4", "never-scanned.mp4"]


def test_the_dwell_and_the_zones_of_the_run_are_in_force(tmp_path: Path) -> None:
    site = {
        "timezone": "UTC",
        "cameras": [{"id": "gate", "zones": [{"id": "footway", "purpose": "no_stopping"}]}],
    }
    run = run_folder(
        tmp_path / "run",
        [entry(rules={"debris_pile": {"dwell_s": 30.0}})],
        [violation(tmp_path / "run", 0, kind="abandoned_vehicle")],
        settings={"site_content": site},
    )
    brief = event(expected="alert_if_threshold<=9s")
    parked = event(type="parked", expected="no_alert_unless_zone")
    truth = read_truth(truth_file(tmp_path, [clip(brief)]))
    (one,) = score_run(run, truth).score.events
    assert one.event.in_force is Expectation.QUIET
    truth = read_truth(truth_file(tmp_path, [clip(parked)]))
    result = score_run(run, truth).score
    assert result.total.false_alarms == 0
    assert result.events[0].outcome is Outcome.RIGHTLY_QUIET


def test_a_run_without_a_common_clip_is_refused(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", [entry("gate.mp4")])
    truth = read_truth(truth_file(tmp_path, [clip(file="other.mp4")]))
    with pytest.raises(InputError, match="no input of this run"):
        score_run(run, truth)


def test_the_command_shows_the_figures_and_writes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_folder(
        tmp_path / "run",
        [entry()],
        [violation(tmp_path / "run", 2, kind="debris_pile", end_s=50.0)],
    )
    path = truth_file(tmp_path, [clip(event(), event(start_s=60.0, end_s=90.0))])
    out = tmp_path / "score.json"
    app(
        ["score", str(run), "--truth", str(path), "--json", str(out)],
        standalone_mode=False,
    )
    written = json.loads(out.read_text("utf-8"))
    assert written["total"]["f1"] == 0.6667
    said = capsys.readouterr().out
    assert "debris_pile" in said
    assert "missed" in said
