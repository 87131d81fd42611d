"""Permits, windows, holidays, stages, collection days: what clock and calendar decide."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from .life import usual
from .noise import NIGHT
from .scenario import (
    BAYS,
    CARRIAGEWAY,
    FENCE,
    FOOTWAY,
    HOUR,
    NO_STOPPING,
    SITE,
    STREET,
    Scenario,
    Wrong,
    every,
)
from .stalls import MARKET
from .world import FAR_LANE_Z, FOOTWAY_Z, ground, hoarding, stands

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")


def _at(day: int, hour: float, month: int = 3, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime(2026, month, day, int(hour), round(hour % 1 * 60), tzinfo=zone)


def _market(**more: Any) -> tuple[Mapping[str, Any], ...]:
    return ({**MARKET, **more}, *STREET)


EVENING = {"windows": [{"days": "mon-sun", "from": "18:00", "to": "02:00"}]}
WEEKDAYS = {"windows": [{"days": "mon-fri", "from": "06:00", "to": "09:00"}]}
STAGES = [
    {"stage": "demolition", "from": "2025-03-01"},
    {"stage": "structure", "from": "2025-06-01"},
    {"stage": "post_nine", "from": "2026-01-10"},
    {"stage": "handed_over", "from": "2026-03-02"},
]
BIN_PLACE = {
    "id": "bins",
    "purpose": "collection_point",
    "points": ground(1, 24.0, 6, 29.0),
    "schedule": {"windows": [{"days": ["mon", "thu"], "from": "05:00", "to": "10:30"}]},
}
OVERFLOWING = {"debris_pile": {"overflow_bins": True}}


def _stall(from_s: float, until_s: float = float("inf")) -> list[Any]:
    return [stands("street_stall", 0.5, FOOTWAY_Z, from_s, until_s, name="stall")]


def _bags() -> Any:
    return stands("debris_pile", 3.0, FOOTWAY_Z, 300, name="bags", size=(2.4, 1.4, 1.1))


SCENARIOS = [
    Scenario(
        "market within its hours",
        "A stall sells in a permitted zone on Monday from 6:30, the market closes at 9",
        every(10, 2400),
        [*_stall(100), *usual(2400, 101)],
        _market(schedule=WEEKDAYS),
        start=_at(2, 6.5),
    ),
    Scenario(
        "market overrun",
        "The market closes at 9; a stall is still there at 9:20: over time since 9",
        every(10, 2700),
        [*_stall(100, 2300), *usual(2700, 102)],
        _market(schedule=WEEKDAYS),
        wrong=(Wrong("street_stall", "stall", 900, 2300, signs=("outside_permitted_hours",)),),
        start=_at(2, 8.75),
    ),
    Scenario(
        "market on the wrong day",
        "A stall in the permitted zone at 7 on a Sunday, when there is no market",
        every(10, 1500),
        [*_stall(100), *usual(1500, 103)],
        _market(schedule=WEEKDAYS),
        wrong=(Wrong("street_stall", "stall", 100),),
        start=_at(1, 7),
    ),
    Scenario(
        "night market across midnight",
        "A night market from 18 to 2; a stall from 23:30 to 0:30 is within its hours",
        every(15, 5400),
        [*_stall(1800, 5300), *usual(5400, 104, per_min=2)],
        _market(schedule=EVENING),
        start=_at(2, 23),
        noise=NIGHT,
    ),
    Scenario(
        "night market overrun",
        "The night market closes at 2; a stall stays until 2:40",
        every(15, 6000),
        [*_stall(600, 4800), *usual(6000, 105, per_min=2)],
        _market(schedule=EVENING),
        wrong=(Wrong("street_stall", "stall", 2400, 4800, signs=("outside_permitted_hours",)),),
        start=_at(3, 1.334),
        noise=NIGHT,
    ),
    Scenario(
        "stall goes home in time",
        "A stall leaves 2 minutes after closing time",
        every(10, 1800),
        [*_stall(100, 1020), *usual(1800, 106)],
        _market(schedule=WEEKDAYS),
        start=_at(2, 8.75),
    ),
    Scenario(
        "market closed on a special day",
        "The market is called off on one Monday; a stall comes all the same",
        every(5, 1500),
        [*_stall(100), *usual(1500, 107)],
        _market(schedule={**WEEKDAYS, "special_days": [{"from": "2026-03-02", "windows": []}]}),
        wrong=(Wrong("street_stall", "stall", 100),),
        start=_at(2, 6.5),
    ),
    Scenario(
        "fair on a special day",
        "A fair on one Sunday from 8 to 20",
        every(10, 1800),
        [*_stall(100), *usual(1800, 108)],
        _market(
            schedule={
                **WEEKDAYS,
                "special_days": [
                    {"from": "2026-03-01", "windows": [{"from": "08:00", "to": "20:00"}]}
                ],
            }
        ),
        start=_at(1, 10),
    ),
    Scenario(
        "working Saturday",
        "调休: a Sunday that is worked; the market of working days is open",
        every(10, 1500),
        [*_stall(100), *usual(1500, 109)],
        _market(schedule={"windows": [{"days": ["workday"], "from": "06:00", "to": "09:00"}]}),
        site={"calendar": "cn"},
        start=_at(4, 7, month=1),
    ),
    Scenario(
        "public holiday",
        "国庆节: a Thursday that is a holiday; the market of working days is closed",
        every(10, 1500),
        [*_stall(100), *usual(1500, 110)],
        _market(schedule={"windows": [{"days": ["workday"], "from": "06:00", "to": "09:00"}]}),
        wrong=(Wrong("street_stall", "stall", 100),),
        site={"calendar": "cn"},
        start=_at(1, 7, month=10),
    ),
    Scenario(
        "permit holds",
        "A stall in a zone with a permit that holds",
        every(10, 1500),
        [*_stall(100), *usual(1500, 111)],
        _market(permits=[{"id": "P-17", "from": "2026-01-01", "until": "2026-06-30"}]),
    ),
    Scenario(
        "permit has run out",
        "A stall in a zone whose only permit ran out the day before",
        every(10, 1500),
        [*_stall(100), *usual(1500, 112)],
        _market(permits=[{"id": "P-17", "from": "2026-01-01", "until": "2026-03-01"}]),
        wrong=(Wrong("street_stall", "stall", 100),),
    ),
    Scenario(
        "permit runs out at midnight",
        "A permit ends with the day; the stall is over time from midnight on",
        every(15, 3600),
        [*_stall(100, 3000), *usual(3600, 113, per_min=2)],
        _market(permits=[{"id": "P-17", "until": "2026-03-02"}]),
        wrong=(Wrong("street_stall", "stall", 1800, 3000),),
        start=_at(2, 23.5),
        noise=NIGHT,
    ),
    Scenario(
        "no stopping at rush hour",
        "No stopping from 7 to 9; a car parks from 8:40 to 9:20, another from 9:10 on",
        every(10, 4200),
        [
            stands("car", -4.0, FAR_LANE_Z, 600, 3000, name="early"),
            stands("car", 4.0, FAR_LANE_Z, 2400, name="late"),
            *usual(4200, 114, per_min=3),
        ],
        (
            {**NO_STOPPING, "schedule": {"windows": [{"from": "07:00", "to": "09:00"}]}},
            BAYS,
            FOOTWAY,
        ),
        wrong=(Wrong("abandoned_vehicle", "early", 600, 1800, signs=("no_stopping",)),),
        start=_at(2, 8.5),
    ),
    Scenario(
        "clock put back",
        "The night in which 3:00 becomes 2:00 again: a market until 2:30 closes at the second 2:30",
        every(30, 4 * HOUR),
        [*_stall(600, 3.4 * HOUR)],
        _market(schedule={"windows": [{"from": "20:00", "to": "02:30"}]}),
        wrong=(Wrong("street_stall", "stall", 2.5 * HOUR, 3.4 * HOUR),),
        start=_at(25, 1, month=10, zone=BERLIN),
    ),
    Scenario(
        "clock put forward",
        "The night in which 2:00 becomes 3:00: a market until 3:30 closes after 1.5 hours",
        every(20, 3 * HOUR),
        [*_stall(600, 2.4 * HOUR)],
        _market(schedule={"windows": [{"from": "20:00", "to": "03:30"}]}),
        wrong=(Wrong("street_stall", "stall", 1.5 * HOUR, 2.4 * HOUR),),
        start=_at(29, 1, zone=BERLIN),
    ),
    Scenario(
        "waste on collection day",
        "Bags lie at the collection point on Monday morning, collection is until 10:30",
        every(15, 5400),
        [_bags(), *usual(5400, 115, per_min=2)],
        (BIN_PLACE, *STREET),
        start=_at(2, 8),
    ),
    Scenario(
        "waste not collected",
        "Bags still lie at the collection point at noon, since 10:30",
        every(15, 7200),
        [_bags(), *usual(7200, 116, per_min=2)],
        (BIN_PLACE, *STREET),
        wrong=(Wrong("debris_pile", "bags", 1800),),
        start=_at(2, 10),
    ),
    Scenario(
        "waste on the wrong day",
        "Bags lie at the collection point on a Tuesday",
        every(15, 3600),
        [_bags(), *usual(3600, 117, per_min=2)],
        (BIN_PLACE, *STREET),
        wrong=(Wrong("debris_pile", "bags", 300),),
        start=_at(3, 8),
    ),
    Scenario(
        "overflowing bin",
        "A bin overflows for an hour, away from the collection point",
        every(15, 3600),
        [
            stands("overflow_bin", -3.0, FOOTWAY_Z, 200, name="bin", size=(1.6, 1.0, 1.5)),
            *usual(3600, 118, per_min=2),
        ],
        (BIN_PLACE, *STREET),
        wrong=(Wrong("debris_pile", "bin", 200),),
        rules=OVERFLOWING,
    ),
    Scenario(
        "handed over",
        "A site was handed over; its hoarding is gone and nothing is expected",
        every(10, 1500),
        usual(1500, 119),
        (CARRIAGEWAY, FOOTWAY, {**SITE, "stages": STAGES}, {**FENCE, "stages": STAGES}),
    ),
    Scenario(
        "handed over at midnight",
        "A hoarding was taken down too early; from midnight on, with the hand-over, it is not due",
        every(15, 4500),
        hoarding(without=[(-18, 18, 300, 1e9)]),
        (CARRIAGEWAY, FOOTWAY, {**SITE, "stages": STAGES}, {**FENCE, "stages": STAGES}),
        wrong=(Wrong("hoarding_missing", "fence", 300, 2700),),
        start=_at(1, 23.25),
    ),
    Scenario(
        "后九通",
        "After the building itself, during 后九通, the site still needs its hoarding",
        every(10, 1500),
        [*hoarding(without=[(-6, 6, 200, 1e9)]), *usual(1500, 120)],
        (CARRIAGEWAY, FOOTWAY, {**SITE, "stages": STAGES}, {**FENCE, "stages": STAGES}),
        wrong=(Wrong("hoarding_missing", "fence", 200),),
        start=_at(20, 10, month=2),
    ),
    Scenario(
        "drawn gate stays open",
        "The gate drawn in the site file stands open all day; the rest is closed",
        every(10, 2400),
        [*hoarding(without=[(-6, 0, 100, 1e9)]), *usual(2400, 121, per_min=3)],
        (CARRIAGEWAY, FOOTWAY, SITE, {**FENCE, "gates": [{"from": 0.28, "to": 0.53}]}),
    ),
    Scenario(
        "gap beside a drawn gate",
        "The gate is shut, but a panel elsewhere is gone",
        every(10, 1500),
        [*hoarding(without=[(6, 12, 100, 1e9)]), *usual(1500, 122, per_min=3)],
        (CARRIAGEWAY, FOOTWAY, SITE, {**FENCE, "gates": [{"from": 0.28, "to": 0.53}]}),
        wrong=(Wrong("hoarding_missing", "fence", 100),),
    ),
]  # fmt: skip
"""All start on days of 2026; 2 March is a Monday."""
