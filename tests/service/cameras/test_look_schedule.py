from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from service.cameras.schedule import LookSchedule, Shed
from vision.frames.looks import LookPolicy

POLICY = LookPolicy(rest_s=10.0, active_s=2.0)
STEP_S = 0.1


def play(
    cameras: int,
    capacity: int,
    look_s: float,
    length_s: float,
    active: frozenset[int] = frozenset(),
) -> tuple[dict[str, list[float]], LookSchedule]:
    """Look at cameras with a detector that takes ``look_s`` for each look, one at a time each.

    Returns:
        Times at which each camera was looked at, and the schedule.
    """
    schedule = LookSchedule(capacity)
    for number in range(cameras):
        schedule.add(f"{number:03}", POLICY, 0.0)
        schedule.set_live(f"{number:03}", True, 0.0)
    looked: dict[str, list[float]] = defaultdict(list)
    under_way: dict[str, float] = {}
    for tick in range(round(length_s / STEP_S)):
        now_s = tick * STEP_S
        for name, end_s in list(under_way.items()):
            if end_s <= now_s + 1e-9:
                del under_way[name]
                schedule.finished(name, int(name) in active)
        for name in schedule.due(now_s):
            assert name not in under_way
            assert schedule.arrived(name)
            under_way[name] = now_s + look_s
            looked[name].append(now_s)
        assert len(under_way) <= capacity
    return looked, schedule


def gaps(times: list[float]) -> list[float]:
    return [b - a for a, b in pairwise(times)]


@settings(max_examples=15, deadline=None)
@given(
    cameras=st.integers(1, 30),
    capacity=st.integers(1, 4),
    look_s=st.sampled_from([0.1, 0.2, 0.3]),
    active=st.frozensets(st.integers(0, 29)),
)
def test_every_camera_has_its_look_in_time_where_that_can_be_done(
    cameras: int, capacity: int, look_s: float, active: frozenset[int]
) -> None:
    # The looks that all are due fit into nine tenths of the time, whatever else is wanted.
    cameras = max(1, min(cameras, int(9.0 * capacity / look_s)))
    looked, schedule = play(cameras, capacity, look_s, 35.0, active)
    for number in range(cameras):
        name = f"{number:03}"
        assert max(gaps(looked[name])) <= POLICY.rest_s + cameras * look_s / capacity + 3 * STEP_S
        assert min(gaps(looked[name])) >= POLICY.active_s - 1e-9
    assert schedule.shed.rest == 0


@settings(max_examples=15, deadline=None)
@given(
    cameras=st.integers(5, 25),
    overload=st.floats(1.3, 6.0),
    capacity=st.integers(1, 3),
    active=st.frozensets(st.integers(0, 39)),
)
def test_too_much_to_do_is_shed_evenly_and_told(
    cameras: int, overload: float, capacity: int, active: frozenset[int]
) -> None:
    look_s = 10.0 * overload * capacity / cameras
    looked, schedule = play(cameras, capacity, look_s, 8 * 10.0 * overload, active)
    counts = [len(looked[f"{number:03}"]) for number in range(cameras)]
    assert max(counts) - min(counts) <= 2
    assert schedule.shed.rest > 0 or overload < 2.0


def test_closer_looks_are_shed_before_those_that_all_are_due() -> None:
    looked, schedule = play(20, 1, 0.4, 200.0, active=frozenset(range(20)))
    assert all(max(gaps(times)) < 11.0 for times in looked.values())
    assert schedule.shed.rest == 0
    assert schedule.shed.closer > 0


def test_closer_looks_are_had_where_there_is_room() -> None:
    looked, schedule = play(20, 2, 0.1, 60.0, active=frozenset({3}))
    assert max(gaps(looked["003"])) < 3.2, "all others may come before it once"
    assert min(gaps(looked["004"])) >= 10.0
    assert schedule.shed == Shed()


