"""A drawn place with a heap, live: pictures at given times, and a sink that keeps everything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import cv2
import numpy as np
from blobs import BlobDetector

from service.cameras.sink import CameraHealth, Role
from service.cameras.supervisor import Taken
from service.cameras.watch import CameraWatch, WatchSettings
from vision.detect.registry import ModelEntry
from vision.frames.frame import Image
from vision.observe.look import Look
from vision.record import ViolationRecord
from vision.schedule import SiteClock
from vision.site import Camera
from vision.zones import Zone

START = datetime(2026, 5, 18, 9, 0, tzinfo=UTC)
DWELL_S = 20.0
MODEL = ModelEntry.model_construct(
    name="blobs", thresholds={"debris_pile": 0.5}, experimental=frozenset()
)


def ground(size: tuple[int, int] = (320, 180)) -> Image:
    random = np.random.default_rng(3)
    small = random.integers(60, 180, (45, 80), dtype=np.uint8)
    grey = cv2.GaussianBlur(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), (0, 0), 1)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


def picture(time_s: float, *, heap: bool, size: tuple[int, int] = (320, 180)) -> Image:
    """The place, with sensor noise of its own at each time."""
    image = ground(size)
    if heap:
        centre, axes = (size[0] * 5 // 8, size[1] * 2 // 3), (size[0] // 14, size[1] // 13)
        cv2.ellipse(image, centre, axes, 0, 0, 360, (10, 10, 230), -1)
    noise = np.random.default_rng(round(time_s * 1000)).normal(0, 2, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def taken(time_s: float, *, heap: bool, boot_s: float = 1000.0) -> Taken:
    image = picture(time_s, heap=heap)
    return Taken(
        luma=cv2.cvtColor(image, cv2.COLOR_BGR2GRAY),
        small=image,
        image=image,
        arrived_s=boot_s + time_s,
        arrived_at=START + timedelta(seconds=time_s),
        pts=None,
        decode_s=0.0,
    )


class KeepingSink:
    """Keeps what it is told; takes nothing while ``broken``."""

    def __init__(self) -> None:
        self.records: list[ViolationRecord] = []
        self.looks: list[Look] = []
        self.healths: list[CameraHealth] = []
        self.states: dict[str, bytes] = {}
        self.broken = False

    def violation_changed(self, record: ViolationRecord, evidence: Mapping[Role, Path]) -> None:
        if self.broken:
            raise ConnectionError("no database")
        for role, path in evidence.items():
            described = getattr(record.evidence, role)
            assert hashlib.sha256(path.read_bytes()).hexdigest() == described.sha256
        self.records.append(record)

    def looked(self, look: Look) -> None:
        self.looks.append(look)

    def health_changed(self, health: CameraHealth) -> None:
        self.healths.append(health)

    def save_state(self, camera_id: str, state: bytes) -> None:
        if self.broken:
            raise ConnectionError("no database")
        self.states[camera_id] = state

    def load_state(self, camera_id: str) -> bytes | None:
        return self.states.get(camera_id)

    @property
    def ids(self) -> set[str]:
        return {record.id for record in self.records}


def settings(folder: Path, *zones: Zone) -> WatchSettings:
    return WatchSettings(
        camera=Camera(id="square", name="Square", zones=zones, standing_picture=False),
        model=MODEL,
        rules={"debris_pile": {"dwell_s": DWELL_S}, "standing_object": {"enabled": False}},
        clock=SiteClock(ZoneInfo("Asia/Shanghai")),
        folder=folder,
        forced_look_s=10.0,
    )


def watch(sink: KeepingSink, folder: Path, *zones: Zone, **more: object) -> CameraWatch:
    return CameraWatch(settings(folder, *zones), BlobDetector(), sink, **more)  # type: ignore[arg-type]
