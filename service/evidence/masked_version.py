"""The masked version of evidence files: of pictures, and of clips picture by picture."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from av.error import FFmpegError

from service.evidence.masking import mask_people, masked_picture
from vision.detect.detections import Detections
from vision.evidence.clip import encode_pictures
from vision.frames.frame import Image

LOOKS_A_SECOND = 5
"""Pictures of a clip that are looked at; those between are masked where either neighbour is."""


class EvidenceMask:
    """Masks pictures and clips.

    Args:
        detect: Finds persons and vehicles in a picture ``(h, w, 3)`` uint8 BGR.
    """

    def __init__(self, detect: Callable[[Image], Detections]) -> None:
        self._detect = detect

    def __call__(self, data: bytes, media_type: str) -> bytes | None:
        """The masked version of a file, ``None`` if it is neither JPEG nor mp4 or damaged.

        Raises:
            ModelError: The detector does not work.
        """
        if media_type == "image/jpeg":
            return masked_picture(data, self._detect)
        return masked_clip(data, self._detect) if media_type == "video/mp4" else None


def masked_clip(data: bytes, detect: Callable[[Image], Detections]) -> bytes | None:
    """The masked version of an mp4 clip, ``None`` if it cannot be read.

    Args:
        data: A clip that this service wrote.
        detect: Finds persons and vehicles in a picture ``(h, w, 3)`` uint8 BGR.

    Raises:
        ModelError: The detector does not work.
    """
    try:
        with (
            TemporaryDirectory(prefix="jiexu-clip-") as folder,
            av.open(io.BytesIO(data), "r", format="mp4", metadata_errors="ignore") as clip,
        ):
            stream = clip.streams.video[0]
            rate = max(1, round(stream.average_rate or LOOKS_A_SECOND))
            size = stream.width // 2 * 2, stream.height // 2 * 2
            pictures = (
                np.asarray(
                    frame.to_ndarray(format="bgr24", width=size[0], height=size[1]), np.uint8
                )
                for frame in clip.decode(stream)
            )
            out = Path(folder) / "masked.mp4"
            every = math.ceil(rate / LOOKS_A_SECOND)
            if not encode_pictures(_masked(pictures, detect, every), out, rate=rate, size=size):
                return None
            return out.read_bytes()
    except (FFmpegError, IndexError):
        return None


def _masked(
    pictures: Iterable[Image], detect: Callable[[Image], Detections], every: int
) -> Iterator[Image]:
    """Mask pictures, looking at one in so many and at the last."""
    between: list[Image] = []
    before: Detections | None = None
    for number, picture in enumerate(pictures):
        if number % every:
            between.append(picture)
            continue
        found = detect(picture)
        yield from _masked_twice(between, before, found)
        yield mask_people(picture, found)
        between, before = [], found
    if between:
        yield from _masked_twice(between, before, detect(between[-1]))


def _masked_twice(
    pictures: Iterable[Image], before: Detections | None, after: Detections
) -> Iterator[Image]:
    for picture in pictures:
        masked = picture if before is None else mask_people(picture, before)
        yield mask_people(masked, after)
