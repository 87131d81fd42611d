"""What the runtimes share: letterbox in the caller, inference and decoding in worker threads.

Inference runs as plain blocking calls, one a worker, rather than through the callbacks of an
asynchronous queue: a callback is not called when its inference fails, and its future would never
end.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from vision.detect.boxes import Decoding
from vision.detect.detections import Detections
from vision.detect.letterbox import Placement, letterbox
from vision.detect.registry import ModelEntry
from vision.errors import ModelError
from vision.frames.frame import Image


class PooledDetector(ABC):
    """A :class:`~vision.detect.detector.Detector` over blocking inference of one picture.

    Pictures are inferred one by one, so the result for one never depends on its neighbours.

    Attributes:
        names: Class names in the order of the class ids.
        runtime: Runtime id as in the registry.
        model_name: Name of the model in the registry.
        model_sha256: SHA-256 of the opened files, see :meth:`ModelEntry.sha256`.
        input_size: Pixels of the longer side of the network's input.
    """

    def __init__(self, entry: ModelEntry, runtime: str, decoding: Decoding, workers: int) -> None:
        """Start with ``workers`` threads; at most twice as many pictures are in flight."""
        self.names = entry.classes
        self.runtime = runtime
        self.model_name = entry.name
        self.model_sha256 = entry.sha256(runtime)
        self.input_size = entry.input_size
        self._stride = entry.stride
        self._decoding = decoding
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix=f"detect-{runtime}")
        self._slots = threading.BoundedSemaphore(2 * workers)

    @abstractmethod
    def _infer(self, canvas: Image, place: Placement) -> Detections:
        """Infer and decode one canvas ``(h, w, 3)`` BGR uint8; runs in several threads at once."""

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Detect in a batch, see :meth:`vision.detect.detector.Detector.detect`.

        Raises:
            ModelError: The runtime fails.
            ValueError: A picture is empty or not BGR uint8.
        """
        return [future.result() for future in [self.submit(image) for image in images]]

    def submit(self, image: Image, size: tuple[int, int] | None = None) -> Future[Detections]:
        """Start detection of one picture; wait only while too many are in flight.

        The picture is not kept: the caller may overwrite it as soon as this returns. Whatever
        fails in inference is raised by the future, a failing runtime as :class:`ModelError`.

        Args:
            image: BGR uint8 ``(h, w, 3)``.
            size: Width and height of the frame that it shows scaled down, if it is not the frame.

        Raises:
            ModelError: The detector is closed.
            ValueError: The picture is empty or not BGR uint8.
        """
        canvas, place = letterbox(image, self.input_size, self._stride, size)
        self._slots.acquire()
        try:
            future = self._executor.submit(self._run, canvas, place)
        except RuntimeError as error:
            self._slots.release()
            raise ModelError(f"model {self.model_name}: the detector is closed") from error
        future.add_done_callback(lambda _: self._slots.release())
        return future

    def close(self) -> None:
        """Finish what is pending and end the threads."""
        self._executor.shutdown(wait=True)

    def _run(self, canvas: Image, place: Placement) -> Detections:
        try:
            return self._infer(canvas, place)
        except RuntimeError as error:
            raise ModelError(f"model {self.model_name}: {self.runtime} failed: {error}") from error
