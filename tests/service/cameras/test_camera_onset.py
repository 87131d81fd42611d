from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from live_street import picture

from service.cameras.onset import Onsets, OnsetSettings
from vision.frames.frame import Luma

SETTINGS = OnsetSettings(least_s=3.0, share=0.01)


def luma(time_s: float, *, heap: bool = False, passer: int | None = None) -> Luma:
    """The place at a time, with a heap, or someone who passes ``passer`` pixels from the left."""
    grey = np.asarray(cv2.cvtColor(picture(time_s, heap=heap), cv2.COLOR_BGR2GRAY), np.uint8)
    if passer is not None:
        grey[60:150, passer : passer + 30] = 20
    return grey


class Street:
    """Keyframes every 2 s, up to one at which a look is due; a heap comes, or goes, in between."""

    def __init__(self, came_s: float, gone_s: float = 1e9, passers: bool = False) -> None:
        self.decoded_s: list[float] = []
        self._came_s, self._gone_s, self._passers = came_s, gone_s, passers

    def at(self, time_s: float) -> Luma:
        passer = int(20 + 17.5 * time_s) % 120 if self._passers else None
        return luma(time_s, heap=self._came_s <= time_s < self._gone_s, passer=passer)

    def earlier(self, newest_s: float, looked_s: float) -> Iterator[tuple[float, Luma]]:
        for time_s in np.arange(newest_s - 2.0, looked_s, -2.0).tolist():
            self.decoded_s.append(time_s)
            yield time_s, self.at(time_s)

    def first_s(self, newest_s: float = 30.0, looked_s: float = 20.0) -> float | None:
        onsets = Onsets(SETTINGS)
        for time_s in (looked_s - 20.0, looked_s - 10.0, looked_s):
            onsets.looked(self.at(time_s))
        return onsets.first_s(self.at(newest_s), newest_s, self.earlier(newest_s, looked_s))


def test_where_nothing_but_noise_changes_the_newest_is_looked_at_and_nothing_else_decoded() -> None:
    street = Street(came_s=1e9)
    assert street.first_s() is None
    assert street.decoded_s == []


@pytest.mark.parametrize("came_s", [20.5, 22.0, 23.0, 25.9])
def test_what_came_is_looked_at_as_it_was_in_the_first_picture_that_shows_it(came_s: float) -> None:
    street = Street(came_s)
    first_s = 2.0 * np.ceil(came_s / 2.0)
    assert street.first_s() == first_s
    assert min(street.decoded_s) == max(22.0, first_s - 2.0), "no further back than needed"


def test_what_went_is_followed_back_too() -> None:
    assert Street(came_s=-1.0, gone_s=23.0).first_s() == 24.0


def test_what_came_just_now_may_pass_and_is_looked_at_in_the_newest() -> None:
    assert Street(came_s=27.5).first_s() is None
    assert Street(came_s=29.0).first_s() is None


def test_whoever_passes_is_not_followed_and_neither_is_the_ground_they_hid() -> None:
    passers = Street(came_s=1e9, passers=True)
    assert passers.first_s() is None
    assert passers.decoded_s == [28.0]
    assert Street(came_s=23.0, passers=True).first_s() == 24.0


def test_where_all_the_light_has_changed_the_newest_is_looked_at() -> None:
    onsets = Onsets(SETTINGS)
    onsets.looked(luma(0.0))
    bright = np.clip(luma(10.0, heap=True).astype(int) * 3, 0, 255).astype(np.uint8)
    assert onsets.first_s(bright, 10.0, iter([(4.0, bright)])) is None


def test_another_size_of_picture_is_as_far_back_as_it_goes() -> None:
    onsets = Onsets(SETTINGS)
    onsets.looked(luma(0.0))
    now = luma(10.0, heap=True)
    small = np.asarray(cv2.resize(now, (160, 90)), np.uint8)
    assert onsets.first_s(now, 10.0, iter([(6.0, now), (4.0, small), (2.0, now)])) == 6.0


def test_before_the_first_look_there_is_nothing_to_compare_with() -> None:
    assert Onsets(SETTINGS).first_s(luma(10.0), 10.0, iter([(4.0, luma(4.0))])) is None


def test_following_back_costs_no_more_than_its_share() -> None:
    assert Onsets(SETTINGS).most_s(since_s=10.0) == pytest.approx((0.1, 0.3))
