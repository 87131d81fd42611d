from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.errors import ConfigError
from vision.frames.looks import LookPolicy


def served(policy: LookPolicy, keyframe_spacing_s: float) -> bool:
    """Whether the keyframe nearest to the next look lies within the tolerance."""
    wanted_s = policy.next_s(0.0, active=True)
    nearest_s = round(wanted_s / keyframe_spacing_s) * keyframe_spacing_s
    return abs(nearest_s - wanted_s) <= policy.tolerance_s(active=True)


@pytest.mark.parametrize("spacing_s", [0.5, 1.0, 1.98, 2.0, 2.002, 2.1])
def test_keyframes_about_the_interval_serve_it(spacing_s):
    assert served(LookPolicy(), spacing_s)


@pytest.mark.parametrize("spacing_s", [3.3, 4.0, 5.0, 10.0])
def test_keyframes_far_apart_do_not(spacing_s):
    assert not served(LookPolicy(), spacing_s)


def test_looks_are_rare_at_rest():
    policy = LookPolicy()
    assert (policy.next_s(7.0, active=False), policy.next_s(7.0, active=True)) == (17.0, 9.0)


@given(st.floats(0.04, 3600.0), st.booleans())
def test_looks_in_a_row_cannot_take_the_same_frame(every_s, active):
    policy = LookPolicy.fixed(every_s)
    assert policy.interval_s(active) == every_s
    assert 2 * policy.tolerance_s(active) < every_s


@pytest.mark.parametrize(("rest_s", "active_s"), [(10, 0), (1, 2), (-1, -1), (float("inf"), 1)])
def test_intervals_that_make_no_sense(rest_s, active_s):
    with pytest.raises(ConfigError, match="looks every"):
        LookPolicy(rest_s=rest_s, active_s=active_s)
