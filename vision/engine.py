"""What carries out the scan of inputs: this process (:class:`LocalEngine`), or a cluster.

Whatever the engine, the same inputs with the same settings give the same violations.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vision.detect.classifier import Classifier
from vision.detect.detections import Detections
from vision.detect.detector import Detector
from vision.detect.load import load_detector
from vision.detect.registry import ModelEntry
from vision.frames.frame import fitted_size
from vision.observe.memory import MemorySettings
from vision.run_folder import RunFolder
from vision.scan_input import Job, Progress, scan_input

Result = dict[str, Any]
"""What :func:`~vision.scan_input.scan_input` returns."""


@dataclass(frozen=True)
class Work:
    """One input to be scanned.

    Attributes:
        job: The input and its settings.
        key: Its key, see :meth:`Job.key`.
        detector: From :meth:`Engine.detector` for the model of the job.
        classifier: Scores the crops of vehicles that stand; nothing is scored without it.
        classifier_entry: The same as the registry has it.
        number: Its place among the inputs, from 1 ...
        of: ... of so many.
    """

    job: Job
    key: str
    detector: Detector
    classifier: Classifier | None
    classifier_entry: ModelEntry | None
    number: int
    of: int


class Engine(Protocol):
    """Scans inputs.

    Attributes:
        at_once: Inputs worth having begun at a time.
    """

    at_once: int

    def detector(self, entry: ModelEntry, runtime: str | None) -> Detector:
        """The detector of a model; the engine closes it.

        Raises:
            ModelError: It cannot be loaded.
        """
        ...

    def warm(self, detector: Detector, size: tuple[int, int]) -> None:
        """Begin to get a detector ready for frames of this width and height; nothing waits for it.

        Args:
            detector: From :meth:`detector`.
            size: Width and height in pixels.
        """
        ...

    def begin(self, work: Work, folder: RunFolder, progress: Progress) -> Callable[[], Result]:
        """Begin an input.

        Returns:
            Waits for its result, which also lies in the folder then. It raises what
            :func:`~vision.scan_input.scan_input` raises.
        """
        ...

    def described(self) -> dict[str, Any]:
        """What ``run.json`` says of the engine, JSON-able."""
        ...

    def close(self) -> None:
        """End what is under way, so that a later run goes on with it, and release everything."""
        ...


class LocalEngine:
    """Scans one input after the other in this process."""

    at_once = 1

    def __init__(self) -> None:
        self._detectors: dict[tuple[str, str | None], Detector] = {}

    def detector(self, entry: ModelEntry, runtime: str | None) -> Detector:
        """See :meth:`Engine.detector`."""
        asked = (entry.name, runtime)
        if asked not in self._detectors:
            self._detectors[asked] = watching_detector(entry, runtime)
        return self._detectors[asked]

    def warm(self, detector: Detector, size: tuple[int, int]) -> None:
        """See :meth:`Engine.warm`."""
        inspect_blank(detector, size)

    def begin(self, work: Work, folder: RunFolder, progress: Progress) -> Callable[[], Result]:
        """See :meth:`Engine.begin`; the work is done when its result is waited for."""

        def scanned() -> Result:
            progress.input_started(work.job.input.name, work.number, work.of)
            return scan_input(
                work.job, work.key, work.detector, folder, progress, classifier=work.classifier
            )

        return scanned

    def described(self) -> dict[str, Any]:
        """See :meth:`Engine.described`."""
        return {"name": "local"}

    def close(self) -> None:
        """Release the detectors."""
        for detector in self._detectors.values():
            detector.close()


def inspect_blank(detector: Detector, size: tuple[int, int]) -> Future[Detections]:
    """Start detection in a black frame: networks are compiled for the first picture of a shape."""
    width, height = fitted_size(*size, min(detector.input_size, max(size)))
    return detector.submit(np.zeros((height, width, 3), np.uint8), size)


def watching_detector(
    entry: ModelEntry,
    runtime: str | None,
    *,
    device: str = "auto",
    threads: int | None = None,
) -> Detector:
    """Load a detector that is to look at a stream.

    Fainter detections than a single picture deserves keep alive what a confident one began.

    Args:
        entry: The model.
        runtime: See :func:`~vision.detect.load.load_detector`.
        device: The same.
        threads: The same.

    Raises:
        ModelError: It cannot be loaded.
    """
    keep = MemorySettings().keep_confidence
    return load_detector(
        entry,
        runtime=runtime,
        device=device,
        threads=threads,
        thresholds={name: min(least, keep) for name, least in entry.thresholds.items()},
    )
