"""One look at a view: the unit that is archived and that judgement is replayed from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vision.detect.detections import Detections
from vision.observe.sighting import Box

Affine = tuple[float, float, float, float, float, float]
"""``a, b, c, d, e, f``: the pixel ``(x, y)`` lies at ``(a x + b y + c, d x + e y + f)``."""


NUDGED = "nudged"
"""A view that is off a little and judged on, where the states of :class:`Health` are listed too."""


class Health(StrEnum):
    """State of a view in one look; only ``OK`` looks are judged."""

    OK = "ok"
    BLACK = "black"
    FROZEN = "frozen"
    BLURRED = "blurred"
    COVERED = "covered"
    MOVED = "moved"
    GAP = "gap"
    """No picture came: the camera was gone."""


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
        to_view: Where the pixels of the frame lie in the view's frame of reference, in which zones
            are drawn and places are remembered: a shaken or nudged camera sees them elsewhere.
            With ``inspected=False`` it belongs to the look whose detections are repeated. ``None``
            when they lie where they always lie.
    """

    camera_id: str
    time_s: float
    timestamp: datetime
    frame_size: tuple[int, int]
    health: Health
    pose: int
    inspected: bool
    detections: Detections
    to_view: Affine | None = None

    def registered(self) -> Self:
        """The same look with boxes in the view's frame of reference.

        A box stays upright: its middle is carried over and its size is scaled, so that a view
        turned by some degrees does not blow boxes up.
        """
        if self.to_view is None:
            return self
        found = self.detections
        xyxy = carried(found.xyxy, self.to_view).astype(np.float32)
        return replace(self, detections=replace(found, xyxy=xyxy), to_view=None)


def carried(boxes: NDArray[Any], transform: Affine) -> NDArray[np.float64]:
    """Carry boxes over by a similarity, keeping them upright.

    Args:
        boxes: ``(n, 4)`` boxes ``x1, y1, x2, y2`` in pixels.
        transform: Where pixels go.

    Returns:
        ``(n, 4)`` float64 boxes around the carried middles, as many times larger as the transform
        enlarges.
    """
    a, b, c, d, e, f = transform
    middle = (boxes[:, :2].astype(np.float64) + boxes[:, 2:]) / 2
    half = (boxes[:, 2:].astype(np.float64) - boxes[:, :2]) / 2 * abs(a * e - b * d) ** 0.5
    x, y = middle[:, 0], middle[:, 1]
    there = np.column_stack([a * x + b * y + c, d * x + e * y + f])
    return np.concatenate([there - half, there + half], axis=1)


def carried_box(box: Box, transform: Affine) -> Box:
    """:func:`carried` for one box."""
    x1, y1, x2, y2 = carried(np.array([box]), transform)[0].tolist()
    return x1, y1, x2, y2


def inverse(transform: Affine) -> Affine:
    """The transform that leads back."""
    a, b, c, d, e, f = transform
    whole = a * e - b * d
    return (
        e / whole,
        -b / whole,
        (b * f - c * e) / whole,
        -d / whole,
        a / whole,
        (c * d - a * f) / whole,
    )
