from __future__ import annotations

import cv2
import numpy as np
import pytest

from service.evidence.masking import PictureMask, mask_people
from vision.detect.detections import Detections
from vision.frames.frame import Image

NAMES = ("person", "car", "debris_pile")


def noise() -> Image:
    return np.random.default_rng(3).integers(0, 255, (240, 320, 3)).astype(np.uint8)


def seen(name: str, box: tuple[float, float, float, float]) -> Detections:
    return Detections(
        xyxy=np.array([box], np.float32),
        confidence=np.array([0.9], np.float32),
        class_id=np.array([NAMES.index(name)], np.int64),
        names=NAMES,
    )


def legible(image: Image, y: slice, x: slice) -> bool:
    return float(image[y, x].std()) > 40


@pytest.mark.parametrize(
    ("name", "hidden", "shown"),
    [
        ("person", slice(42, 84), slice(120, 198)),
        ("car", slice(112, 198), slice(42, 90)),
        ("debris_pile", slice(0, 0), slice(42, 198)),
    ],
)
def test_heads_and_plates_are_hidden_and_the_rest_stays(
    name: str, hidden: slice, shown: slice
) -> None:
    image = noise()
    masked = mask_people(image, seen(name, (100, 40, 180, 200)))
    inside = slice(105, 175)
    assert hidden.start == hidden.stop or not legible(masked, hidden, inside)
    assert np.array_equal(masked[shown, inside], image[shown, inside])
    assert np.array_equal(masked[:, 200:], image[:, 200:])


def test_boxes_beyond_the_picture_and_without_size_do_no_harm() -> None:
    image = noise()
    for box in ((-50, -50, 400, 400), (400, 10, 500, 90), (10, 10, 10, 10)):
        mask_people(image, seen("person", box))


def test_of_a_picture_there_is_a_masked_version_and_of_a_clip_none() -> None:
    ok, data = cv2.imencode(".jpg", noise())
    assert ok
    mask = PictureMask(lambda _: seen("person", (100, 40, 180, 200)))
    masked = mask(data.tobytes(), "image/jpeg")
    assert masked is not None
    decoded = cv2.imdecode(np.frombuffer(masked, np.uint8), cv2.IMREAD_COLOR)
    assert not legible(decoded.astype(np.uint8), slice(44, 80), slice(110, 170))
    assert mask(data.tobytes(), "video/mp4") is None
    assert mask(b"no picture", "image/jpeg") is None
