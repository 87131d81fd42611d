"""Pictures that are nearly the same, by a 256-bit difference hash.

The hash asks of each cell of a 16 by 17 grid whether it is brighter than its left neighbour (N.
Krawetz, "Kind of Like That", 2013). It survives shrinking, recompression, brightness and a changed
aspect, and not mirroring, turning or cropping.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.frame import Image

NEAR_DUPLICATE_BITS = 20
"""Difference hashes (256 bits) that differ in no more bits belong to near-duplicates."""


@dataclass(frozen=True)
class NearPair:
    """Two pictures that are nearly the same.

    Attributes:
        first: Name of the earlier picture.
        second: Name of the later one.
        bits: Bits in which their hashes differ, 0 to 256.
        leak: They lie on different sides of a split.
    """

    first: str
    second: str
    bits: int
    leak: bool


def difference_hash(image: Image) -> NDArray[np.uint8]:
    """Hash a picture.

    Args:
        image: BGR uint8 ``(h, w, 3)``.

    Returns:
        ``(32,)`` uint8: 256 bits.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (17, 16), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.packbits(small[:, 1:] > small[:, :-1])


def near_pairs(hashes: NDArray[np.uint8]) -> Iterator[tuple[int, int, int]]:
    """Find near-duplicates.

    Args:
        hashes: ``(n, 32)`` uint8.

    Yields:
        Two indices, the smaller first, and the number of bits that differ.
    """
    for i in range(len(hashes) - 1):
        distance = np.bitwise_count(hashes[i + 1 :] ^ hashes[i]).sum(axis=1, dtype=np.int32)
        for j in np.flatnonzero(distance <= NEAR_DUPLICATE_BITS):
            yield i, i + 1 + int(j), int(distance[j])


def merge_groups(groups: Sequence[str], hashes: NDArray[np.uint8]) -> list[str]:
    """Give groups that share a near-duplicate one name (union-find over group names).

    Args:
        groups: Group of each picture.
        hashes: ``(n, 32)`` uint8, in the same order.

    Returns:
        The merged group of each picture.
    """
    parent = {group: group for group in groups}

    def root(group: str) -> str:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    for i, j, _ in near_pairs(hashes):
        parent[root(groups[j])] = root(groups[i])
    return [root(group) for group in groups]


def find_near_duplicates(
    pictures: Iterable[tuple[str, str | None, Image]],
) -> list[NearPair]:
    """Find near-duplicates among pictures.

    Args:
        pictures: Name, side of a split if there is one, and BGR uint8 ``(h, w, 3)`` picture.

    Returns:
        Pairs, those that leak across a split first, then the most alike.
    """
    names: list[str] = []
    sides: list[str | None] = []
    hashes: list[NDArray[np.uint8]] = []
    for name, side, image in pictures:
        names.append(name)
        sides.append(side)
        hashes.append(difference_hash(image))
    if not hashes:
        return []
    pairs = [
        NearPair(
            names[i], names[j], bits, None not in (sides[i], sides[j]) and sides[i] != sides[j]
        )
        for i, j, bits in near_pairs(np.stack(hashes))
    ]
    return sorted(pairs, key=lambda p: (not p.leak, p.bits, p.first, p.second))
