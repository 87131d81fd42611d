"""How a thing looks, and whether it is the one that was seen before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAME_DISTANCE = 0.35
"""Signatures closer than this show one thing."""

OTHER_DISTANCE = 0.5
"""Signatures farther apart than this show two things."""

_KEPT = 4
_KEPT_APART_US = 3600 * 10**6


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


def distance(a: bytes, b: bytes) -> float | None:
    """How unlike two signatures are, 0..1; ``None`` when their light cannot be compared."""
    if a[0] != b[0]:
        return None
    x, y = _features(a), _features(b)
    return float(np.clip(1 - x @ y, 0, 1))


def _features(signature: bytes) -> NDArray[np.float32]:
    values = np.frombuffer(signature, np.uint8, offset=1).astype(np.float32) - 127.5
    norm = np.float32(np.sqrt(values @ values)) or np.float32(1)
    return np.asarray(values / norm)


class Likeness:
    """How one thing has looked lately, a few signatures for each light.

    Looks are compared in the same light only: by day, in lamp light and in infra-red a car is
    three different pictures. A few hours of each light are kept, so that the same car is known
    again the next morning.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        """Start with nothing, or from :meth:`state`."""
        self._kept: dict[int, list[_Kept]] = {}
        self._strangers: list[_Kept] = []
        if state is not None:
            for one in state["kept"]:
                kept = _Kept(one[0], bytes.fromhex(one[1]))
                self._kept.setdefault(kept.signature[0], []).append(kept)
            self._strangers = [_Kept(one[0], bytes.fromhex(one[1])) for one in state["strangers"]]

    def state(self) -> dict[str, Any]:
        """Everything that is known, JSON-able."""
        return {
            "kept": [
                [one.time_us, one.signature.hex()] for kept in self._kept.values() for one in kept
            ],
            "strangers": [[one.time_us, one.signature.hex()] for one in self._strangers],
        }

    def verdict(self, signature: bytes) -> Verdict:
        """Compare a signature with those kept."""
        distances = [
            apart
            for one in self._kept.get(signature[0], [])
            if (apart := distance(one.signature, signature)) is not None
        ]
        if not distances:
            return Verdict.NEW_LIGHT
        nearest = min(distances)
        if nearest <= SAME_DISTANCE:
            return Verdict.SAME
        return Verdict.OTHER if nearest >= OTHER_DISTANCE else Verdict.UNSURE

    def keep(self, signature: bytes, time_us: int) -> None:
        """Take in a signature of the thing itself."""
        self._strangers = []
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
        return len(self._strangers)

    def of_stranger(self) -> Likeness:
        """The likeness of the other thing."""
        other = Likeness()
        for one in self._strangers:
            other.keep(one.signature, one.time_us)
        return other
