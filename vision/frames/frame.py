"""The decoded picture that travels from ``frames`` to ``detect``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""``(height, width, 3)`` uint8, BGR."""

Luma = NDArray[np.uint8]
"""``(height, width)`` uint8, brightness only."""

LUMA_WIDTH = 320
"""Width in pixels of the small brightness picture that gate and health look at."""


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

    @cached_property
    def image(self) -> Image:
        """``(height, width, 3)`` uint8 BGR, upright; converted on first use."""
        return self.render()
