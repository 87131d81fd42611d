"""A drawn picture with a known answer, which tells a detector that sees from one gone blind.

A detector can go on answering and see nothing any more, or give another picture's boxes. Two cars
are drawn; a model that knows cars must find them where they are, and every model must say of the
picture what it said the first time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.detect.detections import Detections
from vision.detect.detector import Detector
from vision.errors import ModelError
from vision.frames.frame import Image
from vision.observe.boxes import iou
from vision.observe.sighting import Box

CARS: tuple[Box, ...] = ((60.0, 214.0, 261.0, 311.0), (331.0, 206.0, 573.0, 326.0))
"""Where the cars are, in pixels of the picture."""

CLASS = "car"
"""What a model that knows cars must call them."""

SAME_IOU = 0.6
"""Overlap with the known place from which it is found."""

SAME_PX = 2.0
"""By how much the corners of boxes may differ from the first answer."""

SAME_CONFIDENCE = 0.05
"""By how much confidences may."""

_SIZE = (640, 360)
_BODY = ((0, -22), (4, -45), (30, -52), (58, -85), (135, -85), (168, -52), (196, -44), (200, -20))
_SILL = ((0, -22), (200, -22), (196, -8), (4, -8))
_WINDOWS = (
    ((42, -54), (63, -79), (94, -79), (94, -54)),
    ((100, -54), (100, -79), (131, -79), (156, -54)),
)
_LAMPS = (
    (((2, -40), (14, -42), (14, -32), (2, -32)), (200, 240, 255)),
    (((186, -42), (198, -40), (198, -30), (186, -32)), (40, 40, 200)),
)

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class CanaryAnswer:
    """What a detector made of the picture.

    Attributes:
        sees: It answered as it must.
        took_s: Seconds that it took.
        detail: What is wrong, empty where nothing is.
    """

    sees: bool
    took_s: float
    detail: str = ""


class Canary:
    """Checks one detector.

    Args:
        detector: The detector.
        clock: Tells seconds.
    """

    def __init__(self, detector: Detector, clock: Callable[[], float] = time.monotonic) -> None:
        self._detector = detector
        self._clock = clock
        self._picture = canary_picture()
        self._first: Detections | None = None

    def check(self) -> CanaryAnswer:
        """Show the picture to the detector; takes as long as the detector may take."""
        began_s = self._clock()
        try:
            found = self._detector.detect([self._picture])[0]
        except ModelError as error:
            return CanaryAnswer(False, self._clock() - began_s, str(error))
        took_s = self._clock() - began_s
        detail = _missed(found) or self._changed(found)
        if not detail and self._first is None:
            self._first = found
        return CanaryAnswer(not detail, took_s, detail)

    def _changed(self, found: Detections) -> str:
        """How the answer differs from the first one."""
        first = self._first
        if first is None:
            return ""
        if len(first) != len(found):
            return f"{len(found)} things seen, {len(first)} the first time"
        rows, others = _in_order(first), _in_order(found)
        if not np.array_equal(first.class_id[rows], found.class_id[others]):
            return "other things seen than the first time"
        moved = np.abs(first.xyxy[rows] - found.xyxy[others]).max(initial=0.0)
        surer = np.abs(first.confidence[rows] - found.confidence[others]).max(initial=0.0)
        if moved > SAME_PX or surer > SAME_CONFIDENCE:
            return f"boxes {moved:.1f} px and confidences {surer:.2f} off the first answer"
        return ""


def canary_picture() -> Image:
    """``(360, 640, 3)`` uint8 BGR: a street with two cars at :data:`CARS`; always the same."""
    width, height = _SIZE
    image = np.full((height, width, 3), (175, 170, 165), np.uint8)
    cv2.rectangle(image, (0, 0), (width, 130), (215, 200, 185), -1)
    for x in range(0, width, 90):
        cv2.rectangle(image, (x + 8, 30), (x + 80, 130), (120 + x % 60, 130, 150), -1)
    cv2.rectangle(image, (0, 130), (width, 165), (150, 160, 165), -1)
    cv2.rectangle(image, (0, 165), (width, height), (95, 95, 95), -1)
    for x in range(0, width, 80):
        cv2.rectangle(image, (x, 330), (x + 40, 336), (230, 230, 230), -1)
    _car(image, (60, 300), 1.0, (40, 40, 190))
    _car(image, (330, 310), 1.2, (200, 200, 205))
    smooth = cv2.GaussianBlur(image, (0, 0), 0.8)
    noise = np.random.default_rng(0).normal(0, 3, image.shape)
    return np.asarray(np.clip(smooth + noise, 0, 255), np.uint8)


def _car(image: Image, foot: tuple[int, int], scale: float, colour: Colour) -> None:
    """A car from the side, ``foot`` below its front bumper."""

    def at(points: tuple[tuple[int, int], ...]) -> NDArray[np.int32]:
        return np.array([(foot[0] + x * scale, foot[1] + y * scale) for x, y in points], np.int32)

    def disc(x: int, y: int, radius: int, shade: Colour) -> None:
        centre = at(((x, y),))[0]
        cv2.circle(
            image,
            (int(centre[0]), int(centre[1])),
            int(radius * scale),
            shade,
            -1,
            cv2.LINE_AA,
        )

    dark: Colour = (int(colour[0] * 0.6), int(colour[1] * 0.6), int(colour[2] * 0.6))
    middle = at(((100, 2),))[0]
    axes = (int(105 * scale), int(9 * scale))
    cv2.ellipse(image, (int(middle[0]), int(middle[1])), axes, 0, 0, 360, (45, 45, 45), -1)
    cv2.fillPoly(image, [at((*_BODY, (196, -8), (4, -8)))], colour, cv2.LINE_AA)
    cv2.fillPoly(image, [at(_SILL)], dark, cv2.LINE_AA)
    for window in _WINDOWS:
        cv2.fillPoly(image, [at(window)], (70, 60, 50), cv2.LINE_AA)
    cv2.polylines(image, [at(((97, -54), (97, -12)))], False, dark, max(1, int(2 * scale)))
    for lamp, shade in _LAMPS:
        cv2.fillPoly(image, [at(lamp)], shade, cv2.LINE_AA)
    for x in (42, 158):
        disc(x, -10, 20, (25, 25, 25))
        disc(x, -10, 12, (170, 170, 170))
        disc(x, -10, 4, (60, 60, 60))


def _missed(found: Detections) -> str:
    """Which cars a model that knows cars did not find."""
    if CLASS not in found.names:
        return ""
    seen: list[Box] = [
        (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
        for box, _, name in found.rows()
        if name == CLASS
    ]
    missed = sum(all(iou(box, place) < SAME_IOU for box in seen) for place in CARS)
    return f"{missed} of {len(CARS)} cars not seen" if missed else ""


def _in_order(found: Detections) -> NDArray[np.int64]:
    """Rows by class and place: of two that are equally sure either may come first."""
    keys = (found.xyxy[:, 1].round(), found.xyxy[:, 0].round(), found.class_id)
    return np.lexsort(keys).astype(np.int64)
