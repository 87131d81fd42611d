"""The detectors of the service: one process a model, opened when it is first needed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from functools import partial

import numpy as np

from service.cameras.canary import Canary
from service.cameras.counts import DetectorCounts
from service.cameras.inference import DetectorProcess
from vision.detect.detections import Detections
from vision.detect.detector import Detector
from vision.detect.registry import ModelEntry, Registry
from vision.engine import watching_detector
from vision.frames.frame import Image
from vision.site import Camera

log = logging.getLogger(__name__)


class Detectors:
    """Gives the detector of a model.

    Args:
        registry: The models.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._open: dict[str, Detector] = {}
        self._canaries: dict[str, Canary] = {}
        self._faults: dict[str, str] = {}

    def entry(self, name: str | None, purposes: Sequence[str] = ()) -> ModelEntry:
        """The model of a name, or the one for cameras whose zones have these purposes.

        Raises:
            ModelError: There is no such model.
        """
        return self._registry.model(name) if name else self._registry.model_for(purposes)

    def entry_of(self, camera: Camera) -> ModelEntry:
        """The model that looks at a camera.

        Raises:
            ModelError: There is no such model.
        """
        return self.entry(camera.model, [zone.purpose for zone in camera.zones])

    def detector(self, entry: ModelEntry) -> Detector:
        """The detector of a model; it gives faint detections too, as watching needs them.

        Raises:
            ModelError: It cannot be opened.
        """
        with self._lock:
            if entry.name not in self._open:
                detector = self._opened(entry)
                self._open[entry.name] = detector
                self._canaries[entry.name] = Canary(detector)
            return self._open[entry.name]

    def check(self) -> None:
        """Show the canary picture to every detector that is open."""
        with self._lock:
            canaries = dict(self._canaries)
        for name, canary in canaries.items():
            answer = canary.check()
            if answer.sees:
                self._faults.pop(name, None)
            else:
                log.error("model %s fails the canary: %s", name, answer.detail)
                self._faults[name] = answer.detail

    def fault(self) -> str | None:
        """Which detectors failed their last canary, and how; ``None`` where none did."""
        told = [f"model {name}: {detail}" for name, detail in sorted(self._faults.items())]
        return "; ".join(told) or None

    def counts(self) -> dict[str, DetectorCounts]:
        """What the detectors have done since they were opened, by model."""
        with self._lock:
            detectors = dict(self._open)
        return {
            name: detector.counts()
            for name, detector in detectors.items()
            if isinstance(detector, DetectorProcess)
        }

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            for detector in self._open.values():
                detector.close()
            self._open.clear()
            self._canaries.clear()

    def _opened(self, entry: ModelEntry) -> Detector:
        return DetectorProcess(partial(watching_detector, entry, None))


class OnDemand:
    """Looks at pictures on demand with the model for streets.

    Args:
        detectors: The detectors.
    """

    def __init__(self, detectors: Detectors) -> None:
        self._detectors = detectors
        self._entry = detectors.entry(None)

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return self._entry.name

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in the order of the class ids."""
        return tuple(self._entry.classes)

    def inspect(self, images: Sequence[Image]) -> list[Detections]:
        """Detect in pictures; what is fainter than a single picture deserves is left out."""
        return [self._sure(found) for found in self._all(images)]

    def inspect_faintly(self, image: Image) -> Detections:
        """Detect in a picture, faint detections too."""
        return self._all([image])[0]

    def _all(self, images: Sequence[Image]) -> list[Detections]:
        detector = self._detectors.detector(self._entry)
        return [future.result() for future in [detector.submit(image) for image in images]]

    def _sure(self, found: Detections) -> Detections:
        least = np.array([self._entry.thresholds.get(name, 0.0) for name in found.names])
        sure = found.confidence >= least[found.class_id]
        return Detections(
            xyxy=found.xyxy[sure],
            confidence=found.confidence[sure],
            class_id=found.class_id[sure],
            names=found.names,
        )
