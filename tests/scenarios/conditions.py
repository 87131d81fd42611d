"""Each kind by day and night, in rain, with a shaken camera, behind buses and in a crowd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .life import PARKED, buses, plume, throng, usual
from .noise import DAY, NIGHT, RAIN, SHAKE, Noise
from .scenario import STREET, WORKS, Scenario, Wrong, every
from .world import BAY_Z, FOOTWAY_Z, Thing, hoarding, stands, traffic


def _each(
    what: str,
    kind: str,
    until_s: float,
    pace_s: float,
    things: Sequence[Thing],
    wrong: Wrong,
    place: tuple[float, float],
    zones: Sequence[Mapping[str, Any]] = STREET,
) -> list[Scenario]:
    x_m, depth = place
    seed = len(kind)

    def under(when: str, noise: Noise, life: Sequence[Thing], gated: float = 0.0) -> Scenario:
        return Scenario(
            name=f"{kind} {when}",
            shows=f"{what}, {when}",
            times=every(pace_s, until_s),
            things=[*things, *life],
            zones=zones,
            wrong=(wrong,),
            noise=noise,
            gated=gated,
        )

    passing = usual(until_s, seed)
    return [
        under("by day", DAY, passing),
        under("at night", NIGHT, traffic(until_s, 2.0, seed), gated=0.3),
        under("in rain", RAIN, passing),
        under("with a shaken camera", SHAKE, passing),
        under("behind buses", DAY, [*passing, *buses(until_s, x_m, depth)]),
        under("in a crowd", DAY, [*passing, *throng(until_s, seed, depth - 0.5, x_m)]),
    ]


SCENARIOS = [
    *_each(
        "A derelict car stands in a bay for 15 minutes", "derelict car", 1000, 5,
        [*PARKED, stands("derelict_vehicle", 0.5, BAY_Z, 60, name="wreck", called=(("car", 0.2),))],
        Wrong("abandoned_vehicle", "wreck", 60, signs=("derelict_look",)),
        (0.5, BAY_Z),
    ),
    *_each(
        "A stall stands on the footway for 8 minutes", "stall", 760, 5,
        [*PARKED, stands("street_stall", 1.0, FOOTWAY_Z, 50, 560, name="stall")],
        Wrong("street_stall", "stall", 50, 560),
        (1.0, FOOTWAY_Z),
    ),
    *_each(
        "A heap lies on the footway for 40 minutes", "debris", 2600, 10,
        [*PARKED, stands("debris_pile", -2.0, FOOTWAY_Z, 120, name="heap", size=(2.6, 1.6, 1.2))],
        Wrong("debris_pile", "heap", 120, tolerance_s=120),
        (-2.0, FOOTWAY_Z),
    ),
    *_each(
        "Dust billows over the site for 100 s", "dust", 400, 2,
        [*hoarding(), plume("plume", 2.0, 100, 200)],
        Wrong("construction_dust", "works", 100, 200),
        (2.0, FOOTWAY_Z), WORKS,
    ),
    *_each(
        "12 m of a hoarding of 32 m are gone for half an hour", "hoarding", 2000, 10,
        hoarding(without=[(0, 12, 200, 1e9)]),
        Wrong("hoarding_missing", "fence", 200, signs=("gap",)),
        (3.0, FOOTWAY_Z), WORKS,
    ),
]  # fmt: skip
