"""The same thing for days is told apart from different things at the same place."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import at, every, look, remember, seen

from vision.detect.detections import SIGNATURE_BYTES
from vision.errors import InputError
from vision.observe.appearance import BINS, CELLS, Light, Likeness, Verdict, packed
from vision.observe.look import Health, Look
from vision.observe.memory import SightingMemory

SPOT = at(500, 500)
DAY, GREY = Light.DAY, Light.GREY
BUS = seen("bus", at(520, 540, 300, 200))


def signature(thing: int, light: Light = DAY, noise: int = 0) -> bytes:
    """How a thing looks; with other noise a little different."""
    size = (CELLS[1], CELLS[0], BINS)
    features = np.random.default_rng([thing, light]).choice([0.0, 0.1, 0.7], size)
    wobble = np.random.default_rng([thing, light, noise, 1]).uniform(-0.1, 0.1, size)
    return packed((features + wobble).astype(np.float32), Light(light))


def signed(one: Look, *signatures: bytes | None) -> Look:
    """A look with signatures for its first detections."""
    appearance = np.zeros((len(one.detections), SIGNATURE_BYTES), np.uint8)
    for row, given_one in enumerate(signatures):
        if given_one is not None:
            appearance[row] = np.frombuffer(given_one, np.uint8)
    return replace(one, detections=replace(one.detections, appearance=appearance))


def car(time_s: float, thing: int, light: Light = DAY) -> Look:
    return signed(look(time_s, seen("car", SPOT)), signature(thing, light, round(time_s)))


def cars(history):
    """All cars that ever stood, as they were last."""
    last = {}
    for sightings in history:
        last.update({one.id: one for one in sightings if one.class_name == "car" and one.standing})
    return list(last.values())


def test_another_car_that_took_the_bay_behind_a_bus_begins_anew():
    looks = [car(t, 1) for t in every(2, 0, 60)]
    looks += [look(t, BUS) for t in every(2, 62, 120)]
    looks += [car(t, 2) for t in every(2, 122, 200)]
    old, new = cars(remember(looks))
    assert (old.last_seen_s, old.dwell.total_s, old.absent_since_s) == (60, 60, 60)
    assert old.ended_s is not None
    assert (new.first_seen_s, new.last_seen_s, new.dwell.observed_s) == (122, 200, 78)
    assert new.looks_seen == 40


def test_the_same_car_behind_the_bus_goes_on():
    looks = [car(t, 1) for t in every(2, 0, 60)]
    looks += [look(t, BUS) for t in every(2, 62, 120)]
    looks += [car(t, 1) for t in every(2, 122, 200)]
    (one,) = cars(remember(looks))
    assert (one.first_seen_s, one.dwell.bridged_s) == (0, 62)


@pytest.mark.parametrize(("thing", "sightings"), [(1, 1), (2, 2)])
def test_after_an_offline_hour_the_same_car_goes_on_and_another_begins_anew(thing, sightings):
    looks = [car(t, 1) for t in every(2, 0, 60)] + [car(t, thing) for t in every(2, 3660, 3720)]
    found = cars(remember(looks))
    assert len(found) == sightings
    assert found[-1].first_seen_s == (0 if thing == 1 else 3660)
    assert found[0].dwell.unknown_s == (3600 if thing == 1 else 0)


def test_a_night_between_does_not_part_a_car_from_itself():
    looks = [car(t, 1) for t in every(600, 0, 36_000)]
    looks += [car(t, 1, GREY) for t in every(600, 36_600, 72_000)]
    looks += [car(t, 1) for t in every(600, 72_600, 86_400)]
    (one,) = cars(remember(looks))
    assert (one.first_seen_s, one.last_seen_s) == (0, 86_400)


def test_a_swap_by_night_is_noticed_in_the_morning_and_dated_to_the_night():
    looks = [car(t, 1) for t in every(600, 0, 36_000)]
    looks += [look(t, BUS) for t in every(600, 36_600, 37_200)]
    looks += [car(t, 2, GREY) for t in every(600, 37_800, 72_000)]
    looks += [car(t, 2) for t in every(600, 72_600, 86_400)]
    old, new = cars(remember(looks))
    assert old.last_seen_s == 36_000
    assert new.first_seen_s == 37_800


def test_one_spoilt_signature_says_nothing():
    looks = [car(t, 9 if t in (30, 40) else 1) for t in every(2, 0, 60)]
    assert len(cars(remember(looks))) == 1


def test_what_stands_before_a_thing_spoils_its_signature():
    walker = seen("person", at(480, 515, 50, 120))
    looks = [car(t, 1) for t in every(2, 0, 60)]
    for t in every(2, 62, 120):
        spoilt = look(t, seen("car", SPOT), walker)
        looks.append(signed(spoilt, signature(7)))
    looks += [car(t, 1) for t in every(2, 122, 160)]
    assert len(cars(remember(looks))) == 1


def test_dense_traffic_at_a_slow_pace_never_stands():
    """Another car at the same place in each look, as before a red light (no track id helps)."""
    looks = [car(t, round(t)) for t in every(10, 0, 600)]
    assert cars(remember(looks)) == []


def stall(time_s: float, x: float, thing: int, name: str = "street_stall") -> Look:
    box = at(x, 500, 100, 120)
    return signed(look(time_s, seen(name, box)), signature(thing, DAY, round(time_s)))


class TestPushedOn:
    """A seller pushes the stall on by half its width: it is the same stall at the same dwell."""

    def test_a_stall_that_is_pushed_on_goes_on(self):
        looks = [stall(t, 500 + 50 * (t // 240), 1) for t in every(5, 0, 955)]
        history = remember(looks)
        (one,) = history[-1]
        assert (one.first_seen_s, one.box[0]) == (0, 600)
        assert one.dwell.total_s == 955
        assert one.dwell.observed_s >= 900

    def test_it_is_followed_a_whole_width_by_how_it_looks(self):
        looks = [stall(t, 500 if t < 240 else 595, 1) for t in every(5, 0, 480)]
        assert {one.id for one in remember(looks)[-1]} == {1}

    def test_another_stall_half_a_width_on_begins_anew(self):
        looks = [stall(t, 500 if t < 240 else 550, 1 if t < 240 else 2) for t in every(5, 0, 480)]
        (one,) = remember(looks)[-1]
        assert one.first_seen_s >= 240

    def test_a_stall_that_packs_up_and_comes_back_an_hour_later_begins_anew(self):
        looks = [stall(t, 500, 1) for t in every(5, 0, 240)]
        looks += [look(t) for t in every(5, 245, 3600)]
        looks += [stall(t, 550, 1) for t in every(5, 3605, 3700)]
        (one,) = remember(looks)[-1]
        assert one.first_seen_s == 3605

    def test_a_hawker_who_walks_on_does_not_stand(self):
        looks = [stall(t, 500 + 8 * t, 1) for t in every(5, 0, 600)]
        assert not any(one.standing for one in remember(looks)[-1])

    def test_a_car_that_moves_on_by_half_its_length_has_moved(self):
        looks = [stall(t, 500 if t < 240 else 550, 1, "car") for t in every(5, 0, 480)]
        (one,) = remember(looks)[-1]
        assert one.first_seen_s >= 240


HOUR, DAY_S = 3600.0, 86_400.0


def four_a_day(days: int) -> list[float]:
    return [day * DAY_S + hour * HOUR for day in range(days) for hour in (9, 12, 15, 18)]


class TestFewLooksADay:
    """How often a camera looks does not matter: days are told from four looks each."""

    def test_a_car_that_is_missed_now_and_then_is_one_for_days(self):
        times = four_a_day(12)
        missed = {times[i] for i in (1, 2, 7, 11, 12, 13, 20, 24, 25, 33)}
        looks = [look(t) if t in missed else car(t, 1) for t in times]
        (one,) = cars(remember(looks))
        assert (one.first_seen_s, one.last_seen_s) == (times[0], times[-1])
        assert not one.in_doubt

    def test_another_car_in_the_bay_each_day_is_another_sighting(self):
        looks = [car(t, int(t // DAY_S)) for t in four_a_day(6)]
        assert max(one.dwell.total_s for one in cars(remember(looks))) < DAY_S

    def test_a_car_that_is_away_for_a_day_has_left_though_it_comes_back(self):
        times = four_a_day(5)
        looks = [car(t, 1) if t // DAY_S % 3 == 0 else look(t) for t in times]
        first, second = cars(remember(looks))
        assert first.absent_since_s == 18 * HOUR
        assert second.first_seen_s == 3 * DAY_S + 9 * HOUR

    def test_it_is_known_again_though_a_false_box_lay_before_it_when_it_was_signed(self):
        times = four_a_day(4)
        false_box = seen("street_stall", at(520, 540, 120, 200), 0.2)
        looks = [car(t, 1) for t in times]
        looks[4] = signed(look(times[4], seen("car", SPOT), false_box), signature(1, DAY, 4))
        looks[5] = look(times[5])
        (one,) = cars(remember(looks))
        assert not one.in_doubt


def test_without_signatures_the_place_alone_decides():
    looks = [look(t, seen("car", SPOT)) for t in every(2, 0, 60)]
    looks += [look(t, seen("car", SPOT)) for t in every(2, 3660, 3720)]
    assert len(cars(remember(looks))) == 1


def test_a_signature_is_wanted_early_then_seldom_and_at_once_after_an_absence():
    history = remember(car(t, 1) for t in every(2, 0, 7200))
    wanted = [sightings[0].sign_from_s for sightings in history]
    assert wanted[0] == 0
    assert len(set(wanted)) > 5
    memory = SightingMemory()
    for t in every(2, 0, 600):
        one = car(t, 1)
        (sighting,) = memory.update(one)
    assert sighting.sign_from_s > 600
    (sighting,) = memory.update(look(606))
    assert sighting.sign_from_s <= 606


class TestLikeness:
    def test_a_thing_is_known_in_each_light_in_which_it_was_seen(self):
        likeness = Likeness()
        likeness.keep(signature(1), 0)
        assert likeness.verdict(signature(1, GREY)) is Verdict.NEW_LIGHT
        likeness.keep(signature(1, GREY), 10)
        assert likeness.verdict(signature(1, noise=5)) is Verdict.SAME
        assert likeness.verdict(signature(1, GREY, noise=5)) is Verdict.SAME
        assert likeness.verdict(signature(2)) is Verdict.OTHER
        assert likeness.verdict(signature(2, GREY)) is Verdict.OTHER

    def test_strangers_count_only_when_they_are_one_thing(self):
        likeness = Likeness()
        likeness.keep(signature(1), 0)
        counts = [likeness.stranger(signature(thing), thing) for thing in (2, 2, 3, 2)]
        assert counts == [1, 2, 1, 1]

    def test_it_stays_small(self):
        likeness = Likeness()
        for hour in range(1000):
            likeness.keep(signature(1, noise=hour), hour * 3600 * 10**6)
        assert len(likeness.state()["kept"]) <= 4


@st.composite
def days(draw: st.DrawFn) -> list[Look]:
    """A bay and a pavement over which things come, go, hide and swap."""
    time_s, thing, pose, size = 0.0, 1, 0, (1000, 800)
    looks = []
    for _ in range(draw(st.integers(5, 40))):
        time_s += draw(st.sampled_from([0.5, 2.0, 2.0, 2.0, 10.0, 70.0, 4000.0]))
        happening = draw(st.sampled_from(["stay"] * 8 + ["swap", "hide", "hide", "miss", "blind"]))
        pose += draw(st.sampled_from([0] * 29 + [1]))
        if happening == "blind":
            looks.append(look(time_s, health=Health.BLACK, pose=pose))
            continue
        thing += happening == "swap"
        there = [seen("car", SPOT, draw(st.sampled_from([0.2, 0.4, 0.8])))]
        if happening == "hide":
            there = [BUS]
        elif happening == "miss":
            there = []
        there += draw(st.sampled_from([[], [seen("debris_pile", at(200, 600), 0.5)]]))
        light = draw(st.sampled_from([DAY, DAY, DAY, GREY]))
        mark = signature(thing, light, round(time_s)) if draw(st.booleans()) else None
        inspected = draw(st.sampled_from([True, True, True, False]))
        one = look(time_s, *there, pose=pose, inspected=inspected, frame_size=size)
        looks.append(signed(one, mark if there and there[0] is not BUS else None))
    return looks


@settings(max_examples=60, deadline=None)
@given(days(), st.lists(st.integers(0, 40), max_size=4))
def test_a_memory_handed_over_anywhere_goes_on_exactly(looks, cuts):
    memory = SightingMemory()
    history = []
    for number, one in enumerate(looks):
        if number in cuts:
            handed = json.loads(json.dumps(memory.state()))
            memory = SightingMemory()
            memory.restore(handed)
            assert memory.state() == handed
        history.append(memory.update(one))
    assert history == remember(looks)


@pytest.mark.parametrize("state", [{}, {"version": 99}, {"version": 1, "next_id": 1}])
def test_a_foreign_state_is_refused(state):
    with pytest.raises(InputError, match="memory"):
        SightingMemory().restore(state)
