from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
import pytest

from service.cameras.canary import CARS
from service.detecting import Detectors, OnDemand
from vision.detect.detections import Detections
from vision.detect.detector import Detector
from vision.detect.registry import ModelEntry, load_registry
from vision.frames.frame import Image


class Played:
    """Sees the canary's cars while it is well, and a faint person always."""

    names = ("person", "car")
    runtime = "played"
    model_name = "jiexu-street"
    model_sha256 = "0" * 64
    input_size = 4096
    is_blind = False

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        boxes = [(5.0, 5.0, 20.0, 60.0), *(() if self.is_blind else CARS)]
        found = Detections(
            xyxy=np.array(boxes, np.float32),
            confidence=np.array([0.01, 0.9, 0.9][: len(boxes)], np.float32),
            class_id=np.array([0, 1, 1][: len(boxes)], np.int64),
            names=self.names,
        )
        return [found for _ in images]

    def submit(self, image: Image, size: tuple[int, int] | None = None) -> Future[Detections]:
        future: Future[Detections] = Future()
        future.set_result(self.detect([image])[0])
        return future

    def close(self) -> None:
        pass


class PlayedDetectors(Detectors):
    """Opens what is played, and counts how often."""

    opened = 0

    def _opened(self, entry: ModelEntry) -> Detector:
        self.opened += 1
        self.played = Played()
        return self.played


@pytest.fixture
def detectors() -> PlayedDetectors:
    return PlayedDetectors(load_registry())


def test_a_detector_is_opened_when_it_is_needed_and_once(detectors: PlayedDetectors) -> None:
    detectors.check()
    assert (detectors.opened, detectors.fault()) == (0, None)
    entry = detectors.entry(None)
    assert detectors.detector(entry) is detectors.detector(entry)
    assert detectors.opened == 1


def test_a_detector_gone_blind_is_told_until_it_sees_again(detectors: PlayedDetectors) -> None:
    detectors.detector(detectors.entry(None))
    detectors.check()
    assert detectors.fault() is None
    detectors.played.is_blind = True
    detectors.check()
    assert detectors.fault() == "model jiexu-street: 2 of 2 cars not seen"
    detectors.played.is_blind = False
    detectors.check()
    assert detectors.fault() is None


def test_on_demand_gives_what_is_sure_and_for_masking_what_is_faint(
    detectors: PlayedDetectors,
) -> None:
    on_demand = OnDemand(detectors)
    picture = np.zeros((360, 640, 3), np.uint8)
    (sure,) = on_demand.inspect([picture])
    assert [sure.names[one] for one in sure.class_id] == ["car", "car"]
    assert len(on_demand.inspect_faintly(picture)) == 3
