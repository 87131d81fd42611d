"""A piece of memory shared with a reader process: the latest picture of one camera and its pulse.

There is one picture, never a queue. The reader writes only when a picture was asked for, and the
other side asks for the next one only when it has done with the last, so nothing is copied and
nothing is torn.

The memory is a file without a name (``memfd``): it counts as this service's memory alone, needs no
room in ``/dev/shm``, takes what is written and not what is reserved, and is gone with its
processes, however they end.
"""

from __future__ import annotations

import mmap
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from multiprocessing.reduction import DupFd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.frames.frame import Image, Luma

MAX_PIXELS = 16_000_000
"""Largest picture of a camera."""

MAX_PICTURE_SIDE = 8192
"""Longest side of one in pixels."""

_PHASE_BITS = 4
_HEAD_BYTES = 4096
_BYTES = _HEAD_BYTES + 3 * MAX_PIXELS + 4 * 1024 * 1024


class Phase(IntEnum):
    """What the reader of a camera is doing."""

    IDLE = 0
    OPENING = 1
    READING = 2
    """Waiting for the next packet since the last one came."""
    WAITING = 3
    """Waiting to be asked; without a deadline."""
    DECODING = 4
    CLOSING = 5


@dataclass(frozen=True)
class Layout:
    """Sizes ``(width, height)`` in pixels of what lies in a slot: brightness, small, whole."""

    luma: tuple[int, int]
    small: tuple[int, int]
    image: tuple[int, int]


class Slot:
    """Memory of one camera; pickled to a process that is being spawned, it is the same memory."""

    def __init__(self, fd: int | None = None) -> None:
        """Reserve memory, or map that of another process by its file descriptor."""
        if fd is None:
            fd = os.memfd_create("jiexu-camera")
            os.ftruncate(fd, _BYTES)
        self._fd = fd
        self._map = mmap.mmap(fd, _BYTES)
        self._pulse = memoryview(self._map)[:8].cast("q")

    def __reduce__(self) -> tuple[Any, tuple[Any]]:
        return _attached, (DupFd(self._fd),)

    def beat(self, phase: Phase) -> None:
        """Note what is being done from now on."""
        # One word, written at once: read half written, it looks like a camera that hangs.
        self._pulse[0] = time.monotonic_ns() // 1000 << _PHASE_BITS | phase

    def pulse(self) -> tuple[Phase, float]:
        """What is being done, and since when on the monotonic clock, which processes share."""
        word = self._pulse[0]
        return Phase(word & (1 << _PHASE_BITS) - 1), (word >> _PHASE_BITS) / 1e6

    def write(self, luma: Luma, small: Image, image: Image) -> Layout:
        """Put a picture in.

        Raises:
            ValueError: It is too large.
        """
        layout = Layout(*((part.shape[1], part.shape[0]) for part in (luma, small, image)))
        for target, part in zip(self._parts(layout), (luma, small, image), strict=True):
            target[...] = part
        return layout

    def read(self, layout: Layout) -> tuple[Luma, Image, Image]:
        """Brightness and small picture as copies, the whole one as it lies there."""
        luma, small, image = self._parts(layout)
        return luma.copy(), small.copy(), image

    def close(self) -> None:
        """Let go of the memory; what was read as it lies there keeps it until it is dropped."""
        os.close(self._fd)
        self._pulse.release()
        with suppress(BufferError):
            self._map.close()

    def _parts(self, layout: Layout) -> list[NDArray[np.uint8]]:
        parts = []
        offset = _HEAD_BYTES
        for (width, height), depth in ((layout.luma, 1), (layout.small, 3), (layout.image, 3)):
            shape = (height, width, depth) if depth > 1 else (height, width)
            count = width * height * depth
            if offset + count > _BYTES:
                raise ValueError(f"a picture of {width}x{height} px does not fit")
            parts.append(
                np.frombuffer(self._map, np.uint8, count=count, offset=offset).reshape(shape)
            )
            offset += count
        return parts


def _attached(handle: Any) -> Slot:
    return Slot(handle.detach())
