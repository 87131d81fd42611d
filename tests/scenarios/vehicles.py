"""Vehicles: days in a bay, swaps, queues, stops, hidden departures, a detector that flickers."""

from __future__ import annotations

from dataclasses import replace

from .life import PARKED, buses, queues, stopping, usual
from .noise import FLICKER, NIGHT
from .scenario import (
    BAYS,
    DAY_S,
    FOOTWAY,
    HOUR,
    NO_STOPPING,
    Scenario,
    Wrong,
    every,
    on_days,
)
from .world import BAY_Z, FAR_LANE_Z, NEAR_LANE_Z, Thing, passes, stands, traffic

CLEARWAY = (NO_STOPPING, BAYS, FOOTWAY)
TEN_DAYS = {"abandoned_vehicle": {"unmoved_s": 10 * DAY_S}}
TWO_DAYS = {"abandoned_vehicle": {"unmoved_s": 2 * DAY_S}}


def _others_for_days(days: int) -> list[Thing]:
    """Cars that take the bays beside by day, others each day."""
    return [
        stands("car", x, BAY_Z, day * DAY_S, day * DAY_S + 9 * HOUR, name=f"daily-{day}-{x}")
        for day in range(days)
        for x in (-6.0, 6.5)
    ]


SCENARIOS = [
    Scenario(
        "same car for days",
        "One car stays in a bay for 12 days, 4 looks a day, limit 10 days",
        on_days(13, 9, 12, 15, 18),
        [stands("car", 0.5, BAY_Z, DAY_S, name="stayer"), *_others_for_days(13)],
        wrong=(Wrong("abandoned_vehicle", "stayer", DAY_S, signs=("unmoved",)),),
        rules=TEN_DAYS,
    ),
    Scenario(
        "another car each day",
        "Twelve different cars fill one bay day after day, limit 10 days",
        on_days(13, 9, 12, 15, 18),
        [
            *[
                stands("car", 0.5, BAY_Z, (d - 0.45) * DAY_S, (d + 0.5) * DAY_S, name=f"guest-{d}")
                for d in range(13)
            ],
            *_others_for_days(13),
        ],
        rules=TEN_DAYS,
    ),
    Scenario(
        "swapped overnight",
        "A car is replaced by a like one in the night, each for 1.5 of 2 days allowed",
        on_days(4, *range(8, 20)),
        [
            stands("car", 0.5, BAY_Z, 0, 1.5 * DAY_S, name="first"),
            stands("car", 0.5, BAY_Z, 1.55 * DAY_S, name="second"),
        ],
        rules=TWO_DAYS,
    ),
    Scenario(
        "same car after nights",
        "The camera sleeps from 20 to 8 h; one car stays for 3 days, limit 2 days",
        on_days(4, *range(8, 20)),
        [stands("car", 0.5, BAY_Z, 2 * HOUR, name="stayer")],
        wrong=(Wrong("abandoned_vehicle", "stayer", 2 * HOUR, signs=("unmoved",)),),
        rules=TWO_DAYS,
    ),
    Scenario(
        "same car after an offline hour",
        "The camera is offline for an hour while a derelict car stands there",
        every(10, 5400, but=[(300, 3900)]),
        [stands("derelict_vehicle", 0.5, BAY_Z, 60, name="wreck"), *PARKED, *usual(5400, 3)],
        wrong=(Wrong("abandoned_vehicle", "wreck", 60),),
    ),
    Scenario(
        "swapped while offline",
        "Offline for 20 minutes; another car stands in the no-stopping zone afterwards, "
        "each for 4 of 5 minutes allowed",
        every(5, 1900, but=[(250, 1450)]),
        [
            stopping("first", "car", 0, FAR_LANE_Z, 60, 300),
            stopping("second", "car", 0.2, FAR_LANE_Z, 1410, 1690),
            *usual(1900, 4),
        ],
        CLEARWAY,
    ),
    Scenario(
        "swapped within seconds",
        "Three vehicles take one no-stopping place after each other, each for under 4 minutes",
        every(5, 900),
        [
            stopping("first", "car", 0, FAR_LANE_Z, 40, 250),
            stopping("second", "car", 0.1, FAR_LANE_Z, 265, 480),
            stopping("third", "car", -0.1, FAR_LANE_Z, 495, 720),
        ],
        CLEARWAY,
    ),
    Scenario(
        "swapped beyond the dwell",
        "Two vehicles take one no-stopping place after each other, each for 8 minutes",
        every(5, 1300),
        [
            stopping("first", "car", 0, FAR_LANE_Z, 40, 520),
            stopping("second", "car", 0.1, FAR_LANE_Z, 545, 1030),
        ],
        CLEARWAY,
        wrong=(
            Wrong("abandoned_vehicle", "first", 40, 520),
            Wrong("abandoned_vehicle", "second", 545, 1030),
        ),
    ),
    Scenario(
        "queue at a red light",
        "Other cars wait at the same red light for 60 of each 90 s, for half an hour",
        every(5, 1800),
        queues(1800),
        CLEARWAY,
    ),
    Scenario(
        "slow traffic",
        "Dense stop-and-go traffic crawls over a no-stopping zone for 15 minutes",
        every(2, 900),
        [
            Thing(
                f"crawler-{i}", "car",
                tuple(
                    (8.0 * i + 20 * k + s, -28.0 + 6 * k + 6 * (s > 0), FAR_LANE_Z)
                    for k in range(10) for s in (0, 8)
                ),
            )
            for i in range(-10, 110)
        ],
        CLEARWAY,
    ),
    Scenario(
        "bus stop",
        "Buses stop for 45 s at the same spot of a no-stopping zone every 3 minutes",
        every(5, 1800),
        [stopping(f"bus-{i}", "bus", 1, NEAR_LANE_Z, 180 * i, 180 * i + 45) for i in range(10)],
        CLEARWAY,
    ),
    Scenario(
        "taxi waits four minutes",
        "A car waits for 4 minutes where 5 are allowed",
        every(5, 600),
        [stopping("taxi", "car", -3, FAR_LANE_Z, 60, 300), *usual(600, 5)],
        CLEARWAY,
    ),
    Scenario(
        "van unloads nine minutes",
        "A lorry stands in the no-stopping zone for 9 minutes, people around it",
        every(5, 900),
        [
            stopping("van", "truck", -3, FAR_LANE_Z, 60, 600),
            *usual(900, 6),
            *[passes("person", FAR_LANE_Z - 0.6, 90 + 30 * i, 0.9, name=f"carrier-{i}")
              for i in range(16)],
        ],
        CLEARWAY,
        wrong=(Wrong("abandoned_vehicle", "van", 60, 600, signs=("no_stopping",)),),
    ),
    Scenario(
        "cars park for an hour",
        "Sound cars stand in bays for an hour: nothing is wrong",
        every(10, 3600),
        [*PARKED, stands("car", 0.5, BAY_Z, 300, name="late"), *usual(3600, 7)],
    ),
    Scenario(
        "neighbour leaves",
        "A sound car beside a derelict one leaves; the derelict one stays",
        every(5, 1100),
        [
            stands("derelict_vehicle", 0.5, BAY_Z, name="wreck"),
            stands("car", 5.0, BAY_Z, 0, 400, name="neighbour"),
            *usual(1100, 8),
        ],
        wrong=(Wrong("abandoned_vehicle", "wreck", 0),),
    ),
    Scenario(
        "hidden for twenty minutes",
        "A bus waits before a derelict car for 20 minutes: one violation, not ended",
        every(10, 3000),
        [
            stands("derelict_vehicle", 0.5, BAY_Z, name="wreck"),
            stopping("bus", "bus", 0.3, NEAR_LANE_Z, 900, 2100),
            *usual(3000, 9, per_min=3),
        ],
        wrong=(Wrong("abandoned_vehicle", "wreck", 0),),
    ),
    Scenario(
        "leaves while hidden",
        "A derelict car is towed away while a bus hides it",
        every(5, 1500),
        [
            stands("derelict_vehicle", 0.5, BAY_Z, 0, 1050, name="wreck"),
            stopping("bus", "bus", 0.3, NEAR_LANE_Z, 1000, 1100),
            *usual(1500, 10, per_min=3),
        ],
        wrong=(Wrong("abandoned_vehicle", "wreck", 0, 1050),),
    ),
    Scenario(
        "towed away",
        "A derelict car is towed away after 20 minutes; the violation ends",
        every(5, 1600),
        [stands("derelict_vehicle", 0.5, BAY_Z, 60, 1260, name="wreck"), *usual(1600, 11)],
        wrong=(Wrong("abandoned_vehicle", "wreck", 60, 1260),),
    ),
    Scenario(
        "derelict bicycle",
        "A derelict bicycle lies among parked motorcycles",
        every(5, 1000),
        [
            stands("derelict_cycle", 0.0, BAY_Z, 30, name="bike", size=(1.8, 0.6, 1.2)),
            stands("motorcycle", 2.6, BAY_Z, name="scooter-1"),
            stands("motorcycle", -2.8, BAY_Z, 0, 600, name="scooter-2"),
            *usual(1000, 12),
        ],
        wrong=(Wrong("abandoned_vehicle", "bike", 30),),
    ),
    Scenario(
        "flickering detector",
        "The detector misses a derelict car in 55 % of looks, in spells of several",
        every(5, 1500),
        [stands("derelict_vehicle", 0.5, BAY_Z, 60, name="wreck"), *PARKED, *usual(1500, 13)],
        wrong=(Wrong("abandoned_vehicle", "wreck", 60, tolerance_s=120),),
        noise=FLICKER,
    ),
    Scenario(
        "jitter at night",
        "Boxes jitter by 9 % at night; parked sound cars stay, nothing is wrong",
        every(5, 1500),
        [*PARKED, stands("car", 0.5, BAY_Z, 60, name="late"), *traffic(1500, 2.0, 14)],
        noise=replace(NIGHT, jitter=0.09),
        gated=0.3,
    ),
    Scenario(
        "wreck with jitter at night",
        "Boxes jitter by 9 % at night; a derelict car stands among sound ones",
        every(5, 1500),
        [*PARKED, stands("derelict_vehicle", 0.5, BAY_Z, 60, name="wreck"), *traffic(1500, 2, 15)],
        wrong=(Wrong("abandoned_vehicle", "wreck", 60),),
        noise=replace(NIGHT, jitter=0.09),
        gated=0.3,
    ),
    Scenario(
        "sound car called derelict",
        "The detector calls a sound parked car derelict in 30 % of looks",
        every(5, 1500),
        [
            stands("car", 0.5, BAY_Z, name="dirty", called=(("derelict_vehicle", 0.3),)),
            *PARKED,
            *usual(1500, 16),
        ],
    ),
    Scenario(
        "crops decide",
        "Detector votes are split, the crops of a derelict car score high, of a sound one low",
        every(5, 1200),
        [
            stands("derelict_vehicle", 0.5, BAY_Z, name="wreck", derelict=0.9,
                   called=(("car", 0.45),)),
            stands("car", 6.5, BAY_Z, name="dirty", derelict=0.1,
                   called=(("derelict_vehicle", 0.45),)),
            *usual(1200, 17),
        ],
        wrong=(Wrong("abandoned_vehicle", "wreck", 0),),
    ),
    Scenario(
        "moves to the next bay",
        "A car changes the bay each day and never stays for the 2 days allowed",
        on_days(5, *range(8, 20, 2)),
        [
            stands("car", 6.0 * (d % 2), BAY_Z, (d - 0.3) * DAY_S, (d + 0.65) * DAY_S,
                   name=f"night-{d}", individual="mover")
            for d in range(5)
        ],
        rules=TWO_DAYS,
    ),
    Scenario(
        "returns each evening",
        "One car drives to work each day and is back in its bay at night, limit 2 days, "
        "a look each half hour",
        on_days(5, *(8 + 0.5 * i for i in range(32))),
        [
            stands("car", 0.5, BAY_Z, (d - 0.7) * DAY_S, (d - 0.05) * DAY_S, name=f"night-{d}",
                   individual="commuter")
            for d in range(6)
        ],
        rules=TWO_DAYS,
    ),
    Scenario(
        "behind buses for good",
        "A car stops in the no-stopping zone's far lane, seen only between buses",
        every(5, 1200),
        [
            stands("car", 0.0, FAR_LANE_Z, 30, 900, name="stopper"),
            *buses(1200, 0.0, FAR_LANE_Z),
        ],
        CLEARWAY,
        wrong=(Wrong("abandoned_vehicle", "stopper", 30, 900, signs=("no_stopping",)),),
    ),
]  # fmt: skip
