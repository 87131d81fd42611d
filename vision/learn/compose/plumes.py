"""Dust over a picture, and what looks like dust: steam, exhaust, haze, the glare of lamps."""

from __future__ import annotations

from typing import Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.frame import Image
from vision.learn.compose.ground import Rect
from vision.learn.scenes.camera import Camera
from vision.learn.scenes.plume import Plume
from vision.learn.scenes.raster import Sprite
from vision.learn.scenes.texture import noise_patch, noise_tile

Air = Literal["dust", "steam", "exhaust", "haze", "glare"]

SEEN_ALPHA = 0.13
"""Where a plume hides this share of what is behind it, it counts as seen."""

LEAST_CHANGE = 7.0
"""A plume that changes its box by less (mean grey levels) is not noticed: it is not used."""

LARGEST_SHARE = 0.45
"""A plume whose box takes more of the picture is haze rather than a plume: it is not used."""


def air(
    picture: Image, kind: Air, camera: Camera, foot: tuple[float, float], rng: np.random.Generator
) -> tuple[Image, Rect | None] | None:
    """Put something into the air.

    Args:
        picture: BGR; it is left as it is.
        kind: What.
        camera: The background's camera.
        foot: Where on the ground it starts, in pixels.
        rng: Draws its form.

    Returns:
        The new picture and the box of the dust in pixels, which look-alikes do not have; ``None``
        if the plume would hardly be seen.
    """
    if kind == "haze":
        return _haze(picture, rng), None
    if kind == "glare":
        return _glare(picture, foot, rng), None
    sprite, colour = _plume(picture, kind, camera, foot, rng)
    if sprite is None:
        return None
    return _laid(picture, kind, sprite, colour, rng)


def _plume(
    picture: Image,
    kind: Air,
    camera: Camera,
    foot: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[Sprite | None, NDArray[np.float64]]:
    ground = [float(v) for v in camera.ground(np.array([foot]))[0]]
    if not np.isfinite(ground).all():
        return None, np.zeros(3)
    x, y = int(foot[0]), int(foot[1])
    patch = picture[max(0, y - 12) : y + 20, max(0, x - 40) : x + 40].reshape(-1, 3)
    local = patch.mean(axis=0) if len(patch) else np.array([150.0, 160, 170])
    # Daylight scattered by dust is about as bright as bright ground in the same picture.
    level = float(np.percentile(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), 82))
    angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 2.2)
    rise, growth, life, z, strength, rate = 0.4, 0.8, 8.0, 0.5, 1.0, 8.0
    if kind == "dust":
        tan = np.array([rng.uniform(0.72, 0.92), rng.uniform(0.84, 0.97), 1.0])
        tone = level * rng.uniform(0.85, 1.15) * tan
        share = rng.uniform(0.4, 0.8)
        colour = share * tone + (1 - share) * local * 1.1
        rise, growth = float(rng.uniform(0.1, 0.6)), float(rng.uniform(0.1, 0.55))
        strength, life = float(rng.uniform(0.6, 1.9)), float(rng.uniform(3, 7))
    elif kind == "steam":
        colour = np.full(3, max(level * 1.15, 190.0)) * rng.uniform(0.95, 1.05, 3)
        rise, growth, life, z = float(rng.uniform(1.2, 2.2)), 0.3, 4.5, 0.1
        strength, speed = float(rng.uniform(0.8, 1.6)), speed * 0.5
    else:
        colour = np.full(3, float(rng.uniform(35, 110)))
        rise, growth, life, z = float(rng.uniform(0.1, 0.5)), 0.28, 2.6, 0.35
        strength = float(rng.uniform(0.6, 1.4))
    colour = np.clip(colour, 25, 245)
    time_s = float(rng.uniform(3, 14))
    plume = Plume(
        ground[0], ground[1], z, 0.0, time_s, (float(speed * np.cos(angle)),
        float(speed * np.sin(angle) * 0.4)), rise, growth, strength,
        (float(colour[0]), float(colour[1]), float(colour[2])), rate, life,
        int(rng.integers(2**31)),
    )  # fmt: skip
    return plume.sprite(time_s, camera), colour


