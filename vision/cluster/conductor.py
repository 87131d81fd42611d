"""A conductor: brings one recording after the other to its end, with workers for the heavy part."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vision.cluster.detector import ClusterDetector
from vision.cluster.listening import Heard, Listeners
from vision.cluster.parcels import Clip, Loaded, Task
from vision.cluster.pool import WorkerPool
from vision.cluster.source import LOOKS_A_SEGMENT, SEGMENTS_A_WORKER, ClusterRecording
from vision.detect.classifier import load_classifier
from vision.frames.recording import Recording
from vision.frames.source import FrameSource
from vision.pipeline import Ahead
from vision.run_folder import RunFolder
from vision.scan_input import Job, Reading, scan_input


class Conductor:
    """Lives in a process of its own; heard and stopped from other threads than it works in.

    Args:
        handles: Ray's handles of the workers.
    """

    def __init__(self, handles: Sequence[Any]) -> None:
        logging.getLogger("vision").setLevel(logging.WARNING)
        self._pool = WorkerPool(handles)
        self._listeners = Listeners()

    def scan(self, task: Task, loaded: Loaded, workers: int) -> dict[str, Any] | None:
        """Bring a recording to its end, from where an earlier run left it.

        Args:
            task: The recording.
            loaded: What the workers loaded.
            workers: How many of them it may keep busy.

        Returns:
            What :func:`~vision.scan_input.scan_input` returns; ``None`` if it was stopped.

        Raises:
            InputError: It cannot be read.
            ModelError: A model fails.
            ClusterError: No worker is left.
        """
        detector = ClusterDetector(task.model, loaded, self._pool)
        looks = 2 * workers + 1
        reading = Reading(
            open=lambda job: self._open(job, workers),
            inspect=detector.inspect,
            ahead=Ahead(looks + LOOKS_A_SEGMENT * SEGMENTS_A_WORKER * workers, looks),
        )
        try:
            with self._listeners.to(task.key) as listener:
                return scan_input(
                    task.job,
                    task.key,
                    detector,
                    RunFolder(task.root),
                    listener,
                    classifier=load_classifier(task.classifier) if task.classifier else None,
                    reading=reading,
                )
        except KeyboardInterrupt:
            return None
        finally:
            self._pool.tell_all("forget", task.job.input.path.absolute())

    def heard(self, key: str) -> Heard | None:
        """How far a recording has come; ``None`` if it is not under way."""
        heard = self._listeners.heard(key)
        return None if heard is None else replace(heard, lost=self._pool.lost)

    def stop(self) -> None:
        """Leave the recording under way at its next look, so that a later run goes on there."""
        self._listeners.stop()

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
