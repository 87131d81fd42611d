from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import NAMES, at, every, jittered, look, remember, seen, standing_ids

from vision.detect.detections import Detections
from vision.observe.boxes import iou
from vision.observe.families import family_of
from vision.observe.look import Health, Look
from vision.observe.memory import SightingMemory
from vision.observe.sighting import Snapshot

SPOT = at(500, 500)


def test_the_memory_s_own_records_tell_what_snapshots_tell():
    memory = SightingMemory()
    for t in every(2, 0, 90):
        cars = [seen("car", SPOT)] if t < 40 or t > 80 else [seen("bus", at(520, 540, 300, 200))]
        memory.update(look(t, *cars, seen("person", at(10 * t, 700, 30, 90))))
        told = [
            Snapshot(*(getattr(one, name) for name in Snapshot._fields)) for one in memory.alive
        ]
        assert tuple(told) == memory.sightings


class TestStanding:
    def test_a_parked_car_is_one_standing_sighting_with_an_observed_dwell(self):
        history = remember(look(t, seen("car", SPOT)) for t in every(2, 0, 60))
        (car,) = history[-1]
        assert car.standing
        assert car.first_seen_s == 0
        assert car.last_seen_s == 60
        assert (car.dwell.observed_s, car.dwell.bridged_s, car.dwell.unknown_s) == (60, 0, 0)
        assert car.looks_seen == 31
        assert standing_ids(history) == {car.id}

    def test_it_does_not_stand_on_its_first_look(self):
        ((car,),) = remember([look(0, seen("car", SPOT))])
        assert not car.standing
        assert car.looks_seen == 1

    @pytest.mark.parametrize("interval_s", [0.04, 0.2, 2.0, 10.0, 300.0])
    def test_looks_may_come_as_often_or_as_seldom_as_they_like(self, interval_s):
        end_s = 4 * max(interval_s, 2.0)
        history = remember(look(t, seen("car", SPOT)) for t in every(interval_s, 0, end_s))
        (car,) = history[-1]
        assert car.standing
        assert car.dwell.observed_s == pytest.approx(end_s)
        stood_from = next(s[0].last_seen_s for s in history if s[0].standing)
        assert 3.0 <= stood_from <= max(3.0 + interval_s, interval_s)

    @pytest.mark.parametrize("interval_s", [0.04, 0.5, 2.0])
    @pytest.mark.parametrize("speed", [20, 60, 300])
    def test_a_passing_car_never_stands(self, interval_s, speed):
        history = remember(
            look(t, seen("car", at(speed * t, 500))) for t in every(interval_s, 0, 1000 / speed)
        )
        assert standing_ids(history) == set()

    def test_traffic_leaves_nothing_behind(self):
        looks = [look(t, seen("car", at(90 * t, 500))) for t in every(2, 0, 12)]
        looks += [look(t) for t in every(2, 14, 20)]
        assert remember(looks)[-1] == ()


