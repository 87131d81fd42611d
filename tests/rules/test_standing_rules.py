"""Vehicles, stalls and heaps: place, time and permission make the violation."""

from __future__ import annotations

import numpy as np
import pytest
from scripted import at, every, jittered, look, seen

from vision.observe.look import Health
from vision.observe.memory import SightingMemory
from vision.rules.judge import Judge
from vision.rules.registry import build_rules
from vision.zones import WHOLE_FRAME, Purpose, Zone

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
RIGHT = ((0.55, 0.0), (1.0, 0.0), (1.0, 1.0), (0.55, 1.0))
IN_LEFT, IN_RIGHT = at(250, 500), at(750, 500)


def zone(purpose: Purpose, points=LEFT) -> Zone:
    return Zone(id=purpose.value, purpose=purpose, points=points)


def judge(looks, zones=(WHOLE_FRAME,), **settings):
    """Violations of a stream judged in these zones with these settings."""
    judge = Judge(build_rules(zones, settings), SightingMemory(), zones, camera_id="cam")
    for one in looks:
        judge.look(one)
    return judge.finish()


def stands(name, box, until_s, interval_s=10, confidence=0.6):
    return [look(t, seen(name, box, confidence)) for t in every(interval_s, 0, until_s)]


class TestStreetStall:
    def test_a_stall_beyond_the_dwell_is_a_violation_since_it_was_set_up(self):
        looks = [look(0.0), *(look(t, seen("street_stall", IN_LEFT)) for t in every(10, 10, 400))]
        (one,) = judge(looks, [zone(Purpose.FOOTWAY)])
        assert (one.kind, one.zone_id) == ("street_stall", "footway")
        assert (one.start_s, one.noticed_s, one.end_s) == (10, 310, None)
        assert one.box == IN_LEFT
        assert one.confidence == pytest.approx(0.6)
        assert one.signs == ("dwell",)
        assert one.rule_settings["dwell_s"] == 300

    @pytest.mark.parametrize(("until_s", "count"), [(290, 0), (300, 1)])
    def test_the_dwell_is_exact(self, until_s, count):
        assert len(judge(stands("street_stall", IN_LEFT, until_s))) == count

    @pytest.mark.parametrize(
        ("purpose", "count"),
        [
            (Purpose.CARRIAGEWAY, 1),
            (Purpose.FOOTWAY, 1),
            (Purpose.PARKING_BAY, 0),
            (Purpose.SITE, 0),
            (Purpose.PERMITTED_VENDING, 0),
        ],
    )
    def test_the_zone_decides(self, purpose, count):
        assert len(judge(stands("street_stall", IN_LEFT, 400), [zone(purpose)])) == count

    def test_a_permitted_place_on_the_footway_is_permitted(self):
        zones = [zone(Purpose.FOOTWAY), zone(Purpose.PERMITTED_VENDING)]
        assert judge(stands("street_stall", IN_LEFT, 400), zones) == []

    def test_elsewhere_is_not_judged(self):
        assert judge(stands("street_stall", IN_RIGHT, 400), [zone(Purpose.FOOTWAY)]) == []

    def test_passing_stalls_are_none(self):
        looks = [look(t, seen("street_stall", at(20 * t % 1000, 500))) for t in every(2, 0, 600)]
        assert judge(looks, street_stall={"dwell_s": 20}) == []

    def test_a_stall_that_packs_up_ends_the_violation_when_it_left(self):
        looks = [*stands("street_stall", IN_LEFT, 400), *(look(t) for t in every(10, 410, 500))]
        (one,) = judge(looks)
        assert (one.last_seen_s, one.end_s) == (400, 400)

    def test_a_crowd_in_front_does_not_end_it(self):
        hidden = seen("person", at(250, 540, 160, 170))
        looks = [
            look(t, hidden if 350 <= t < 600 else seen("street_stall", IN_LEFT))
            for t in every(10, 0, 700)
        ]
        (one,) = judge(looks)
        assert one.end_s is None
        assert one.last_seen_s == 700

    def test_a_dead_camera_does_not_grow_the_dwell(self):
        looks = [
            look(t, health=Health.BLACK)
            if 20 <= t < 290
            else look(t, seen("street_stall", IN_LEFT))
            for t in every(10, 0, 300)
        ]
        assert judge(looks) == []
        longer = [*looks, *(look(t, seen("street_stall", IN_LEFT)) for t in every(10, 310, 450))]
        (one,) = judge(longer)
        assert one.start_s == 0

    def test_dusk_after_it_was_noticed_does_not_end_it(self):
        """Two thresholds: lower scores keep what is known (frigate 2842)."""
        looks = stands("street_stall", IN_LEFT, 400)
        looks += [look(t, seen("street_stall", IN_LEFT, 0.15)) for t in every(10, 410, 900)]
        (one,) = judge(looks)
        assert (one.last_seen_s, one.end_s) == (900, None)
        dim = [look(one.time_s, seen("street_stall", IN_LEFT, 0.2)) for one in looks]
        assert judge(dim) == []


