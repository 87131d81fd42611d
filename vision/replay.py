"""Judge the archived detections of a run again, under other zones, rules or a newer memory.

Pictures are not touched: the looks of ``detections.parquet`` go through the judge that a scan
uses. The new run folder holds what a scan leaves, and ``replay.json`` says what differs from the
old run, which is never changed. The archive is read piece by piece, so memory does not grow with
its length.

What a replay cannot know: looks that were never taken. A scan that was told of a shorter dwell
might have looked more often. The onset that a scan refined in the recording is kept where a
violation begins between the same two looks; elsewhere it begins at the look that first saw it.
"""

from __future__ import annotations

import copy
import json
import shutil
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vision import __version__
from vision.errors import ConfigError, InputError
from vision.evidence.carried import carried, link, linked
from vision.evidence.collect import look_before, stood_at_start
from vision.files import write_atomically
from vision.judging import effective_rules, judge_for, rules_for
from vision.observe.boxes import iou
from vision.observe.look import Health, Look
from vision.old_run import OldRun
from vision.record import (
    ModelRecord,
    SourceRecord,
    ViolationRecord,
    record_of,
    write_violations,
)
from vision.replay_diff import SAME_PLACE_IOU, SAME_S, Diff, compare
from vision.report.html import write_report
from vision.report.summary import InputEntry, ModelEntry, summary_from
from vision.rules.finding import Violation
from vision.run_folder import RunFolder
from vision.scan import NO_CAMERA, SCHEMA_VERSION, site_content
from vision.scan_input import Progress
from vision.schedule import SiteClock
from vision.site import Camera, RuleSettings, Site, merged_rules
from vision.versions import library_versions
from vision.zones import Purpose

LOOKS_A_STEP = 1024
"""Progress is told once in so many looks: telling costs more than judging."""

NEEDED_CLASSES = {Purpose.HOARDING_LINE: "hoarding", Purpose.SITE: "construction_dust"}
"""What a model must have looked for, for zones of a purpose to be judged."""


@dataclass(frozen=True)
class ReplayOptions:
    """What the user asked for.

    Attributes:
        site: The site file; ``None`` for the zones and settings that the old run had.
        site_path: Where it lies.
        rules: Settings by kind that win over the site file's.
    """

    site: Site | None = None
    site_path: Path | None = None
    rules: RuleSettings = field(default_factory=dict)


@dataclass
class Judged:
    """One input, judged again.

    Attributes:
        entry: What the old run tells of it.
        name: What the archive and the violations call it.
        model: Detector that looked at it.
        camera: Camera that it is judged as.
        old_camera: Camera that it was judged as; ``None`` if the run does not tell.
        rules: Settings by kind.
        clock: The site's clock, by which schedules go.
        healthy_s: Stream times of the looks that could see.
        looks: Number of looks.
        violations: What the judge found, by id of the record.
        records: The same as records.
        diff: Against the old run.
        notes: What the user must be told.
    """

    entry: InputEntry
    name: str
    model: ModelEntry
    camera: Camera
    old_camera: Camera | None
    rules: RuleSettings
    clock: SiteClock | None
    notes: list[str]
    healthy_s: array[float] = field(default_factory=lambda: array("d"))
    looks: int = 0
    violations: dict[str, Violation] = field(default_factory=dict)
    records: list[ViolationRecord] = field(default_factory=list)
    diff: Diff = field(default_factory=Diff)


@dataclass(frozen=True)
class ReplayResult:
    """How a replay ended.

    Attributes:
        folder: The new run folder.
        records: All violations.
        diff: Against the old run.
        notes: What the user must be told, with the input that it is about.
        summary: ``replay.json``.
    """

    folder: RunFolder
    records: list[ViolationRecord]
    diff: Diff
    notes: list[str]
    summary: dict[str, Any]


def run_replay(
    root: Path,
    out: Path,
    options: ReplayOptions,
    progress: Progress,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    collect: Callable[[Judged, RunFolder], None] | None = None,
) -> ReplayResult:
    """Judge the archive of a run again and write a new run folder.

    Args:
        root: Run folder of a scan or an earlier replay; it is not changed.
        out: New run folder; an earlier replay in it is replaced.
        options: What the user asked for.
        progress: Hears how it goes on.
        clock: Tells wall-clock time, for the replay's own times.
        collect: Collects evidence for the records of an input that lack it.

    Raises:
        InputError: The old folder has no archive or one that cannot be judged by this version.
        ConfigError: ``out`` cannot be used, or is the folder of a scan.
    """
    old = OldRun(root)
    _refuse(out, root)
    folder = RunFolder(out)
    started, began = clock(), time.perf_counter()
    with folder.locked():
        judged = []
        for number, (entry, name, looks) in enumerate(old.inputs(), 1):
            progress.input_started(entry.name, number, len(old.run.inputs))
            progress.opened(entry.duration_s)
            judged.append(_prepared(old, options, entry, name))
            _judge(judged[-1], old, looks, progress)
        judge_s = time.perf_counter() - began
        diff = sum((one.diff for one in judged), Diff())
        shutil.rmtree(folder.evidence, ignore_errors=True)
        for one in judged:
            _carry_evidence(one, root, out)
            if collect is not None:
                collect(one, folder)
        link(old.archive, folder.detections)
        records = [record for one in judged for record in one.records]
        write_violations(folder.violations, records)
        wall_s = time.perf_counter() - began
        run = _run_file(old, options, judged, started=started, finished=clock(), wall_s=wall_s)
        _write_json(folder.run, run)
        notes = _notes(old, judged)
        summary = _summary(old, run, judged, diff=diff, notes=notes, judge_s=judge_s)
        _write_json(out / "replay.json", summary)
        write_report(summary_from(out), folder.report)
    return ReplayResult(folder, records, diff, notes, summary)


