"""A clip where nothing was recorded: single pictures, from before a thing came on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from av.error import FFmpegError

from vision.errors import InputError
from vision.evidence.clip import MAX_WIDTH, encode_pictures
from vision.evidence.manifest import EvidenceFile, describe
from vision.evidence.stills import drawn_view
from vision.frames.frame import Frame, Image
from vision.observe.sighting import Box
from vision.zones import Zone

RATE = 2
"""Pictures a second: time to look at each."""

TIMES_S = 0.0015
"""Starts are kept to the millisecond."""


def write_timelapse(
    frames: Iterable[Frame],
    folder: Path,
    run_root: Path,
    *,
    stem: str,
    kind: str,
    box: Box,
    start_s: float,
    zone: Zone | None = None,
    camera_name: str = "",
) -> EvidenceFile:
    """Write ``STEM_clip.mp4`` of single pictures, each with box, zone and its time.

    Args:
        frames: In order of time, at least one; privacy zones are masked in them already. One is
            held at a time.
        folder: Where to write, inside ``run_root``; made where it is missing.
        run_root: The run's folder.
        stem: Start of the file name.
        kind: Violation kind; gives the colour of the box.
        box: Where the thing is, ``x1, y1, x2, y2`` in fractions of the frame.
        start_s: Stream time at which it came: its place is dashed in what is earlier.
        zone: Zone to outline.
        camera_name: What people call the camera.

    Raises:
        InputError: The pictures cannot be encoded.
        ValueError: ``folder`` lies outside ``run_root``.
    """
    path = folder / f"{stem}_clip.mp4"
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")

    def drawn(frame: Frame) -> Image:
        stood_s = frame.time_s - start_s
        return drawn_view(
            frame,
            "scene" if stood_s > -TIMES_S else "before",
            kind=kind,
            box=box,
            zone=zone,
            camera_name=camera_name,
            dwell_s=max(0.0, stood_s),
        )

    waiting = iter(frames)
    begin = next(waiting)
    first = drawn(begin)
    scale = min(1.0, MAX_WIDTH / first.shape[1], MAX_WIDTH / first.shape[0])
    height, width = (max(2, round(side * scale / 2) * 2) for side in first.shape[:2])

    def pictures() -> Iterator[Image]:
        for picture in chain([first], map(drawn, waiting)):
            fitted = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
            yield np.asarray(fitted, np.uint8)

    try:
        encode_pictures(pictures(), part, rate=RATE, size=(width, height))
        part.replace(path)
    except (FFmpegError, OSError) as error:
        raise InputError(f"{path.name}: cannot be encoded: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return describe(
        path,
        run_root,
        time_s=begin.time_s,
        timestamp=begin.timestamp,
        width=width,
        height=height,
        media_type="video/mp4",
    )
