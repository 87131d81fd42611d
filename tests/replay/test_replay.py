"""Judging a run again: the same settings change nothing, others tell what is different."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from blobs import APPEARS_S, LEAVES_S, BlobDetector

from vision import engine as engine_module
from vision import scan as scan_module
from vision.cli import app
from vision.detect.registry import ModelEntry, Registry
from vision.errors import ConfigError, InputError
from vision.record import ViolationRecord, read_violations
from vision.replay.evidence import EvidenceCollector
from vision.replay.judging import ReplayOptions
from vision.replay.run import ReplayResult, run_replay
from vision.report.summary import read_run
from vision.scan import ScanOptions, run_scan
from vision.score.run import score_run
from vision.score.truth import read_truth
from vision.site import Site

HEAP = (178, 106, 222, 134)
PAVEMENT = {
    "id": "pavement",
    "purpose": "footway",
    "points": [[0.3, 0.3], [0.9, 0.3], [0.9, 0.9], [0.3, 0.9]],
}
FACE = {"id": "face", "purpose": "privacy", "points": [[0, 0], [0.1, 0], [0.1, 0.1], [0, 0.1]]}


class Quiet:
    """Hears nothing."""

    def input_started(self, name: str, number: int, of: int) -> None: ...

    def opened(self, duration_s: float | None) -> None: ...

    def looked(self, time_s: float, violations: int) -> None: ...

    def input_ended(self, report: dict[str, Any]) -> None: ...


def site_of(*zones: dict[str, Any], camera: str = "square", **rules: dict[str, Any]) -> Site:
    return Site.model_validate(
        {
            "timezone": "Asia/Shanghai",
            "cameras": [{"id": camera, "zones": list(zones)}],
            "rules": {"debris_pile": {"dwell_s": 12.0}, **rules},
        }
    )


def registry_of(folder: Path) -> Registry:
    entry = ModelEntry.model_construct(
        name="blobs",
        task="detect",
        classes=BlobDetector().names,
        thresholds={"debris_pile": 0.5, "person": 0.5},
        experimental=(),
    )
    return Registry(folder=folder, default="blobs", models={"blobs": entry})


@pytest.fixture(scope="module", autouse=True)
def blobs() -> Iterator[None]:
    """Models are loaded as detectors that see the blobs of drawn clips."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "load_detector", lambda *args, **more: BlobDetector())
        yield


def scanned(clip: Path, out: Path, site: Site | None, *extra: Path) -> Path:
    options = ScanOptions(site=site, timezone="Asia/Shanghai", every_s=2.0, clip_s=4.0)
    run_scan([str(clip), *map(str, extra)], out, options, registry_of(out), Quiet())
    return out


