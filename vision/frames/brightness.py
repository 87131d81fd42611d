"""How the light of a whole picture changed between two looks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_ROUNDS = 3


def brightness_fit(
    reference: NDArray[np.float32], current: NDArray[np.float32]
) -> tuple[float, float]:
    """Fit ``current = gain * reference + offset`` to the part of the picture that stayed.

    Cells that disagree with the fit (things that came or went) are dropped round by round.
    """
    cells = (max(reference.shape[1] // 8, 1), max(reference.shape[0] // 8, 1))
    x = cv2.resize(reference, cells, interpolation=cv2.INTER_AREA).ravel().astype(np.float64)
    y = cv2.resize(current, cells, interpolation=cv2.INTER_AREA).ravel().astype(np.float64)
    # Burnt-out cells follow no gain.
    kept = (x < 250) & (y < 250)
    gain, offset = 1.0, _median(y - x)
    for _ in range(_ROUNDS):
        error = np.abs(y - (gain * x + offset))
        kept &= error <= max(2.0, 2.5 * _median(error))
        count = np.count_nonzero(kept)
        if count < 8:
            break
        from_x, from_y = x[kept], y[kept]
        mean_x, mean_y = float(np.add.reduce(from_x)) / count, float(np.add.reduce(from_y)) / count
        from_x -= mean_x
        from_y -= mean_y
        spread = float(np.add.reduce(from_x * from_x)) / count
        # A picture without contrast says nothing about the gain.
        together = float(np.add.reduce(from_x * from_y)) / count
        gain = (together + 4.0) / (spread + 4.0)
        offset = mean_y - gain * mean_x
    return gain, offset


def _median(values: NDArray[np.float64]) -> float:
    """As ``np.median`` gives it, for a few hundred numbers without its preparations."""
    middle = values.size // 2
    if values.size % 2:
        return float(np.partition(values, middle)[middle])
    parted = np.partition(values, (middle - 1, middle))
    return float((parted[middle - 1] + parted[middle]) / 2)
