"""What travels between conductor and workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vision.detect.detector import Detector
from vision.detect.registry import ModelEntry
from vision.engine import watching_detector
from vision.errors import JiexuError
from vision.frames.frame import Frame, Image, Luma, Rung
from vision.frames.recording import Recording, open_recording
from vision.frames.wallclock import StartTime
from vision.scan_input import Job
from vision.store import local_copy


@dataclass(frozen=True)
class Model:
    """A model as every worker loads it.

    Attributes:
        entry: The model; its files lie at the same place on every machine.
        runtime: Runtime id; the best available without it.
        threads: CPU threads for inference.
        device: See :func:`~vision.detect.load.load_detector`.
    """

    entry: ModelEntry
    runtime: str | None
    threads: int
    device: str

    @property
    def key(self) -> tuple[str, str | None]:
        """Tells it from the other models of a run."""
        return self.entry.name, self.runtime

    def load(self) -> Detector:
        """Open it.

        Raises:
            ModelError: It cannot be loaded.
        """
        return watching_detector(self.entry, self.runtime, device=self.device, threads=self.threads)


@dataclass(frozen=True)
class Loaded:
    """What a worker has loaded.

    Attributes:
        names: Class names in the order of the class ids.
        runtime: Runtime id that was chosen.
        model_name: Name in the registry.
        model_sha256: SHA-256 of the opened files.
        input_size: Pixels of the longer side that the model makes use of.
        host: Name of the worker's machine.
    """

    names: tuple[str, ...]
    runtime: str
    model_name: str
    model_sha256: str
    input_size: int
    host: str


@dataclass(frozen=True)
class Task:
    """A recording to be scanned.

    Attributes:
        job: The input and its settings.
        key: Its key.
        root: The run folder.
        model: What to detect with.
        classifier: Scores the crops of vehicles that stand; nothing is scored without it.
    """

    job: Job
    key: str
    root: Path
    model: Model
    classifier: ModelEntry | None


@dataclass(frozen=True)
class Clip:
    """A recording as workers open it.

    Attributes:
        path: The file, at the same place on every machine.
        url: Where it is in a store, from which each machine copies it; empty for plain files.
        seek: Whether the file's index may be used to pass over what is not wanted.
    """

    path: Path
    url: str
    seek: bool

    def local(self) -> Path:
        """Where it lies on this machine, copied if need be.

        Raises:
            InputError: It cannot be read.
        """
        return local_copy(self.url) if self.url else self.path

    def open(self, path: Path, from_s: float) -> Recording:
        """Open it for looks that are decoded from keyframes at or after ``from_s``.

        Args:
            path: From :meth:`local`.
            from_s: Seconds from the start of the recording.

        Raises:
            InputError: It cannot be read.
        """
        return open_recording(
            path,
            camera_id="",
            timezone=UTC,
            start=StartTime(datetime.fromtimestamp(0, UTC), "option"),
            decode_threads=1,
            from_s=from_s if self.seek else 0.0,
        )


class AstrayError(JiexuError):
    """By its index, a file does not lead to the keyframe that its packets have."""


@dataclass(frozen=True)
class Wanted:
    """A look that is wanted.

    Attributes:
        time_s: See :meth:`vision.frames.source.FrameSource.submit`.
        tolerance_s: The same.
        start_s: Time of the keyframe from which it is decoded.
    """

    time_s: float
    tolerance_s: float
    start_s: float


@dataclass(frozen=True, eq=False)
class Seen:
    """A frame without its full picture, which stays where it was decoded.

    Attributes:
        time_s: See :class:`~vision.frames.frame.Frame`, as all others.
        pts: Presentation timestamp as stored.
        rung: How much had to be decoded to get it.
        width: In pixels of the full picture.
        height: The same.
        luma: ``(h, LUMA_WIDTH)`` uint8.
        small: Small colour picture, BGR uint8.
    """

    time_s: float
    pts: int | None
    rung: Rung
    width: int
    height: int
    luma: Luma
    small: Image


def seen(frame: Frame) -> Seen:
    """A frame as it travels."""
    return Seen(
        frame.time_s,
        frame.pts,
        frame.rung,
        frame.width,
        frame.height,
        frame.luma,
        frame.small,
    )
