"""Evidence for violations that a replay found, from the recordings, where they are still there."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from vision.detect.detector import Detector
from vision.detect.registry import Registry
from vision.engine import watching_detector
from vision.errors import InputError
from vision.evidence.collect import collect_evidence
from vision.frames.inputs import ScanInput, content_sha256, discover
from vision.frames.looks import LookPolicy
from vision.frames.wallclock import StartTime
from vision.record import EvidenceRecord
from vision.replay.judging import Judged, evidence_state
from vision.run_folder import RunFolder
from vision.scan_input import Job, material_of

log = logging.getLogger(__name__)


class EvidenceCollector:
    """Collects what records of a replay lack, and refines their onsets, as a scan does.

    Args:
        registry: Where the models of the scan are found.
        runtime: Detector runtime; the best available without it.
        settings: Settings of the old run: time zone and length of clips.
    """

    def __init__(self, registry: Registry, runtime: str | None, settings: dict[str, Any]) -> None:
        self._registry = registry
        self._runtime = runtime
        self._timezone: str = settings.get("timezone") or "UTC"
        self._clip_s: float = settings.get("clip_s") or 8.0
        self._detectors: dict[str, Detector] = {}

    def __call__(self, one: Judged, folder: RunFolder) -> None:
        """Replace the records of an input that lack evidence; say in its notes why not."""
        lacking = {r.id: n for n, r in enumerate(one.records) if evidence_state(r) != "whole"}
        if not lacking:
            return
        try:
            job = self._job(one)
            detector = self._detector(one)
            with job.open() as source:
                records = collect_evidence(
                    [one.violations[record_id] for record_id in lacking],
                    material_of(job, source, one.healthy_s),
                    detector,
                    zones=one.camera.judged_zones,
                    camera_name=one.camera.name,
                    folder=folder.evidence,
                    run_root=folder.root,
                    clip_s=self._clip_s,
                    experimental=one.model.experimental,
                )
        except InputError as error:
            one.notes.append(f"no evidence: {error}")
            return
        for record in records:
            number = lacking[record.id]
            _drop(one.records[number].evidence, record.evidence, folder.root)
            one.records[number] = record

    def close(self) -> None:
        """Release the detectors."""
        for detector in self._detectors.values():
            detector.close()

    def _job(self, one: Judged) -> Job:
        entry = one.entry
        assert entry.start is not None
        item = _found_again(entry.path, entry.kind)
        if content_sha256(item.paths) != entry.sha256:
            raise InputError(f"{entry.path} is not the recording that was scanned")
        return Job(
            input=item,
            sha256=entry.sha256,
            camera=one.camera,
            model=self._registry.model(one.model.name),
            rules=one.rules,
            policy=LookPolicy(),
            forced_look_s=0.0,
            start=StartTime(entry.start.value, "option"),
            timezone=self._timezone,
            clip_s=self._clip_s,
        )

    def _detector(self, one: Judged) -> Detector:
        name = one.model.name
        if name not in self._detectors:
            self._detectors[name] = watching_detector(self._registry.model(name), self._runtime)
        if self._detectors[name].model_sha256 != one.model.sha256:
            log.warning("%s is not the model that scanned; onsets may differ", name)
        return self._detectors[name]


def _drop(old: EvidenceRecord, new: EvidenceRecord, root: Path) -> None:
    """Take files out of the run that new ones stand for."""
    kept = {file.path for file in new.files()}
    for file in old.files():
        if file.path not in kept:
            path = root / file.path
            path.unlink(missing_ok=True)
            if not any(path.parent.iterdir()):
                path.parent.rmdir()


def _found_again(path: str, kind: str) -> ScanInput:
    if not Path(path).exists():
        raise InputError(f"{path} is not there any more")
    found = [item for item in discover([path]) if item.kind == kind]
    if len(found) != 1:
        raise InputError(f"{path} is no {kind} any more")
    return found[0]
