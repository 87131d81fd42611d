"""Cameras as stored things: settings documents with a version."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.store.tables import CameraRow
from service.store.upsert import insert_new
from vision.site import Camera


def document_of(camera: Camera) -> dict[str, Any]:
    """A camera as it is kept: what was given, and no defaults, which may change."""
    document = camera.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {name: document[name] for name in Camera.model_fields if name in document}


def camera_of(row: CameraRow) -> Camera:
    """A kept camera."""
    return Camera.model_validate(row.document)


def name_of(row: CameraRow) -> str:
    """What people call a camera: its id if it has no name."""
    return row.document.get("name") or row.id


def camera_names(session: Session, ids: Collection[str]) -> dict[str, str]:
    """What people call these cameras; its id stands for one that is not there any more."""
    rows = session.scalars(select(CameraRow).where(CameraRow.id.in_(ids)))
    return {id_: id_ for id_ in ids} | {row.id: name_of(row) for row in rows}


def add_camera(session: Session, camera: Camera, now: datetime, *, enabled: bool) -> bool:
    """Keep a new camera; ``False`` if there is one of its id."""
    return insert_new(
        session,
        CameraRow,
        id=camera.id,
        document=document_of(camera),
        enabled=enabled,
        version=1,
        created_at=now,
        updated_at=now,
    )


def change_camera(row: CameraRow, camera: Camera, now: datetime, *, enabled: bool) -> None:
    """Replace the settings of a camera."""
    row.document = document_of(camera)
    row.enabled = enabled
    row.version += 1
    row.updated_at = now


def cameras_after(session: Session, after: str | None, limit: int) -> Sequence[CameraRow]:
    """Cameras in the order of their ids, beginning after one."""
    query = select(CameraRow).order_by(CameraRow.id).limit(limit)
    if after is not None:
        query = query.where(CameraRow.id > after)
    return session.scalars(query).all()
