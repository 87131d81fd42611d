"""Frames without boxes, captions and masks: decoded anew from what a scan has read.

A run folder keeps pictures for people, with drawings on them. A network that learns from those
learns the drawings. The recording itself is the source; where it is gone the evidence clip, which
has no drawings (but masked privacy zones), shows the place shortly after the onset.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from vision.errors import InputError
from vision.frames.frame import Frame, Image
from vision.frames.inputs import content_sha256, discover
from vision.frames.recording import Recording, open_recording, stretch
from vision.frames.stills import Stills, open_stills
from vision.frames.wallclock import StartTime
from vision.record import ViolationRecord
from vision.report.summary import InputEntry

AFTER_ONSET_S = 1.0
"""A clip's frame is taken so long after the onset, when the thing stands for certain ..."""

CLIP_TAIL_S = 3.0
"""... or up to so much later, where the clip has no frame earlier."""

SAME_FRAME_S = 0.001


@dataclass(frozen=True)
class CleanFrame:
    """A frame to learn from.

    Attributes:
        image: BGR uint8 ``(h, w, 3)``.
        time_s: Its place in the recording, in seconds.
        origin: ``recording`` or ``clip``.
    """

    image: Image
    time_s: float
    origin: str


class Footage:
    """One input of a scan, opened again.

    Raises:
        InputError: The recording is gone, is another one by now, or cannot be read.
    """

    def __init__(self, entry: InputEntry, run_dir: Path) -> None:
        path = Path(entry.path)
        if not path.is_absolute() and not path.exists():
            path = run_dir / path
        if not path.exists():
            raise InputError(f"{entry.path}: the recording is not there any more")
        inputs = discover([str(path)])
        found = next((one for one in inputs if content_sha256(one.paths) == entry.sha256), None)
        if found is None:
            raise InputError(f"{entry.path}: is not the recording that was scanned")
        self._source: Recording | Stills
        if found.kind == "video":
            self._source = open_recording(found.path, camera_id=entry.camera_id, timezone=UTC)
        else:
            self._source = open_stills(found.paths, camera_id=entry.camera_id, timezone=UTC)

    def at(self, time_s: float) -> Image:
        """The frame of a look.

        Raises:
            InputError: There is none at this time.
        """
        frame: Frame | None
        if isinstance(self._source, Recording):
            frame = next(self._source.stretch(time_s, time_s), None)
        else:
            frame = self._source.submit(time_s, SAME_FRAME_S).result()
        if frame is None:
            raise InputError(f"no frame at {time_s:.3f} s")
        return frame.image

    def close(self) -> None:
        """Close the files."""
        self._source.close()


@contextmanager
def footage(entry: InputEntry | None, run_dir: Path) -> Iterator[Footage | InputError]:
    """Open an input again, or say why that cannot be: what it showed may still be in clips."""
    if entry is None:
        yield InputError("run.json does not tell where the recording is")
        return
    try:
        opened = Footage(entry, run_dir)
    except InputError as error:
        yield error
        return
    try:
        yield opened
    finally:
        opened.close()


def clean_frame(record: ViolationRecord, opened: Footage | InputError, run_dir: Path) -> CleanFrame:
    """The frame that shows a violation best, without anything drawn on it.

    Args:
        record: The violation.
        opened: Its input.
        run_dir: The run folder.

    Raises:
        InputError: Neither the recording nor a clip is there; the text says why.
    """
    scene = record.evidence.scene
    if scene is None:
        raise InputError("the violation has no scene")
    if isinstance(opened, Footage):
        return CleanFrame(opened.at(scene.time_s), scene.time_s, "recording")
    clip = record.evidence.clip
    if clip is None:
        raise opened
    path = run_dir / clip.path
    since_s = max(0.0, record.start_s - clip.time_s) + AFTER_ONSET_S
    start = StartTime(clip.timestamp, "assumed")
    for frame in stretch(
        path, since_s, since_s + CLIP_TAIL_S, camera_id=record.camera_id, start=start
    ):
        return CleanFrame(frame.image, clip.time_s + frame.time_s, "clip")
    raise InputError(f"{opened}; its clip is over before the thing stands")