class TestFlicker:
    def test_box_jitter_drop_outs_and_dim_light_give_one_sighting(self):
        """A parked car at night: one case, not a hundred (frigate 16562, 2842)."""
        rng = np.random.default_rng(7)
        looks = []
        for t in every(2, 0, 2000):
            things = [seen("car", jittered(SPOT, rng, 0.15), float(rng.uniform(0.12, 0.6)))]
            if t > 4 and rng.random() < 0.3:
                things = []
            looks.append(look(t, *things))
        history = remember(looks)
        ids = standing_ids(history)
        assert len(ids) == 1
        (car,) = [one for one in history[-1] if one.standing]
        assert iou(car.box, SPOT) > 0.7
        assert car.dwell.total_s == pytest.approx(2000, abs=20)

    def test_a_headlight_sweep_that_stretches_the_box_does_not_split_it(self):
        looks = []
        for t in every(2, 0, 300):
            sweep = 100 <= t <= 104 or 200 <= t <= 204
            box = at(500, 500, 190, 80) if sweep else SPOT
            looks.append(look(t, seen("car", box)))
        history = remember(looks)
        assert len(standing_ids(history)) == 1
        assert iou(history[-1][0].box, SPOT) > 0.95

    def test_a_missed_look_is_flicker_and_not_lost(self):
        history = remember(
            look(t, *([] if t == 10 else [seen("car", SPOT)])) for t in every(2, 0, 20)
        )
        (during,) = history[5]
        assert during.absent_since_s == 8
        assert during.ended_s is None
        (car,) = history[-1]
        assert car.absent_since_s is None
        assert (car.dwell.observed_s, car.dwell.bridged_s) == (20, 0)

    def test_confusable_classes_vote_on_one_sighting(self):
        names = ["car", "truck", "derelict_vehicle", "derelict_vehicle"]
        history = remember(look(2.0 * i, seen(name, SPOT, 0.5)) for i, name in enumerate(names))
        (vehicle,) = history[-1]
        assert vehicle.class_name == "derelict_vehicle"
        assert vehicle.class_share == pytest.approx(
            {"car": 0.25, "derelict_vehicle": 0.5, "truck": 0.25}
        )

    def test_double_boxes_of_one_thing_are_one_sighting(self):
        part = (SPOT[0] + 15, SPOT[1], SPOT[2], SPOT[3] - 10)
        history = remember(
            look(t, seen("car", SPOT, 0.6), seen("truck", part, 0.4)) for t in every(2, 0, 10)
        )
        assert len(history[-1]) == 1

    @pytest.mark.parametrize("seed", range(5))
    def test_a_second_box_now_and_then_takes_nothing_away_from_the_first(self, seed):
        """By night boxes wobble so much that doubles do not overlap enough to be merged."""
        rng = np.random.default_rng(seed)
        looks = []
        for t in every(2, 0, 600):
            count = rng.choice(3, p=[0.3, 0.6, 0.1]) if t > 4 else 1
            boxes = [jittered(SPOT, rng, 0.15) for _ in range(count)]
            looks.append(look(t, *[seen("car", box, 0.6 - 0.2 * i) for i, box in enumerate(boxes)]))
        numbers = [
            min(one.id for one in there if one.last_seen_s == t)
            for t, there in zip(every(2, 0, 600), remember(looks), strict=True)
            if any(one.last_seen_s == t for one in there)
        ]
        assert sum(a != b for a, b in itertools.pairwise(numbers)) <= 10

    @pytest.mark.parametrize("seed", range(5))
    def test_two_cars_that_overlap_in_the_picture_are_two(self, seed):
        rng = np.random.default_rng(seed)
        behind = at(540, 490)
        looks = []
        for t in every(2, 0, 300):
            boxes = [jittered(box, rng, 0.05) for box in (SPOT, behind) if rng.random() < 0.7]
            looks.append(look(t, *[seen("car", box) for box in boxes]))
        standing = [one for one in remember(looks)[-1] if one.standing]
        assert len(standing) == 2
        assert all(one.first_seen_s < 60 for one in standing)

    def test_neighbours_of_other_families_stay_apart(self):
        history = remember(
            look(t, seen("car", SPOT), seen("debris_pile", SPOT)) for t in every(2, 0, 10)
        )
        assert {one.class_name for one in history[-1]} == {"car", "debris_pile"}


class TestOcclusion:
    def test_a_bus_that_waits_in_front_hides_but_does_not_end_it(self):
        """Ids change after a bus passes (frigate 3291, ByteTrack 237); a place does not."""
        bus = at(520, 540, 300, 200)
        looks = [
            look(t, seen("bus", bus) if 30 <= t < 150 else seen("car", SPOT))
            for t in every(2, 0, 200)
        ]
        history = remember(looks)
        car = next(one for one in history[-1] if one.class_name == "car")
        assert car.first_seen_s == 0
        assert car.dwell.bridged_s == 122
        assert car.dwell.observed_s == 78
        hidden = next(one for one in history[40] if one.id == car.id)
        assert hidden.absent_since_s is None

    def test_a_crowd_hides_a_stall(self):
        crowd = [seen("person", at(450 + 30 * i, 520, 40, 100)) for i in range(4)]
        looks = [
            look(t, *(crowd if 30 <= t < 130 else [seen("street_stall", SPOT)]))
            for t in every(2, 0, 150)
        ]
        stalls = [one for one in remember(looks)[-1] if one.class_name == "street_stall"]
        assert len(stalls) == 1
        assert stalls[0].first_seen_s == 0

    def test_what_stands_behind_hides_nothing(self):
        behind = seen("bus", at(500, 470, 300, 200))
        looks = [look(t, seen("car", SPOT), behind) for t in every(2, 0, 20)]
        looks += [look(t, behind) for t in every(2, 22, 80)]
        assert [one.class_name for one in remember(looks)[-1]] == ["bus"]

    def test_a_neighbour_that_always_overlaps_does_not_keep_a_ghost(self):
        neighbour = seen("truck", at(545, 520, 110, 130))
        looks = [look(t, seen("car", SPOT), neighbour) for t in every(2, 0, 40)]
        looks += [look(t, neighbour) for t in every(2, 42, 120)]
        history = remember(looks)
        assert [one.class_name for one in history[-1]] == ["truck"]

    def test_half_a_car_behind_a_van_is_still_that_car(self):
        van = seen("person", at(475, 515, 60, 110))
        half = (500.0, SPOT[1], SPOT[2], SPOT[3])
        looks = [look(t, seen("car", SPOT)) for t in every(2, 0, 20)]
        looks += [look(t, seen("car", half), van) for t in every(2, 22, 60)]
        cars = [one for one in remember(looks)[-1] if one.class_name == "car"]
        assert [(one.id, one.box) for one in cars] == [(1, SPOT)]


