"""Scripted looks: what a detector would say of a street on which things stand and pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from vision.detect.detections import Detections
from vision.frames.frame import Frame, Image, Rung
from vision.observe.look import Health, Look
from vision.observe.memory import SightingMemory
from vision.observe.sighting import Box, Sighting
from vision.rules.judge import Judge

FRAME = (1000, 800)
NAMES = (
    "person",
    "car",
    "truck",
    "bus",
    "motorcycle",
    "derelict_vehicle",
    "street_stall",
    "debris_pile",
    "overflow_bin",
    "construction_dust",
    "hoarding",
    "bicycle",
    "umbrella",
    "dining table",
    "waste_pile",
    "rubble_pile",
    "standing_object",
)
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)

Seen = tuple[str, Box, float]
"""Class name, box in pixels, confidence."""


def at(x: float, y: float, width: float = 100, height: float = 80) -> Box:
    """Box that stands with the middle of its lower edge on ``(x, y)``."""
    return (x - width / 2, y - height, x + width / 2, y)


def seen(name: str, box: Box, confidence: float = 0.6) -> Seen:
    return name, box, confidence


def look(
    time_s: float,
    *things: Seen,
    health: Health = Health.OK,
    pose: int = 0,
    inspected: bool = True,
    frame_size: tuple[int, int] = FRAME,
) -> Look:
    return Look(
        camera_id="cam",
        time_s=time_s,
        timestamp=START + timedelta(seconds=time_s),
        frame_size=frame_size,
        health=health,
        pose=pose,
        inspected=inspected,
        detections=Detections(
            np.array([box for _, box, _ in things], np.float32).reshape(-1, 4),
            np.array([confidence for *_, confidence in things], np.float32),
            np.array([NAMES.index(name) for name, *_ in things], np.int64),
            NAMES,
        ),
    )


def frame(image: Image, time_s: float = 0.0) -> Frame:
    """A frame that shows this picture."""
    height, width = image.shape[:2]
    return Frame(
        camera_id="cam",
        time_s=time_s,
        timestamp=START + timedelta(seconds=time_s),
        pts=None,
        luma=np.zeros((1, 1), np.uint8),
        width=width,
        height=height,
        rung=Rung.STILL,
        render=lambda: image,
    )


def every(interval_s: float, start_s: float, end_s: float) -> list[float]:
    """Times of looks from start to end, both included where they fall on the interval."""
    count = int((end_s - start_s) / interval_s + 1e-9) + 1
    return [round(start_s + i * interval_s, 6) for i in range(count)]


def remember(
    looks: Iterable[Look], memory: SightingMemory | None = None
) -> list[tuple[Sighting, ...]]:
    """Sightings after each look."""
    memory = memory or SightingMemory()
    return [memory.update(one) for one in looks]


def standing_ids(history: Sequence[tuple[Sighting, ...]]) -> set[int]:
    """Ids of all sightings that ever stood."""
    return {one.id for sightings in history for one in sightings if one.standing}


def jittered(box: Box, rng: np.random.Generator, share: float) -> Box:
    """Box with its middle and size off by up to a share of its size."""
    width, height = box[2] - box[0], box[3] - box[1]
    dx, dy, dw, dh = rng.uniform(-share, share, 4)
    x = (box[0] + box[2]) / 2 + dx * width
    y = box[3] + dy * height
    return at(x, y, width * (1 + dw), height * (1 + dh))


def wishes(judge: Judge, looks: Iterable[Look]) -> list[bool]:
    """Whether a closer look is wanted, after each look."""
    wanted = []
    for one in looks:
        judge.look(one)
        wanted.append(judge.wants_closer_look())
    return wanted
