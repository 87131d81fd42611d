"""Evidence files, known by the SHA-256 of their bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class EvidenceFile:
    """One picture or clip.

    Attributes:
        path: POSIX path relative to the run's folder.
        sha256: Lower-case hex digest of the bytes as written.
        bytes: Size.
        time_s: Seconds from the start of the recording of the picture, or of a clip's first one.
        timestamp: Aware wall-clock time of the same.
        width: Width in pixels.
        height: Height in pixels.
        media_type: ``image/jpeg`` or ``video/mp4``.
    """

    path: str
    sha256: str
    bytes: int
    time_s: float
    timestamp: datetime
    width: int
    height: int
    media_type: str


@dataclass(frozen=True)
class Evidence:
    """All files of one violation.

    Attributes:
        scene: Whole frame with box, zone and caption.
        crop: The thing, without drawings.
        before: Same view before the thing appeared; ``None`` when the recording starts with it.
        after: Same view after it was gone; ``None`` while it stands.
        clip: A few seconds around the start; ``None`` for sequences of stills.
        frame: The scene's frame in its own size without drawings; ``None`` where it is not kept.
    """

    scene: EvidenceFile
    crop: EvidenceFile
    before: EvidenceFile | None = None
    after: EvidenceFile | None = None
    clip: EvidenceFile | None = None
    frame: EvidenceFile | None = None


def describe(
    path: Path,
    run_root: Path,
    *,
    time_s: float,
    timestamp: datetime,
    width: int,
    height: int,
    media_type: str,
) -> EvidenceFile:
    """Describe a file that was written, by its bytes on disk.

    Args:
        path: The file, inside ``run_root``.
        run_root: Folder that the path in the description is relative to.
        time_s: Seconds from the start of the recording.
        timestamp: Aware wall-clock time.
        width: Width in pixels.
        height: Height in pixels.
        media_type: Media type.

    Raises:
        ValueError: The file lies outside ``run_root`` or the timestamp has no offset.
    """
    if timestamp.utcoffset() is None:
        raise ValueError(f"timestamp of {path.name} has no UTC offset")
    data = path.read_bytes()
    return EvidenceFile(
        path=path.resolve().relative_to(run_root.resolve()).as_posix(),
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        time_s=time_s,
        timestamp=timestamp,
        width=width,
        height=height,
        media_type=media_type,
    )
