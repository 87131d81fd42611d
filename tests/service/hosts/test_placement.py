from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from service.hosts.placement import place

HOSTS = [f"h{number}" for number in range(6)]
cameras = st.sets(st.integers(0, 80).map("c{}".format), max_size=60)
weights = st.dictionaries(st.sampled_from(HOSTS), st.sampled_from([1.0, 2.0, 3.5]), min_size=1)
current = st.dictionaries(
    st.integers(0, 80).map("c{}".format), st.sampled_from([*HOSTS, "gone"]), max_size=60
)


@given(cameras, weights, current)
def test_every_camera_has_a_living_host_and_a_second_time_nothing_moves(
    cameras: set[str], weights: dict[str, float], current: dict[str, str]
) -> None:
    placed = place(cameras, weights, current)
    assert placed.keys() == cameras
    assert set(placed.values()) <= weights.keys()
    assert place(sorted(cameras, reverse=True), weights, placed) == placed


@given(cameras, weights, current)
def test_no_host_is_so_full_that_a_move_would_even_it_out(
    cameras: set[str], weights: dict[str, float], current: dict[str, str]
) -> None:
    counts = Counter(place(cameras, weights, current).values())
    for full in weights:
        for empty in weights.keys() - {full}:
            assert (counts[full] - 1) / weights[full] < (counts[empty] + 1) / weights[empty]


@given(cameras, st.sets(st.sampled_from(HOSTS), min_size=2), st.sampled_from(HOSTS))
def test_a_lost_host_moves_its_own_cameras_alone(
    cameras: set[str], hosts: set[str], lost: str
) -> None:
    alike = dict.fromkeys(hosts, 1.0)
    before = place(cameras, alike, {})
    left = {host: weight for host, weight in alike.items() if host != lost}
    after = place(cameras, left, before)
    assert all(after[one] == host for one, host in before.items() if host != lost)


@given(cameras, st.sets(st.sampled_from(HOSTS), min_size=1))
def test_a_host_that_joins_takes_its_share_and_nothing_moves_between_others(
    cameras: set[str], hosts: set[str]
) -> None:
    before = place(cameras, dict.fromkeys(hosts, 1.0), {})
    after = place(cameras, dict.fromkeys([*hosts, "new"], 1.0), before)
    moved = {one for one in cameras if after[one] != before[one]}
    assert {after[one] for one in moved} <= {"new"}
    assert len(moved) == len(cameras) // (len(hosts) + 1)


def test_without_hosts_nothing_is_placed() -> None:
    assert place(["c1"], {}, {"c1": "gone"}) == {}


def test_a_host_of_double_weight_has_twice_as_many() -> None:
    placed = place([f"c{number}" for number in range(9)], {"small": 1, "large": 2}, {})
    assert Counter(placed.values()) == {"small": 3, "large": 6}
