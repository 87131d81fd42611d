from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from service.cameras.canary import CARS, Canary, canary_picture
from vision.detect.detections import Detections
from vision.detect.load import load_detector
from vision.detect.registry import load_registry
from vision.errors import ModelError
from vision.frames.frame import Image


class Told:
    """Answers what it is told to, whatever it is shown."""

    runtime = model_name = "told"
    model_sha256 = "0" * 64

    def __init__(self, *names: str) -> None:
        self.names = names
        self.boxes = [list(box) for box in CARS]
        self.confidence = 0.8
        self.fails = False

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        if self.fails:
            raise ModelError("it hung")
        count = len(self.boxes)
        return [
            Detections(
                np.array(self.boxes, np.float32).reshape(-1, 4),
                np.full(count, self.confidence, np.float32),
                np.zeros(count, np.int64),
                self.names,
            )
        ]


def test_the_picture_is_always_the_same() -> None:
    assert np.array_equal(canary_picture(), canary_picture())


def test_a_detector_gone_blind_is_noticed() -> None:
    detector = Told("car")
    canary = Canary(detector, clock=lambda: 0.0)  # type: ignore[arg-type]
    assert canary.check().sees
    detector.boxes = []
    assert canary.check().detail == "2 of 2 cars not seen"


def test_another_pictures_boxes_are_noticed() -> None:
    detector = Told("hoarding")
    canary = Canary(detector)  # type: ignore[arg-type]
    assert canary.check().sees
    detector.boxes = [[box[0] + 30, *box[1:]] for box in detector.boxes]
    assert not canary.check().sees
    detector.boxes = [list(box) for box in reversed(CARS)]
    assert canary.check().sees, "the order of boxes says nothing"
    detector.confidence = 0.6
    assert not canary.check().sees


def test_blind_from_the_start_is_no_answer_to_hold_on_to() -> None:
    detector = Told("car")
    detector.boxes = []
    canary = Canary(detector)  # type: ignore[arg-type]
    assert not canary.check().sees
    detector.boxes = [list(box) for box in CARS]
    assert canary.check().sees


def test_no_answer_is_told() -> None:
    detector = Told("car")
    detector.fails = True
    assert Canary(detector).check().detail == "it hung"  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_model_that_ships_sees_the_cars() -> None:
    detector = load_detector(load_registry().model("jiexu-street"), threads=1)
    try:
        canary = Canary(detector)
        assert canary.check().sees
        assert canary.check().sees
    finally:
        detector.close()
