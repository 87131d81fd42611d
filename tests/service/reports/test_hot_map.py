"""Hot spots drawn to scale: north up, the worst first, nothing outside of the drawing."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.reports.hot_map import HEIGHT, WIDTH, hot_map
from service.reports.hot_spots import HotSpot

SQUARE = (119.95, 31.79)


def spot(
    camera_id: str,
    cases: int = 2,
    position: tuple[float, float, str] | None = (*SQUARE, "wgs84"),
) -> HotSpot:
    now = datetime(2026, 5, 4, tzinfo=UTC)
    return HotSpot(camera_id, "footway", "street_stall", cases, 1, cases, now, {}, position)


def test_cameras_lie_as_they_do_in_the_city() -> None:
    east = (SQUARE[0] + 0.02, SQUARE[1], "wgs84")
    north = (SQUARE[0], SQUARE[1] + 0.01, "wgs84")
    drawn = hot_map([spot("here"), spot("east", 8, east), spot("north", 3, north)])
    assert drawn is not None
    marks = {mark.camera_id: mark for mark in drawn.marks}
    assert [mark.camera_id for mark in drawn.marks] == ["east", "north", "here"]
    assert marks["east"].x > marks["here"].x
    assert marks["east"].y == pytest.approx(marks["here"].y)
    assert marks["north"].y < marks["here"].y
    metres = math.cos(math.radians(SQUARE[1])) * 0.02 * 111_320
    shown = (marks["east"].x - marks["here"].x) * drawn.scale_m / drawn.scale_width
    assert shown == pytest.approx(metres, rel=0.01)


def test_kinds_of_one_camera_are_one_mark_and_systems_are_told_apart() -> None:
    drawn = hot_map([spot("a", 2), spot("a", 3), spot("b", 1, (*SQUARE, "gcj02"))])
    assert drawn is not None
    assert [(mark.camera_id, mark.cases) for mark in drawn.marks] == [("a", 5), ("b", 1)]
    first, second = drawn.marks
    apart = math.hypot(first.x - second.x, first.y - second.y)
    assert apart * drawn.scale_m / drawn.scale_width == pytest.approx(500, abs=60)


def test_without_places_there_is_no_map() -> None:
    assert hot_map([]) is None
    assert hot_map([spot("a", position=None)]) is None
    swapped = spot("b", position=(SQUARE[1], SQUARE[0], "wgs84"))
    drawn = hot_map([spot("a"), swapped])
    assert drawn is not None
    assert drawn.without == 1


@given(
    st.lists(
        st.tuples(st.floats(118, 121), st.floats(30, 33), st.integers(1, 500)),
        min_size=1,
        max_size=20,
    )
)
def test_every_mark_lies_inside(places: list[tuple[float, float, int]]) -> None:
    drawn = hot_map(
        spot(str(number), cases, (lon, lat, "wgs84"))
        for number, (lon, lat, cases) in enumerate(places)
    )
    assert drawn is not None
    for mark in drawn.marks:
        assert mark.radius <= mark.x <= WIDTH - mark.radius
        assert mark.radius <= mark.y <= HEIGHT - mark.radius
    assert 0 < drawn.scale_width < WIDTH / 3
