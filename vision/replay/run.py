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
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vision import __version__
from vision.errors import ConfigError
from vision.files import write_atomically
from vision.judging import effective_rules, rules_for
from vision.record import ViolationRecord, write_violations
from vision.replay.carried import carried, link, linked
from vision.replay.difference import Diff, told_of
from vision.replay.judging import Judged, ReplayOptions, evidence_state, judge_again, prepared
from vision.replay.old_run import OldRun
from vision.report.html import write_report
from vision.report.summary import summary_from
from vision.run_folder import RunFolder
from vision.scan import NO_CAMERA, SCHEMA_VERSION, site_content
from vision.scan_input import Progress
from vision.site import merged_rules
from vision.versions import library_versions


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
            judged.append(prepared(old, options, entry, name))
            judge_again(judged[-1], old, looks, progress)
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
    settings["rules"] = effective_rules(rules_for(site, None, over, {}))
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
        **told_of(diff),
    }


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")
