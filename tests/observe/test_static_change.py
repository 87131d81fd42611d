"""Scripted pixels: what is put down is proposed, what light and traffic do is not."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.frames.frame import Image
from vision.frames.standing import Mask, StandingPicture
from vision.observe.boxes import iou
from vision.observe.static_change import StaticChange

WIDTH, HEIGHT = 400, 260


def paved(seed: int = 0) -> Image:
    """A pavement of slabs with stains, a wall above it, in colour."""
    random = np.random.default_rng(seed)
    slabs = random.integers(95, 150, (14, 21, 1)) + random.integers(-8, 8, (14, 21, 3))
    picture = cv2.resize(
        slabs.astype(np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST
    ).astype(np.float32)
    picture[:60] = (120, 140, 170)
    grain = cv2.GaussianBlur(random.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 2)
    return np.clip(picture + 14 * grain[..., None], 0, 255).astype(np.uint8)


GROUND = paved()


def with_bag(picture: Image, x: int = 200, y: int = 170, side: int = 26) -> Image:
    """A dark bag with a light strap."""
    changed = picture.copy()
    cv2.ellipse(changed, (x, y), (side // 2, side // 2), 0, 0, 360, (40, 30, 25), -1)
    cv2.line(changed, (x - side // 4, y - 4), (x + side // 4, y + 3), (150, 150, 160), 3)
    return changed


def box_of(x: int, y: int, side: int = 26) -> tuple[float, float, float, float]:
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def in_other_light(picture: Image, factor: float, soft: float = 4.0) -> Image:
    """A patch darker (a shadow) or brighter (a lamp)."""
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.ellipse(mask, (200, 170), (38, 26), 20, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), soft)[..., None]
    return np.clip(picture * (1 + (factor - 1) * mask), 0, 255).astype(np.uint8)


class Street:
    """A view with its standing picture and its nameless things."""

    def __init__(self) -> None:
        self.picture, self.change = StandingPicture(), StaticChange()
        self.time_s, self.every_s = 0.0, 2.0

    def see(self, picture: Image, looks: int = 1, passing: Mask | None = None) -> list[int]:
        """Look at a picture some times under sensor noise; how many things were seen each time."""
        seen = []
        nowhere = np.zeros((HEIGHT, WIDTH), np.bool_)
        passing = nowhere if passing is None else passing
        for _ in range(looks):
            noise = np.random.default_rng(int(2 * self.time_s)).normal(0, 2.5, picture.shape)
            noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
            kept = self.change.kept((HEIGHT, WIDTH))
            smooth = np.asarray(cv2.blur(noisy, (3, 3)), dtype=np.uint8)
            self.picture.update(smooth, noisy, self.time_s, passing, passing | kept)
            self.change.update(self.picture, self.time_s, passing, passing, passing)
            seen.append(sum(thing.seen for thing in self.change.things))
            self.time_s += self.every_s
        return seen


@settings(max_examples=8, deadline=None)
@given(x=st.integers(30, 370), y=st.integers(80, 240), side=st.integers(16, 60))
def test_a_bag_is_found_wherever_it_is_left(x, y, side):
    street = Street()
    street.see(GROUND, 4)
    street.see(with_bag(GROUND, x, y, side), 6)
    (thing,) = street.change.things
    clipped = np.clip(box_of(x, y, side), 0, (WIDTH, HEIGHT, WIDTH, HEIGHT)).tolist()
    assert iou(tuple(map(float, thing.box)), tuple(clipped)) > 0.6
    assert 0.3 < thing.confidence <= 0.7


@pytest.mark.parametrize(
    "picture",
    [
        in_other_light(GROUND, 0.55),
        in_other_light(GROUND, 0.55, soft=1.0),
        in_other_light(GROUND, 1.5),
        in_other_light(GROUND, 0.7, soft=10.0),
        np.clip(GROUND * 0.6, 0, 255).astype(np.uint8),
    ],
    ids=["shadow", "hard shadow", "lamp", "soft shadow", "dusk"],
)
def test_light_is_no_thing(picture):
    street = Street()
    street.see(GROUND, 4)
    assert not any(street.see(picture, 15))
    assert not any(street.see(GROUND, 15))


def test_headlights_on_a_wet_road_are_no_thing():
    street = Street()
    street.see(GROUND, 4)
    beam = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.ellipse(beam, (200, 180), (70, 18), 0, 0, 360, 90.0, -1)
    glare = cv2.GaussianBlur(beam, (0, 0), 7)[..., None]
    lit = np.clip(GROUND + glare, 0, 255).astype(np.uint8)
    assert not any(street.see(lit, 15))


def test_what_is_taken_away_uncovers_ground_and_no_thing():
    street = Street()
    street.see(with_bag(GROUND), 10)
    assert not street.change.things
    assert not any(street.see(GROUND, 10))
    assert not street.picture.fresh.any()
    street.see(with_bag(GROUND), 6)
    assert len(street.change.things) == 1


def test_a_swaying_tree_is_no_thing():
    street = Street()
    random = np.random.default_rng(4)
    for _ in range(30):
        swaying = GROUND.copy()
        for x, y in random.integers((170, 90), (230, 150), (60, 2)):
            cv2.circle(swaying, (int(x), int(y)), 5, (30, int(random.integers(60, 120)), 40), -1)
        assert not any(street.see(swaying))


def test_a_thing_ends_when_it_is_gone_and_not_when_it_is_hidden():
    street = Street()
    street.see(GROUND, 4)
    street.see(with_bag(GROUND), 6)
    bus = GROUND.copy()
    bus[60:240, 100:300] = (20, 90, 200)
    passing = np.zeros((HEIGHT, WIDTH), np.bool_)
    passing[60:240, 100:300] = True
    assert street.see(bus, 8, passing) == [0] * 8
    assert street.see(with_bag(GROUND), 2) == [1, 1]
    street.see(GROUND, 3)
    assert not street.change.things
    assert not any(street.see(GROUND, 10))


def test_a_thing_is_not_taken_into_the_ground_while_it_stands():
    street = Street()
    street.see(GROUND, 4)
    street.see(with_bag(GROUND), 6)
    street.time_s += 10 * street.picture.settings.take_in_s
    assert street.see(with_bag(GROUND), 5) == [1] * 5


def test_a_thing_outlasts_the_evening():
    street = Street()
    street.see(GROUND, 4)
    street.see(with_bag(GROUND), 6)
    for i in range(30):
        dusk = np.clip(with_bag(GROUND) * (1 - 0.016 * i), 0, 255).astype(np.uint8)
        assert street.see(dusk) == [1]


def test_who_walks_before_a_thing_for_a_moment_does_not_end_it_however_often_one_looks():
    street = Street()
    street.see(GROUND, 4)
    street.see(with_bag(GROUND), 6)
    street.every_s = 0.5
    hidden = GROUND.copy()
    hidden[120:220, 180:220] = (60, 90, 200)
    street.see(hidden, 6)
    assert street.see(with_bag(GROUND)) == [1]


def test_what_comes_to_stand_beside_a_thing_is_another_thing():
    street = Street()
    street.see(GROUND, 4)
    street.see(with_bag(GROUND), 12)
    (bag,) = street.change.things
    street.see(with_bag(with_bag(GROUND), x=224), 6)
    assert next(thing.box for thing in street.change.things) == bag.box
    assert len(street.change.things) == 2


def test_things_of_odd_size_and_shape_are_left_out():
    street = Street()
    street.see(GROUND, 4)
    odd = GROUND.copy()
    odd[100:104, 20:380] = (20, 20, 20)
    odd[120:124, 50:54] = (20, 20, 20)
    odd[140:250, 20:380] = np.random.default_rng(2).integers(0, 255, (110, 360, 1))
    assert not any(street.see(odd, 10))


@pytest.mark.parametrize("cut", [3, 7, 9, 14])
def test_restored_things_go_on_exactly_the_same(cut):
    pictures = [GROUND] * 4 + [with_bag(GROUND)] * 8 + [GROUND] * 6
    whole = Street()
    expected = [whole.see(picture)[0] for picture in pictures]
    first, second = Street(), Street()
    for picture in pictures[:cut]:
        first.see(picture)
    file = io.BytesIO()
    np.savez(file, **first.change.state())
    file.seek(0)
    second.change.restore(np.load(file))
    second.picture.restore(first.picture.state())
    second.time_s = first.time_s
    assert [second.see(picture)[0] for picture in pictures[cut:]] == expected[cut:]
    assert expected[8:12] == [1] * 4
