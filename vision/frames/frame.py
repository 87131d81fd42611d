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
        render_at: Makes the upright colour picture of a width and height from the source, where
            that is cheaper than making the full picture first.
        render_small: Makes the small colour picture of :func:`small_size`, where there is one
            already and ``render_at`` is not given.
        render_grey: Makes the full brightness picture, where that is cheaper than making the full
            picture first.
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
    render_at: Callable[[int, int], Image] | None = None
    render_grey: Callable[[], Luma] | None = None

    @cached_property
    def image(self) -> Image:
        """``(height, width, 3)`` uint8 BGR, upright; converted on first use."""
        return self.render()

    @cached_property
    def small(self) -> Image:
        """``(h, w, 3)`` uint8 BGR of :func:`small_size`, upright; converted on first use."""
        if self.render_small is not None:
            return self.render_small()
        size = small_size(self.width, self.height)
        if self.render_at is not None:
            return self.render_at(*size)
        return np.asarray(cv2.resize(self.image, size, interpolation=cv2.INTER_AREA), np.uint8)

    @cached_property
    def grey(self) -> Luma:
        """``(height, width)`` uint8, upright: brightness up to a scale and an offset; read only.

        Made on first use; of most recordings it is what the decoder has written, not copied.
        """
        if self.render_grey is not None:
            return self.render_grey()
        return np.asarray(cv2.cvtColor(self.image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)

    def fitted(self, side: int) -> Image:
        """``(h, w, 3)`` uint8 BGR, upright: large enough for who sees ``side`` pixels at most.

        Args:
            side: Pixels of the longer side that are made use of.

        Returns:
            The picture with its longer side brought down to ``side`` where it can be had without
            making the full picture, else the full picture.
        """
        if max(self.width, self.height) <= side:
            return self.image
        size = fitted_size(self.width, self.height, side)
        if size == small_size(self.width, self.height):
            return self.small
        return self.image if self.render_at is None else self.render_at(*size)


def small_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the small colour picture of a frame: never larger than the frame."""
    small = min(SMALL_WIDTH, width)
    return small, max(1, round(small * height / width))


def luma_of(picture: Image) -> Luma:
    """The small brightness picture of :attr:`Frame.luma`, from a colour picture of any size."""
    height, width = picture.shape[:2]
    size = (LUMA_WIDTH, max(1, round(LUMA_WIDTH * height / width)))
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def fitted_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height of a frame whose longer side is scaled to ``side`` pixels."""
    scale = min(side / width, side / height)
    return max(round(width * scale), 1), max(round(height * scale), 1)
