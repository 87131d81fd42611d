"""A store with cases that were looked at live and decided, for tests of what is learnt of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from posting import CREATED_AT, record

from service.cases.claims import Reviewer
from service.cases.intake import Intake
from service.cases.review import Decision, ReviewRules, decide
from service.evidence.files import EvidenceFiles
from service.evidence.masked_version import EvidenceMask
from service.learning.decided_cases import DecidedCase, decided_cases
from service.store.database import Database
from service.store.tables import Verdict
from vision.detect.detections import Detections
from vision.frames.frame import Image

WIDTH, HEIGHT = 320, 180
BOX = (40.0, 60.0, 120.0, 150.0)
PERSON = (200.0, 20.0, 260.0, 160.0)
DECIDED_AT = CREATED_AT + timedelta(hours=1)
LATER = DECIDED_AT + timedelta(hours=1)

CONFIRM = Decision(Verdict.CONFIRM)
NOT_THERE = Decision(Verdict.REJECT, reason="not_there")
PERMITTED = Decision(Verdict.REJECT, reason="permitted")


def scene(number: int) -> bytes:
    noise = np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    return cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def one_person(_image: Image) -> Detections:
    return Detections(
        xyxy=np.array([PERSON], np.float32),
        confidence=np.array([0.9], np.float32),
        class_id=np.array([0], np.int64),
        names=("person",),
    )


class DecidedStore:
    """Takes violations in as live cameras tell them, and lets a reviewer decide."""

    def __init__(self, database: Database, folder: Path, kept: str = "kept") -> None:
        self.database, self._folder = database, folder
        self.files = EvidenceFiles(folder / kept)
        self._intake = Intake(
            database, self.files, mask=EvidenceMask(one_person), clock=lambda: CREATED_AT
        )

    def case(
        self,
        number: int,
        decision: Decision | None = None,
        *,
        with_frame: bool = True,
        taken_s: float = 30.0,
        **changes: Any,
    ) -> str:
        data = scene(number)
        path = self._folder / f"{number}.jpg"
        path.write_bytes(data)
        frame = {
            "path": path.name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "time_s": taken_s,
            "timestamp": CREATED_AT + timedelta(seconds=taken_s),
            "width": WIDTH,
            "height": HEIGHT,
            "media_type": "image/jpeg",
        }
        told = record(
            number,
            **{
                "box": BOX,
                "class_names": ["street_stall"],
                "evidence": {"frame": frame} if with_frame else {},
                **changes,
            },
        )
        self._intake.take(told, {"frame": path} if with_frame else {})
        if decision is not None:
            self.decide(told.id, decision)
        return told.id

    def decide(self, case_id: str, decision: Decision, at: datetime = DECIDED_AT) -> None:
        with self.database.write() as session:
            decide(
                session,
                case_id,
                Reviewer("user:li"),
                decision,
                at,
                version=None,
                rules=ReviewRules(),
            )

    def decided(self, now: datetime = LATER, **narrowed: Any) -> Sequence[DecidedCase]:
        with self.database.read() as session:
            return decided_cases(session, now, **narrowed)
