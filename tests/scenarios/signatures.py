"""How things look: a signature for every individual, as a crop of a street camera would give it.

Two things have some likeness (they stand on one street), one thing looks a little different each
time, more so at night, and very much so when something covers a part of it.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vision.detect.detections import SIGNATURE_BYTES

_LENGTH = SIGNATURE_BYTES - 1
_COMMON = 0.5
"""Share of what all things have in common, against what is a thing's own."""

BY_DAY, BY_LAMPS = 1, 2
"""First byte of a signature: the light in which it was taken."""

UNLIKE = {BY_DAY: 0.45, BY_LAMPS: 0.6}
"""How much one thing differs from itself from look to look, against its own look."""


@lru_cache(maxsize=4096)
def own_look(individual: str) -> NDArray[np.float64]:
    """What is always the same about a thing, a vector of length 1."""
    common = np.random.default_rng(0).normal(size=_LENGTH)
    own = np.random.default_rng(zlib.crc32(individual.encode())).normal(size=_LENGTH)
    look = _COMMON * common / np.linalg.norm(common) + own / np.linalg.norm(own)
    return np.asarray(look / np.linalg.norm(look))


def signature(
    individual: str, share: float, light: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Signature of a crop, ``(SIGNATURE_BYTES,)``.

    Args:
        individual: Name of the thing's appearance; empty for a crop of nothing in particular.
        share: Share of the thing that is in view.
        light: Light in which it is taken.
        rng: Where chance comes from.
    """
    other = rng.normal(size=_LENGTH) / np.sqrt(_LENGTH)
    if not individual:
        look = other
    else:
        covered = 1.2 * max(0.0, 0.85 - share)
        look = own_look(individual) + float(np.hypot(UNLIKE[light], covered)) * other
    values = np.clip(127.5 + 330 * look / np.linalg.norm(look), 0, 255)
    return np.concatenate([[light], values.round()]).astype(np.uint8)