class TestLeaving:
    def test_it_is_gone_after_clean_looks_and_ends_at_its_last_sight(self):
        """No ghost that stays in progress all day (frigate 2965)."""
        looks = [look(t, seen("car", SPOT)) for t in every(2, 0, 60)]
        looks += [look(t) for t in every(2, 62, 120)]
        history = remember(looks)
        ended = [one for sightings in history for one in sightings if one.ended_s is not None]
        assert len(ended) == 1
        (car,) = ended
        assert car.absent_since_s == car.last_seen_s == 60
        assert 80 <= car.ended_s <= 90
        assert car.dwell.total_s == 60
        assert history[-1] == ()

    def test_one_clean_look_after_a_day_is_not_enough(self):
        looks = [look(t, seen("car", SPOT)) for t in every(10, 0, 600)]
        looks += [look(86_400), look(86_410, seen("car", SPOT))]
        (car,) = remember(looks)[-1]
        assert car.first_seen_s == 0

    def test_a_car_that_pulls_forward_is_a_new_sighting(self):
        looks = [look(t, seen("car", at(500, 500))) for t in every(2, 0, 30)]
        looks += [look(t, seen("car", at(560, 500))) for t in every(2, 32, 60)]
        history = remember(looks)
        (new,) = history[-1]
        assert new.id != 1
        assert new.standing
        old = next(one for sightings in history for one in sightings if one.ended_s is not None)
        assert old.absent_since_s == 30

    def test_a_thing_hidden_for_too_long_ends_as_not_seen_to_leave(self):
        bus = at(520, 540, 300, 200)
        looks = [look(t, seen("car", SPOT)) for t in every(10, 0, 60)]
        looks += [look(t, seen("bus", bus)) for t in every(10, 70, 4000)]
        ended = [
            one
            for sightings in remember(looks)
            for one in sightings
            if one.ended_s is not None and one.class_name == "car"
        ]
        assert len(ended) == 1
        assert ended[0].absent_since_s is None

    def test_a_new_pose_ends_everything_as_not_seen_to_leave(self):
        """Places of one pose mean nothing in another (frigate 21664)."""
        looks = [look(t, seen("car", SPOT)) for t in every(2, 0, 20)]
        looks += [look(22, seen("car", SPOT), pose=1)]
        old, new = remember(looks)[-1]
        assert (old.ended_s, old.absent_since_s) == (22, None)
        assert (new.first_seen_s, new.ended_s) == (22, None)


class TestCannotSee:
    def test_unhealthy_looks_count_as_unknown(self):
        looks = [
            look(t, health=Health.BLACK) if 20 <= t <= 40 else look(t, seen("car", SPOT))
            for t in every(2, 0, 60)
        ]
        history = remember(looks)
        (car,) = history[-1]
        assert (car.dwell.observed_s, car.dwell.bridged_s, car.dwell.unknown_s) == (36, 0, 24)
        assert all(len(sightings) == 1 for sightings in history)

    def test_a_gap_in_the_recording_is_unknown_and_the_car_is_the_same(self):
        times = [*every(2, 0, 60), *every(2, 3600, 3660)]
        (car,) = remember(look(t, seen("car", SPOT)) for t in times)[-1]
        assert car.first_seen_s == 0
        assert car.dwell.observed_s == 120
        assert car.dwell.unknown_s == 3540

    def test_stills_minutes_apart_have_no_gaps(self):
        (car,) = remember(look(t, seen("car", SPOT)) for t in every(600, 0, 6000))[-1]
        assert car.dwell.observed_s == 6000


class TestUninspected:
    def test_a_closed_gate_counts_as_observed(self):
        looks = [look(0, seen("car", SPOT))]
        looks += [look(t, seen("car", SPOT), inspected=False) for t in every(2, 2, 60)]
        (car,) = remember(looks)[-1]
        assert car.standing
        assert car.dwell.observed_s == 60

    def test_a_drop_out_repeated_by_a_closed_gate_is_one_miss_not_many(self):
        looks = [look(t, seen("car", SPOT)) for t in every(2, 0, 20)]
        looks += [look(22)]
        looks += [look(t, inspected=False) for t in every(2, 24, 120)]
        looks += [look(122, seen("car", SPOT))]
        (car,) = remember(looks)[-1]
        assert car.first_seen_s == 0
        assert car.dwell.bridged_s == 102


