from __future__ import annotations

import gc
import os
import time
from concurrent.futures import Future
from functools import partial

import numpy as np
import psutil
import pytest
from blobs import BlobDetector
from live_street import picture

from service.cameras.inference import DetectorProcess, InferenceSettings
from vision.detect.detections import Detections
from vision.detect.detector import Detector
from vision.errors import ModelError
from vision.frames.frame import Image

pytestmark = pytest.mark.slow
QUICK = InferenceSettings(deadline_s=2.0, start_s=60.0, at_a_time=2, first_wait_s=0.1)


class Moody(BlobDetector):
    """Hangs at a black picture, dies at a white one, fails at a grey one."""

    def submit(self, image: Image, size: tuple[int, int] | None = None) -> Future[Detections]:
        level = int(image[0, 0, 0])
        if level == 0:
            time.sleep(3600)
        if level == 255:
            os.abort()
        if level == 128:
            raise ModelError("not this one")
        return super().submit(image, size)


def load_moody() -> Detector:
    return Moody()


def refuse(text: str) -> Detector:
    raise ModelError(text)


def flat(level: int) -> Image:
    return np.full((90, 160, 3), level, np.uint8)


def detect_when_up(detector: DetectorProcess, image: Image) -> Detections:
    until_s = time.monotonic() + 60
    while True:
        try:
            return detector.detect([image])[0]
        except ModelError:
            assert time.monotonic() < until_s
            time.sleep(0.1)


def test_gives_what_the_detector_itself_gives() -> None:
    images = [picture(number, heap=number % 2 == 0) for number in range(6)]
    detector = DetectorProcess(load_moody, QUICK)
    try:
        assert detector.names == BlobDetector.names
        found = detector.detect(images)
    finally:
        detector.close()
    for one, other in zip(found, BlobDetector().detect(images), strict=True):
        assert np.array_equal(one.xyxy, other.xyxy)
        assert np.array_equal(one.confidence, other.confidence)
        assert one.names == other.names


def test_boxes_of_a_picture_scaled_down_are_in_pixels_of_its_frame() -> None:
    image = picture(1, heap=True)
    height, width = image.shape[:2]
    detector = DetectorProcess(load_moody, QUICK)
    try:
        assert detector.input_size == BlobDetector.input_size
        same = detector.submit(image).result()
        larger = detector.submit(image, (2 * width, 3 * height)).result()
    finally:
        detector.close()
    assert np.array_equal(larger.xyxy, same.xyxy * np.array([2, 3, 2, 3], np.float32))


@pytest.mark.parametrize("level", [0, 255])
def test_a_detector_that_hangs_or_dies_is_replaced(level: int) -> None:
    good = picture(1, heap=True)
    detector = DetectorProcess(load_moody, QUICK)
    try:
        first = detector.pid
        began_s = time.monotonic()
        with pytest.raises(ModelError):
            detector.detect([flat(level)])
        assert time.monotonic() - began_s < QUICK.deadline_s + 3
        assert len(detect_when_up(detector, good)) == 1
        assert detector.restarts >= 1
        assert detector.pid != first
    finally:
        detector.close()


def test_a_picture_that_fails_fails_alone() -> None:
    detector = DetectorProcess(load_moody, QUICK)
    try:
        with pytest.raises(ModelError, match="not this one"):
            detector.detect([flat(128)])
        assert len(detector.detect([picture(1, heap=True)])[0]) == 1
        assert detector.restarts == 0
        counts = detector.counts()
        assert (counts.pictures, counts.failed, counts.together) == (1, 1, 2)
        assert 0 < counts.seconds < QUICK.deadline_s
        assert (counts.in_flight, counts.waiting) == (0, 0)
    finally:
        detector.close()


def test_closing_leaves_nothing_behind() -> None:
    # The first process that is ever started leaves multiprocessing's own tracker behind.
    DetectorProcess(load_moody, QUICK).close()
    gc.collect()
    files = psutil.Process().num_fds()
    detector = DetectorProcess(load_moody, QUICK)
    pid = detector.pid
    waiting = detector.submit(flat(0))
    detector.close()
    with pytest.raises(ModelError):
        waiting.result(timeout=5)
    assert pid is not None
    assert not psutil.pid_exists(pid)
    gc.collect()
    assert psutil.Process().num_fds() <= files


def test_a_model_that_cannot_be_opened_is_told_at_once() -> None:
    with pytest.raises(ModelError, match="no such weights"):
        DetectorProcess(partial(refuse, "no such weights"), QUICK)
