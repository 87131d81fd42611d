"""Evidence of an old run in a new one: what is still true is used again, nothing is copied."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from vision.observe.boxes import iou
from vision.record import EvidenceRecord, FileRecord
from vision.replay.difference import SAME_PLACE_IOU, SAME_S, Pair
from vision.site import Camera
from vision.zones import Purpose


def carried(pair: Pair, old_camera: Camera | None, camera: Camera) -> EvidenceRecord:
    """Evidence of the old run that is still true of the new violation.

    Pictures without drawings stay true while place and onset are the same, the scene while its
    zone is too, the picture after while the end is. Where privacy zones differ none may be used.

    Args:
        pair: The violation before and after.
        old_camera: Camera that it was judged as; ``None`` if that is not known.
        camera: Camera that it is judged as.
    """
    old, new, evidence = pair.old, pair.new, pair.old.evidence
    if old_camera is None or _masks(old_camera) != _masks(camera):
        return EvidenceRecord()
    if abs(old.start_s - new.start_s) > SAME_S or iou(old.box, new.box) < SAME_PLACE_IOU:
        return EvidenceRecord()
    same_zone = _drawn(old_camera, old.zone_id) == _drawn(camera, new.zone_id)
    same_end = old.end_s is not None and "end_s" not in pair.changes
    same_box = "box" not in pair.changes
    return EvidenceRecord(
        scene=evidence.scene if same_zone and same_box else None,
        frame=evidence.frame,
        crop=evidence.crop,
        before=evidence.before,
        after=evidence.after if same_end else None,
        clip=evidence.clip,
    )


def _masks(camera: Camera) -> list[Any]:
    return sorted(zone.points for zone in camera.zones if zone.purpose is Purpose.PRIVACY)


def _drawn(camera: Camera, zone_id: str) -> Any:
    """What is drawn of a zone over a scene."""
    return next(((z.id, z.points) for z in camera.judged_zones if z.id == zone_id), None)


def linked(evidence: EvidenceRecord, root: Path, out: Path) -> EvidenceRecord:
    """Make evidence of an old run part of a new one; what is not there any more is left out.

    Args:
        evidence: Files of the old run.
        root: Its folder.
        out: Folder of the new run.
    """
    there = {
        role: file
        for role in EvidenceRecord.model_fields
        if (file := getattr(evidence, role)) is not None and _link_file(file, root, out)
    }
    return EvidenceRecord(**there)


def _link_file(file: FileRecord, root: Path, out: Path) -> bool:
    if not (root / file.path).is_file():
        return False
    (out / file.path).parent.mkdir(parents=True, exist_ok=True)
    link(root / file.path, out / file.path)
    return True


def link(source: Path, target: Path) -> None:
    """A second name for a file; a copy on another file system."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
