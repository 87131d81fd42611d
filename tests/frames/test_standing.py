from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from drawn_street import brightened, street, with_traffic

from vision.frames.frame import Image, Luma
from vision.frames.standing import StandingPicture

STREET = cv2.resize(street(), (360, 240), interpolation=cv2.INTER_AREA)
NOWHERE = np.zeros(STREET.shape, np.bool_)
BAG = np.s_[170:194, 120:146]


def pictured(grey: Luma, seed: int = 0, noise: float = 2.5) -> Image:
    """A colour picture of a grey street, with sensor noise."""
    random = np.random.default_rng(seed)
    noisy = grey[..., None] + random.normal(0, noise, (*grey.shape, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def with_bag(grey: Luma) -> Luma:
    picture = grey.copy()
    picture[BAG] = np.clip(20 + 15 * np.sin(np.arange(26) / 3), 0, 255).astype(np.uint8)
    return picture


def see(standing: StandingPicture, picture: Image, time_s: float, passing, named) -> None:
    """One look, compared as small as it is shown."""
    standing.update(cv2.blur(picture, (3, 3)), picture, time_s, passing, named)


def look_at(standing: StandingPicture, greys: list[Luma], start_s: float, every_s: float = 2.0):
    for i, grey in enumerate(greys):
        time_s = start_s + i * every_s
        see(standing, pictured(grey, int(time_s)), time_s, NOWHERE, NOWHERE)


def busy(seed: int) -> Luma:
    traffic = with_traffic(cv2.resize(STREET, (720, 480)), seed, share=0.15)
    return cv2.resize(traffic, (360, 240), interpolation=cv2.INTER_AREA)


def distance(a: Image, grey: Luma) -> float:
    """Share of the picture that is clearly unlike the street."""
    return float((np.abs(a.astype(int) - grey[..., None]).max(axis=2) > 30).mean())


def test_passing_traffic_leaves_no_trace():
    standing = StandingPicture()
    look_at(standing, [busy(seed) for seed in range(30)], 0.0)
    empty = cv2.resize(cv2.resize(STREET, (720, 480)), (360, 240), interpolation=cv2.INTER_AREA)
    assert distance(busy(3)[..., None].repeat(3, axis=2), empty) > 0.05
    assert distance(standing.picture, empty) < 0.005
    assert standing.fresh.mean() < 0.01


def test_a_crowd_known_to_pass_hides_nothing_even_if_it_is_there_most_of_the_time():
    """Four of five looks show the crowd, which always stands in the same place."""
    standing = StandingPicture()
    crowd = np.zeros(STREET.shape, np.bool_)
    crowd[150:220, 100:300] = True
    random = np.random.default_rng(1)
    for i in range(40):
        grey = with_bag(STREET) if i > 5 else STREET
        here = crowd if i % 5 else NOWHERE
        crowded = np.where(here, random.integers(0, 255, grey.shape), grey).astype(np.uint8)
        see(standing, pictured(crowded, i), 2.0 * i, here, here)
    assert distance(standing.picture, with_bag(STREET)) < 0.002


def test_what_is_put_down_stands_in_the_picture_and_is_fresh():
    standing = StandingPicture()
    look_at(standing, [STREET] * 5, 0.0)
    look_at(standing, [with_bag(STREET)] * 2, 10.0)
    assert not standing.fresh.any()
    look_at(standing, [with_bag(STREET)] * 2, 14.0)
    assert standing.fresh[BAG].mean() > 0.8
    outside = standing.fresh.copy()
    outside[165:199, 115:151] = False
    assert not outside.any()
    assert distance(standing.picture, with_bag(STREET)) < 0.002


@pytest.mark.parametrize("every_s", [0.5, 2.0, 10.0])
def test_standing_is_a_matter_of_seconds_and_of_some_looks(every_s):
    standing = StandingPicture()
    look_at(standing, [STREET] * 5, 0.0, every_s)
    start_s = 5 * every_s
    for i in range(20):
        time_s = start_s + i * every_s
        see(standing, pictured(with_bag(STREET), i), time_s, NOWHERE, NOWHERE)
        if standing.fresh[BAG].mean() > 0.5:
            break
    assert i + 1 >= standing.settings.stand_looks
    assert time_s - start_s >= standing.settings.stand_s
    assert time_s - start_s <= max(standing.settings.stand_s + every_s, 2 * every_s)


def test_who_walks_through_the_first_look_is_not_taken_for_the_ground():
    standing = StandingPicture()
    look_at(standing, [with_bag(STREET)], 0.0)
    look_at(standing, [STREET] * 6, 2.0)
    assert not standing.fresh.any()
    assert distance(standing.ground, cv2.blur(STREET, (3, 3))) < 0.001


@pytest.mark.parametrize(
    "light",
    [
        [brightened(STREET, 1 - 0.02 * i) for i in range(25)],
        [brightened(STREET, 0.7)] * 10,
        [brightened(STREET, 1.0, 12)] * 10,
        [np.roll(STREET, i % 2, axis=1) for i in range(10)],
    ],
    ids=["dusk", "exposure", "veil", "shake"],
)
def test_light_and_shake_are_followed(light):
    standing = StandingPicture()
    look_at(standing, [STREET] * 5, 0.0)
    look_at(standing, light, 10.0)
    assert standing.steady
    assert standing.fresh.mean() < 0.002


def test_infra_red_is_another_light_until_it_has_lasted():
    standing = StandingPicture()
    infra_red = np.clip(255 - STREET.astype(int) * 0.8, 0, 255).astype(np.uint8)
    look_at(standing, [STREET] * 5, 0.0)
    look_at(standing, [infra_red] * 3, 10.0)
    assert not standing.steady
    assert not standing.fresh.any()
    look_at(standing, [infra_red] * 10, 16.0)
    assert standing.steady
    assert not standing.fresh.any()
    look_at(standing, [with_bag(infra_red)] * 5, 40.0)
    assert standing.fresh[BAG].mean() > 0.8


def test_what_stands_for_long_is_taken_into_the_ground():
    standing = StandingPicture()
    look_at(standing, [STREET] * 5, 0.0)
    look_at(standing, [with_bag(STREET)] * 20, 10.0)
    assert standing.fresh[BAG].any()
    look_at(standing, [with_bag(STREET)] * 4, 10.0 + standing.settings.take_in_s)
    assert not standing.fresh.any()


def test_the_ground_is_not_learnt_where_something_is_known_by_name():
    standing = StandingPicture()
    named = NOWHERE.copy()
    named[160:200, 110:156] = True
    for i in range(40):
        see(standing, pictured(with_bag(STREET), i), 20.0 * i, NOWHERE, named)
    assert not standing.known[BAG].any()
    look_at(standing, [STREET] * 5, 900.0)
    assert standing.known[BAG].all()
    assert not standing.fresh.any()


def test_another_size_begins_anew():
    standing = StandingPicture()
    look_at(standing, [STREET] * 5, 0.0)
    half = cv2.resize(STREET, (180, 120))
    nowhere = np.zeros(half.shape, np.bool_)
    see(standing, pictured(half), 12.0, nowhere, nowhere)
    assert standing.looks == 1
    assert standing.picture.shape == (120, 180, 3)


@pytest.mark.parametrize("cut", [0, 1, 4, 7, 12, 19])
def test_a_restored_picture_goes_on_exactly_the_same(cut):
    greys = [STREET] * 4 + [busy(2), busy(3), busy(4)] + [with_bag(busy(9))] * 6 + [busy(5)] * 7
    whole, first, second = StandingPicture(), StandingPicture(), StandingPicture()
    look_at(whole, greys, 0.0)
    look_at(first, greys[:cut], 0.0)
    file = io.BytesIO()
    np.savez(file, **first.state())
    file.seek(0)
    second.restore(np.load(file))
    look_at(second, greys[cut:], 2.0 * cut)
    assert whole.state().keys() == second.state().keys()
    for name, value in whole.state().items():
        assert np.array_equal(value, second.state()[name]), name
