"""Where a thing stands: the middle of its lower edge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import FRAME, at, look

from vision.rules.hours import Hours, ignored
from vision.zones import WHOLE_FRAME, Purpose, Zone

WIDTH, HEIGHT = FRAME
LEFT = Zone(
    id="left", purpose=Purpose.FOOTWAY, points=((0.0, 0.0), (0.49, 0.0), (0.49, 1.0), (0.0, 1.0))
)
RIGHT = Zone(
    id="right", purpose=Purpose.IGNORE, points=((0.51, 0.0), (1.0, 0.0), (1.0, 1.0), (0.51, 1.0))
)

anywhere = st.builds(
    at,
    st.floats(-300, WIDTH + 300),
    st.floats(-300, HEIGHT + 300),
    st.floats(1, 2000),
    st.floats(1, 2000),
)


@given(anywhere)
def test_two_disjoint_zones_never_both_hold(box):
    assert not (LEFT.holds(box, FRAME) and RIGHT.holds(box, FRAME))


@given(anywhere)
def test_the_whole_frame_holds_whatever_is_in_it_or_crosses_its_edge(box):
    assert WHOLE_FRAME.holds(box, FRAME)


@given(st.floats(0, WIDTH), st.floats(1, 900), st.floats(0, 600))
def test_a_box_that_leaves_the_frame_below_stands_at_its_edge(x, width, below):
    inside = at(x, HEIGHT, width, 100)
    beyond = at(x, HEIGHT + below, width, 100 + below)
    assert LEFT.holds(beyond, FRAME) == LEFT.holds(inside, FRAME)


@given(anywhere, st.floats(1, 500))
def test_how_tall_a_thing_is_does_not_matter(box, taller):
    assert LEFT.holds((box[0], box[1] - taller, box[2], box[3]), FRAME) == LEFT.holds(box, FRAME)


@given(anywhere, st.sampled_from([0.5, 1.5, 2.0]))
def test_zones_are_relative_to_the_frame(box, scale):
    x = (box[0] + box[2]) / 2 / WIDTH
    if abs(x - 0.49) < 1e-6:
        return
    scaled = tuple(edge * scale for edge in box)
    assert LEFT.holds(box, FRAME) == LEFT.holds(scaled, (int(WIDTH * scale), int(HEIGHT * scale)))


@pytest.mark.parametrize(("x", "expected"), [(750, True), (250, False)])
def test_ignored(x, expected):
    assert ignored(at(x, 400), [LEFT, RIGHT], look(0), Hours()) is expected