def _refuse(out: Path, root: Path) -> None:
    if out.resolve() == root.resolve():
        raise ConfigError(f"--out {out}: is the run that is judged again; it is never changed")
    if (out / "run.json").exists() and not (out / "replay.json").exists():
        raise ConfigError(f"--out {out}: holds a scan; name another folder")


def _judge(one: Judged, old: OldRun, looks: Iterator[Look], progress: Progress) -> None:
    """Judge an input and compare."""
    entry = one.entry
    judge = judge_for(one.camera, one.rules, one.model.thresholds, one.clock)
    for look in looks:
        judge.look(look)
        one.looks += 1
        if look.health is Health.OK:
            one.healthy_s.append(look.time_s)
        if one.looks % LOOKS_A_STEP == 0:
            progress.looked(look.time_s, judge.violation_count)
    if one.looks != entry.looks:
        raise InputError(
            f"{old.archive}: {entry.name}: holds {one.looks} looks where run.json "
            f"tells of {entry.looks}"
        )
    before = old.violations.get(entry.sha256, [])
    for violation in judge.finish():
        record = _record(violation, one, before)
        one.violations[record.id] = violation
        one.records.append(record)
    one.diff = compare(before, one.records)


def _prepared(old: OldRun, options: ReplayOptions, entry: InputEntry, name: str) -> Judged:
    """An input with what it is to be judged by."""
    model = old.model(entry)
    notes = []
    site = options.site or old.site
    over = options.rules if options.site else merged_rules(old.options, options.rules)
    camera = _camera_of(site, entry)
    if site is not None and camera is None:
        notes.append(NO_CAMERA)
    rules = rules_for(site, camera, over)
    camera = camera or Camera(id=entry.camera_id)
    lacking = [
        zone
        for zone in camera.zones
        if (needed := NEEDED_CLASSES.get(zone.purpose)) and needed not in model.classes
    ]
    for zone in lacking:
        left_out = zone.purpose is Purpose.HOARDING_LINE
        notes.append(
            f"zone {zone.id}: {model.name} did not look for {NEEDED_CLASSES[zone.purpose]}; "
            + ("it is left out" if left_out else "none will be found")
            + ": scan again to judge it"
        )
    # Where hoardings were not looked for, every line would seem open.
    zones = tuple(
        zone for zone in camera.zones if zone not in lacking or zone.purpose is Purpose.SITE
    )
    old_camera = _camera_of(old.site, entry) or Camera(id=entry.camera_id)
    return Judged(
        entry=entry,
        name=name,
        model=model,
        camera=camera.model_copy(update={"zones": zones}),
        old_camera=old_camera if old.site_is_known else None,
        rules=rules,
        clock=site.clock if site else None,
        notes=notes,
    )


def _camera_of(site: Site | None, entry: InputEntry) -> Camera | None:
    """The camera of an input: the one that the scan named, else the one its path belongs to."""
    if site is None:
        return None
    named = next((camera for camera in site.cameras if camera.id == entry.camera_id), None)
    return named or site.camera_of(Path(entry.path).absolute())


def _record(
    violation: Violation, one: Judged, before: Sequence[ViolationRecord]
) -> ViolationRecord:
    """The record of a violation, without evidence, with the onset that the scan had refined."""
    entry, model = one.entry, one.model
    assert entry.start is not None
    earlier_s = look_before(one.healthy_s, violation.start_s)
    record = record_of(
        stood_at_start(violation) if earlier_s is None else violation,
        None,
        source=SourceRecord(name=one.name, sha256=entry.sha256),
        model=ModelRecord(name=model.name, sha256=model.sha256),
        recording_started_at=entry.start.value,
        experimental=model.experimental,
    )
    if earlier_s is None:
        return record
    refined = [
        known
        for known in before
        if known.kind == record.kind
        and earlier_s - SAME_S <= known.start_s <= violation.start_s + SAME_S
        and iou(known.box, record.box) >= SAME_PLACE_IOU
    ]
    if not refined:
        return record
    best = max(refined, key=lambda known: (known.id == record.id, iou(known.box, record.box)))
    return record.model_copy(update={"start_s": best.start_s, "started_at": best.started_at})


