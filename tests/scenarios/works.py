"""Building sites: plumes and what looks like them, gaps and what looks like them."""

from __future__ import annotations

from dataclasses import replace

from .life import plume, stopping, usual
from .noise import NIGHT, RAIN
from .scenario import WORKS, Scenario, Wrong, every
from .world import FAR_LANE_Z, HOARDING_Z, SITE_Z, Thing, hoarding, passes, stands

SCENARIOS = [
    Scenario(
        "fog over the whole view",
        "Fog: the detector sees dust over nearly the whole view for 10 minutes",
        every(2, 600),
        [
            *hoarding(),
            stands("construction_dust", 0.0, 11.0, 60, 660, name="fog", size=(20, 0.1, 11),
                   jitter=0.06, hides=False),
        ],
        WORKS,
        noise=replace(RAIN, missed=0.5),
    ),
    Scenario(
        "dust in thin fog",
        "Fog for five minutes, later dust over the site in clear air",
        every(2, 700),
        [
            *hoarding(),
            stands("construction_dust", 0.0, 11.0, 20, 300, name="fog", size=(20, 0.1, 11),
                   jitter=0.06, hides=False),
            plume("plume", 3.0, 450, 550),
        ],
        WORKS,
        wrong=(Wrong("construction_dust", "works", 450, 550),),
    ),
    Scenario(
        "steam from a vent",
        "Steam rises from one fixed vent all the time",
        every(2, 900),
        [
            *hoarding(),
            stands("construction_dust", 4.0, SITE_Z, name="steam", size=(2.0, 0.1, 3.0),
                   jitter=0.03, hides=False),
            *usual(900, 61),
        ],
        WORKS,
    ),
    Scenario(
        "dirt on the lens",
        "Dirt on the lens looks like dust at one place for an hour",
        every(10, 3600),
        [
            *hoarding(),
            stands("construction_dust", -6.0, SITE_Z, name="dirt", size=(5.0, 0.1, 4.0),
                   detected=0.8, hides=False),
            *usual(3600, 62, per_min=3),
        ],
        WORKS,
    ),
    Scenario(
        "headlights at night",
        "Headlights glare now and then and pass for dust in single looks",
        every(2, 900),
        [
            *hoarding(),
            *[passes("construction_dust", FAR_LANE_Z, 40.0 + 43 * i, 9.0, name=f"glare-{i}",
                     size=(4, 0.1, 3), detected=0.8, hides=False) for i in range(19)],
            *[passes("car", FAR_LANE_Z, 40.0 + 43 * i, 9.0, name=f"car-{i}") for i in range(19)],
        ],
        WORKS,
        noise=NIGHT,
    ),
    Scenario(
        "dust of a passing lorry",
        "A lorry on the road trails dust for some seconds",
        every(2, 600),
        [
            *hoarding(),
            *[passes("truck", FAR_LANE_Z, 100.0 + 120 * i, 8.0, name=f"lorry-{i}")
              for i in range(4)],
            *[passes("construction_dust", FAR_LANE_Z + 0.2, 101.0 + 120 * i, 8.0,
                     name=f"trail-{i}", size=(6, 0.1, 2.5), hides=False) for i in range(4)],
        ],
        WORKS,
    ),
    Scenario(
        "dust outside the site",
        "Street sweeping whirls up dust on the near footway, away from the site",
        every(2, 600),
        [
            *hoarding(),
            Thing("sweeping", "construction_dust", ((100, -6, 12.0), (200, 4, 12.0)),
                  size=(3.0, 0.1, 1.5), jitter=0.15, hides=False),
        ],
        WORKS,
    ),
    Scenario(
        "three plumes in an afternoon",
        "Dust rises three times, 15 minutes apart: three violations",
        every(4, 2700),
        [*hoarding(), *[plume(f"plume-{i}", 2.0 * i, 200 + 900 * i, 300 + 900 * i)
                        for i in range(3)]],
        WORKS,
        wrong=tuple(Wrong("construction_dust", "works", 200 + 900 * i, 300 + 900 * i)
                    for i in range(3)),
    ),
    Scenario(
        "steam and dust",
        "A vent steams all day; once dust rises beside it",
        every(2, 900),
        [
            *hoarding(),
            stands("construction_dust", -9.0, SITE_Z, name="steam", size=(2.0, 0.1, 3.0),
                   jitter=0.03, hides=False),
            plume("plume", 5.0, 450, 560),
        ],
        WORKS,
        wrong=(Wrong("construction_dust", "works", 450, 560),),
    ),
    Scenario(
        "hoarding in order",
        "A closed hoarding for an hour; every panel is missed in 30 % of looks",
        every(10, 3600),
        [*hoarding(), *usual(3600, 63)],
        WORKS,
    ),
    Scenario(
        "hoarding in order at night",
        "A closed hoarding at night; panels are found in less than half of the looks",
        every(10, 3600),
        [*hoarding(detected=0.75), *usual(3600, 64, per_min=2)],
        WORKS,
        noise=NIGHT,
    ),
    Scenario(
        "gate opens for a lorry",
        "A gate of 6 m opens for 4 minutes and shuts again, three times",
        every(10, 3600),
        [
            *hoarding(without=[(-6, 0, 300 + 1100 * i, 540 + 1100 * i) for i in range(3)]),
            *[stands("muck_truck", -3.0, HOARDING_Z - 1, 360 + 1100 * i, 440 + 1100 * i,
                     name=f"muck-{i}") for i in range(3)],
            *usual(3600, 65, per_min=3),
        ],
        WORKS,
    ),
    Scenario(
        "gate in busy use",
        "A gate is open for 90 s of each 4 minutes over an hour",
        every(10, 3600),
        [
            *hoarding(without=[(-6, 0, 100 + 240 * i, 190 + 240 * i) for i in range(14)]),
            *usual(3600, 66, per_min=3),
        ],
        WORKS,
    ),
    Scenario(
        "lorry before the hoarding",
        "A lorry parks before a closed hoarding for 40 minutes",
        every(10, 3600),
        [
            *hoarding(),
            stands("truck", 2.0, 26.0, 300, 2700, name="lorry", size=(8.5, 2.4, 3.2)),
            *usual(3600, 67, per_min=3),
        ],
        WORKS,
    ),
    Scenario(
        "lorry before a gap",
        "A lorry hides a gap of 12 m at first; when it leaves the gap is told",
        every(10, 3000),
        [
            *hoarding(without=[(0, 9, 0, 1e9)]),
            stands("truck", 5.0, 26.0, 0, 1000, name="lorry", size=(12.0, 2.4, 3.4)),
        ],
        WORKS,
        wrong=(Wrong("hoarding_missing", "fence", 0, tolerance_s=1100),),
    ),
    Scenario(
        "gap is mended",
        "12 m are gone for half an hour and then closed: the violation ends",
        every(10, 3000),
        [*hoarding(without=[(0, 12, 200, 2000)]), *usual(3000, 68, per_min=3)],
        WORKS,
        wrong=(Wrong("hoarding_missing", "fence", 200, 2000),),
    ),
    Scenario(
        "no hoarding at all",
        "A site without any hoarding",
        every(10, 1200),
        usual(1200, 69, per_min=3),
        WORKS,
        wrong=(Wrong("hoarding_missing", "fence", 0),),
    ),
    Scenario(
        "one panel gone",
        "6 m of a hoarding of 32 m are gone, by day",
        every(10, 1400),
        [*hoarding(without=[(0, 6, 200, 1e9)]), *usual(1400, 71)],
        WORKS,
        wrong=(Wrong("hoarding_missing", "fence", 200, signs=("gap",)),),
    ),
    Scenario(
        "one panel gone at night",
        "6 m of a hoarding of 32 m are gone, at night",
        every(10, 2000),
        [*hoarding(without=[(0, 6, 200, 1e9)]), *usual(2000, 72, per_min=2)],
        WORKS,
        wrong=(Wrong("hoarding_missing", "fence", 200, signs=("gap",)),),
        noise=NIGHT,
    ),
    Scenario(
        "two panels gone in a crowd",
        "12 m are gone while people and buses pass all the time",
        every(10, 2000),
        [
            *hoarding(without=[(-12, 0, 200, 1e9)]),
            *usual(2000, 70, per_min=12),
            *[stopping(f"bus-{i}", "bus", -5, 16.0, 240 * i, 240 * i + 60) for i in range(8)],
        ],
        WORKS,
        wrong=(Wrong("hoarding_missing", "fence", 200),),
    ),
]  # fmt: skip
