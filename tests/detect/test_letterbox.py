from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from untrained import draw_picture

from vision.detect.letterbox import PAD_GREY, letterbox, placement, to_tensor

SIDES = st.integers(1, 5000)


def test_1080p_takes_a_rectangle_instead_of_a_square():
    place = placement(1920, 1080, 640, 32)
    assert (place.canvas_width, place.canvas_height) == (640, 384)
    assert (place.resized_width, place.resized_height, place.pad_x, place.pad_y) == (
        640,
        360,
        0,
        12,
    )


@given(SIDES, SIDES, st.sampled_from([320, 640, 1280]))
def test_canvas_is_the_smallest_multiple_of_the_stride(width, height, input_size):
    place = placement(width, height, input_size, 32)
    assert max(place.canvas_width, place.canvas_height) == input_size
    for canvas, resized in (
        (place.canvas_width, place.resized_width),
        (place.canvas_height, place.resized_height),
    ):
        assert canvas % 32 == 0
        assert 0 <= canvas - resized < 32


@given(SIDES, SIDES, st.tuples(*[st.floats(0, 1)] * 4))
def test_boxes_come_back_to_where_they_were(width, height, fractions):
    place = placement(width, height, 640, 32)
    box = np.array([fractions], np.float32) * np.array([width, height] * 2, np.float32)
    assert np.abs(place.to_source(place.to_canvas(box)) - box).max() < 1


@given(SIDES, SIDES)
def test_boxes_are_clipped_to_the_picture(width, height):
    place = placement(width, height, 640, 32)
    box = place.to_source(np.array([[-900, -900, 9000, 9000]], np.float32))
    assert box.tolist() == [[0, 0, width, height]]


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 900), st.integers(2, 900), st.integers(0, 3))
def test_canvas_is_that_of_ultralytics(width, height, seed):
    from vision.detect import ultralytics_setup

    ultralytics_setup.prepare()
    from ultralytics.data.augment import LetterBox

    image = draw_picture(width, height, seed)
    canvas, _ = letterbox(image, 320, 32)
    assert np.array_equal(canvas, LetterBox(320, auto=True, stride=32)(image=image))


def test_padding_is_grey_and_the_picture_is_not_kept():
    image = np.zeros((100, 640, 3), np.uint8)
    canvas, place = letterbox(image, 640, 32)
    image[:] = 255
    assert (canvas[: place.pad_y] == PAD_GREY).all()
    assert (canvas[place.pad_y : place.pad_y + 100] == 0).all()
    assert (canvas[place.pad_y + 100 :] == PAD_GREY).all()


def test_a_window_into_a_picture_will_do():
    image = draw_picture(800, 600, 1)
    window = image[100:400, 50:650]
    assert np.array_equal(letterbox(window, 320, 32)[0], letterbox(window.copy(), 320, 32)[0])


def test_tensor_is_rgb_planes_in_0_to_1():
    canvas = np.zeros((32, 64, 3), np.uint8)
    canvas[..., 0] = 255
    tensor = to_tensor(canvas)
    assert tensor.shape == (1, 3, 32, 64)
    assert tensor.dtype == np.float32
    assert (tensor[0, 2] == 1).all()
    assert not tensor[0, :2].any()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
    ],
)
def test_what_is_no_bgr_picture_is_refused(image):
    with pytest.raises(ValueError, match="BGR uint8"):
        letterbox(image, 640, 32)
