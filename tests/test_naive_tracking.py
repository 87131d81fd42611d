"""The yardstick of the benchmarks: ByteTrack and a timer."""

from __future__ import annotations

import pytest
from scripted import at, every, look, seen

from benchmarks.naive_tracking import identity_switches, naive_violations, tracks
from vision.zones import WHOLE_FRAME

pytest.importorskip("ultralytics")

SPOT = at(500, 500)
KINDS = {"car": "abandoned_vehicle"}
DWELL_S = {"abandoned_vehicle": 20.0}


def judged(looks):
    return naive_violations(looks, [WHOLE_FRAME], DWELL_S, KINDS)


def test_a_car_in_plain_view_is_raised_when_its_timer_expires():
    (violation,) = judged([look(t, seen("car", SPOT)) for t in every(2, 0, 60)])
    assert (violation.start_s, violation.noticed_s, violation.end_s) == (0, 20, None)


def test_a_car_that_leaves_ends_it():
    looks = [look(t, seen("car", SPOT)) for t in every(2, 0, 60)]
    (violation,) = judged(looks + [look(t) for t in every(2, 62, 80)])
    assert violation.end_s == 60


def test_a_long_wait_behind_a_bus_costs_the_track_its_id_and_the_timer_its_start():
    bus = at(520, 540, 300, 200)
    looks = [
        look(t, seen("bus", bus) if 10 <= t < 100 else seen("car", SPOT)) for t in every(2, 0, 200)
    ]
    (violation,) = judged(looks)
    assert violation.start_s >= 100
    tracked = tracks(looks)
    there = [[(one.id, one.box) for one in found] for _, found in tracked]
    assert identity_switches([{"car": SPOT}] * len(looks), there) == 1