def _carry_evidence(one: Judged, root: Path, out: Path) -> None:
    pairs = {pair.new.id: pair for pair in one.diff.pairs}
    for number, record in enumerate(one.records):
        if (pair := pairs.get(record.id)) is not None:
            evidence = linked(carried(pair, one.old_camera, one.camera), root, out)
            one.records[number] = record.model_copy(update={"evidence": evidence})


def _run_file(
    old: OldRun,
    options: ReplayOptions,
    judged: Sequence[Judged],
    *,
    started: datetime,
    finished: datetime,
    wall_s: float,
) -> dict[str, Any]:
    """``run.json`` of the replay: the old run's with what is different."""
    run = copy.deepcopy(old.content)
    site = options.site or old.site
    over = options.rules if options.site else merged_rules(old.options, options.rules)
    settings = run["settings"]
    if options.site is not None:
        settings["site"] = str(options.site_path) if options.site_path else None
    settings["site_content"] = site_content(site) if site else None
    settings["rules"] = effective_rules(rules_for(site, None, over))
    settings["rule_options"] = over
    entries = iter(judged)
    for entry in run["inputs"]:
        if entry["status"] != "done":
            continue
        one = next(entries)
        entry["camera_id"], entry["camera_name"] = one.camera.id, one.camera.name
        entry["rules"] = effective_rules(one.rules)
        entry["violations"] = len(one.records)
        kept = [note for note in entry.get("notes") or [] if note != NO_CAMERA]
        entry["notes"] = [*one.notes, *kept]
    violations = sum(len(one.records) for one in judged)
    return run | {
        "jiexu_version": __version__,
        "started_at": started.isoformat(timespec="seconds"),
        "finished_at": finished.isoformat(timespec="seconds"),
        "replay_of": str(old.root),
        "versions": library_versions(),
        "totals": run["totals"]
        | {
            "violations": violations,
            "wall_s": round(wall_s, 3),
            "times_real": round(sum(one.entry.duration_s for one in judged) / wall_s, 2),
        },
    }


def _notes(old: OldRun, judged: Sequence[Judged]) -> list[str]:
    notes = [f"{one.entry.name}: {note}" for one in judged for note in one.notes]
    if old.run.jiexu_version != __version__:
        notes.insert(
            0,
            f"scanned by Jiexu {old.run.jiexu_version}, judged by {__version__}: "
            "some differences may come from that",
        )
    return notes


def _summary(
    old: OldRun,
    run: Mapping[str, Any],
    judged: Sequence[Judged],
    *,
    diff: Diff,
    notes: list[str],
    judge_s: float,
) -> dict[str, Any]:
    """``replay.json``."""
    looks = sum(one.looks for one in judged)
    scan_s = sum(one.entry.wall_s for one in judged)
    records = [record for one in judged for record in one.records]
    evidence = Counter(evidence_state(record) for record in records)
    return {
        "schema_version": SCHEMA_VERSION,
        "jiexu_version": __version__,
        "replay_of": {
            "path": str(old.root),
            "jiexu_version": old.run.jiexu_version,
            "started_at": old.run.started_at.isoformat(timespec="seconds"),
            "violations": sum(map(len, old.violations.values())),
        },
        "settings": {
            name: run["settings"][name]
            for name in ("site", "site_content", "rules", "rule_options")
            if name in run["settings"]
        },
        "versions": run["versions"],
        "counts": {
            "inputs": len(judged),
            "looks": looks,
            "violations": len(records),
            "unchanged": len(diff.unchanged),
            "changed": len(diff.changed),
            "appeared": len(diff.appeared),
            "vanished": len(diff.vanished),
            "evidence": {name: evidence[name] for name in ("whole", "part", "none")},
        },
        "timing": {
            "judging_s": round(judge_s, 3),
            "looks_per_s": round(looks / judge_s, 1),
            "scan_s": round(scan_s, 3),
            "times_scan": round(scan_s / judge_s, 1),
        },
        "notes": notes,
        "appeared": [_told(record) for record in diff.appeared],
        "vanished": [_told(record) for record in diff.vanished],
        "changed": [
            _told(pair.new)
            | {"old_id": pair.old.id, "changes": {k: list(v) for k, v in pair.changes.items()}}
            for pair in diff.changed
        ],
    }


def evidence_state(record: ViolationRecord) -> str:
    """How much evidence there is: ``whole`` with scene and crop, ``part`` or ``none``."""
    evidence = record.evidence
    if evidence.scene is not None and evidence.crop is not None:
        return "whole"
    return "part" if evidence.files() else "none"


def _told(record: ViolationRecord) -> dict[str, Any]:
    return record.model_dump(
        mode="json",
        include={
            *("id", "kind", "camera_id", "zone_id", "box", "confidence"),
            *("start_s", "last_seen_s", "end_s", "started_at", "ended_at", "signs"),
        },
    ) | {"source": record.source.name}


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")