@pytest.fixture(scope="module")
def run(blob_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan that found one heap, and of which one input failed."""
    folder = tmp_path_factory.mktemp("scanned")
    broken = folder / "broken.mp4"
    broken.write_bytes(b"no video")
    return scanned(blob_clip, folder / "run", site_of(PAVEMENT), broken)


def replayed(
    run: Path, out: Path, site: Site | None = None, *, evidence: bool = False, **rules: Any
) -> ReplayResult:
    collector = None
    if evidence:
        collector = EvidenceCollector(registry_of(run), None, read_run(run).settings)
    options = ReplayOptions(site=site, rules=rules)
    return run_replay(run, out, options, Quiet(), collect=collector)


def content_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def intact(record: ViolationRecord, root: Path) -> bool:
    return all(
        hashlib.sha256((root / file.path).read_bytes()).hexdigest() == file.sha256
        for file in record.evidence.files()
    )


@pytest.mark.parametrize("named", [True, False])
def test_the_same_settings_give_the_same_violations(run: Path, tmp_path: Path, named: bool) -> None:
    before = content_of(run)
    result = replayed(run, tmp_path / "again", site_of(PAVEMENT) if named else None)
    assert result.diff.is_empty
    assert len(result.records) == 1
    assert (tmp_path / "again" / "violations.jsonl").read_bytes() == (
        run / "violations.jsonl"
    ).read_bytes()
    assert content_of(run) == before, "the old run is never changed"


def test_the_new_folder_is_a_run_like_any_other(run: Path, tmp_path: Path) -> None:
    result = replayed(run, tmp_path / "again")
    (record,) = result.records
    assert record.start_s == pytest.approx(APPEARS_S, abs=0.5), "the refined onset is kept"
    assert intact(record, tmp_path / "again")
    assert len(record.evidence.files()) == 5
    scene = record.evidence.scene
    assert scene is not None
    assert (run / scene.path).samefile(tmp_path / "again" / scene.path), "nothing is copied"
    assert (tmp_path / "again" / "report.html").stat().st_size > 10_000
    entries = read_run(tmp_path / "again").inputs
    assert [(entry.status, entry.violations) for entry in entries] == [("done", 1), ("failed", 0)]
    truth = tmp_path / "truth.json"
    event = {"type": "debris_pile", "box_xyxy": HEAP, "expected": "alert"}
    event |= {"start_s": APPEARS_S, "end_s": LEAVES_S}
    truth.write_text(json.dumps({"file": Path(entries[0].name).name, "events": [event]}))
    assert score_run(tmp_path / "again", read_truth(truth)).score.total.f1 == 1


def test_a_replay_can_be_judged_again(run: Path, tmp_path: Path) -> None:
    replayed(run, tmp_path / "one", debris_pile={"dwell_s": 10.0})
    again = replayed(tmp_path / "one", tmp_path / "two")
    assert again.diff.is_empty
    assert again.records[0].rule.settings["dwell_s"] == 10.0


def test_a_longer_dwell_makes_a_violation_vanish(run: Path, tmp_path: Path) -> None:
    result = replayed(run, tmp_path / "again", debris_pile={"dwell_s": 60.0})
    assert result.records == []
    assert [record.kind for record in result.diff.vanished] == ["debris_pile"]
    written = json.loads((tmp_path / "again" / "replay.json").read_text())
    assert written["counts"]["vanished"] == 1
    assert written["vanished"][0]["start_s"] == pytest.approx(APPEARS_S, abs=0.5)
    assert written["settings"]["rules"]["debris_pile"]["dwell_s"] == 60.0
    assert written["replay_of"]["violations"] == 1


def test_an_ignored_place_makes_a_violation_vanish(run: Path, tmp_path: Path) -> None:
    ignored = PAVEMENT | {"id": "heap", "purpose": "ignore"}
    result = replayed(run, tmp_path / "again", site_of(PAVEMENT, ignored))
    assert (len(result.records), len(result.diff.vanished)) == (0, 1)


def test_another_zone_changes_a_violation_and_its_scene_is_not_true_any_more(
    run: Path, tmp_path: Path
) -> None:
    result = replayed(run, tmp_path / "again", site_of(PAVEMENT | {"id": "plaza"}))
    (pair,) = result.diff.changed
    assert pair.changes == {"zone_id": ("pavement", "plaza")}
    (record,) = result.records
    assert record.evidence.scene is None
    assert record.evidence.crop is not None
    assert intact(record, tmp_path / "again")


def test_pictures_with_other_masks_are_not_used(run: Path, tmp_path: Path) -> None:
    result = replayed(run, tmp_path / "again", site_of(PAVEMENT, FACE))
    assert result.records[0].evidence.files() == []
    assert result.diff.is_empty, "evidence is no part of what was wrong"
    masked = replayed(run, tmp_path / "masked", site_of(PAVEMENT, FACE), evidence=True)
    (record,) = masked.records
    assert len(record.evidence.files()) == 5
    assert intact(record, tmp_path / "masked")
    old = read_violations(run / "violations.jsonl")[0]
    assert record.id == old.id
    assert record.evidence.scene != old.evidence.scene
    assert intact(old, run), "collecting writes no file of the old run"


def test_what_appears_has_evidence_only_if_it_is_collected(
    blob_clip: Path, run: Path, tmp_path: Path
) -> None:
    patient = scanned(
        blob_clip, tmp_path / "patient", site_of(PAVEMENT, debris_pile={"dwell_s": 80.0})
    )
    bare = replayed(patient, tmp_path / "bare", site_of(PAVEMENT))
    assert len(bare.diff.appeared) == 1
    assert bare.records[0].evidence.files() == []
    assert bare.summary["counts"]["evidence"] == {"whole": 0, "part": 0, "none": 1}
    whole = replayed(patient, tmp_path / "whole", site_of(PAVEMENT), evidence=True)
    assert whole.records == read_violations(run / "violations.jsonl"), "as if scanned that way"
    assert intact(whole.records[0], tmp_path / "whole")


def test_a_recording_that_is_gone_gives_no_evidence_and_says_so(
    blob_clip: Path, tmp_path: Path
) -> None:
    clip = tmp_path / blob_clip.name
    shutil.copy(blob_clip, clip)
    patient = scanned(clip, tmp_path / "run", site_of(debris_pile={"dwell_s": 80.0}))
    clip.unlink()
    result = replayed(patient, tmp_path / "again", site_of(), evidence=True)
    assert len(result.records) == 1
    assert any("not there any more" in note for note in result.notes)
    clip.write_bytes(b"another film")
    result = replayed(patient, tmp_path / "again", site_of(), evidence=True)
    assert any("is not the recording" in note for note in result.notes)


def test_a_camera_that_the_site_file_lacks_is_judged_as_one_zone(run: Path, tmp_path: Path) -> None:
    result = replayed(run, tmp_path / "again", site_of(PAVEMENT, camera="elsewhere"))
    assert any("no camera of the site file matches" in note for note in result.notes)
    (record,) = result.records
    assert record.zone_id == "frame"
    assert len(result.diff.changed) == 1


def test_a_line_is_left_out_where_hoardings_were_not_looked_for(run: Path, tmp_path: Path) -> None:
    fence = {"id": "fence", "purpose": "hoarding_line", "points": [[0, 0.5], [1, 0.5]]}
    rules = {"hoarding_missing": {"dwell_s": 10.0}}
    result = replayed(run, tmp_path / "again", site_of(PAVEMENT, fence, **rules))
    assert [record.kind for record in result.records] == ["debris_pile"]
    (note,) = result.notes
    assert "zone fence: blobs did not look for hoarding" in note


def test_rules_of_the_command_line_win_over_the_site_file(run: Path, tmp_path: Path) -> None:
    site = site_of(PAVEMENT)
    result = replayed(run, tmp_path / "again", site, debris_pile={"dwell_s": 60.0})
    assert result.records == []


def test_a_run_without_an_archive_is_refused(run: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(run, tmp_path / "old"))
    (old / "detections.parquet").unlink()
    with pytest.raises(InputError, match=r"no detections\.parquet"):
        replayed(old, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_run_of_another_version_is_refused_or_told(run: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(run, tmp_path / "old"))
    content = json.loads((old / "run.json").read_text())
    (old / "run.json").write_text(json.dumps(content | {"jiexu_version": "0.0.1"}))
    assert "scanned by Jiexu 0.0.1" in replayed(old, tmp_path / "again").notes[0]
    (old / "run.json").write_text(json.dumps(content | {"schema_version": 99}))
    with pytest.raises(InputError, match="schema_version: 99"):
        replayed(old, tmp_path / "other")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"looks": 3}, "looks where run.json tells of 3"),
        ({"looks": 0}, r"detections\.parquet: .*is not in"),
        ({"model": None}, "model: it is not told"),
    ],
)
def test_an_archive_that_does_not_fit_its_run_is_refused(
    run: Path, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    old = Path(shutil.copytree(run, tmp_path / "old"))
    content = json.loads((old / "run.json").read_text())
    content["inputs"][0] |= change
    (old / "run.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=named):
        replayed(old, tmp_path / "again")


def test_a_scan_is_never_written_over(run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other"))
    with pytest.raises(ConfigError, match="never changed"):
        replayed(run, run)
    with pytest.raises(ConfigError, match="holds a scan"):
        replayed(run, other)


def test_an_earlier_replay_is_replaced(run: Path, tmp_path: Path) -> None:
    replayed(run, tmp_path / "again")
    result = replayed(run, tmp_path / "again", debris_pile={"dwell_s": 60.0})
    assert result.records == []
    assert not list((tmp_path / "again").rglob("*.jpg"))


def test_the_clock_of_a_replay_is_its_own(run: Path, tmp_path: Path) -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    run_replay(run, tmp_path / "again", ReplayOptions(), Quiet(), clock=lambda: now)
    assert read_run(tmp_path / "again").started_at == now


def test_a_site_file_is_kept_without_passwords() -> None:
    site = site_of(PAVEMENT)
    camera = site.cameras[0].model_copy(update={"source": "rtsp://user:secret@camera/1"})
    content = scan_module.site_content(site.model_copy(update={"cameras": (camera,)}))
    assert "secret" not in json.dumps(content)
    assert Site.model_validate(scan_module.site_content(site)) == site


def test_a_moved_evidence_file_is_left_out(run: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(run, tmp_path / "old"))
    shutil.rmtree(old / "evidence")
    result = replayed(old, tmp_path / "again")
    assert result.records[0].evidence.files() == []


def test_the_command_says_what_is_different(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["replay", str(run), "--out", str(tmp_path / "again")]
    app([*arguments, "--dwell", "debris_pile=60"], standalone_mode=False)
    said = capsys.readouterr().out
    assert "vanished" in said
    assert "0 violations: 0 as before, 0 changed, 0 appeared; 1 vanished" in said
    with pytest.raises(ConfigError, match="--rule debris_pile: expected"):
        app([*arguments, "--rule", "debris_pile"], standalone_mode=False)