def _laid(
    picture: Image,
    kind: Air,
    sprite: Sprite,
    colour: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[Image, Rect | None] | None:
    height, width = picture.shape[:2]
    alpha = np.zeros((height, width), np.float32)
    h, w = sprite.alpha.shape
    offset = (int(rng.integers(512)), int(rng.integers(512)))
    torn = noise_patch(noise_tile(1.35, 5, 3), h, w, offset)
    thick = -np.log(np.maximum(1 - sprite.alpha.astype(np.float32) / 255, 1e-3))
    part = 1 - np.exp(-thick * np.clip(1 + 0.38 * torn, 0.1, 2.2))
    alpha[sprite.y : sprite.y + h, sprite.x : sprite.x + w] = part
    # Puffs are clipped to the sprite's rectangle: a blur hides the cut.
    alpha = cv2.GaussianBlur(alpha, (0, 0), 1.6).clip(0, 0.94)
    seen = alpha > SEEN_ALPHA
    if seen.sum() < 0.002 * height * width:
        return None
    relief = cv2.GaussianBlur(alpha, (0, 0), 7)
    relief = relief - np.roll(relief, (7, 4), (0, 1))
    full = noise_patch(noise_tile(1.5, 15, 3), height, width, offset)
    lit = np.asarray(colour, np.float32) * (1 + 1.1 * relief + 0.035 * full)[..., None]
    behind = cv2.GaussianBlur(picture, (0, 0), 1.8).astype(np.float32)
    soft = np.clip(alpha * 1.3, 0, 1)[..., None]
    under = picture.astype(np.float32) * (1 - soft) + behind * soft
    share = alpha[..., None]
    out = under * (1 - share) + lit * share + rng.normal(0, 1.1, (height, width, 1)) * share
    laid = np.clip(out, 0, 255).astype(np.uint8)
    if kind != "dust":
        return cast("Image", laid), None
    change = np.abs(laid.astype(np.int16) - picture).mean(axis=2)
    seen &= change > 4
    ys, xs = np.nonzero(seen)
    if len(xs) < 0.002 * height * width:
        return None
    x1, x2 = np.percentile(xs, (0.8, 99.2))
    y1, y2 = np.percentile(ys, (0.8, 99.2))
    if (x2 - x1) * (y2 - y1) > LARGEST_SHARE * height * width:
        return None
    if change[int(y1) : int(y2) + 1, int(x1) : int(x2) + 1].mean() < LEAST_CHANGE:
        return None
    return cast("Image", laid), (float(x1), float(y1), float(x2 + 1), float(y2 + 1))


def _haze(picture: Image, rng: np.random.Generator) -> Image:
    """Fog over all, denser with distance."""
    height, width = picture.shape[:2]
    cloud = noise_patch(noise_tile(2.0, 6, 1), height, width, (int(rng.integers(512)), 0))
    rows = np.linspace(1, 0.2, height, dtype=np.float32)[:, None]
    share = np.clip(rng.uniform(0.2, 0.6) * rows * (1 + 0.12 * cloud), 0, 0.85)[..., None]
    colour = np.array([rng.uniform(170, 220), rng.uniform(185, 218), rng.uniform(190, 222)])
    return cast("Image", np.clip(picture * (1 - share) + colour * share, 0, 255).astype(np.uint8))


def _glare(picture: Image, foot: tuple[float, float], rng: np.random.Generator) -> Image:
    """Two lamps that shine into the camera."""
    height, width = picture.shape[:2]
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
    light = np.zeros((height, width), np.float32)
    apart, size = rng.uniform(8, 36), rng.uniform(5, 26)
    for side in (-0.5, 0.5):
        far = np.hypot(xx - foot[0] - side * apart, (yy - foot[1] + 0.3 * apart) * 1.1)
        light += np.exp(-((far / size) ** 2)) + 0.35 * np.exp(-far / (3.2 * size))
    colour = np.array([225.0, 242, 255]) * rng.uniform(0.85, 1.0)
    share = np.clip(light * rng.uniform(0.6, 1.0), 0, 0.97)[..., None]
    return cast("Image", np.clip(picture * (1 - share) + colour * share, 0, 255).astype(np.uint8))
