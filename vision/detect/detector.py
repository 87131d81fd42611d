"""What every detector runtime offers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from vision.detect.detections import Detections
from vision.frames.frame import Image


class Detector(Protocol):
    """Turns frames into detections; keeps no state between frames.

    Attributes:
        names: Class names in the order of the class ids.
        runtime: Runtime id as in the model registry.
        model_name: Name of the model in the registry.
        model_sha256: SHA-256 of the opened files.
        input_size: Pixels of the longer side that it makes use of; a larger picture is scaled down.
    """

    names: tuple[str, ...]
    runtime: str
    model_name: str
    model_sha256: str
    input_size: int

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Detect in a batch.

        Args:
            images: BGR uint8 pictures ``(h, w, 3)``; sizes may differ.

        Returns:
            One :class:`Detections` a picture, in order, boxes in pixels of that picture.
        """
        ...

    def submit(self, image: Image, size: tuple[int, int] | None = None) -> Future[Detections]:
        """Start detection of one picture.

        Waits only while too many are in flight. The picture is not kept: the caller may overwrite
        it as soon as this returns. Failures are raised by the future.

        Args:
            image: BGR uint8 picture ``(h, w, 3)``.
            size: Width and height of the frame that it shows scaled down: boxes are then in pixels
                of that frame. Without it the picture is the frame.
        """
        ...

    def close(self) -> None:
        """Release the runtime; pending futures are finished first."""
        ...
