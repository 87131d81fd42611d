"""Arithmetic of boxes ``x1, y1, x2, y2``, in pixels or any other unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.observe.sighting import Box

Boxes = NDArray[np.float64]
"""``(n, 4)`` float64 boxes."""


def as_array(boxes: Sequence[Box]) -> Boxes:
    """``(n, 4)`` float64 array of boxes, also of none."""
    return np.asarray(boxes, np.float64).reshape(-1, 4)


def area(box: Box) -> float:
    """Area in the square of the boxes' unit."""
    x1, y1, x2, y2 = box
    return (x2 - x1) * (y2 - y1) if x2 > x1 and y2 > y1 else 0.0


def intersection(a: Box, b: Box) -> float:
    """Area that two boxes share."""
    ax1, ay1, ax2, ay2 = a
    bx1, by1, bx2, by2 = b
    # Not min() and max(): this runs a million times in a camera-day.
    width = (ax2 if ax2 < bx2 else bx2) - (ax1 if ax1 > bx1 else bx1)
    height = (ay2 if ay2 < by2 else by2) - (ay1 if ay1 > by1 else by1)
    return width * height if width > 0 and height > 0 else 0.0


def iou(a: Box, b: Box) -> float:
    """Intersection over union, 0..1."""
    shared = intersection(a, b)
    return shared / (area(a) + area(b) - shared) if shared else 0.0


def intersections(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """``(len(a), len(b))`` areas that each box of ``a`` shares with each of ``b``."""
    ax1, ay1, ax2, ay2 = a.T[:, :, None]
    bx1, by1, bx2, by2 = b.T
    width = np.minimum(ax2, bx2)
    width -= np.maximum(ax1, bx1)
    height = np.minimum(ay2, by2)
    height -= np.maximum(ay1, by1)
    np.maximum(width, 0.0, out=width)
    np.maximum(height, 0.0, out=height)
    width *= height
    return np.asarray(width)


def areas(boxes: Boxes) -> NDArray[np.float64]:
    """``(n,)`` areas in square pixels, at least a tiny positive number."""
    extent = boxes[:, 2:] - boxes[:, :2]
    np.maximum(extent, 0.0, out=extent)
    return np.asarray(np.maximum(extent[:, 0] * extent[:, 1], 1e-9))


def ious(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """``(len(a), len(b))`` intersection over union of boxes ``(n, 4)`` in pixels, each pair."""
    one, two = np.asarray(a, np.float64), np.asarray(b, np.float64)
    shared = intersections(one, two)
    return shared / (areas(one)[:, None] + areas(two)[None, :] - shared)


def median_box(boxes: Sequence[Box]) -> Box:
    """Median of each edge; robust against a few bad boxes.

    Args:
        boxes: At least one box.
    """
    half = len(boxes) // 2
    x1, y1, x2, y2 = [sorted(edge) for edge in zip(*boxes, strict=True)]
    if len(boxes) % 2:
        return x1[half], y1[half], x2[half], y2[half]
    return (
        (x1[half - 1] + x1[half]) / 2,
        (y1[half - 1] + y1[half]) / 2,
        (x2[half - 1] + x2[half]) / 2,
        (y2[half - 1] + y2[half]) / 2,
    )


def blend(a: Box, b: Box, share: float) -> Box:
    """Move ``a`` by ``share`` of the way to ``b``."""
    return (
        a[0] + share * (b[0] - a[0]),
        a[1] + share * (b[1] - a[1]),
        a[2] + share * (b[2] - a[2]),
        a[3] + share * (b[3] - a[3]),
    )


def feet_apart(a: Box, b: Box) -> float:
    """Distance of the middles of two lower edges."""
    return math.hypot((a[0] + a[2] - b[0] - b[2]) / 2, a[3] - b[3])


def scaled(box: Box, x_scale: float, y_scale: float) -> Box:
    """Box in a frame of another size."""
    return box[0] * x_scale, box[1] * y_scale, box[2] * x_scale, box[3] * y_scale