class TestFrames:
    def test_places_follow_a_change_of_resolution(self):
        """Cameras come back from a reconnection with another size (ultralytics 15057)."""
        half = tuple(edge / 2 for edge in SPOT)
        looks = [look(t, seen("car", SPOT)) for t in every(2, 0, 20)]
        looks += [look(t, seen("car", half), frame_size=(500, 400)) for t in every(2, 22, 40)]
        (car,) = remember(looks)[-1]
        assert car.first_seen_s == 0
        assert car.box == pytest.approx(half)

    def test_time_must_rise(self):
        memory = SightingMemory()
        memory.update(look(2.0))
        with pytest.raises(ValueError, match="not after"):
            memory.update(look(2.0))


FAMILIES_IN_PLAY = ("car", "truck", "person", "debris_pile", "overflow_bin", "construction_dust")


@st.composite
def streams(draw: st.DrawFn) -> list[Look]:
    """Looks at irregular times at a few spots, with all that can go wrong."""
    spots = [at(x, y) for x in (150, 190, 500, 540) for y in (400, 430)]
    time_s, pose, looks = 0.0, 0, []
    for _ in range(draw(st.integers(1, 25))):
        time_s += draw(st.sampled_from([0.04, 1.5, 2.0, 10.0, 61.0, 4000.0]))
        pose += draw(st.sampled_from([0] * 9 + [1]))
        if draw(st.integers(0, 9)) == 0:
            looks.append(look(time_s, health=Health.COVERED, pose=pose))
            continue
        things = [
            seen(
                draw(st.sampled_from(FAMILIES_IN_PLAY)),
                tuple(edge + draw(st.integers(-20, 20)) for edge in spot),
                draw(st.sampled_from([0.05, 0.15, 0.3, 0.8])),
            )
            for spot in draw(st.lists(st.sampled_from(spots), max_size=6))
        ]
        inspected = draw(st.sampled_from([True, True, True, False]))
        looks.append(look(time_s, *things, pose=pose, inspected=inspected))
    return looks


@settings(max_examples=60, deadline=None)
@given(streams())
def test_invariants(looks: list[Look]):
    memory = SightingMemory()
    newest = 0
    known: set[int] = set()
    for one in looks:
        sightings = memory.update(one)
        ids = [sighting.id for sighting in sightings]
        assert ids == sorted(set(ids))
        for fresh in set(ids) - known:
            assert fresh > newest
        known |= set(ids)
        newest = max(known, default=0)
        for sighting in sightings:
            until_s = sighting.last_seen_s if sighting.ended_s is not None else one.time_s
            assert sighting.dwell.total_s == pytest.approx(
                until_s - sighting.first_seen_s, abs=1e-6
            )
            assert sum(sighting.class_share.values()) == pytest.approx(1)
            assert 0 <= sighting.confidence <= 1
            assert len({family_of(name) for name in sighting.class_share}) == 1
        alive = [sighting for sighting in sightings if sighting.ended_s is None]
        for i, a in enumerate(alive):
            for b in alive[i + 1 :]:
                if family_of(a.class_name) == family_of(b.class_name):
                    assert iou(a.box, b.box) <= 0.8


@settings(max_examples=40, deadline=None)
@given(streams(), st.randoms(use_true_random=False))
def test_the_order_of_detections_within_a_look_changes_nothing(looks, random):
    def shuffled(one: Look) -> Look:
        order = list(range(len(one.detections)))
        random.shuffle(order)
        d = one.detections
        index = np.array(order, np.int64)
        return Look(
            one.camera_id,
            one.time_s,
            one.timestamp,
            one.frame_size,
            one.health,
            one.pose,
            one.inspected,
            Detections(d.xyxy[index], d.confidence[index], d.class_id[index], NAMES),
        )

    assert remember(looks) == remember(shuffled(one) for one in looks)


def test_memory_does_not_grow_with_time():
    """Nothing is kept of what has passed (ByteTrack 328)."""
    memory = SightingMemory()
    rng = np.random.default_rng(1)
    alive = []
    for t in every(2, 0, 4000):
        cars = [seen("car", at(*rng.uniform((0, 200), (1000, 800)))) for _ in range(4)]
        alive.append(sum(one.ended_s is None for one in memory.update(look(t, *cars))))
    assert max(alive[1000:]) <= max(alive[:1000]) + 5
    assert max(alive) < 30


@pytest.mark.parametrize("seed", range(3))
def test_a_busy_lane_holds_no_car_for_long(seed):
    """Other cars keep meeting the same place; none of them parks there."""
    rng = np.random.default_rng(seed)
    memory = SightingMemory()
    longest_s = 0.0
    for t in every(2, 0, 1200):
        cars, x = [], -1500.0
        while (x := x + 95 + float(rng.exponential(100))) < 1000:
            if x > -50:
                cars.append(seen("car", at(x, 500, 90, 60)))
        for one in memory.update(look(t, *cars)):
            longest_s = max(longest_s, one.last_seen_s - one.first_seen_s)
    assert longest_s < 300
