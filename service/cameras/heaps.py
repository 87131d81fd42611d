"""How the C library lays out the memory of a process that many pictures go through."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3
_LARGE = 1 << 20


def spare_memory() -> None:
    """Two heaps instead of one for each thread, and every large picture outside them.

    Threads here wait most of the time, so they can share heaps. The GNU C library would move the
    bound of what lies outside up to the size of pictures: they would then leave holes in the heaps
    that what stays, such as keyframes, keeps from being given back. Other libraries are left alone.
    """
    try:
        library = ctypes.CDLL(None)
        library.mallopt(_M_ARENA_MAX, 2)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
    except (OSError, AttributeError):
        return
