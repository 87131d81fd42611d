"""How a thing looks, and whether it is the one that was seen before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

CELLS = (6, 5)
"""Columns and rows of the grid that a signature is made of."""

BINS = 4
"""Directions of edges in each cell."""

SAME_DISTANCE = 0.17
"""Signatures closer than this show one thing; measured by ``benchmarks/appearance.py``."""

OTHER_DISTANCE = 0.21
"""Signatures farther apart than this show two things; measured there too."""

_LEVELS = 15
_FULL = 0.8

_KEPT = 4
_KEPT_APART_US = 3600 * 10**6


class Light(IntEnum):
    """In what light a signature was taken; only those of one light are compared."""

    DAY = 1
    DARK = 2
    GREY = 3


class Verdict(Enum):
    """What a signature says of the thing that it was taken of."""

    SAME = "same"
    OTHER = "other"
    UNSURE = "unsure"
    NEW_LIGHT = "new light"


@dataclass(frozen=True)
class _Kept:
    time_us: int
    signature: bytes


def packed(cells: NDArray[np.float32], light: Light) -> bytes:
    """Make a signature: the light, then two values of four bits to the byte.

    Args:
        cells: ``(rows, columns, BINS)`` float32 in 0..1.
        light: In what light it was taken.

    Returns:
        ``SIGNATURE_BYTES`` bytes.
    """
    levels = np.rint(np.clip(cells.ravel() / _FULL, 0, 1) * _LEVELS).astype(np.uint8)
    pairs: list[int] = (levels[::2] * 16 + levels[1::2]).tolist()
    return bytes([light, *pairs])


@lru_cache(maxsize=1024)
def _values(signature: bytes) -> tuple[NDArray[np.float64], float]:
    """The values of a signature, whole numbers, and their length."""
    body = np.frombuffer(signature, np.uint8, offset=1)
    values = np.column_stack([body >> 4, body & 15]).ravel().astype(np.float64)
    return values, max(math.sqrt(float(values @ values)), 1.0)


def distance(a: bytes, b: bytes) -> float | None:
    """How unlike two signatures are: 0 for the same picture, towards 1 for nothing in common.

    Returns:
        One minus the cosine of their values, of whole numbers and so the same on every machine;
        ``None`` when their light cannot be compared.
    """
    if a[0] != b[0]:
        return None
    (x, x_length), (y, y_length) = _values(a), _values(b)
    return 1 - float(x @ y) / (x_length * y_length)


class Likeness:
    """How one thing has looked lately, a few signatures for each light.

    Looks are compared in the same light only: by day, in lamp light and in infra-red a car is
    three different pictures. A few hours of each light are kept, so that the same car is known
    again the next morning.

    Attributes:
        unlike: How many signatures in a row did not show the thing.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        """Start with nothing, or from :meth:`state`."""
        self._kept: dict[int, list[_Kept]] = {}
        self._strangers: list[_Kept] = []
        self.unlike = 0
        if state is not None:
            for one in state["kept"]:
                kept = _Kept(one[0], bytes.fromhex(one[1]))
                self._kept.setdefault(kept.signature[0], []).append(kept)
            self._strangers = [_Kept(one[0], bytes.fromhex(one[1])) for one in state["strangers"]]
            self.unlike = int(state["unlike"])

    def state(self) -> dict[str, Any]:
        """Everything that is known, JSON-able."""
        return {
            "kept": [
                [one.time_us, one.signature.hex()] for kept in self._kept.values() for one in kept
            ],
            "strangers": [[one.time_us, one.signature.hex()] for one in self._strangers],
            "unlike": self.unlike,
        }

    def verdict(self, signature: bytes, until_us: int | None = None) -> Verdict:
        """Compare a signature with those kept, or with those taken until some time."""
        nearest = math.inf
        for one in reversed(self._kept.get(signature[0], [])):
            if until_us is not None and one.time_us > until_us:
                continue
            apart = distance(one.signature, signature)
            if apart is not None and apart <= SAME_DISTANCE:
                return Verdict.SAME
            if apart is not None and apart < nearest:
                nearest = apart
        if nearest == math.inf:
            return Verdict.NEW_LIGHT
        return Verdict.OTHER if nearest >= OTHER_DISTANCE else Verdict.UNSURE

    def keep(self, signature: bytes, time_us: int) -> None:
        """Take in a signature of the thing itself."""
        self._strangers, self.unlike = [], 0
        kept = self._kept.setdefault(signature[0], [])
        if len(kept) > 1 and time_us - kept[-2].time_us < _KEPT_APART_US:
            kept.pop()
        kept.append(_Kept(time_us, signature))
        del kept[:-_KEPT]

    def stranger(self, signature: bytes, time_us: int) -> int:
        """Take in a signature of what seems to be another thing.

        Returns:
            How many signatures in a row show that same other thing.
        """
        if self._strangers:
            apart = distance(self._strangers[-1].signature, signature)
            if apart is None or apart > SAME_DISTANCE:
                self._strangers = []
        self._strangers.append(_Kept(time_us, signature))
        del self._strangers[:-_KEPT]
        self.unlike += 1
        return len(self._strangers)

    def of_stranger(self, since_us: int) -> Likeness:
        """The likeness of the other thing, with what was taken for the first one's since then."""
        other = Likeness()
        mistaken = [one for kept in self._kept.values() for one in kept if one.time_us >= since_us]
        for one in sorted([*mistaken, *self._strangers], key=lambda one: one.time_us):
            other.keep(one.signature, one.time_us)
        return other

    @property
    def latest_us(self) -> int:
        """When the latest signature that is kept was taken."""
        return max(kept[-1].time_us for kept in self._kept.values())