class TestDebrisPile:
    def test_a_heap_beyond_the_dwell(self):
        (one,) = judge(stands("debris_pile", IN_LEFT, 1900), [zone(Purpose.GREEN)])
        assert (one.kind, one.noticed_s, one.signs) == ("debris_pile", 1800, ("dwell",))

    def test_on_a_building_site_heaps_may_lie(self):
        zones = [zone(Purpose.CARRIAGEWAY), zone(Purpose.SITE)]
        assert judge(stands("debris_pile", IN_LEFT, 1900), zones) == []

    @pytest.mark.parametrize(("wanted", "count"), [(False, 0), (True, 1)])
    def test_overflowing_bins_count_when_asked_for(self, wanted, count):
        looks = stands("overflow_bin", IN_LEFT, 1900)
        assert len(judge(looks, debris_pile={"overflow_bins": wanted})) == count

    def test_a_growing_heap_says_so(self):
        looks = [
            look(t, seen("debris_pile", at(250, 500, 100 + t / 20, 80 + t / 25)))
            for t in every(10, 0, 1900)
        ]
        (one,) = judge(looks)
        assert one.signs == ("dwell", "growing")
        assert one.start_s == 0

    @pytest.mark.parametrize(
        ("names", "sign"),
        [
            (["waste_pile"], "waste"),
            (["rubble_pile"], "rubble"),
            (["debris_pile", "rubble_pile", "rubble_pile"], "rubble"),
            (["debris_pile"], None),
            (["debris_pile", "debris_pile", "waste_pile"], None),
        ],
    )
    def test_the_matter_is_said_where_the_model_tells(self, names, sign):
        looks = [look(10.0 * i, seen(names[i % len(names)], IN_LEFT)) for i in range(200)]
        (one,) = judge(looks)
        assert one.signs == (("dwell", sign) if sign else ("dwell",))


