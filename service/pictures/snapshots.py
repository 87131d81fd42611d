"""The newest picture of a camera as everyone may see it: heads and plates masked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from service.evidence.masking import mask_people
from service.live import Snapshot
from vision.detect.detections import Detections
from vision.frames.frame import Image


class MaskedSnapshots:
    """Masks snapshots; each is looked at once, however many ask for it.

    Args:
        detect: Finds persons and vehicles in a picture ``(h, w, 3)`` uint8 BGR.
    """

    def __init__(self, detect: Callable[[Image], Detections]) -> None:
        self._detect = detect
        self._lock = threading.Lock()
        self._found: dict[str, tuple[datetime, Detections]] = {}

    def masked(self, camera_id: str, snapshot: Snapshot) -> Image:
        """The picture, ``(h, w, 3)`` uint8 BGR, with heads and plates made unreadable.

        Raises:
            ModelError: The detector does not work.
        """
        with self._lock:
            taken_at, found = self._found.get(camera_id, (None, None))
        if found is None or taken_at != snapshot.taken_at:
            found = self._detect(snapshot.image)
            with self._lock:
                self._found[camera_id] = snapshot.taken_at, found
        return mask_people(snapshot.image, found)
