"""When did it begin? Look closer at the one stretch in which a thing appeared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.detect.detector import Detector
from vision.frames.frame import Frame
from vision.observe.boxes import iou
from vision.observe.sighting import Box

STEP_S = 0.4
"""Spacing of the frames among which the onset is sought, in seconds."""

SAME_PLACE_IOU = 0.5

LIKENESS = 0.7
"""Correlation of brightness from which two pictures of a place show the same thing."""

HIDDEN_LOOKS = 2
"""So many looks in a row may not show a thing, for somebody stands before it."""


def refine_onset(frames: Iterable[Frame], detector: Detector, box: Box, latest_s: float) -> float:
    """Find by bisection the first frame that shows a thing at its place.

    Bisection supposes that the thing was absent at the start of the stretch and stayed once it
    had come, which is what a sighting between two looks means.

    Args:
        frames: Frames of the stretch between the last look without the thing and the first with
            it, in order of time.
        detector: Looks at about ``log2(stretch / STEP_S)`` of them.
        box: Place of the thing, in pixels.
        latest_s: Time of the look that first saw it: returned when no earlier frame shows it.

    Returns:
        Stream time in seconds, at most ``latest_s``.
    """
    stretch: list[Frame] = []
    for frame in frames:
        if frame.time_s >= latest_s:
            break
        if not stretch or frame.time_s - stretch[-1].time_s >= STEP_S:
            stretch.append(frame)
    low, high = -1, len(stretch)
    while high - low > 1:
        middle = (low + high) // 2
        found = detector.detect([stretch[middle].image])[0].xyxy.tolist()
        if any(iou(box, (x1, y1, x2, y2)) >= SAME_PLACE_IOU for x1, y1, x2, y2 in found):
            high = middle
        else:
            low = middle
    return stretch[high].time_s if high < len(stretch) else latest_s


def onset_by_looks(
    frame_at: Callable[[float], Frame], earlier_s: Sequence[float], box: Box, first_s: float
) -> float:
    """Find since when a thing without a class has been there: by its looks alone.

    Such a thing is proposed only after it has stood for some looks: its beginning lies some looks
    before its first detection.

    Args:
        frame_at: Reads the frame of a look.
        earlier_s: Times of looks before ``first_s``, latest first, as far back as it may reach.
        box: Place of the thing, in pixels.
        first_s: Time of the look that first proposed it.

    Returns:
        Time of the earliest look from which on it was there, at most ``first_s``.
    """
    shown = _place(frame_at(first_s), box)
    onset_s, hidden = first_s, 0
    for time_s in earlier_s:
        before = _place(frame_at(time_s), box)
        if before.shape == shown.shape and _likeness(before, shown) >= LIKENESS:
            onset_s, hidden = time_s, 0
        elif hidden < HIDDEN_LOOKS:
            hidden += 1
        else:
            break
    return onset_s


def _place(frame: Frame, box: Box) -> NDArray[np.float32]:
    """Brightness of a place in the small picture of a frame."""
    small = frame.small
    x_scale, y_scale = small.shape[1] / frame.width, small.shape[0] / frame.height
    x1, x2 = (round(x * x_scale) for x in (box[0], box[2]))
    y1, y2 = (round(y * y_scale) for y in (box[1], box[3]))
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)[max(y1, 0) : y2, max(x1, 0) : x2]
    return np.asarray(cv2.blur(grey, (3, 3)), dtype=np.float32)


def _likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / spread if spread > 0 else 0.0
