"""Stalls: how long, where, moved a little, tended or not, by their parts, one after another."""

from __future__ import annotations

from .life import PARKED, throng, usual
from .noise import RAIN
from .scenario import BAYS, CARRIAGEWAY, FOOTWAY, STREET, Scenario, Wrong, every
from .world import FAR_LANE_Z, FOOTWAY_Z, Thing, crowd, ground, passes, stands

MARKET = {
    "id": "market",
    "purpose": "permitted_vending",
    "points": ground(-6, 24.0, 6, 29.0),
}

SCENARIOS = [
    Scenario(
        "stall for four minutes",
        "A stall stands for 4 minutes where 5 are allowed",
        every(5, 600),
        [stands("street_stall", 1.0, FOOTWAY_Z, 60, 300, name="stall"), *usual(600, 21)],
    ),
    Scenario(
        "two short visits",
        "A stall stands twice for 4 minutes with 6 minutes between",
        every(5, 1200),
        [
            stands("street_stall", 1.0, FOOTWAY_Z, 60, 300, name="visit-1", individual="seller"),
            stands("street_stall", 1.1, FOOTWAY_Z, 660, 900, name="visit-2", individual="seller"),
            *usual(1200, 22),
        ],
    ),
    Scenario(
        "stall on the carriageway",
        "A stall sells from the kerb lane for 10 minutes",
        every(5, 900),
        [stands("street_stall", -4.0, FAR_LANE_Z + 1, 60, 660, name="stall"), *usual(900, 23)],
        wrong=(Wrong("street_stall", "stall", 60, 660),),
    ),
    Scenario(
        "stall moved by a metre",
        "A seller pushes the stall on by a metre every 4 minutes: still one violation",
        every(5, 1300),
        [
            Thing(
                "stall", "street_stall",
                ((60, -2, FOOTWAY_Z), (300, -2, FOOTWAY_Z), (305, -1, FOOTWAY_Z),
                 (540, -1, FOOTWAY_Z), (545, 0, FOOTWAY_Z), (780, 0, FOOTWAY_Z),
                 (785, 1, FOOTWAY_Z), (1020, 1, FOOTWAY_Z)),
            ),
            *usual(1300, 24),
        ],
        wrong=(Wrong("street_stall", "stall", 60, 1020),),
    ),
    Scenario(
        "two stalls side by side",
        "Two stalls stand 3 m apart for different times",
        every(5, 1200),
        [
            stands("street_stall", -1.5, FOOTWAY_Z, 60, 700, name="left"),
            stands("street_stall", 1.5, FOOTWAY_Z, 200, 1000, name="right"),
            *usual(1200, 25),
        ],
        wrong=(
            Wrong("street_stall", "left", 60, 700),
            Wrong("street_stall", "right", 200, 1000),
        ),
    ),
    Scenario(
        "another stall takes the place",
        "A stall leaves after 8 minutes and another sets up at its place at once, for 8 minutes",
        every(5, 1300),
        [
            stands("street_stall", 1.0, FOOTWAY_Z, 40, 520, name="fruit"),
            stands("street_stall", 1.1, FOOTWAY_Z, 550, 1030, name="noodles"),
            *usual(1300, 26),
        ],
        wrong=(
            Wrong("street_stall", "fruit", 40, 520),
            Wrong("street_stall", "noodles", 550, 1030),
        ),
    ),
    Scenario(
        "stall in a permitted zone",
        "A stall in a permitted vending zone, one outside it",
        every(5, 900),
        [
            stands("street_stall", 0.0, FOOTWAY_Z, 30, name="inside"),
            stands("street_stall", 9.5, FOOTWAY_Z, 30, name="outside"),
            *usual(900, 27),
        ],
        (MARKET, *STREET),
        wrong=(Wrong("street_stall", "outside", 30),),
    ),
    Scenario(
        "stall behind customers",
        "Customers stand before a stall all the time and hide half of it",
        every(5, 900),
        [
            stands("street_stall", 1.0, FOOTWAY_Z, 60, 660, name="stall"),
            *throng(900, 28, FOOTWAY_Z - 0.8, 1.0),
        ],
        wrong=(Wrong("street_stall", "stall", 60, 660),),
    ),
    Scenario(
        "stall by its parts",
        "The model knows no such stall: an umbrella, a table and a seller who stays",
        every(5, 900),
        [
            stands("umbrella", 0.0, FOOTWAY_Z, 60, 700, name="canopy", hides=False),
            stands("table", 0.4, FOOTWAY_Z - 0.3, 60, 700, name="stall", hides=False,
                   size=(2.2, 0.8, 1.2)),
            stands("person", -0.9, FOOTWAY_Z, 60, 700, name="seller"),
            *usual(900, 29),
        ],
        wrong=(Wrong("street_stall", "stall", 60, 700, signs=("seller", "canopy", "stand")),),
    ),
    Scenario(
        "waiting under umbrellas",
        "In rain people wait with umbrellas and bags at a stop, coming and going",
        every(5, 1200),
        [
            thing
            for i in range(40)
            for x, t in [(-3 + 0.9 * (i % 7), 30.0 * i)]
            for thing in (
                stands("person", x, FOOTWAY_Z, t, t + 150, name=f"waiting-{i}"),
                stands("umbrella", x, FOOTWAY_Z, t, t + 150, name=f"umbrella-{i}",
                       size=(1.0, 1.0, 2.1), hides=False),
            )
        ],
        noise=RAIN,
    ),
    Scenario(
        "tricycle called motorcycle",
        "The detector calls a stall on a tricycle a motorcycle in a third of looks",
        every(5, 900),
        [
            stands("street_stall", 0.0, FOOTWAY_Z, 60, 700, name="stall",
                   called=(("motorcycle", 0.33),)),
            *usual(900, 30),
        ],
        wrong=(Wrong("street_stall", "stall", 60, 700),),
    ),
    Scenario(
        "empty street",
        "Traffic and people for half an hour, nothing stands",
        every(5, 1800),
        [*PARKED, *usual(1800, 31, per_min=20), *crowd(1800, 20, 32)],
    ),
    Scenario(
        "hawker walks",
        "A hawker pushes a cart along the footway, stopping for 2 minutes here and there",
        every(5, 1200),
        [
            Thing(
                "hawker", "street_stall",
                tuple(
                    (60 + 150.0 * k + s, -9.0 + 4 * k, FOOTWAY_Z)
                    for k in range(6)
                    for s in (0, 120)
                ),
            ),
            *usual(1200, 33),
        ],
    ),
    Scenario(
        "stall hidden by a parked lorry",
        "A lorry unloads before a stall for 6 minutes: one violation",
        every(5, 1500),
        [
            stands("street_stall", 1.0, FOOTWAY_Z, 60, 1260, name="stall"),
            stands("truck", 0.6, 19.5, 500, 860, name="lorry"),
            *[passes("person", 24.5, 100 + 90 * i, 1.2, name=f"passer-{i}") for i in range(12)],
        ],
        (CARRIAGEWAY, BAYS, FOOTWAY),
        wrong=(Wrong("street_stall", "stall", 60, 1260),),
    ),
]  # fmt: skip
