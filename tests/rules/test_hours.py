"""Zones, permits and stages by the clock: what is wrong now, and since when."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from scripted import at, every, look, seen

from vision.calendars import load_calendar
from vision.observe.look import Look
from vision.observe.memory import SightingMemory
from vision.observe.sighting import Dwell
from vision.rules.finding import Violation
from vision.rules.judge import Judge
from vision.rules.registry import build_rules
from vision.schedule import SiteClock
from vision.zones import Purpose, Zone

SHANGHAI = ZoneInfo("Asia/Shanghai")
CLOCK = SiteClock(SHANGHAI, load_calendar("cn"))
HERE = at(250, 500)
STALL, CAR = seen("street_stall", HERE), seen("car", HERE)
HOUR_S = 3600.0
EVENING = {"windows": [{"from": "17:00", "to": "23:00"}]}


def zone(purpose: Purpose, **more: object) -> Zone:
    points = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    return Zone.model_validate({"id": purpose.value, "purpose": purpose, "points": points, **more})


def at_time(start: str, looks: list[Look]) -> list[Look]:
    """Looks that begin at a local time in Shanghai."""
    begin = datetime.fromisoformat(start).replace(tzinfo=SHANGHAI)
    return [replace(one, timestamp=begin + timedelta(seconds=one.time_s)) for one in looks]


def stands(start: str, thing: object, until_s: float, interval_s: float = 60) -> list[Look]:
    return at_time(start, [look(t, thing) for t in every(interval_s, 0, until_s)])  # type: ignore[arg-type]


def judge(looks: list[Look], zones: list[Zone], **rules: object) -> list[Violation]:
    made = Judge(
        build_rules(zones, rules, CLOCK),  # type: ignore[arg-type]
        SightingMemory(),
        zones,
        camera_id="cam",
        clock=CLOCK,
    )
    for one in looks:
        made.look(one)
    return made.finish()


class TestPermits:
    MARKET = zone(
        Purpose.PERMITTED_VENDING,
        permits=[
            {"id": "P-1", "holder": "王", **EVENING},
            {"id": "P-2", "windows": [{"days": "sat", "from": "06:00", "to": "10:00"}]},
        ],
    )

    def test_inside_its_hours_a_stall_is_none(self):
        looks = stands("2026-06-03 17:00", STALL, 6 * HOUR_S - 60)
        assert judge(looks, [zone(Purpose.FOOTWAY), self.MARKET]) == []

    def test_outside_it_is_a_time_overrun_since_closing_time(self):
        looks = stands("2026-06-03 20:00", STALL, 4 * HOUR_S)
        (one,) = judge(looks, [zone(Purpose.FOOTWAY), self.MARKET])
        assert (one.zone_id, one.permit_id) == ("permitted_vending", "P-1")
        assert one.signs == ("dwell", "outside_permitted_hours")
        assert (one.start_s, one.noticed_s) == (3 * HOUR_S, 3 * HOUR_S + 300)

    def test_the_permit_that_held_last_is_named(self):
        looks = stands("2026-06-06 09:00", STALL, 2 * HOUR_S)  # Saturday
        (one,) = judge(looks, [self.MARKET])
        assert (one.permit_id, one.start_s) == ("P-2", HOUR_S)

    def test_an_overrun_ends_when_the_next_window_opens_and_recurs_after_it(self):
        looks = stands("2026-06-03 22:00", STALL, 27 * HOUR_S, 300)
        one, two = judge(looks, [self.MARKET])
        assert (one.start_s, one.end_s) == (HOUR_S, 19 * HOUR_S)
        assert (one.end_reason, one.verification) == ("permitted", "still_there")
        assert two.start_s == 25 * HOUR_S
        assert two.recurrence_of is not None

    def test_a_permit_that_has_run_out_permits_nothing(self):
        over = zone(
            Purpose.PERMITTED_VENDING, permits=[{"id": "P-1", **EVENING, "until": "2026-05-31"}]
        )
        (one,) = judge(stands("2026-06-03 18:00", STALL, HOUR_S), [over])
        assert (one.permit_id, one.start_s) == ("P-1", 0)

    def test_a_special_day_counts(self):
        fair = zone(
            Purpose.PERMITTED_VENDING,
            permits=[
                {
                    "id": "P-1",
                    **EVENING,
                    "special_days": [
                        {"from": "2026-06-19", "windows": [{"from": "08:00", "to": "23:00"}]}
                    ],
                }
            ],
        )
        assert judge(stands("2026-06-19 12:00", STALL, HOUR_S), [fair]) == []
        assert len(judge(stands("2026-06-22 12:00", STALL, HOUR_S), [fair])) == 1

    def test_hours_without_permits_are_the_zone_s_schedule(self):
        market = zone(Purpose.PERMITTED_VENDING, schedule=EVENING)
        assert judge(stands("2026-06-03 18:00", STALL, HOUR_S), [market]) == []
        (one,) = judge(stands("2026-06-03 12:00", STALL, HOUR_S), [market])
        assert (one.signs, one.permit_id) == (("dwell", "outside_permitted_hours"), None)

    def test_the_site_s_time_zone_decides_not_that_of_the_recording(self):
        looks = stands("2026-06-03 18:00", STALL, HOUR_S)
        abroad = [
            replace(one, timestamp=one.timestamp.astimezone(ZoneInfo("America/Lima")))
            for one in looks
        ]
        assert judge(abroad, [self.MARKET]) == []

    def test_a_stall_by_its_parts_keeps_the_hours_too(self):
        parts = [
            seen("person", at(250, 480, 60, 170)),
            seen("umbrella", at(250, 420, 180, 120)),
            seen("dining table", at(250, 520, 120, 70)),
        ]
        market = zone(Purpose.PERMITTED_VENDING, permits=[{"id": "P-1", **EVENING}])
        looks = at_time("2026-06-03 21:00", [look(t, *parts) for t in every(20, 0, 3 * HOUR_S)])
        (one,) = judge(looks, [market])
        assert (one.basis, one.permit_id) == ("composition", "P-1")
        assert one.start_s == 2 * HOUR_S
        assert one.signs[:2] == ("dwell", "outside_permitted_hours")


class TestZonesByTheClock:
    BY_DAY = zone(Purpose.NO_STOPPING, schedule={"windows": [{"from": "07:00", "to": "19:00"}]})

    def test_the_dwell_counts_from_the_opening(self):
        (one,) = judge(stands("2026-06-03 05:00", CAR, 4 * HOUR_S), [self.BY_DAY])
        assert (one.start_s, one.noticed_s) == (2 * HOUR_S, 2 * HOUR_S + 300)

    def test_the_ledger_counts_from_the_opening(self):
        looks = [
            one
            for one in stands("2026-06-03 05:00", CAR, 4 * HOUR_S)
            if not 1800 < one.time_s < HOUR_S and not 3 * HOUR_S < one.time_s < 3.5 * HOUR_S
        ]
        (one,) = judge(looks, [self.BY_DAY])
        assert one.dwell == Dwell(observed_s=1.5 * HOUR_S, unknown_s=0.5 * HOUR_S)

    def test_at_night_the_car_may_stand_there(self):
        assert judge(stands("2026-06-03 20:00", CAR, 8 * HOUR_S), [self.BY_DAY]) == []

    def test_closing_time_ends_the_violation_though_the_car_stays(self):
        (one,) = judge(stands("2026-06-03 18:00", CAR, 4 * HOUR_S), [self.BY_DAY])
        assert (one.end_s, one.end_reason) == (HOUR_S, "permitted")

    def test_a_car_missed_when_the_window_closes_had_left_before(self):
        looks = stands("2026-06-03 18:00", CAR, HOUR_S - 120)
        looks += at_time("2026-06-03 18:00", [look(t) for t in every(60, HOUR_S - 60, 2 * HOUR_S)])
        (one,) = judge(looks, [self.BY_DAY])
        assert (one.end_s, one.end_noticed_s) == (HOUR_S - 120, HOUR_S)

    def test_what_was_not_watched_in_the_window_is_not_counted(self):
        """Offline from before the opening until 07:30: nobody saw it stand there by day."""
        looks = [
            one
            for one in stands("2026-06-03 05:00", CAR, 4 * HOUR_S)
            if not HOUR_S < one.time_s < 2.5 * HOUR_S
        ]
        (one,) = judge(looks, [self.BY_DAY])
        assert one.start_s == 2 * HOUR_S
        assert one.noticed_s == 2.5 * HOUR_S + 180

    def test_holidays_and_make_up_days(self):
        market_street = zone(
            Purpose.NO_STOPPING,
            schedule={"windows": [{"days": "workday", "from": "08:00", "to": "18:00"}]},
        )
        assert len(judge(stands("2026-02-14 10:00", CAR, HOUR_S), [market_street])) == 1
        assert judge(stands("2026-02-17 10:00", CAR, HOUR_S), [market_street]) == []

    def test_an_ignore_zone_may_have_hours(self):
        ignore = zone(Purpose.IGNORE, schedule=EVENING)
        zones = [zone(Purpose.FOOTWAY), ignore]
        assert judge(stands("2026-06-03 18:00", STALL, HOUR_S), zones) == []
        assert len(judge(stands("2026-06-03 12:00", STALL, HOUR_S), zones)) == 1


class TestCollection:
    KERB = zone(
        Purpose.COLLECTION_POINT,
        schedule={"windows": [{"days": ["tue", "fri"], "from": "05:00", "to": "09:00"}]},
    )
    ZONES = (zone(Purpose.FOOTWAY), KERB)

    @pytest.mark.parametrize(
        ("thing", "start", "count"),
        [
            ("overflow_bin", "2026-06-02 05:00", 0),  # Tuesday
            ("overflow_bin", "2026-06-03 05:00", 1),
            ("debris_pile", "2026-06-02 05:00", 0),
            ("waste_pile", "2026-06-02 05:00", 0),
            ("rubble_pile", "2026-06-02 05:00", 1),  # nobody collects rubble
        ],
    )
    def test_waste_may_wait_on_collection_days(self, thing, start, count):
        looks = stands(start, seen(thing, HERE), 3 * HOUR_S)
        found = judge(looks, list(self.ZONES), debris_pile={"overflow_bins": True})
        assert len(found) == count

    def test_what_was_left_is_wrong_from_the_end_of_the_window(self):
        looks = stands("2026-06-02 06:00", seen("debris_pile", HERE), 5 * HOUR_S)
        (one,) = judge(looks, list(self.ZONES))
        assert (one.start_s, one.noticed_s) == (3 * HOUR_S, 3.5 * HOUR_S)


class TestStages:
    PLAN = (
        {"stage": "demolition", "from": "2026-03-01"},
        {"stage": "structure", "from": "2026-06-01"},
        {"stage": "post_nine", "from": "2026-09-01"},
        {"stage": "handed_over", "from": "2026-11-01"},
    )

    @pytest.mark.parametrize(
        ("day", "count"),
        [
            ("2026-02-28", 0),  # not started
            ("2026-03-01", 1),
            ("2026-07-01", 1),
            ("2026-10-31", 1),
            ("2026-11-01", 0),
            ("2027-05-01", 0),
        ],
    )
    def test_a_hoarding_is_expected_from_the_start_until_the_hand_over(self, day, count):
        line = Zone.model_validate(
            {
                "id": "fence",
                "purpose": "hoarding_line",
                "points": [(0.1, 0.5), (0.9, 0.5)],
                "stages": self.PLAN,
            }
        )
        looks = at_time(f"{day} 09:00", [look(t) for t in every(10, 0, 900)])
        assert len(judge(looks, [line])) == count

    def test_the_hand_over_ends_a_violation(self):
        line = Zone.model_validate(
            {
                "id": "fence",
                "purpose": "hoarding_line",
                "points": [(0.1, 0.5), (0.9, 0.5)],
                "stages": self.PLAN,
            }
        )
        looks = at_time("2026-10-31 23:00", [look(t) for t in every(60, 0, 2 * HOUR_S)])
        (one,) = judge(looks, [line])
        assert (one.end_s, one.end_reason) == (HOUR_S, "permitted")

    @pytest.mark.parametrize(
        ("day", "count"), [("2026-04-01", 1), ("2026-07-01", 0), ("2026-12-01", 0)]
    )
    def test_how_strict_dust_is_depends_on_the_stage(self, day, count):
        """Two looks suffice while a house is pulled down, three are asked for later."""
        site = zone(Purpose.SITE, stages=self.PLAN)
        looks = at_time(
            f"{day} 10:00",
            [
                look(2.0 * i, *[seen("construction_dust", at(250 + 40 * i, 500))] * (i in (2, 3)))
                for i in range(8)
            ],
        )
        found = judge(looks, [site], construction_dust={"k_looks_in": {"demolition": 2}})
        assert len(found) == count
