"""One look at a view: the unit that is archived and that judgement is replayed from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vision.detect.detections import Detections


class Health(StrEnum):
    """State of a view in one look; only ``OK`` looks are judged."""

    OK = "ok"
    BLACK = "black"
    FROZEN = "frozen"
    BLURRED = "blurred"
    COVERED = "covered"
    MOVED = "moved"


@dataclass(frozen=True, eq=False)
class Look:
    """What one look at a view found.

    Attributes:
        camera_id: Camera that looked.
        time_s: Seconds from the start of the recording, strictly increasing.
        timestamp: Aware wall-clock time.
        frame_size: ``(width, height)`` in pixels.
        health: State of the view. When it is not ``OK`` there are no detections and nothing is
            judged: the time counts as unknown.
        pose: Counter of the view's pose; it rises when a moved camera has settled anew. Boxes of
            different poses cannot be compared.
        inspected: ``True`` when the detector ran. ``False`` on an ``OK`` look means that the
            change gate was closed: nothing changed since the last inspected look, whose
            detections are repeated here.
        detections: What is in the frame, boxes in pixels of the frame.
    """

    camera_id: str
    time_s: float
    timestamp: datetime
    frame_size: tuple[int, int]
    health: Health
    pose: int
    inspected: bool
    detections: Detections