class TestAbandonedVehicle:
    @pytest.mark.parametrize("x1", [0, 8, 40])
    def test_a_vehicle_that_the_edge_of_the_picture_cuts_has_no_derelict_look(self, x1):
        looks = stands("derelict_vehicle", (x1, 420, x1 + 160, 500), 700)
        assert len(judge(looks, [zone(Purpose.PARKING_BAY)])) == (x1 == 40)
        assert len(judge(looks, [zone(Purpose.NO_STOPPING)])) == 1

    def test_a_derelict_look_beyond_the_dwell(self):
        (one,) = judge(stands("derelict_vehicle", IN_LEFT, 700), [zone(Purpose.PARKING_BAY)])
        assert (one.kind, one.zone_id, one.noticed_s) == ("abandoned_vehicle", "parking_bay", 600)
        assert one.signs == ("derelict_look",)

    @pytest.mark.parametrize(("of_ten", "count"), [(3, 0), (7, 1)])
    def test_most_votes_must_call_it_derelict(self, of_ten, count):
        looks = [
            look(10.0 * i, seen("derelict_vehicle" if i % 10 < of_ten else "car", IN_LEFT))
            for i in range(70)
        ]
        assert len(judge(looks)) == count

    def test_a_parked_car_is_no_finding(self):
        assert judge(stands("car", IN_LEFT, 7200, interval_s=60)) == []

    def test_a_car_unmoved_for_weeks_is(self):
        day_s = 86_400
        looks = stands("car", IN_LEFT, 31 * day_s, interval_s=day_s / 4)
        (one,) = judge(looks, [zone(Purpose.PARKING_BAY)])
        assert one.signs == ("unmoved",)
        assert one.noticed_s == 30 * day_s
        assert judge(looks, [zone(Purpose.SITE)]) == []

    def test_no_stopping_zones_have_a_dwell_of_their_own(self):
        zones = [zone(Purpose.NO_STOPPING), zone(Purpose.CARRIAGEWAY, RIGHT)]
        things = [seen("car", IN_LEFT), seen("car", IN_RIGHT)]
        (one,) = judge([look(t, *things) for t in every(10, 0, 400)], zones)
        assert (one.zone_id, one.noticed_s, one.signs) == ("no_stopping", 300, ("no_stopping",))

    def test_a_red_light_queue_is_no_stopping_for_long(self):
        looks = [look(t, seen("car", IN_LEFT)) for t in every(2, 0, 90)]
        looks += [look(t) for t in every(2, 92, 400)]
        assert judge(looks, [zone(Purpose.NO_STOPPING)]) == []

    def test_signs_add_up(self):
        zones = [zone(Purpose.NO_STOPPING)]
        (one,) = judge(stands("derelict_vehicle", IN_LEFT, 700), zones)
        assert one.signs == ("no_stopping", "derelict_look")

    def test_bicycles_left_for_weeks_count(self):
        looks = stands("motorcycle", IN_LEFT, 400, interval_s=10)
        (one,) = judge(looks, abandoned_vehicle={"unmoved_s": 300})
        assert one.signs == ("unmoved", "non_motor")

    @pytest.mark.parametrize(
        ("name", "sign"), [("car", ("unmoved",)), ("bicycle", ("unmoved", "non_motor"))]
    )
    def test_non_motor_vehicles_may_have_days_of_their_own(self, name, sign):
        settings = {"unmoved_s": 2000, "non_motor_unmoved_s": 500}
        (one,) = judge(stands(name, IN_LEFT, 2500), abandoned_vehicle=settings)
        assert (one.signs, one.noticed_s) == (sign, 2000 if name == "car" else 500)

    def test_people_who_stand_are_no_vehicles(self):
        assert judge(stands("person", IN_LEFT, 400), abandoned_vehicle={"unmoved_s": 30}) == []

    def test_a_night_of_jitter_and_drop_outs_is_one_case(self):
        """ "My car didn't move all night but I got 100 alerts" (frigate 20206)."""
        rng = np.random.default_rng(3)
        looks = []
        for t in every(5, 0, 5000):
            box = jittered(IN_LEFT, rng, 0.15)
            missed = t > 10 and rng.random() < 0.3
            looks.append(look(t, *([] if missed else [seen("derelict_vehicle", box, 0.5)])))
        (one,) = judge(looks)
        assert one.start_s == 0
        assert one.end_s is None


class TestIgnoreZones:
    def test_what_stands_in_an_ignore_zone_is_never_seen(self):
        zones = [WHOLE_FRAME, zone(Purpose.IGNORE)]
        assert judge(stands("street_stall", IN_LEFT, 400), zones) == []
        assert len(judge(stands("street_stall", IN_RIGHT, 400), zones)) == 1


class TestSettings:
    def test_defaults_are_the_documented_ones(self):
        settings = {rule.kind: rule.settings for rule in build_rules([WHOLE_FRAME])}
        assert settings["street_stall"]["dwell_s"] == 300
        assert settings["debris_pile"]["dwell_s"] == 1800
        assert settings["abandoned_vehicle"]["unmoved_s"] == 30 * 86_400

    def test_a_longer_dwell_never_adds_a_violation(self):
        looks = [
            look(
                t,
                *([seen("street_stall", IN_LEFT)] if t < 500 else []),
                *([seen("street_stall", IN_RIGHT)] if t > 200 else []),
            )
            for t in every(10, 0, 800)
        ]
        counts = [
            len(judge(looks, street_stall={"dwell_s": dwell_s}))
            for dwell_s in (10, 300, 480, 550, 590, 700)
        ]
        assert counts == sorted(counts, reverse=True)
        assert counts[0] == 2
        assert counts[-1] == 0
