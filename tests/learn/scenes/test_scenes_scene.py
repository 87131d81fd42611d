"""Scenes: repeatable, with boxes that fit what is drawn and events that fit the boxes."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from vision.learn.scenes import CLASS_NAMES, Scene, TruthBox, load_preset, preset_names
from vision.learn.scenes.camera import Camera
from vision.learn.scenes.model import Builder
from vision.learn.scenes.raster import Pose, Sun, rasterise
from vision.learn.scenes.scene import _Shown, paint_order
from vision.learn.scenes.stage import Actor
from vision.observe.sighting import Box
from vision.rules.kinds import KINDS
from vision.zones import Purpose

SIZE = (640, 360)


@cache
def scene(name: str, seed: int = 3) -> Scene:
    return Scene(load_preset(name), seed, SIZE)


def overlap(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return both / (sum(areas) - both)


def of_class(boxes: list[TruthBox], name: str) -> list[TruthBox]:
    return [b for b in boxes if b.class_name == name]


@pytest.mark.parametrize("name", ["street_demo", "site_demo"])
def test_preset_seed_and_time_fix_picture_and_truth(name: str) -> None:
    image, boxes = scene(name).frame(21.3)
    scene(name).frame(5.0)
    again, boxes_again = scene(name).frame(21.3)
    fresh, boxes_fresh = Scene(load_preset(name), 3, SIZE).frame(21.3)
    assert np.array_equal(image, again)
    assert np.array_equal(image, fresh)
    assert boxes == boxes_again == boxes_fresh


def test_another_seed_gives_another_scene() -> None:
    one, _ = scene("street_demo").frame(2.0)
    other, _ = scene("street_demo", 4).frame(2.0)
    assert np.abs(one.astype(int) - other).mean() > 5


@pytest.mark.parametrize("name", preset_names())
def test_boxes_lie_in_the_frame_and_bear_known_names(name: str) -> None:
    for time_s in (3.0, 30.0, 55.0):
        image, boxes = scene(name).frame(time_s)
        assert image.shape == (SIZE[1], SIZE[0], 3)
        assert image.dtype == np.uint8
        assert boxes
        ids = [b.thing_id for b in boxes]
        assert len(ids) == len(set(ids))
        for b in boxes:
            assert b.class_name in CLASS_NAMES
            assert 0 <= b.box[0] < b.box[2] <= SIZE[0]
            assert 0 <= b.box[1] < b.box[3] <= SIZE[1]
            assert 0 < b.visible <= 1


@pytest.mark.parametrize(("name", "time_s"), [("street_demo", 30.0), ("site_demo", 8.0)])
def test_boxes_are_tight_about_what_the_thing_adds_to_the_picture(name: str, time_s: float) -> None:
    image, boxes = scene(name).frame(time_s)
    checked = 0
    for b in boxes:
        large = min(b.box[2] - b.box[0], b.box[3] - b.box[1]) >= 16
        if not large or b.class_name in ("hoarding", "bare_soil", "construction_dust"):
            continue
        without, _ = scene(name).frame(time_s, without=frozenset({b.thing_id}))
        changed = np.abs(image.astype(int) - without).max(axis=2) > 10
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        drawn = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert drawn[0] >= b.box[0] - 3, b
        assert drawn[1] >= b.box[1] - 3, b
        assert drawn[2] <= b.box[2] + 3, b
        assert drawn[3] <= b.box[3] + 3, b
        assert overlap(drawn, b.box) > 0.7, b
        checked += 1
    assert checked >= 3


def test_a_hidden_share_is_told() -> None:
    _, boxes = scene("street_quiet").frame(20.0)
    cars = of_class(boxes, "car")
    assert any(b.visible < 0.85 for b in cars)
    assert any(b.visible == 1.0 for b in cars)


def test_the_street_demo_tells_its_story() -> None:
    street = scene("street_demo")
    events = {e.kind: e for e in street.events()}
    assert set(events) == {"abandoned_vehicle", "street_stall", "debris_pile"}
    assert (events["street_stall"].start_s, events["street_stall"].end_s) == (8, 50)
    assert (events["debris_pile"].start_s, events["debris_pile"].end_s) == (14, None)

    def seen(kind: str, times: list[float]) -> list[bool]:
        event = events[kind]
        found = []
        for time_s in times:
            boxes = street.frame(time_s)[1]
            found.append(
                any(b.thing_id == event.thing_id and overlap(b.box, event.box) > 0.5 for b in boxes)
            )
        return found

    assert not any(seen("street_stall", [0.5, 3.0, 56.0]))
    assert sum(seen("street_stall", [8.5, 20.0, 35.0, 49.5])) >= 3
    assert not any(seen("debris_pile", [5.0, 13.9]))
    assert sum(seen("debris_pile", [20.0, 30.0, 45.0, 59.0])) >= 3
    assert sum(seen("abandoned_vehicle", [1.0, 20.0, 40.0, 59.0])) >= 3


def test_the_site_demo_tells_its_story() -> None:
    site = scene("site_demo")
    events = {e.kind: e for e in site.events()}
    assert set(events) == {"hoarding_missing", "construction_dust"}
    gap, dust = events["hoarding_missing"], events["construction_dust"]
    assert (gap.start_s, gap.end_s) == (12, None)
    before, after = (of_class(site.frame(t)[1], "hoarding") for t in (11.9, 12.1))
    assert (len(before), len(after)) == (1, 2)
    assert all(overlap(b.box, gap.box) < 0.3 for b in after)
    assert dust.start_s == 20
    assert dust.end_s is not None
    assert not of_class(site.frame(19.9)[1], "construction_dust")
    assert of_class(site.frame(28.0)[1], "construction_dust")
    assert of_class(site.frame(dust.end_s - 2)[1], "construction_dust")
    assert not of_class(site.frame(dust.end_s + 4)[1], "construction_dust")
    assert of_class(site.frame(28.0)[1], "construction_machine")


def test_the_quiet_street_has_no_event() -> None:
    assert scene("street_quiet").events() == []


@pytest.mark.parametrize("name", preset_names())
def test_zones_are_valid_and_events_stand_in_them(name: str) -> None:
    zones = scene(name).zones
    assert len({z.id for z in zones}) == len(zones)
    purposes = {z.purpose for z in zones}
    assert {Purpose.CARRIAGEWAY, Purpose.FOOTWAY} <= purposes
    home = {
        "abandoned_vehicle": {Purpose.PARKING_BAY},
        "street_stall": {Purpose.FOOTWAY},
        "debris_pile": {Purpose.PARKING_BAY, Purpose.FOOTWAY, Purpose.CARRIAGEWAY},
        "construction_dust": {Purpose.SITE},
    }
    for event in scene(name).events():
        assert event.kind in KINDS
        if event.kind in home:
            assert any(z.purpose in home[event.kind] and z.holds(event.box, SIZE) for z in zones)


def _standing(x: float, y: float, extent: tuple[float, float], number: int) -> _Shown:
    camera = Camera(0, 6, 0, 0.25, 600, SIZE)
    build = Builder()
    build.box((0, 0, 0), (extent[0] * 2, extent[1] * 2, 2.5), (90, 90, 90))
    model, pose = build.done(), Pose(x, y)
    sun = Sun(np.array([0, 0, 1.0]), np.ones(3), np.ones(3), np.full(3, 200.0))
    sprite = rasterise(model, pose, camera, sun, 1)
    assert sprite is not None
    actor = Actor(number, "car", extent, lambda _: model, lambda _: pose, lambda _: 0)
    return _Shown(actor, pose, sprite, model)


@pytest.mark.parametrize(
    ("far", "near"),
    [
        pytest.param((0, 30, (1, 2)), (0.5, 20, (1, 2)), id="one behind the other"),
        pytest.param((3.2, 14, (0.3, 0.3)), (1.6, 18, (1.2, 6)), id="person beyond a long bus"),
        pytest.param((1.6, 18, (1.2, 6)), (0.0, 22, (0.3, 0.3)), id="person before a long bus"),
        pytest.param((-3.2, 14, (0.3, 0.3)), (-1.6, 18, (1.2, 6)), id="the same on the left"),
    ],
)
def test_what_stands_on_the_camera_s_side_is_painted_later(
    far: tuple[float, float, tuple[float, float]], near: tuple[float, float, tuple[float, float]]
) -> None:
    camera = Camera(0, 6, 0, 0.25, 600, SIZE)
    both = [_standing(*far, 1), _standing(*near, 2)]
    assert paint_order(both, camera) == [0, 1]
    assert paint_order(both[::-1], camera) == [1, 0]
