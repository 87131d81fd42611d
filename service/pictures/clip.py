"""Clips from outside: decoded in a process that has bounds and can be killed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.pictures.still import TooManyPixelsError
from vision.errors import InputError
from vision.frames.frame import Image


@dataclass(frozen=True, eq=False)
class ClipPicture:
    """A picture of a clip.

    Attributes:
        time_s: Seconds from the start of the clip.
        image: ``(h, w, 3)`` uint8 BGR.
    """

    time_s: float
    image: Image


def sample_clip(
    data: bytes, *, looks: int, max_pixels: int, deadline_s: float
) -> list[ClipPicture]:
    """Keyframes of a clip, evenly spread.

    Args:
        data: The file.
        looks: Most pictures.
        max_pixels: Most pixels of a picture.
        deadline_s: Decoding is given up after this.

    Raises:
        TooManyPixelsError: Its pictures have more pixels.
        InputError: It holds no video that can be decoded, or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="jiexu-clip-") as name:
        folder = Path(name)
        (folder / "clip").write_bytes(data)
        command = (sys.executable, "-m", "service.pictures.sampling")
        arguments = (str(folder), str(looks), str(max_pixels), str(deadline_s))
        try:
            ended = subprocess.run(  # noqa: S603 - our own module and numbers
                (*command, *arguments),
                check=False,
                capture_output=True,
                timeout=deadline_s,
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"the clip cannot be decoded within {deadline_s:g} s") from None
        try:
            told = json.loads(ended.stdout)
        except ValueError:
            raise InputError("the clip cannot be decoded") from None
        if "too_many_pixels" in told:
            raise TooManyPixelsError(told["too_many_pixels"])
        if "fault" in told:
            raise InputError(told["fault"])
        return [
            ClipPicture(time_s, np.load(folder / f"{number}.npy", allow_pickle=False))
            for number, time_s in enumerate(told["times_s"])
        ]
