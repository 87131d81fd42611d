"""Shadows of pasted things: the dark line where they touch the ground, and what the sun casts."""

from __future__ import annotations

import cv2
import numpy as np

from vision.frames.frame import Image
from vision.learn.compose.paste import Layer, Look

_FOOT = 0.2
"""Lower share of a thing that darkens the ground around it."""


def cast_shadow(picture: Image, layer: Layer, look: Look, depth: float) -> None:
    """Darken the ground under and beside a thing, in place; call it before the thing is pasted.

    Args:
        picture: BGR.
        layer: The thing.
        look: The background; it says where the sun stands.
        depth: How dark the contact is, 0..1.
    """
    height, width = picture.shape[:2]
    h, w = layer.alpha.shape
    reach = int(h * look.flat * abs(look.lean) if look.sunny else 0) + int(0.18 * w) + 4
    drop = int(0.1 * h) + 4
    x0, y0 = layer.x - reach, layer.y
    canvas = np.zeros((h + drop, w + 2 * reach), np.float32)
    alpha = layer.alpha.astype(np.float32) / 255

    foot = np.zeros_like(canvas)
    low = int(h * (1 - _FOOT))
    foot[low + drop // 3 : h + drop // 3, reach : reach + w] = alpha[low:]
    foot = cv2.dilate(foot, np.ones((max(1, h // 30), max(1, w // 22)), np.uint8))
    near = cv2.GaussianBlur(foot, (0, 0), max(0.8, 0.018 * w), sigmaY=max(0.6, 0.014 * h))
    wide = cv2.GaussianBlur(foot, (0, 0), max(1.5, 0.07 * w), sigmaY=max(1.0, 0.045 * h))
    canvas = depth * np.maximum(0.9 * near, 0.6 * wide)
    if look.sunny:
        # A shear and squash about the foot lays the outline on the ground.
        away = np.array(
            [[1, -look.lean * look.flat, reach + h * look.lean * look.flat],
             [0, look.flat, h * (1 - look.flat)]], np.float32,
        )  # fmt: skip
        lying = cv2.warpAffine(alpha, away, (canvas.shape[1], canvas.shape[0]))
        canvas = np.maximum(canvas, 0.5 * cv2.GaussianBlur(lying, (0, 0), max(0.8, 0.012 * w)))
    a, b = max(0, x0), max(0, y0)
    c, d = min(width, x0 + canvas.shape[1]), min(height, y0 + canvas.shape[0])
    if c <= a or d <= b:
        return
    gain = 1 - np.clip(canvas[b - y0 : d - y0, a - x0 : c - x0], 0, 0.85)[..., None]
    picture[b:d, a:c] = (picture[b:d, a:c].astype(np.float32) * gain).astype(np.uint8)
