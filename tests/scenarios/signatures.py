"""How things look: a signature for every individual, as a crop of a street camera would give it.

Two things have some likeness (a distance of about 0.32), one thing looks a little different each
time (0.07 by day, 0.12 at night), and very much so when something covers a part of it.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vision.observe.appearance import BINS, CELLS, Light, packed

_SHAPE = (CELLS[1], CELLS[0], BINS)

UNLIKE = {Light.DAY: 0.27, Light.DARK: 0.36}
"""How much one thing differs from itself from look to look, against its own look."""


@lru_cache(maxsize=4096)
def own_look(individual: str) -> NDArray[np.float64]:
    """What is always the same about a thing: cells with a root mean square of 1."""
    look = np.random.default_rng(zlib.crc32(individual.encode())).gamma(2.0, size=_SHAPE)
    return np.asarray(look / np.sqrt((look**2).mean()))


def signature(individual: str, share: float, light: Light, rng: np.random.Generator) -> bytes:
    """Signature of a crop.

    Args:
        individual: Name of the thing's appearance; empty for a crop of nothing in particular.
        share: Share of the thing that is in view.
        light: Light in which it is taken.
        rng: Where chance comes from.
    """
    if not individual:
        look = rng.gamma(2.0, size=_SHAPE)
        look /= np.sqrt((look**2).mean())
    else:
        covered = 1.5 * max(0.0, 0.85 - share)
        look = own_look(individual) + rng.normal(0, float(np.hypot(UNLIKE[light], covered)), _SHAPE)
    return packed((0.25 * look).astype(np.float32), light)
