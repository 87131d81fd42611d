"""Tileable noise, made once a process and reused with random offsets."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

TILE = 512
"""Side of a noise tile in samples."""


@lru_cache(maxsize=32)
def noise_tile(slope: float, variant: int = 0, coarsest: int = 1) -> NDArray[np.float32]:
    """Fractal noise that repeats without a seam.

    Args:
        slope: Exponent of the amplitude spectrum ``1 / f**slope``: 0 is white, 2 is cloud-like.
        variant: Which of the tiles of this kind.
        coarsest: Lowest frequency kept, in waves a tile.

    Returns:
        ``(TILE, TILE)`` float32 with mean 0 and standard deviation 1.
    """
    rng = np.random.default_rng([971, variant, int(slope * 100), coarsest])
    spectrum = np.fft.rfft2(rng.standard_normal((TILE, TILE)))
    fy = np.fft.fftfreq(TILE)[:, None] * TILE
    fx = np.fft.rfftfreq(TILE)[None, :] * TILE
    frequency = np.hypot(fy, fx)
    gain = np.where(frequency >= coarsest, 1.0 / np.maximum(frequency, 1.0) ** slope, 0.0)
    field = np.fft.irfft2(spectrum * gain, s=(TILE, TILE))
    field -= field.mean()
    return np.asarray(field / field.std(), np.float32)


def noise_patch(
    tile: NDArray[np.float32], height: int, width: int, offset: tuple[int, int]
) -> NDArray[np.float32]:
    """Cut ``(height, width)`` samples out of the endlessly repeated tile, from ``(x, y)``."""
    x, y = offset[0] % TILE, offset[1] % TILE
    if x + width <= TILE and y + height <= TILE:
        return tile[y : y + height, x : x + width]
    across = np.concatenate([tile[:, x:], tile[:, :x]], axis=1)
    rolled = np.concatenate([across[y:], across[:y]], axis=0)
    return np.tile(rolled, (-(-height // TILE), -(-width // TILE)))[:height, :width]
