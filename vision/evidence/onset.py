"""When did it begin? Look closer at the one stretch in which a thing appeared."""

from __future__ import annotations

from collections.abc import Iterable

from vision.detect.detector import Detector
from vision.frames.frame import Frame
from vision.observe.boxes import iou
from vision.observe.sighting import Box

STEP_S = 0.4
"""Spacing of the frames among which the onset is sought, in seconds."""

SAME_PLACE_IOU = 0.5


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
