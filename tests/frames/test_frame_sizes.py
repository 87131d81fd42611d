"""A frame is rendered no larger than who looks at it makes use of."""

from __future__ import annotations

from datetime import UTC, datetime

import av
import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame

from vision.detect.letterbox import letterbox, placement
from vision.frames.decode import to_bgr, to_grey, to_size
from vision.frames.frame import Frame, Image, Rung, fitted_size, small_size


def picture(width: int, height: int) -> Image:
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (9, 16, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


class Rendered:
    """A frame that notes what was made of it."""

    def __init__(self, width: int, height: int, at_sizes: bool = True) -> None:
        self.made: list[tuple[int, int]] = []
        image = picture(width, height)

        def whole() -> Image:
            self.made.append((width, height))
            return image

        def at(width: int, height: int) -> Image:
            self.made.append((width, height))
            return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))

        self.frame = Frame(
            camera_id="cam",
            time_s=0.0,
            timestamp=datetime(2026, 1, 1, tzinfo=UTC),
            pts=None,
            luma=np.zeros((1, 1), np.uint8),
            width=width,
            height=height,
            rung=Rung.KEYFRAME,
            render=whole,
            render_at=at if at_sizes else None,
        )


def test_detector_and_standing_picture_share_one_picture_of_a_wide_frame():
    one = Rendered(1920, 1080)
    assert one.frame.fitted(640) is one.frame.small
    assert one.made == [(640, 360)]


def test_another_input_size_gets_its_own_picture():
    one = Rendered(1920, 1080)
    assert one.frame.fitted(544).shape == (306, 544, 3)
    assert one.frame.small.shape == (360, 640, 3)
    assert one.made == [(544, 306), (640, 360)]


def test_an_upright_frame_is_fitted_by_its_height():
    one = Rendered(1080, 1920)
    assert one.frame.fitted(640).shape == (640, 360, 3)
    assert one.made == [(360, 640)]


def test_a_frame_is_never_enlarged():
    one = Rendered(320, 180)
    assert one.frame.fitted(640) is one.frame.image


def test_without_a_cheaper_way_the_whole_picture_is_given():
    one = Rendered(1920, 1080, at_sizes=False)
    assert one.frame.fitted(544) is one.frame.image


@pytest.mark.parametrize("size", [(1920, 1080), (2560, 1440), (1080, 1920), (704, 576), (641, 37)])
@pytest.mark.parametrize("side", [544, 640])
def test_a_fitted_picture_needs_no_further_scaling(size, side):
    """So the network's input is the picture itself, with its padding."""
    place = placement(*size, side, 32)
    assert fitted_size(*size, side) == (place.resized_width, place.resized_height)


def test_boxes_of_a_fitted_picture_are_in_pixels_of_its_frame():
    image = picture(1920, 1080)
    small = np.asarray(cv2.resize(image, fitted_size(1920, 1080, 640)))
    _, of_small = letterbox(small, 640, 32, (1920, 1080))
    _, of_whole = letterbox(image, 640, 32)
    assert of_small == of_whole


def decoded(width: int, height: int, form: str) -> VideoFrame:
    return av.VideoFrame.from_ndarray(picture(width, height), format="bgr24").reformat(format=form)


@pytest.mark.parametrize("form", ["yuv420p", "yuvj420p", "nv12", "yuv444p", "gray", "yuv420p10le"])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_grey_is_the_brightness_of_the_picture_up_to_scale_and_offset(form, degrees):
    raw = decoded(250, 130, form)
    grey = to_grey(raw, degrees)
    whole = cv2.cvtColor(to_bgr(raw, degrees), cv2.COLOR_BGR2GRAY)
    assert grey.shape == whole.shape
    assert np.corrcoef(grey.ravel(), whole.ravel())[0, 1] > 0.995


def test_grey_is_not_copied_where_it_is_a_plane_of_its_own():
    raw = decoded(256, 128, "yuv420p")
    assert not to_grey(raw, 0).flags.owndata
    assert np.shares_memory(to_grey(raw, 0), to_grey(raw, 0))


@pytest.mark.parametrize("degrees", [0, 90])
def test_a_picture_scaled_while_it_is_converted_shows_the_same(degrees):
    raw = decoded(1280, 720, "yuv420p")
    whole = to_bgr(raw, degrees)
    width, height = small_size(whole.shape[1], whole.shape[0])
    scaled = to_size(raw, degrees, width, height)
    expected = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    assert scaled.shape == expected.shape
    assert np.abs(scaled.astype(int) - expected).mean() < 2
