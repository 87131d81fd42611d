"""Zones in which sightings stand, looked up anew only when they have moved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from scripted import FRAME, at, look, remember, seen

from vision.observe.sighting import Box, Snapshot
from vision.rules.hours import Hours
from vision.rules.places import StandsIn
from vision.schedule import Schedule, Window
from vision.zones import WHOLE_FRAME, Purpose, Zone


def half(name: str, left: float, purpose: Purpose, **more: object) -> Zone:
    right = left + 0.5
    points = ((left, 0.0), (right, 0.0), (right, 1.0), (left, 1.0))
    return Zone.model_validate({"id": name, "purpose": purpose, "points": points, **more})


LEFT, RIGHT = half("left", 0.0, Purpose.FOOTWAY), half("right", 0.5, Purpose.GREEN)
((CAR,),) = remember([look(0, seen("car", at(250, 500)))])
LOOK = look(0)


def standing_at(box: Box) -> Snapshot:
    return CAR._replace(box=box)


def stands_in(*zones: Zone, purposes: frozenset[Purpose] = frozenset(Purpose)) -> StandsIn:
    return StandsIn(zones, purposes, Hours())


def test_only_zones_of_the_purposes_count_in_the_order_in_which_they_are_drawn() -> None:
    twin = half("twin", 0.0, Purpose.FOOTWAY)
    zones = stands_in(RIGHT, twin, LEFT, purposes=frozenset({Purpose.FOOTWAY}))
    assert zones.drawn(CAR, LOOK) == (twin, LEFT)
    assert zones.zone_of(CAR, LOOK) == twin
    assert zones.zone_of(standing_at(at(750, 500)), LOOK) is None
    assert not stands_in(LEFT, purposes=frozenset({Purpose.SITE}))


def test_a_zone_whose_window_is_over_is_drawn_and_holds_nothing() -> None:
    night = Schedule(windows=(Window.model_validate({"from": "20:00", "to": "21:00"}),))
    zones = stands_in(half("bay", 0.0, Purpose.PARKING_BAY, schedule=night), LEFT)
    assert [zone.id for zone in zones.drawn(CAR, LOOK)] == ["bay", "left"]
    assert zones.zone_of(CAR, LOOK) == LEFT
    assert zones.have_windows
    assert not stands_in(LEFT).have_windows


def test_the_whole_frame_holds_what_reaches_out_of_it() -> None:
    assert stands_in(WHOLE_FRAME).drawn(standing_at((-900, -900, -10, -10)), LOOK)


@given(st.lists(st.tuples(st.integers(0, 1000), st.sampled_from([FRAME, (500, 400)])), max_size=9))
def test_what_is_remembered_is_what_a_fresh_look_up_says(moves: list[tuple[int, tuple[int, int]]]):
    known = stands_in(LEFT, RIGHT)
    for x, frame_size in moves:
        sighting, one = standing_at(at(x, 300)), look(0, frame_size=frame_size)
        expected = tuple(zone for zone in (LEFT, RIGHT) if zone.holds(sighting.box, frame_size))
        assert known.drawn(sighting, one) == expected
        assert known.drawn(sighting, one) == expected
