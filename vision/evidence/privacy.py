"""Masking of privacy zones, such that what was there cannot be brought back."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.frame import Image
from vision.zones import Purpose, Zone

_BLOCKS_ACROSS_ZONE = 6
_BLOCKS_ACROSS_FRAME = 48


def privacy_zones(zones: Sequence[Zone]) -> tuple[Zone, ...]:
    """Those of ``zones`` whose purpose is ``privacy``."""
    return tuple(zone for zone in zones if zone.purpose is Purpose.PRIVACY)


def mask_privacy(image: Image, zones: Sequence[Zone]) -> Image:
    """Pixelate and blur the privacy zones of a picture.

    Averages over coarse blocks are all that is kept of a zone: at most six blocks across its
    shorter side and 48 across the frame, blurred after. The edge of the polygon is widened by
    one pixel so that nothing of it shows through rounding.

    Args:
        image: ``(height, width, 3)`` uint8 BGR; not changed.
        zones: Zones of the view; those of another purpose are left alone.

    Returns:
        A masked copy, or ``image`` itself when there is nothing to mask.
    """
    shapes = privacy_zones(zones)
    if not shapes:
        return image
    height, width = image.shape[:2]
    masked = image.copy()
    for zone in shapes:
        corners = np.asarray(zone.pixels((width, height)), np.float64)
        x1, y1 = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
        x2, y2 = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 2, (width, height))
        if x2 <= x1 or y2 <= y1:
            continue
        inside = np.zeros((y2 - y1, x2 - x1), np.uint8)
        outline = np.round(corners - (x1, y1)).astype(np.int32)
        cv2.fillPoly(inside, [outline], 255)
        inside = cv2.dilate(inside, np.ones((3, 3), np.uint8)).astype(np.uint8)
        coarse = _coarse(masked[y1:y2, x1:x2], width)
        masked[y1:y2, x1:x2] = np.where(inside[..., None] > 0, coarse, masked[y1:y2, x1:x2])
    return masked


def _coarse(patch: NDArray[np.uint8], frame_width: int) -> Image:
    """``patch`` as blurred averages of coarse blocks."""
    height, width = patch.shape[:2]
    block = max(min(height, width) / _BLOCKS_ACROSS_ZONE, frame_width / _BLOCKS_ACROSS_FRAME, 2.0)
    cells = (max(1, round(width / block)), max(1, round(height / block)))
    small = cv2.resize(patch, cells, interpolation=cv2.INTER_AREA)
    pixelated = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.GaussianBlur(pixelated, (0, 0), block / 3), np.uint8)
