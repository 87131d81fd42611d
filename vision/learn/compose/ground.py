"""What a background tells of its camera and its ground: the scale of every row, and open ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.frame import Image
from vision.learn.scenes.camera import Camera
from vision.observe.boxes import area, intersection

CAR_EXTENT_M = 2.2
"""Root of width times height of a car's box, the mean of end and side views; it hardly turns with
the car, unlike width or height alone."""

LEAST_VEHICLES = 5
"""So many vehicle boxes tell a camera's view."""

SHRINK = 4
"""Open ground is looked for at a quarter of the resolution."""

Rect = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels."""


@dataclass(frozen=True)
class GroundView:
    """Flat ground under a level camera: a metre standing at row y has ``(y - horizon) / height``.

    Attributes:
        horizon: Row of the horizon in pixels; it may lie outside of the picture.
        height_m: Height of the camera, as it follows from the scale.
    """

    horizon: float
    height_m: float

    def px_per_m(self, y: float) -> float:
        """Pixels a metre has where it stands on row ``y``; 0 at and above the horizon."""
        return max(0.0, (y - self.horizon) / self.height_m)

    def row_of(self, px_per_m: float) -> float:
        """Row on which a metre has so many pixels."""
        return self.horizon + px_per_m * self.height_m

    def camera(self, size: tuple[int, int]) -> Camera:
        """A pinhole camera that sees the ground at this scale; its focal length is a guess.

        On the ground ``focal / depth = cos(pitch) * (row - horizon) / height``.
        """
        focal = 0.95 * max(size)
        pitch = float(np.arctan((size[1] / 2 - self.horizon) / focal))
        return Camera(0.0, self.height_m * float(np.cos(pitch)), 0.0, pitch, focal, size)


def fit_view(boxes: Sequence[Rect], height: float) -> GroundView | None:
    """Learn the scale from vehicles: a line through box extent over bottom row (Theil-Sen).

    Args:
        boxes: Whole vehicles in pixels.
        height: Height of the picture in pixels.

    Returns:
        ``None`` if they are too few or stand too much alike, or if the line makes no sense.
    """
    if len(boxes) < LEAST_VEHICLES:
        return None
    corners = np.asarray(boxes, float)
    bottom = corners[:, 3]
    extent = np.sqrt((corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1]))
    i, j = np.triu_indices(len(boxes), 1)
    apart = np.abs(bottom[i] - bottom[j]) > 0.06 * height
    if apart.sum() < LEAST_VEHICLES:
        return None
    slope = float(np.median((extent[i] - extent[j])[apart] / (bottom[i] - bottom[j])[apart]))
    if slope <= 0.02:
        return None
    horizon = float(np.median(bottom - extent / slope))
    if not -4 * height < horizon < 0.8 * height:
        return None
    return GroundView(horizon, CAR_EXTENT_M / slope)


def whole_vehicles(boxes: Sequence[Rect], size: tuple[int, int]) -> list[Rect]:
    """Boxes that the picture's border does not cut and that nothing nearer covers much."""
    width, height = size
    kept = []
    for box in boxes:
        x1, _, x2, y2 = box
        if x1 < 0.006 * width or x2 > 0.994 * width or y2 > 0.994 * height:
            continue
        if any(o[3] > y2 and overlap(box, o) > 0.2 for o in boxes if o is not box):
            continue
        kept.append(box)
    return kept


def overlap(a: Rect, b: Rect) -> float:
    """Share of ``a`` that lies in ``b``."""
    return intersection(a, b) / max(area(a), 1e-9)


def open_ground(image: Image, vehicles: Sequence[Rect], horizon: float) -> NDArray[np.uint8]:
    """Smooth ground that hangs together with what vehicles stand on or the camera stands before.

    Args:
        image: BGR.
        vehicles: Boxes of vehicles; the ground just below them is a seed.
        horizon: Nothing above this row is ground.

    Returns:
        ``(h // SHRINK, w // SHRINK)`` uint8, 255 on open ground.
    """
    height, width = image.shape[0] // SHRINK, image.shape[1] // SHRINK
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(cv2.bilateralFilter(small, 5, 22, 3), cv2.COLOR_BGR2LAB)
    grey = lab[..., 0].astype(np.float32)
    rough = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    barred = np.zeros((height + 2, width + 2), np.uint8)
    barred[1:-1, 1:-1] = rough > 62
    top = int(np.clip(horizon / SHRINK + 0.04 * height, 0, height - 1))
    barred[1 : 1 + top, 1:-1] = 1
    for x1, y1, x2, y2 in vehicles:
        a, b, c, d = (int(v / SHRINK) for v in (x1, y1, x2, y2))
        barred[max(0, b) + 1 : d + 1, max(0, a) + 1 : c + 1] = 1
    seeds = [
        ((x1 + (x2 - x1) * s) / SHRINK, y2 / SHRINK + 2 + extra)
        for x1, y1, x2, y2 in vehicles
        for s in (0.25, 0.5, 0.75)
        for extra in (0, 2)
    ]
    if len(vehicles) < 2:
        seeds += [(width * s, height * r) for s in (0.3, 0.5, 0.7) for r in (0.8, 0.9)]
    found = np.zeros((height, width), np.uint8)
    for x, y in seeds:
        seed = (int(x), int(y))
        if not (0 <= seed[0] < width and 0 <= seed[1] < height):
            continue
        if barred[seed[1] + 1, seed[0] + 1] or found[seed[1], seed[0]]:
            continue
        fill = barred.copy()
        cv2.floodFill(lab, fill, seed, 0, (5, 3, 3), (5, 3, 3),
                      cv2.FLOODFILL_MASK_ONLY | (255 << 8) | 4)  # fmt: skip
        found |= np.where(fill[1:-1, 1:-1] == 255, 255, 0).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    return np.asarray(cv2.morphologyEx(found, cv2.MORPH_CLOSE, kernel), np.uint8)
