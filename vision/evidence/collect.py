"""From the violations of a recording to their records: onset, pictures, clip."""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from vision.detect.detector import Detector
from vision.errors import InputError
from vision.evidence.clip import write_clip
from vision.evidence.manifest import EvidenceFile
from vision.evidence.onset import onset_by_looks, refine_onset
from vision.evidence.stills import write_evidence
from vision.frames.frame import Frame
from vision.observe.families import STANDING_OBJECT
from vision.record import ModelRecord, SourceRecord, ViolationRecord, record_of, violation_id
from vision.rules.finding import Violation
from vision.zones import Zone

log = logging.getLogger(__name__)

BEFORE_S = 1.0
"""The picture before shows the place at least so long before the onset."""

AT_START = "at_start"
"""Sign of a violation that stood already when the recording began."""

PROPOSED_AFTER_S = 120.0
"""How long before its first detection a thing without a class may have come."""


def look_before(healthy_s: Sequence[float], time_s: float) -> float | None:
    """The last of rising stream times before a time, ``None`` if there is none."""
    index = bisect_left(healthy_s, time_s)
    return healthy_s[index - 1] if index else None


@dataclass(frozen=True)
class Material:
    """The recording or stills that violations were seen in.

    Attributes:
        source: Its name and hash.
        path: The file, ``None`` for stills.
        frame_at: Gives the frame of a look by its stream time.
        stretch: Gives all frames between two stream times; ``None`` for stills.
        start: Aware wall-clock time of its start.
        healthy_s: Stream times of all looks that could see, rising.
    """

    source: SourceRecord
    path: Path | None
    frame_at: Callable[[float], Frame]
    stretch: Callable[[float, float], Iterable[Frame]] | None
    start: datetime
    healthy_s: Sequence[float]

    def look_before(self, time_s: float) -> float | None:
        """Stream time of the last healthy look before a time."""
        return look_before(self.healthy_s, time_s)

    def look_after(self, time_s: float) -> float | None:
        """Stream time of the first healthy look after a time."""
        index = bisect_right(self.healthy_s, time_s)
        return self.healthy_s[index] if index < len(self.healthy_s) else None


def collect_evidence(
    violations: Sequence[Violation],
    material: Material,
    detector: Detector,
    *,
    zones: Sequence[Zone],
    camera_name: str,
    folder: Path,
    run_root: Path,
    clip_s: float,
    experimental: Collection[str] = (),
) -> list[ViolationRecord]:
    """Refine onsets, write evidence, and make the records.

    Evidence of a violation lies in ``folder/<id>/``. The same violations of the same recording give
    the same files.

    Args:
        violations: What the judge found.
        material: Where it was seen.
        detector: Looks closer at the stretch in which a thing appeared.
        zones: Zones of the view; ``privacy`` ones are masked.
        camera_name: What people call the camera.
        folder: Where evidence goes, inside ``run_root``.
        run_root: The run folder.
        clip_s: Length of clips in seconds.
        experimental: Classes that the model's registry entry calls experimental.

    Raises:
        InputError: The recording cannot be read any more.
    """
    model = ModelRecord(name=detector.model_name, sha256=detector.model_sha256)
    records = []
    for noticed in violations:
        name = violation_id(material.source.sha256, noticed)
        violation = _with_onset(noticed, material, detector)
        before_s = material.look_before(violation.start_s - BEFORE_S)
        after_s = None if violation.end_s is None else material.look_after(violation.end_s)
        evidence = write_evidence(
            folder / name,
            run_root,
            stem=violation.kind,
            kind=violation.kind,
            box=violation.box,
            zone=next((zone for zone in zones if zone.id == violation.zone_id), None),
            scene=material.frame_at(violation.best_s),
            before=None if before_s is None else material.frame_at(before_s),
            after=None if after_s is None else material.frame_at(after_s),
            privacy=zones,
            camera_name=camera_name,
            dwell_s=violation.best_s - violation.start_s,
        )
        clip = _clip(
            material,
            violation,
            zones=zones,
            folder=folder / name,
            run_root=run_root,
            duration_s=clip_s,
        )
        record = record_of(
            violation,
            replace(evidence, clip=clip),
            source=material.source,
            model=model,
            recording_started_at=material.start,
            experimental=experimental,
        )
        records.append(record.model_copy(update={"id": name}))
    return records


def _clip(
    material: Material,
    violation: Violation,
    *,
    zones: Sequence[Zone],
    folder: Path,
    run_root: Path,
    duration_s: float,
) -> EvidenceFile | None:
    """The clip around the onset; pictures stand alone where a damaged recording gives none."""
    if material.path is None:
        return None
    try:
        return write_clip(
            material.path,
            folder,
            run_root,
            stem=violation.kind,
            around_s=violation.start_s,
            started_at=material.start,
            duration_s=duration_s,
            privacy=zones,
        )
    except InputError as error:
        log.warning("%s", error)
        return None


def stood_at_start(violation: Violation) -> Violation:
    """The violation with the sign that it stood already when the recording began."""
    return replace(violation, signs=(*violation.signs, AT_START))


def _with_onset(violation: Violation, material: Material, detector: Detector) -> Violation:
    """The violation with its start refined between the looks in which its thing appeared."""
    if violation.class_names == (STANDING_OBJECT,):
        violation = _with_onset_by_looks(violation, material)
    earlier_s = material.look_before(violation.start_s)
    if earlier_s is None:
        return stood_at_start(violation)
    if material.stretch is None or violation.class_names == (STANDING_OBJECT,):
        return violation
    onset_s = refine_onset(
        material.stretch(earlier_s, violation.start_s),
        detector,
        violation.box,
        violation.start_s,
    )
    return replace(violation, start_s=onset_s)


def _with_onset_by_looks(violation: Violation, material: Material) -> Violation:
    """The violation of a nameless thing since the look that first showed it."""
    end = bisect_left(material.healthy_s, violation.start_s)
    earlier_s = [
        time_s
        for time_s in reversed(material.healthy_s[:end])
        if violation.start_s - time_s <= PROPOSED_AFTER_S
    ]
    onset_s = onset_by_looks(material.frame_at, earlier_s, violation.box, violation.start_s)
    return replace(violation, start_s=onset_s)
