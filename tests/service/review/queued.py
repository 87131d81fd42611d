"""Candidates with real small pictures, taken in as the cameras tell of them."""

from __future__ import annotations

import hashlib
import io
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image as Pillow
from PIL import ImageDraw
from posting import record

from service.cases.intake import Intake
from service.evidence.files import EvidenceFiles
from service.store.database import Database
from vision.record import FileRecord

SIZE = (320, 190)
STRIP = 24
BEGIN = datetime(2026, 5, 4, 1, 0, tzinfo=UTC)


def queue_candidates(
    database: Database,
    files: EvidenceFiles,
    folder: Path,
    count: int,
    *,
    frame_size: tuple[int, int] | None = None,
    **changes: Any,
) -> list[str]:
    """Take in candidates, one an hour, each at a place of its own in a zone of their own.

    Args:
        database: The store.
        files: Its evidence.
        folder: For the pictures.
        count: How many.
        frame_size: Width and height of the frame that the scene is a copy of; none is kept
            without it.
        changes: What is different in their records.

    Returns:
        Their ids, oldest first.
    """
    intake = Intake(database, files, mask=lambda data, _type: data, clock=lambda: datetime.now(UTC))
    zone_id = f"zone-{uuid.uuid4()}"
    ids = []
    for number in range(count):
        at = BEGIN + timedelta(hours=number)
        left, top = 20 + 40 * (number % 6), 20 + 30 * (number // 6 % 4)
        box = (left, top, left + 30, top + 24)
        pictures = {
            "scene": _picture(folder, f"scene-{number}", box, at),
            "crop": _picture(folder, f"crop-{number}", (10, 10, 300, 150), at),
        }
        if frame_size is not None:
            pictures["frame"] = _picture(folder, f"frame-{number}", box, at, frame_size)
        one = record(
            number,
            **{
                "id": str(uuid.uuid4()),
                "box": box,
                "zone_id": zone_id,
                "started_at": at,
                "raised_at": at + timedelta(minutes=5),
                "last_seen_at": at + timedelta(minutes=9),
                "evidence": pictures,
            }
            | changes,
        )
        intake.take(one, {role: folder / f"{role}-{number}.jpg" for role in pictures})
        ids.append(one.id)
    return ids


def _picture(
    folder: Path,
    name: str,
    box: tuple[float, ...],
    at: datetime,
    size: tuple[int, int] = (SIZE[0], SIZE[1] + STRIP),
) -> FileRecord:
    image = Pillow.new("RGB", size, (120, 130, 140))
    pen = ImageDraw.Draw(image)
    pen.rectangle(box, fill=(150, 60, 30))
    pen.text((4, SIZE[1] + 4), name, fill=(255, 255, 255))
    file = io.BytesIO()
    image.save(file, "JPEG")
    (folder / f"{name}.jpg").write_bytes(file.getvalue())
    return FileRecord(
        path=f"evidence/{name}.jpg",
        sha256=hashlib.sha256(file.getvalue()).hexdigest(),
        bytes=len(file.getvalue()),
        time_s=0,
        timestamp=at,
        width=image.width,
        height=image.height,
        media_type="image/jpeg",
    )
