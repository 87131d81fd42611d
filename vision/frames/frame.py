"""The decoded picture that travels from ``frames`` to ``detect``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""``(height, width, 3)`` uint8, BGR."""

Luma = NDArray[np.uint8]
"""``(height, width)`` uint8, brightness only."""

LUMA_WIDTH = 320
"""Width in pixels of the small brightness picture that gate and health look at."""

SMALL_WIDTH = 640
"""Largest width in pixels of the small colour picture that the standing picture is made of."""


class Rung(StrEnum):
    """How much had to be decoded to get a frame, cheapest first."""

    KEYFRAME = "keyframe"
    NON_REFERENCE_SKIPPED = "non_reference_skipped"
    FULL = "full"
    STILL = "still"


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded picture of one camera.

    Attributes:
        camera_id: Camera that saw it.
        time_s: Seconds from the start of the recording, true stream time, never a frame count.
        timestamp: Aware wall-clock time of the picture.
        pts: Presentation timestamp as stored in the container, or ``None`` for stills.
        luma: ``(h, LUMA_WIDTH)`` uint8 brightness, upright (rotation metadata applied).
        width: Width in pixels of the full picture, upright.
        height: Height in pixels of the full picture, upright.
        rung: How much had to be decoded to get it.
        render: Makes the full picture; called at most once, through :attr:`image`.
        render_small: Makes the small colour picture of :func:`small_size` from the source, where
            that is cheaper than making the full picture first.
    """

    camera_id: str
    time_s: float
    timestamp: datetime
    pts: int | None
    luma: Luma
    width: int
    height: int
    rung: Rung
    render: Callable[[], Image]
    render_small: Callable[[], Image] | None = None

    @cached_property
    def image(self) -> Image:
        """``(height, width, 3)`` uint8 BGR, upright; converted on first use."""
        return self.render()

    @cached_property
    def small(self) -> Image:
        """``(h, w, 3)`` uint8 BGR of :func:`small_size`, upright; converted on first use."""
        if self.render_small is not None:
            return self.render_small()
        return np.asarray(
            cv2.resize(
                self.image, small_size(self.width, self.height), interpolation=cv2.INTER_AREA
            ),
            dtype=np.uint8,
        )


def small_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the small colour picture of a frame: never larger than the frame."""
    small = min(SMALL_WIDTH, width)
    return small, max(1, round(small * height / width))