def test_a_camera_without_pictures_is_due_nothing_and_costs_nobody_a_place() -> None:
    schedule = LookSchedule(1)
    for name in ("a", "b"):
        schedule.add(name, POLICY, 0.0)
    assert schedule.due(0.0) == []
    schedule.set_live("a", True, 0.0)
    assert schedule.due(0.0) == ["a"]
    schedule.set_live("b", True, 0.1)
    assert schedule.due(0.2) == [], "the only place is taken"
    schedule.set_live("a", False, 0.3)
    assert schedule.due(0.3) == ["b"]
    assert not schedule.arrived("a"), "what it was asked for is void"
    schedule.finished("a", True)
    schedule.set_live("a", True, 500.0)
    assert schedule.shed == Shed(), "time without pictures is nothing that was shed"


def test_who_waits_for_a_keyframe_keeps_nobody_waiting() -> None:
    schedule = LookSchedule(1, patience_s=1.0)
    for name in ("a", "b"):
        schedule.add(name, POLICY, 0.0)
        schedule.set_live(name, True, 0.0)
    assert schedule.due(0.0) == ["a"]
    assert schedule.due(0.9) == []
    assert schedule.due(1.0) == ["b"]
    assert schedule.arrived("a"), "its picture is welcome when it comes"


def test_unlike_intervals_wait_alike() -> None:
    schedule = LookSchedule(1)
    schedule.add("slow", LookPolicy(60.0, 2.0), 0.0)
    schedule.add("quick", LookPolicy(5.0, 2.0), 0.0)
    for name in ("slow", "quick"):
        schedule.set_live(name, True, 0.0)
    assert schedule.due(3.0) == ["quick"], "three fifths of an interval late, not one twentieth"


def test_whoever_cannot_be_asked_is_asked_again_soon_and_not_at_once() -> None:
    schedule = LookSchedule(1)
    schedule.add("a", POLICY, 0.0)
    schedule.set_live("a", True, 0.0)
    assert schedule.due(0.0) == ["a"]
    schedule.refused("a", 0.0)
    assert schedule.due(0.5) == []
    assert schedule.due(1.0) == ["a"]


def test_cameras_come_and_go_at_any_time() -> None:
    schedule = LookSchedule(2)
    schedule.add("a", POLICY, 0.0)
    schedule.set_live("a", True, 0.0)
    assert schedule.due(0.0) == ["a"]
    schedule.remove("a")
    schedule.finished("a", True)
    schedule.refused("a", 1.0)
    schedule.set_live("a", True, 1.0)
    assert not schedule.arrived("a")
    assert schedule.due(100.0) == []


def test_a_camera_that_is_looked_at_closely_waits_for_its_next_keyframe_and_holds_no_place() -> (
    None
):
    schedule = LookSchedule(1, patience_s=100.0)
    for name in ("a", "b"):
        schedule.add(name, POLICY, 0.0)
        schedule.set_live(name, True, 0.0)
    assert schedule.due(0.0) == ["a"]
    schedule.finished("a", True)
    assert schedule.due(0.1) == ["b"]
    schedule.finished("b", False)
    assert schedule.is_active("a")
    assert not schedule.is_active("b")
    assert schedule.due(2.0) == ["a"]
    assert schedule.due(10.1) == ["b"], "the only place is free"


def finished_with(arrived_s: float, active: bool) -> LookSchedule:
    """A camera whose look, asked for at 20 s, showed a picture that had arrived then."""
    schedule = LookSchedule(1)
    schedule.add("a", POLICY, 20.0)
    schedule.set_live("a", True, 20.0)
    assert schedule.due(20.0) == ["a"]
    schedule.finished("a", active, arrived_s)
    return schedule


def test_a_closer_look_counts_from_when_the_picture_before_it_arrived() -> None:
    lay_there = finished_with(18.5, active=True)
    assert lay_there.due(20.4) == []
    assert lay_there.due(20.5) == ["a"], "or it would miss the keyframe of then"
    waited_for = finished_with(21.5, active=True)
    assert waited_for.due(21.9) == []
    assert waited_for.due(22.0) == ["a"]


def test_a_look_at_what_came_some_while_ago_is_followed_by_another_and_none_is_shed() -> None:
    schedule = finished_with(12.0, active=True)
    assert schedule.due(20.2) == ["a"]
    assert schedule.shed == Shed()


def test_a_look_at_rest_counts_from_when_it_was_due() -> None:
    schedule = finished_with(12.0, active=False)
    assert schedule.due(29.9) == []
    assert schedule.due(30.0) == ["a"]
