"""The second stage: tell by a vehicle's crop what a detector can hardly tell by the whole frame."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import properties

from vision.detect.compiled_cache import compiled
from vision.detect.openvino_runtime import for_pictures
from vision.detect.registry import RUNTIMES, ModelEntry
from vision.errors import ModelError
from vision.frames.frame import Image

MARGIN = 0.08
"""Share of a box's width and height that its crop shows more on each side."""


class Classifier(Protocol):
    """Tells what crops show; keeps no state between them.

    Attributes:
        names: Class names in the order of the columns.
        runtime: Runtime id as in the model registry.
        model_name: Name of the model in the registry.
        model_sha256: SHA-256 of the opened files.
    """

    names: tuple[str, ...]
    runtime: str
    model_name: str
    model_sha256: str

    def classify(self, crops: Sequence[Image]) -> NDArray[np.float32]:
        """Probability of each class, each for itself, so that a row need not sum to 1.

        Args:
            crops: BGR uint8 pictures ``(h, w, 3)``; sizes may differ.

        Returns:
            ``(n, classes)`` float32 in 0..1. The result for one crop never depends on the others.
        """
        ...


def cut(
    image: Image, box: Sequence[float], margin: Sequence[float] = (MARGIN, MARGIN, MARGIN, MARGIN)
) -> Image:
    """Cut a crop out of a picture.

    Args:
        image: BGR uint8 ``(h, w, 3)``.
        box: ``x1, y1, x2, y2`` in pixels.
        margin: Share of the box's width or height by which it grows to the left, the top, the
            right and the bottom; cut at the picture's edges.

    Returns:
        A view of the picture, at least one pixel wide and high.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box
    w, h = x2 - x1, y2 - y1
    left = min(max(round(x1 - margin[0] * w), 0), width - 1)
    top = min(max(round(y1 - margin[1] * h), 0), height - 1)
    right = min(max(round(x2 + margin[2] * w), left + 1), width)
    bottom = min(max(round(y2 + margin[3] * h), top + 1), height)
    return image[top:bottom, left:right]


def fit(crop: Image, input_size: int) -> Image:
    """Bring a crop to the classifier's input ``(input_size, input_size, 3)`` BGR uint8.

    Both sides are scaled for themselves: the shape of a box says more about the camera's angle
    than about the vehicle.
    """
    shrinks = max(crop.shape[:2]) > input_size
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(crop, (input_size, input_size), interpolation=method)
    return np.asarray(resized, np.uint8)


class OpenVinoClassifier:
    """A classifier over an OpenVINO IR ``(n, 3, size, size)`` to ``(n, classes)``.

    It runs one crop at a time on one thread, for it runs seldom and beside the detector.
    """

    def __init__(self, entry: ModelEntry, runtime: str, files: Sequence[Path]) -> None:
        """Read the network; it is compiled when the first crop comes.

        Args:
            entry: The model.
            runtime: Runtime id, for the record.
            files: The ``.xml`` first, then its ``.bin``.

        Raises:
            ModelError: The files are no network that fits the registry entry.
        """
        self.names = entry.classes
        self.runtime = runtime
        self.model_name = entry.name
        self.model_sha256 = entry.sha256(runtime)
        self._input_size = entry.input_size
        self._core = ov.Core()
        self._request: Any = None
        self._lock = threading.Lock()
        try:
            self._network = self._core.read_model(files[0])
        except RuntimeError as error:
            raise ModelError(f"{files[0]}: no OpenVINO network: {error}") from error
        shape = self._network.output(0).partial_shape
        if shape.rank.get_length() != 2 or not shape[1].relaxes(ov.Dimension(len(self.names))):
            raise ModelError(f"{files[0]}: output {shape} does not fit {len(self.names)} classes")

    def classify(self, crops: Sequence[Image]) -> NDArray[np.float32]:
        """See :meth:`Classifier.classify`.

        Raises:
            ModelError: The runtime fails.
            ValueError: A crop is empty or not BGR uint8.
        """
        rows = np.empty((len(crops), len(self.names)), np.float32)
        for i, crop in enumerate(crops):
            if crop.ndim != 3 or crop.shape[2] != 3 or crop.dtype != np.uint8 or crop.size == 0:
                raise ValueError(
                    f"a BGR uint8 picture (h, w, 3) is needed, not {crop.shape} {crop.dtype}"
                )
            with self._lock:
                try:
                    if self._request is None:
                        self._request = self._compile()
                    rows[i] = self._request.infer(fit(crop, self._input_size)[np.newaxis])[0]
                except RuntimeError as error:
                    raise ModelError(
                        f"model {self.model_name}: {self.runtime} failed: {error}"
                    ) from error
        return rows

    def _compile(self) -> Any:
        def network() -> ov.Model:
            self._network.reshape([1, 3, self._input_size, self._input_size])
            return for_pictures(self._network)

        config: dict[Any, Any] = {
            properties.hint.performance_mode(): properties.hint.PerformanceMode.LATENCY,
            # Some CPUs would compute in bfloat16: other scores on other machines.
            properties.hint.inference_precision(): ov.Type.f32,
            properties.inference_num_threads(): 1,
            properties.hint.enable_cpu_pinning(): False,
        }
        known_as = (self.model_sha256, self._input_size)
        return compiled(self._core, network, "CPU", config, known_as).create_infer_request()


def load_classifier(entry: ModelEntry, *, runtime: str | None = None) -> Classifier:
    """Open a classifier of the registry.

    Args:
        entry: The model, from :func:`vision.detect.registry.load_registry`.
        runtime: An OpenVINO runtime; ``None`` takes the first that the model has files for.

    Raises:
        ModelError: The model is no classifier, has no files for the runtime, or a file is missing
            or not the registered one.
    """
    if entry.task != "classify":
        raise ModelError(f"model {entry.name}: is no classifier, its task is {entry.task}")
    offered = [one for one in RUNTIMES if one.startswith("openvino") and one in entry.files]
    chosen = runtime or (offered[0] if offered else "openvino-fp16")
    if not chosen.startswith("openvino"):
        raise ModelError(f"model {entry.name}: classifiers run with OpenVINO, not with {chosen}")
    return OpenVinoClassifier(entry, chosen, entry.verified_files(chosen))
