from __future__ import annotations

import io
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from service.evidence.masked_version import EvidenceMask
from service.evidence.masking import PERSONS, VEHICLES, mask_people
from vision.detect.detections import Detections
from vision.detect.registry import load_registry
from vision.evidence.clip import encode_pictures
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


@pytest.mark.parametrize(
    ("car", "heap", "heap_box", "masked"),
    [
        (0.3, 0.9, (102, 42, 178, 198), False),
        (0.6, 0.9, (102, 42, 178, 198), True),
        (0.3, 0.9, (100, 150, 180, 200), True),
    ],
    ids=["surely a heap", "perhaps a car", "a heap before a car"],
)
def test_what_is_surely_something_else_is_not_hidden_as_a_vehicle(
    car: float, heap: float, heap_box: tuple[float, float, float, float], masked: bool
) -> None:
    image = noise()
    found = Detections(
        xyxy=np.array([(100, 40, 180, 200), heap_box], np.float32),
        confidence=np.array([car, heap], np.float32),
        class_id=np.array([NAMES.index("car"), NAMES.index("debris_pile")], np.int64),
        names=NAMES,
    )
    assert np.array_equal(mask_people(image, found), image) is not masked


def test_every_class_with_a_head_or_a_plate_is_masked() -> None:
    with_neither = {
        *("bicycle", "street_stall", "debris_pile", "overflow_bin", "bin"),
        *("hoarding", "bare_soil", "construction_dust", "smoke", "crane", "traffic_cone"),
    }
    detectors = [one for one in load_registry(None).models.values() if one.task == "detect"]
    assert {name for one in detectors for name in one.classes} <= PERSONS | VEHICLES | with_neither


def test_boxes_beyond_the_picture_and_without_size_do_no_harm() -> None:
    image = noise()
    for box in ((-50, -50, 400, 400), (400, 10, 500, 90), (10, 10, 10, 10)):
        mask_people(image, seen("person", box))


def test_of_a_picture_there_is_a_masked_version() -> None:
    ok, data = cv2.imencode(".jpg", noise())
    assert ok
    mask = EvidenceMask(lambda _: seen("person", (100, 40, 180, 200)))
    masked = mask(data.tobytes(), "image/jpeg")
    assert masked is not None
    decoded = cv2.imdecode(np.frombuffer(masked, np.uint8), cv2.IMREAD_COLOR)
    assert not legible(decoded.astype(np.uint8), slice(44, 80), slice(110, 170))
    assert mask(data.tobytes(), "video/mp4") is None
    assert mask(b"no picture", "image/jpeg") is None
    assert mask(data.tobytes(), "image/png") is None


@pytest.mark.parametrize("rate", [2, 25])
def test_every_picture_of_a_clip_is_masked_where_someone_walks(tmp_path: Path, rate: int) -> None:
    """A person walks to the right, 6 px a picture at 25 pictures a second."""
    count = 4 * rate + 3
    step = 150 / count

    def box(number: int) -> tuple[float, float, float, float]:
        return (20 + step * number, 40, 100 + step * number, 200)

    clip = tmp_path / "clip.mp4"
    encode_pictures((noise() for _ in range(count)), clip, rate=rate, size=(320, 240))
    looked: list[int] = []
    clock = iter(numbers_looked_at(count, rate))

    def detect(_: Image) -> Detections:
        looked.append(next(clock))
        return seen("person", box(looked[-1]))

    masked = EvidenceMask(detect)(clip.read_bytes(), "video/mp4")
    assert masked is not None
    assert len(looked) <= 5 * count / rate + 2
    with av.open(io.BytesIO(masked)) as container:
        assert container.streams.video[0].average_rate == rate
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(pictures) == count
    for number, picture in enumerate(pictures):
        left = round(box(number)[0])
        assert not legible(picture, slice(50, 85), slice(left + 15, left + 65)), number
        assert picture[205:235].std() > 30, "what is nobody stays"


def numbers_looked_at(count: int, rate: int) -> list[int]:
    """At least five in a second, and the last."""
    every = -(-rate // 5)
    numbers = list(range(0, count, every))
    return numbers if numbers[-1] == count - 1 else [*numbers, count - 1]
