"""A conductor: brings one recording after the other to its end, with workers for the heavy part."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vision.cluster.detector import ClusterDetector
from vision.cluster.parcels import Clip, Loaded, Model
from vision.cluster.pool import WorkerPool
from vision.cluster.source import LOOKS_A_SEGMENT, SEGMENTS_A_WORKER, ClusterRecording
from vision.detect.classifier import load_classifier
from vision.detect.registry import ModelEntry
from vision.frames.recording import Recording
from vision.frames.source import FrameSource
from vision.pipeline import Ahead
from vision.run_folder import RunFolder
from vision.scan_input import Job, Reading, scan_input


@dataclass(frozen=True)
class Task:
    """A recording to be scanned.

    Attributes:
        job: The input and its settings.
        key: Its key.
        root: The run folder.
        model: The model that the workers load ...
        loaded: ... and what they loaded.
        classifier: Scores the crops of vehicles that stand; nothing is scored without it.
        workers: How many workers it may keep busy.
    """

    job: Job
    key: str
    root: Path
    model: Model
    loaded: Loaded
    classifier: ModelEntry | None
    workers: int


@dataclass(frozen=True)
class Heard:
    """How far a recording has come.

    Attributes:
        duration_s: Its length, ``None`` while that is not known.
        time_s: Stream time reached.
        violations: Found so far.
        lost: Calls made again because their worker was lost, of all recordings so far.
    """

    duration_s: float | None = None
    time_s: float = 0.0
    violations: int = 0
    lost: int = 0


class Conductor:
    """Lives in a process of its own; heard and stopped from other threads than it works in.

    Args:
        handles: Ray's handles of the workers.
    """

    def __init__(self, handles: Sequence[Any]) -> None:
        logging.getLogger("vision").setLevel(logging.WARNING)
        self._pool = WorkerPool(handles)
        self._listener = _Listener()

    def scan(self, task: Task) -> dict[str, Any] | None:
        """Bring a recording to its end, from where an earlier run left it.

        Returns:
            What :func:`~vision.scan_input.scan_input` returns; ``None`` if it was stopped.

        Raises:
            InputError: It cannot be read.
            ModelError: A model fails.
            ClusterError: No worker is left.
        """
        self._listener.begin()
        detector = ClusterDetector(task.model, task.loaded, self._pool)
        looks = 2 * task.workers + 1
        reading = Reading(
            open=lambda job: self._open(job, task.workers),
            inspect=detector.inspect,
            ahead=Ahead(looks + LOOKS_A_SEGMENT * SEGMENTS_A_WORKER * task.workers, looks),
        )
        try:
            return scan_input(
                task.job,
                task.key,
                detector,
                RunFolder(task.root),
                self._listener,
                classifier=load_classifier(task.classifier) if task.classifier else None,
                reading=reading,
            )
        except KeyboardInterrupt:
            return None
        finally:
            self._pool.tell_all("forget", task.job.input.path.absolute())

    def heard(self) -> Heard:
        """How far the recording under way has come."""
        heard = self._listener.heard
        return Heard(heard.duration_s, heard.time_s, heard.violations, self._pool.lost)

    def stop(self) -> None:
        """Leave the recording under way at its next look, so that a later run goes on there."""
        self._listener.stopped.set()

    def _open(self, job: Job, workers: int) -> FrameSource:
        source = job.open()
        if not isinstance(source, Recording):
            return source
        return ClusterRecording(
            source,
            Clip(job.input.path.absolute(), job.input.url, seek=True),
            self._pool,
            camera_id=job.camera.id,
            workers=workers,
        )


class _Listener:
    """A :class:`~vision.scan_input.Progress` that keeps what it heard and may stop the scan."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.stopped = threading.Event()

    def begin(self) -> None:
        self.heard = Heard()

    def input_started(self, name: str, number: int, of: int) -> None:
        """Told by the engine."""

    def opened(self, duration_s: float | None) -> None:
        """Keep the length."""
        self.heard = Heard(duration_s)

    def looked(self, time_s: float, violations: int) -> None:
        """Keep how far it is, or stop here."""
        self.heard = Heard(self.heard.duration_s, time_s, violations)
        if self.stopped.is_set():
            raise KeyboardInterrupt

    def input_ended(self, report: dict[str, Any]) -> None:
        """Told by the engine."""
