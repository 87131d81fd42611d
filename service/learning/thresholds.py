"""Set what calibration proposes for the cameras of the service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from service import audit
from service.cases.events import CAMERA_CHANGED, tell
from service.store.cameras import camera_of, change_camera
from service.store.database import Database
from service.store.tables import CameraRow
from vision.learn.feedback.calibration import Proposal
from vision.learn.feedback.site_thresholds import SETTING
from vision.site import Camera


def set_cameras(database: Database, proposals: Sequence[Proposal], now: datetime) -> list[str]:
    """Set ``min_confidence`` of the cameras whose decisions speak for it.

    Args:
        database: The store.
        proposals: What to set.
        now: Aware wall-clock time.

    Returns:
        What was set, in words.
    """
    told = []
    ids = sorted({camera for one in proposals for camera in one.cameras})
    with database.write() as session:
        query = select(CameraRow).where(CameraRow.id.in_(ids)).order_by(CameraRow.id)
        for row in session.scalars(query.with_for_update()).all():
            mine = {o.kind: o.min_confidence for o in proposals if row.id in o.cameras}
            change_camera(row, _with(camera_of(row), mine), now, enabled=row.enabled)
            audit.write(
                session,
                now,
                audit.NOWHERE,
                "system",
                "camera.calibrated",
                subject=f"camera:{row.id}",
                details={SETTING: mine},
            )
            set_to = ", ".join(f"{kind}.{SETTING}: {value:g}" for kind, value in mine.items())
            told.append(f"camera {row.id}: {set_to}")
            tell(session, CAMERA_CHANGED, row.id, {"id": row.id, "version": row.version}, now)
    return told


def _with(camera: Camera, least: dict[str, float]) -> Camera:
    document = camera.model_dump(mode="json", by_alias=True, exclude_unset=True)
    rules = document.setdefault("rules", {})
    for kind, value in least.items():
        rules[kind] = {**(rules.get(kind) or {}), SETTING: value}
    return Camera.model_validate(document)
