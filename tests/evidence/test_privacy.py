"""Masking: nothing of a privacy zone can be brought back, nothing else is touched."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.evidence.privacy import mask_privacy
from vision.zones import Purpose, Zone


def zone(x1: float, y1: float, x2: float, y2: float, purpose: Purpose = Purpose.PRIVACY) -> Zone:
    return Zone(id="z", purpose=purpose, points=((x1, y1), (x2, y1), (x2, y2), (x1, y2)))


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (240, 320, 3), np.uint8)


def test_letters_in_a_zone_cannot_be_read() -> None:
    sharp = np.full((240, 320, 3), 255, np.uint8)
    cv2.putText(sharp, "A 12345", (60, 130), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 3)
    masked = mask_privacy(sharp, [zone(0.1, 0.3, 0.9, 0.7)])
    inside = masked[80:160, 40:280]
    assert np.abs(np.diff(inside[..., 0].astype(int), axis=1)).max() < 30
    assert np.abs(np.diff(sharp[80:160, 40:280, 0].astype(int), axis=1)).max() > 200


def test_pictures_alike_in_the_coarse_come_out_alike() -> None:
    """What differs only in detail is the same after masking: the detail is gone."""
    fine = np.indices((240, 320)).sum(axis=0) % 2 * 255
    one = np.repeat(fine[..., None], 3, axis=2).astype(np.uint8)
    masked = [mask_privacy(image, [zone(0.2, 0.2, 0.8, 0.8)]) for image in (one, 255 - one)]
    difference = np.abs(masked[0].astype(int) - masked[1].astype(int))[60:180, 80:240]
    assert difference.max() <= 4


@given(
    corners=st.tuples(*[st.floats(0.0, 0.85)] * 2, *[st.floats(0.08, 0.15)] * 2),
    seed=st.integers(0, 5),
)
@settings(max_examples=30, deadline=None)
def test_outside_the_zone_nothing_changes(
    corners: tuple[float, float, float, float], seed: int
) -> None:
    x, y, width, height = corners
    image = noise(seed)
    kept = image.copy()
    masked = mask_privacy(image, [zone(x, y, x + width, y + height)])
    assert np.array_equal(image, kept), "the input is not changed"
    outside = np.ones((240, 320), bool)
    outside[
        max(0, int(y * 240) - 2) : int((y + height) * 240) + 4,
        max(0, int(x * 320) - 2) : int((x + width) * 320) + 4,
    ] = False
    assert np.array_equal(masked[outside], image[outside])
    inside = masked[
        int(y * 240) + 2 : int((y + height) * 240) - 1,
        int(x * 320) + 2 : int((x + width) * 320) - 1,
    ]
    assert inside.std() < 35, "noise of 74 is averaged away"


def test_zones_of_other_purposes_are_left_alone() -> None:
    image = noise()
    assert mask_privacy(image, [zone(0.1, 0.1, 0.9, 0.9, Purpose.IGNORE)]) is image


def test_a_zone_over_the_whole_frame_leaves_coarse_blocks() -> None:
    masked = mask_privacy(noise(), [zone(0.0, 0.0, 1.0, 1.0)])
    assert masked.std() < 12
