"""Views that are nudged, turned, covered, blurred; cameras that lie still at times."""

from __future__ import annotations

from vision.observe.look import Health

from .life import PARKED, usual
from .noise import SHAKE
from .scenario import STREET, Scenario, Wrong, every
from .world import BAY_Z, FOOTWAY_Z, stands

SCENARIOS = [
    Scenario(
        "view nudged a little",
        "The camera is nudged by 14 px while a derelict car stands there: one violation",
        every(5, 1800),
        [stands("derelict_vehicle", 0.5, BAY_Z, 60, name="wreck"), *PARKED, *usual(1800, 81)],
        wrong=(Wrong("abandoned_vehicle", "wreck", 60),),
        shifts=((900, 14.0, -6.0),),
    ),
    Scenario(
        "view nudged twice",
        "Nudged by 12 px to one side and back before the dwell is over",
        every(5, 1300),
        [stands("street_stall", 1.0, FOOTWAY_Z, 60, 1000, name="stall"), *usual(1300, 82)],
        wrong=(Wrong("street_stall", "stall", 60, 1000),),
        shifts=((200, 12.0, 5.0), (400, 0.0, 0.0)),
    ),
    Scenario(
        "view turned away and back",
        "The camera looks elsewhere for 10 minutes and comes back to the same derelict car",
        every(5, 2400),
        [stands("derelict_vehicle", 0.5, BAY_Z, 60, name="wreck"), *PARKED, *usual(2400, 83)],
        wrong=(Wrong("abandoned_vehicle", "wreck", 60),),
        health=((900, 1500, Health.MOVED),),
    ),
    Scenario(
        "view moved for good",
        "The camera is turned away after 3 minutes: a stall is not judged any more, "
        "nor anything else",
        every(5, 1500),
        [stands("street_stall", 1.0, FOOTWAY_Z, 60, name="stall"), *PARKED, *usual(1500, 84)],
        health=((180, 1e9, Health.MOVED),),
    ),
    Scenario(
        "covered while it stands",
        "A leaf covers the lens for 8 minutes; a stall that was told stays told",
        every(5, 1800),
        [stands("street_stall", 1.0, FOOTWAY_Z, 60, name="stall"), *PARKED, *usual(1800, 85)],
        wrong=(Wrong("street_stall", "stall", 60),),
        health=((700, 1180, Health.COVERED),),
    ),
    Scenario(
        "covered to the end",
        "The lens is covered for good: cannot see is not gone",
        every(5, 1800),
        [stands("street_stall", 1.0, FOOTWAY_Z, 60, 1200, name="stall"), *usual(1800, 86)],
        wrong=(Wrong("street_stall", "stall", 60),),
        health=((700, 1e9, Health.COVERED),),
    ),
    Scenario(
        "blurred now and then",
        "Every other minute the picture is blurred; a stall stands for 12 minutes",
        every(5, 1200),
        [stands("street_stall", 1.0, FOOTWAY_Z, 60, 800, name="stall"), *usual(1200, 87)],
        wrong=(Wrong("street_stall", "stall", 60, 800, tolerance_s=120),),
        health=tuple((60.0 + 120 * i, 120.0 + 120 * i, Health.BLURRED) for i in range(10)),
    ),
    Scenario(
        "frozen picture",
        "The stream freezes for 10 minutes while a stall is there for one: nothing to tell",
        every(5, 1200),
        [stands("street_stall", 1.0, FOOTWAY_Z, 60, 130, name="stall"), *usual(1200, 88)],
        health=((125, 725, Health.FROZEN),),
    ),
    Scenario(
        "windy pole",
        "The pole sways by 8 px all the time; parked cars stay, a heap lies for 40 minutes",
        every(10, 2700),
        [
            stands("debris_pile", -2.0, FOOTWAY_Z, 120, name="heap", size=(2.6, 1.6, 1.2)),
            *PARKED,
            *usual(2700, 89),
        ],
        STREET,
        wrong=(Wrong("debris_pile", "heap", 120),),
        noise=SHAKE,
    ),
    Scenario(
        "still scene, gate shut",
        "Nothing changes but a derelict car: nine of ten looks are not inspected",
        every(10, 1500),
        [stands("derelict_vehicle", 0.5, BAY_Z, 60, name="wreck"), *PARKED],
        wrong=(Wrong("abandoned_vehicle", "wreck", 60, tolerance_s=150),),
        gated=0.9,
    ),
    Scenario(
        "another pose",
        "A camera on tour is turned to another pose: the boxes there are another place's",
        every(5, 900),
        [
            stands("street_stall", 1.0, FOOTWAY_Z, 60, 250, name="here"),
            stands("street_stall", 1.1, FOOTWAY_Z, 250, 480, name="there"),
        ],
        turns=(250,),
    ),
]  # fmt: skip
