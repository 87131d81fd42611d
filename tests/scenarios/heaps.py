"""Heaps: dumped, grown, cleared, covered, mistaken, and bins."""

from __future__ import annotations

from .life import PARKED, stopping, usual
from .scenario import SITE, STREET, Scenario, Wrong, every
from .world import BAY_Z, FAR_LANE_Z, FOOTWAY_Z, SITE_Z, stands

HEAP = (2.6, 1.6, 1.2)
"""Width, depth and height of the heaps here, in metres."""

SCENARIOS = [
    Scenario(
        "dumped by a lorry",
        "A lorry stops for 40 s and leaves a heap behind",
        every(10, 2700),
        [
            stopping("tipper", "truck", -2.5, FAR_LANE_Z, 100, 140),
            stands("debris_pile", -2.0, FOOTWAY_Z, 140, name="heap", size=HEAP),
            *usual(2700, 41),
        ],
        wrong=(Wrong("debris_pile", "heap", 140),),
    ),
    Scenario(
        "cleared after twenty minutes",
        "A heap lies for 20 minutes where 30 are allowed",
        every(10, 2400),
        [
            stands("debris_pile", -2.0, FOOTWAY_Z, 100, 1300, name="heap", size=HEAP),
            *usual(2400, 42),
        ],
    ),
    Scenario(
        "heap grows",
        "A heap doubles in width and height within an hour",
        every(10, 3900),
        [
            stands("debris_pile", -2.0, FOOTWAY_Z, 100, name="heap", size=HEAP, growth_s=1 / 3600),
            *usual(3900, 43),
        ],
        wrong=(Wrong("debris_pile", "heap", 100, signs=("growing",)),),
    ),
    Scenario(
        "cleared and dumped again",
        "A heap is cleared after 45 minutes; an hour later another lies there",
        every(15, 9300),
        [
            stands("debris_pile", -2.0, FOOTWAY_Z, 100, 2800, name="first", size=HEAP),
            stands("debris_pile", -1.6, FOOTWAY_Z, 6400, name="second", size=HEAP),
            *usual(9300, 44, per_min=3),
        ],
        wrong=(Wrong("debris_pile", "first", 100, 2800), Wrong("debris_pile", "second", 6400)),
    ),
    Scenario(
        "heap behind a parked lorry",
        "A lorry parks before a heap for 40 minutes: one violation",
        every(15, 6900),
        [
            stands("debris_pile", -2.0, FOOTWAY_Z, 100, name="heap", size=HEAP),
            stands("truck", -1.8, BAY_Z - 1, 2500, 4900, name="lorry"),
            *usual(6900, 45, per_min=2),
        ],
        wrong=(Wrong("debris_pile", "heap", 100),),
    ),
    Scenario(
        "shadow like a heap",
        "The detector takes a shadow for a heap in one look of ten, for two hours",
        every(10, 7200),
        [
            stands("debris_pile", -2.0, FOOTWAY_Z, 0, name="shadow", size=HEAP, detected=0.14,
                   confidence=0.6, hides=False),
            *usual(7200, 46, per_min=2),
        ],
    ),
    Scenario(
        "heap called bin",
        "The detector calls a heap of bags an overflowing bin in 30 % of looks",
        every(10, 2700),
        [
            stands("debris_pile", 3.0, FOOTWAY_Z, 60, name="heap", size=HEAP,
                   called=(("overflow_bin", 0.3),)),
            *usual(2700, 47),
        ],
        wrong=(Wrong("debris_pile", "heap", 60),),
    ),
    Scenario(
        "bins in order",
        "Two bins stand on the footway; the detector calls one overflowing now and then",
        every(10, 3600),
        [
            stands("bin", 3.0, FOOTWAY_Z, name="bin-1", called=(("overflow_bin", 0.2),)),
            stands("bin", 4.2, FOOTWAY_Z, name="bin-2"),
            *PARKED,
            *usual(3600, 48),
        ],
    ),
    Scenario(
        "material on the site",
        "Heaps lie inside the building site, as they may",
        every(10, 2700),
        [
            stands("debris_pile", -3.0, SITE_Z, name="sand", size=(4, 3, 2)),
            stands("debris_pile", 5.0, SITE_Z + 2, name="soil", size=(5, 3, 2.5)),
            *usual(2700, 49),
        ],
        (*STREET, SITE),
    ),
    Scenario(
        "traveller with bags",
        "A traveller sits on cases for 12 minutes; the detector calls them a heap at times",
        every(5, 1200),
        [
            stands("person", 2.0, FOOTWAY_Z, 100, 820, name="traveller"),
            stands("suitcase", 2.8, FOOTWAY_Z, 100, 820, name="case", size=(1.2, 0.6, 0.8),
                   called=(("debris_pile", 0.4),)),
            *usual(1200, 50),
        ],
    ),
    Scenario(
        "two heaps",
        "Two heaps are dumped 5 m and 15 minutes apart; one is cleared",
        every(10, 4200),
        [
            stands("debris_pile", -3.0, FOOTWAY_Z, 100, 2600, name="left", size=HEAP),
            stands("debris_pile", 2.0, FOOTWAY_Z, 1000, name="right", size=HEAP),
            *usual(4200, 51, per_min=3),
        ],
        wrong=(Wrong("debris_pile", "left", 100, 2600), Wrong("debris_pile", "right", 1000)),
    ),
]  # fmt: skip
