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
    """

    names: tuple[str, ...]

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Detect in a batch.

        Args:
            images: BGR uint8 pictures ``(h, w, 3)``; sizes may differ.

        Returns:
            One :class:`Detections` a picture, in order, boxes in pixels of that picture.
        """
        ...

    def submit(self, image: Image) -> Future[Detections]:
        """Start detection of one picture and return at once."""
        ...

    def close(self) -> None:
        """Release the runtime; pending futures are finished first."""
        ...
