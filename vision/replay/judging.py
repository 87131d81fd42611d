"""One input of an archive, judged again."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vision.errors import InputError
from vision.evidence.collect import look_before, stood_at_start
from vision.judging import judge_for, rules_for
from vision.observe.boxes import iou
from vision.observe.look import Health, Look
from vision.record import ModelRecord, SourceRecord, ViolationRecord, record_of
from vision.replay.difference import SAME_PLACE_IOU, SAME_S, Diff, compare
from vision.replay.old_run import OldRun
from vision.report.summary import InputEntry, ModelEntry
from vision.rules.finding import Violation
from vision.scan import NO_CAMERA
from vision.scan_input import Progress
from vision.schedule import SiteClock
from vision.site import Camera, RuleSettings, Site, merged_rules
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


def evidence_state(record: ViolationRecord) -> str:
    """How much evidence there is: ``whole`` with scene and crop, ``part`` or ``none``."""
    evidence = record.evidence
    if evidence.scene is not None and evidence.crop is not None:
        return "whole"
    return "part" if evidence.files() else "none"


def judge_again(one: Judged, old: OldRun, looks: Iterator[Look], progress: Progress) -> None:
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


def prepared(old: OldRun, options: ReplayOptions, entry: InputEntry, name: str) -> Judged:
    """An input with what it is to be judged by."""
    model = old.model(entry)
    notes = []
    site = options.site or old.site
    over = options.rules if options.site else merged_rules(old.options, options.rules)
    camera = _camera_of(site, entry)
    if site is not None and camera is None:
        notes.append(NO_CAMERA)
    rules = rules_for(site, camera, over, model.thresholds)
    camera = camera or Camera(id=entry.camera_id)
    camera, lacking = judgeable(camera, model.classes, model.name)
    notes += [f"{note}: scan again to judge it" for note in lacking]
    old_camera = _camera_of(old.site, entry) or Camera(id=entry.camera_id)
    return Judged(
        entry=entry,
        name=name,
        model=model,
        camera=camera,
        old_camera=old_camera if old.site_is_known else None,
        rules=rules,
        clock=site.clock if site else None,
        notes=notes,
    )


def judgeable(
    camera: Camera, classes: Collection[str], model_name: str
) -> tuple[Camera, list[str]]:
    """The camera without the zones that looks by a model cannot tell of, and what to say of those.

    Args:
        camera: The camera.
        classes: Classes that the model looks for.
        model_name: Its name.
    """
    lacking = [
        zone
        for zone in camera.zones
        if (needed := NEEDED_CLASSES.get(zone.purpose)) and needed not in classes
    ]
    notes = []
    for zone in lacking:
        left_out = zone.purpose is Purpose.HOARDING_LINE
        notes.append(
            f"zone {zone.id}: {model_name} did not look for {NEEDED_CLASSES[zone.purpose]}; "
            + ("it is left out" if left_out else "none will be found")
        )
    # Where hoardings were not looked for, every line would seem open.
    zones = tuple(
        zone for zone in camera.zones if zone not in lacking or zone.purpose is Purpose.SITE
    )
    return camera.model_copy(update={"zones": zones}), notes


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
