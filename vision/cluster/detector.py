"""A detector whose work is done by the workers of a cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

from vision.cluster.parcels import Loaded, Model
from vision.cluster.picture import FarFrame
from vision.cluster.pool import INSPECTING, WorkerPool, answered
from vision.detect.detections import Detections
from vision.frames.frame import Frame, Image
from vision.looking.frame_look import inspection

PICTURES_A_WORKER = 2
"""Whole pictures under way to each worker."""


class ClusterDetector:
    """See :class:`vision.detect.detector.Detector`.

    Args:
        model: The model.
        loaded: What the workers loaded.
        pool: The workers; ``None`` where it is only to be described.
    """

    def __init__(self, model: Model, loaded: Loaded, pool: WorkerPool | None = None) -> None:
        self.names = loaded.names
        self.runtime = loaded.runtime
        self.model_name = loaded.model_name
        self.model_sha256 = loaded.model_sha256
        self.input_size = loaded.input_size
        self.model = model
        self.loaded = loaded
        self._pool = pool

    def inspect(self, frame: Frame) -> Future[Detections]:
        """Start detection in a frame, where its picture lies."""
        if isinstance(frame, FarFrame) and frame.picture is not None:
            return frame.picture.detections(self.model)
        return inspection(self, frame)

    def submit(self, image: Image, size: tuple[int, int] | None = None) -> Future[Detections]:
        """Send a picture to a worker."""
        assert self._pool is not None
        call = self._pool.call("inspect", self.model, image, size, group=INSPECTING)
        return answered(call, lambda found: found)

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Detect in several pictures, some at a time."""
        assert self._pool is not None
        found: list[Detections] = []
        under_way: deque[Future[Detections]] = deque()
        for image in images:
            under_way.append(self.submit(image))
            if len(under_way) >= PICTURES_A_WORKER * len(self._pool):
                found.append(under_way.popleft().result())
        return found + [future.result() for future in under_way]

    def close(self) -> None:
        """Holds nothing: the engine ends the workers."""
