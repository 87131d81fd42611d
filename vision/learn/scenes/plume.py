"""Dust and smoke: puffs of turbulent noise that grow, drift and thin out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.learn.scenes.camera import Camera
from vision.learn.scenes.model import Colour
from vision.learn.scenes.raster import Sprite
from vision.learn.scenes.texture import TILE, noise_patch, noise_tile

_PUFF = 96
_SHAPES = 12
SEEN_ALPHA = 36
"""Alpha 0..255 from which a part of a plume counts as seen."""

DENSE_ALPHA = 70
"""A plume that is nowhere denser than this alpha is not noticed and gets no box."""


@lru_cache(maxsize=1)
def _puffs() -> NDArray[np.float32]:
    """``(_SHAPES, _PUFF, _PUFF)`` densities 0..1."""
    axis = np.linspace(-1, 1, _PUFF, dtype=np.float32)
    radius = np.hypot(axis[:, None], axis[None, :])
    shapes = []
    for i in range(_SHAPES):
        rough = noise_patch(noise_tile(1.7, 10 + i % 4, 2), _PUFF * 2, _PUFF * 2, (i * 97, i * 53))
        rough = cv2.resize(rough, (_PUFF, _PUFF), interpolation=cv2.INTER_AREA)
        fall = np.clip(1.05 - radius + 0.22 * rough, 0, 1)
        shapes.append(np.where(radius < 0.98, fall**1.6 * np.clip(0.75 + 0.35 * rough, 0, 1.4), 0))
    return np.asarray(shapes, np.float32)


@dataclass(frozen=True)
class Plume:
    """A source that gives off puffs from ``start_s`` to ``end_s``.

    Attributes:
        x: World place of the source, metres.
        y: World place of the source, metres.
        z: World place of the source, metres.
        start_s: First puff.
        end_s: Last puff.
        wind: Drift in metres a second, x and y.
        rise: Metres a second.
        growth: Growth of the radius in metres a second.
        strength: Density.
        colour: BGR.
        rate: Puffs a second.
        life_s: Seconds until a puff has thinned out.
        seed: Draws the puffs.
    """

    x: float
    y: float
    z: float
    start_s: float
    end_s: float
    wind: tuple[float, float]
    rise: float
    growth: float
    strength: float
    colour: Colour
    rate: float
    life_s: float
    seed: int

    def sprite(self, time_s: float, camera: Camera) -> Sprite | None:
        """The plume at a time, ``None`` when there is nothing to see."""
        born = np.arange(self.start_s, min(time_s, self.end_s), 1 / self.rate)
        age = time_s - born
        number = np.flatnonzero((age > 0) & (age < self.life_s))
        if not len(number):
            return None
        age = age[number]
        draws = np.random.default_rng([self.seed, 7]).standard_normal(
            (int((self.end_s - self.start_s) * self.rate) + 2, 8)
        )[number]
        slow = 1 - np.exp(-age / 2.5)
        surge = 1 + 0.35 * np.sin(born[number] * 1.7 + self.seed)
        places = np.stack(
            [
                self.x + self.wind[0] * age + draws[:, 0] * (0.5 + 0.35 * age**0.8),
                self.y + self.wind[1] * age + draws[:, 1] * (0.5 + 0.35 * age**0.8),
                np.maximum(
                    self.z + self.rise * 2.5 * slow * surge + draws[:, 2] * 0.35 * age**0.7, 0.1
                ),
            ],
            axis=1,
        )
        radius = 0.6 + self.growth * age**0.75 * (1 + 0.25 * draws[:, 3])
        pixels, depth = camera.project(places)
        size = np.clip(radius * camera.focal_px / np.maximum(depth, 1.0), 3, 700)
        density = self.strength * np.minimum(age / 0.6, 1) * (1 - age / self.life_s) ** 1.2
        density *= np.clip(0.75 + 0.3 * draws[:, 4], 0.2, 1.5) * 0.55

        width, height = camera.size
        low = np.floor((pixels - size[:, None]).min(axis=0)).astype(int)
        high = np.ceil((pixels + size[:, None]).max(axis=0)).astype(int)
        x0, y0 = max(0, low[0]), max(0, low[1])
        x1, y1 = min(width, high[0]), min(height, high[1])
        if x1 - x0 < 4 or y1 - y0 < 4:
            return None
        # The plume is soft: half the resolution is enough.
        field = np.zeros(((y1 - y0 + 1) // 2, (x1 - x0 + 1) // 2), np.float32)
        shapes = _puffs()
        for i in range(len(number)):
            side = max(2, int(size[i]))
            shape = shapes[int(number[i]) % _SHAPES]
            shape = np.rot90(shape, int(number[i]) // _SHAPES % 4)
            puff = cv2.resize(np.ascontiguousarray(shape), (side, side))
            _add(field, puff * np.float32(density[i]), int((pixels[i, 0] - x0) / 2) - side // 2,
                 int((pixels[i, 1] - y0) / 2) - side // 2)  # fmt: skip
        drift = (int(-self.wind[0] * time_s * 12) % TILE, int(self.rise * time_s * 12) % TILE)
        wisps = noise_patch(noise_tile(1.5, 15, 3), field.shape[0], field.shape[1], drift)
        field *= np.clip(1 + 0.28 * wisps, 0.2, 2)
        alpha = 1 - np.exp(-field)
        alpha = cv2.resize(alpha, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
        light = 1 + 0.06 * cv2.resize(wisps, (x1 - x0, y1 - y0))
        colour = (np.array(self.colour, np.float32) * (alpha * light)[..., None]).clip(0, 255)
        return Sprite(x0, y0, colour.astype(np.uint8), (alpha * 255).astype(np.uint8), 1.0)


def _add(field: NDArray[np.float32], puff: NDArray[np.float32], x: int, y: int) -> None:
    h, w = puff.shape
    x0, y0, x1, y1 = max(0, x), max(0, y), min(field.shape[1], x + w), min(field.shape[0], y + h)
    if x1 > x0 and y1 > y0:
        field[y0:y1, x0:x1] += puff[y0 - y : y1 - y, x0 - x : x1 - x]
