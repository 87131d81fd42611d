"""Score a run folder against a truth file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vision.errors import InputError
from vision.record import ViolationRecord, read_violations
from vision.report.summary import InputEntry, read_run
from vision.score.events import Event, EventScore, Matching, Raised, score, shortest_dwell
from vision.score.truth import Truth


@dataclass(frozen=True)
class RunScore:
    """The score of a run.

    Attributes:
        score: The score, clips called as the run calls them.
        clips: Names of the inputs that were scored.
        notes: What was left out and why.
    """

    score: EventScore
    clips: tuple[str, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return self.score.as_json() | {"clips": list(self.clips), "notes": list(self.notes)}


def score_run(run_dir: Path, truth: Truth, *, matching: Matching | None = None) -> RunScore:
    """Score the violations of a run folder.

    Inputs that the truth does not tell of are left out with their violations and their hours, as
    are clips of the truth that the run does not have. The events of an input that failed count as
    missed.

    Args:
        run_dir: Folder of a scan or a replay.
        truth: What is truly to be seen.
        matching: See :func:`vision.score.events.score`.

    Raises:
        InputError: A file of the run is missing or wrong, or it shares no clip with the truth.
    """
    run = read_run(run_dir)
    purposes = _purposes(run.settings.get("site_content"))
    of_input: dict[str, list[ViolationRecord]] = {}
    for record in read_violations(run_dir / "violations.jsonl"):
        of_input.setdefault(record.source.name, []).append(record)
    raised: list[Raised] = []
    events: list[Event] = []
    notes: list[str] = []
    scored: list[str] = []
    told = set()
    watched_s = 0.0
    for entry in run.inputs:
        if entry.status == "repeated":
            continue
        clip = truth.clip_of(entry.name, entry.sha256)
        if clip is None:
            notes.append(f"{entry.name}: not in the truth, left out")
            continue
        told.add(clip.file)
        scored.append(entry.name)
        if entry.status == "failed":
            notes.append(f"{entry.name}: could not be scanned, its events count as missed")
        events += truth.events(clip, entry.name, _dwells(entry, run.settings))
        watched_s += entry.duration_s
        raised += [_raised(one, purposes) for one in of_input.get(entry.name, [])]
    if not scored:
        raise InputError(f"{run_dir}: no input of this run is in {truth.path}")
    notes += [
        f"{clip.file}: not in this run, left out" for clip in truth.clips if clip.file not in told
    ]
    return RunScore(
        score=score(raised, events, watched_s=watched_s, matching=matching),
        clips=tuple(scored),
        notes=tuple(notes),
    )


def _raised(record: ViolationRecord, purposes: Mapping[tuple[str, str], str]) -> Raised:
    return Raised(
        kind=record.kind,
        box=record.box,
        start_s=record.start_s,
        last_seen_s=record.last_seen_s,
        end_s=record.end_s,
        noticed_s=record.noticed_s,
        end_noticed_s=record.end_noticed_s,
        dwell_s=shortest_dwell(record.rule.settings),
        zone_id=record.zone_id,
        zone_purpose=purposes.get((record.camera_id, record.zone_id), ""),
        clip=record.source.name,
        id=record.id,
    )


def _purposes(site: Any) -> dict[tuple[str, str], str]:
    """Purposes by camera and zone, of the site file as the run keeps it."""
    return {
        (camera["id"], zone["id"]): zone["purpose"]
        for camera in (site or {}).get("cameras", ())
        for zone in camera.get("zones", ())
    }


def _dwells(entry: InputEntry, settings: Mapping[str, Any]) -> dict[str, float]:
    """Shortest dwell by kind that was in force for an input."""
    rules = entry.rules or settings.get("rules") or {}
    found = {kind: shortest_dwell(values) for kind, values in rules.items()}
    return {kind: dwell_s for kind, dwell_s in found.items() if dwell_s is not None}
