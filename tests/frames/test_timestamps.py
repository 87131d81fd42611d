from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vision.frames.timestamps import TimestampRepair

TICK = Fraction(1, 1000)
STEP = 40
DAY = 24 * 3600 * 1000


def repaired(packets: list[tuple[int | None, int | None]], step_s: float = 0.04) -> list[int]:
    repair = TimestampRepair(TICK, step_s)
    return [repair.push(pts, dts).show for pts, dts in packets]


def groups(starts: list[int], sizes: list[int]) -> list[tuple[int, int]]:
    """Groups I B P B P... in stored order as (pts, dts), each beginning at its own time."""
    packets = []
    for start, size in zip(starts, sizes, strict=True):
        shown = [0]
        for number in range(1, 2 * size, 2):
            shown += [number + 1, number]
        packets += [
            (start + (place + 1) * STEP, start + number * STEP)
            for number, place in enumerate(shown)
        ]
    return packets


steps = st.lists(st.integers(1, 60_000), min_size=1, max_size=60)


@given(start=st.integers(-(2**33), 2**33), steps=steps)
def test_clean_timestamps_stay_as_they_are(start, steps):
    times = [start]
    for step in steps:
        times.append(times[-1] + step)
    assert repaired([(t, t) for t in times]) == times
    assert repaired([(t, None) for t in times]) == times
    assert repaired([(None, t) for t in times]) == times


@given(sizes=st.lists(st.integers(1, 12), min_size=1, max_size=6))
def test_reordered_pictures_stay_as_they_are(sizes):
    starts, start = [], 5000
    for size in sizes:
        starts.append(start)
        start += (2 * size + 1) * STEP
    packets = groups(starts, sizes)
    assert repaired(packets) == [pts for pts, _ in packets]


@given(
    starts=st.lists(st.integers(0, 2**33) | st.integers(0, 5000), min_size=2, max_size=6),
    data=st.data(),
)
def test_whatever_the_clock_does_pictures_stay_in_order_and_apart(starts, data):
    """Groups joined with any clocks: display order and number of pictures survive."""
    sizes = [data.draw(st.integers(3, 12)) for _ in starts]
    packets = groups(starts, sizes)
    # Clocks that go back by less than the jitter limit, or on by less than a step, are no join.
    for (_, last), (_, first) in pairwise(packets):
        assume(first == last + STEP or not last - 1500 < first < last + 3 * STEP)
    got = repaired(packets)
    order, number = [], 0
    for size in sizes:
        shown = [0]
        for place in range(1, 2 * size, 2):
            shown += [place + 1, place]
        order += [number + place for place in shown]
        number += 2 * size + 1
    in_order = [show for _, show in sorted(zip(order, got, strict=True))]
    assert in_order == sorted(set(in_order))


@given(
    st.lists(
        st.tuples(st.none() | st.integers(-DAY, 3 * DAY), st.none() | st.integers(-DAY, 3 * DAY)),
        max_size=50,
    )
)
def test_any_input_gives_times_of_their_own_and_a_bound_that_only_rises(packets):
    repair = TimestampRepair(TICK, 0.04)
    stamps = [repair.push(pts, dts) for pts, dts in packets]
    assert len({stamp.show for stamp in stamps}) == len(stamps)
    bounds = [stamp.decode for stamp in stamps]
    assert bounds == sorted(bounds)


def test_a_wrapped_counter_goes_on():
    wrap = 2**33
    ticks = Fraction(1, 90_000)
    repair = TimestampRepair(ticks, 0.04)
    times = [(wrap - 7200 + 3600 * n) % wrap for n in range(5)]
    got = [repair.push(t, t).show for t in times]
    assert [b - a for a, b in pairwise(got)] == [3600] * 4


def test_a_gap_is_real_time_but_a_leap_of_years_is_not():
    assert repaired([(0, 0), (30_000, 30_000)]) == [0, 30_000]
    assert repaired([(0, 0), (40, 40), (400 * DAY, 400 * DAY), (400 * DAY + 40,) * 2]) == [
        0,
        40,
        80,
        120,
    ]


def test_missing_timestamps_follow_the_nominal_rate():
    assert repaired([(None, None)] * 4) == [0, 40, 80, 120]
    assert repaired([(0, 0), (None, None), (None, None), (120, 120)]) == [0, 40, 80, 120]


def test_joins_are_told():
    repair = TimestampRepair(TICK, 0.04)
    assert [repair.push(t, t).repaired for t in (0, 40, 90_000, 10)] == [False, False, False, True]


def test_jitter_of_single_packets_shifts_nothing():
    got = repaired([(t, t) for t in (0, 40, 30, 80, 120, 110, 160)])
    assert got[-1] == 160
    assert len(set(got)) == len(got)


@pytest.mark.parametrize("count", [1, 2])
def test_equal_timestamps_are_kept_apart(count):
    got = repaired([(0, 0), *[(40, 40)] * (count + 1)])
    assert got == [0, *range(40, 41 + count)]
