from __future__ import annotations

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from vision.evidence.onset import onset_by_looks
from vision.frames.frame import Frame, Rung

BOX = (120.0, 80.0, 150.0, 104.0)


def street(time_s: float, *, came_s: float, hidden: tuple[float, ...] = ()) -> Frame:
    """A look at a street on which a bag is left; somebody stands before it now and then."""
    random = np.random.default_rng(3)
    grey = cv2.resize(random.integers(80, 150, (18, 32), dtype=np.uint8), (320, 180))
    image = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    if time_s >= came_s:
        cv2.ellipse(image, (135, 92), (14, 11), 0, 0, 360, (25, 30, 20), -1)
        cv2.line(image, (126, 88), (144, 96), (180, 180, 170), 3)
    if time_s in hidden:
        cv2.rectangle(image, (110, 20), (160, 120), (200, 120, 40), -1)
    noise = np.random.default_rng(int(time_s)).normal(0, 3, image.shape)
    image = np.clip(image * (1 - 0.002 * time_s) + noise, 0, 255).astype(np.uint8)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    return Frame(
        camera_id="cam",
        time_s=time_s,
        timestamp=start + timedelta(seconds=time_s),
        pts=None,
        luma=image[..., 0],
        width=320,
        height=180,
        rung=Rung.STILL,
        render=lambda: image,
    )


def onset(came_s: float, hidden: tuple[float, ...] = ()) -> float:
    earlier_s = [float(time_s) for time_s in range(38, -1, -2)]
    return onset_by_looks(
        lambda time_s: street(time_s, came_s=came_s, hidden=hidden), earlier_s, BOX, 40.0
    )


def test_a_nameless_thing_has_been_there_since_the_first_look_that_shows_it():
    assert onset(23.0) == 24.0
    assert onset(39.0) == 40.0
    assert onset(-1.0) == 0.0


def test_passers_by_do_not_make_it_younger():
    assert onset(23.0, hidden=(28.0, 34.0, 36.0)) == 24.0


def test_when_it_is_long_hidden_nothing_is_said_of_the_time_before():
    assert onset(3.0, hidden=(28.0, 30.0, 32.0, 34.0)) == 36.0
