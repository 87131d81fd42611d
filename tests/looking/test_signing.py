"""Signatures are taken of what stands, seldom, and tell things apart in drawn pictures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from scripted import at, every, frame, look, seen

from vision.looking.signing import Signing, light_of, signature
from vision.observe.appearance import OTHER_DISTANCE, SAME_DISTANCE, Light, distance
from vision.observe.look import Look
from vision.observe.memory import SightingMemory
from vision.observe.sighting import Sighting

SPOT = at(500, 500)
ROAD = np.random.default_rng(0).normal((70, 95, 130), 6, (800, 1000, 3)).clip(0, 255)


def street(thing: int, gain: float = 1.0, grey: bool = False) -> np.ndarray:
    """A picture with a thing of its own pattern at the spot."""
    image = ROAD.astype(np.uint8).copy()
    x1, y1, x2, y2 = (int(edge) for edge in SPOT)
    random = np.random.default_rng([7, thing])
    for _ in range(8):
        ends = random.integers((x1, y1), (x2, y2), (2, 2)).tolist()
        cv2.line(image, ends[0], ends[1], random.integers(0, 256, 3).tolist(), 6)
    image = (image * gain).clip(0, 255).astype(np.uint8)
    if grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return image


def watch(looks: Sequence[Look], thing_at) -> tuple[list[Look], list[tuple[Sighting, ...]]]:
    """Sign and remember looks of a street on which other things stand at other times."""
    signing, memory = Signing(), SightingMemory()
    sightings: tuple[Sighting, ...] = ()
    signed, history = [], []
    for one in looks:
        picture = frame(street(thing_at(one.time_s)), one.time_s)
        found = signing.sign(one.detections, picture, sightings)
        signed.append(
            Look(
                one.camera_id,
                one.time_s,
                one.timestamp,
                one.frame_size,
                one.health,
                one.pose,
                one.inspected,
                found,
            )
        )
        sightings = memory.update(signed[-1])
        history.append(sightings)
    return signed, history


def is_signed(one: Look) -> bool:
    return bool(one.detections.appearance.any())


def test_a_parked_car_is_signed_often_at_first_and_seldom_later():
    signed, _ = watch([look(t, seen("car", SPOT)) for t in every(2, 0, 1800)], lambda _: 1)
    times = [one.time_s for one in signed if is_signed(one)]
    assert times[0] == 0
    assert 8 <= len(times) <= 25
    assert all(later - earlier >= 0.25 * earlier for earlier, later in pairwise(times))


def test_people_and_flat_things_are_never_signed():
    looks = [look(t, seen("person", SPOT), seen("hoarding", SPOT)) for t in every(2, 0, 20)]
    signed, _ = watch(looks, lambda _: 1)
    assert not any(map(is_signed, signed))


def test_a_car_that_took_the_bay_in_an_offline_hour_is_found_out():
    times = [*every(2, 0, 60), *every(2, 3660, 3720)]
    looks = [look(t, seen("car", SPOT)) for t in times]
    _, history = watch(looks, lambda t: 1 if t < 3600 else 2)
    assert history[-1][0].first_seen_s == 3660
    _, history = watch(looks, lambda _: 1)
    assert history[-1][0].first_seen_s == 0


def test_light_alters_a_signature_little_and_another_thing_much():
    one = signature(frame(street(1)).grey, SPOT, Light.DAY)
    dim = signature(frame(street(1, gain=0.6)).grey, SPOT, Light.DAY)
    other = signature(frame(street(2)).grey, SPOT, Light.DAY)
    assert distance(one, dim) < SAME_DISTANCE
    assert distance(one, other) > OTHER_DISTANCE


def test_the_light_of_a_picture_is_told():
    assert light_of(street(1)) is Light.DAY
    assert light_of(street(1, gain=0.3)) is Light.DARK
    assert light_of(street(1, grey=True)) is Light.GREY


def test_what_is_outside_the_picture_has_no_signature():
    assert signature(frame(street(1)).grey, (-50, 0, 4, 80), Light.DAY) is None
