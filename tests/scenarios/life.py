"""What goes on in most scenarios: parked cars, traffic, people, buses that stop, crowds, plumes."""

from __future__ import annotations

from .world import (
    BAY_Z,
    FAR_LANE_Z,
    NEAR_FOOTWAY_Z,
    NEAR_LANE_Z,
    SITE_Z,
    Thing,
    crowd,
    stands,
    traffic,
)

PARKED = [
    stands("car", x, BAY_Z, name=f"parked-{i}") for i, x in enumerate((-12.5, -7.0, 7.5, 13.0))
]
"""Cars that rightly stand in bays."""


def usual(until_s: float, seed: int, *, per_min: float = 6.0) -> list[Thing]:
    """What passes on a usual street."""
    return [*traffic(until_s, per_min, seed), *crowd(until_s, 2.0, seed)]


def stopping(
    name: str, class_name: str, x_m: float, z_m: float, from_s: float, until_s: float
) -> Thing:
    """A vehicle that drives up, stops for a time, and drives on."""
    path = (
        (from_s - 5, x_m - 30, z_m), (from_s, x_m, z_m), (until_s, x_m, z_m),
        (until_s + 5, x_m + 30, z_m),
    )  # fmt: skip
    return Thing(name, class_name, path)


def buses(until_s: float, x_m: float, depth: float) -> list[Thing]:
    """Buses that stop for 40 s every two minutes, in the line of sight to a place."""
    x = x_m * NEAR_LANE_Z / depth
    return [
        stopping(f"bus-{i}", "bus", x, NEAR_LANE_Z, 60.0 + 120 * i, 100.0 + 120 * i)
        for i in range(int(until_s / 120))
    ]


def throng(until_s: float, seed: int, depth: float, x_m: float) -> list[Thing]:
    """A dense crowd, some of whom stop before a place."""
    things = crowd(until_s, 30.0, seed + 100, depths=(NEAR_FOOTWAY_Z, depth))
    for i in range(int(until_s / 45)):
        at_s, x = 20.0 + 45.0 * i, x_m - 0.6 + 0.4 * (i % 4)
        path = (
            (at_s, -12.0, depth), (at_s + 10, x, depth), (at_s + 30, x, depth),
            (at_s + 40, 14.0, depth),
        )  # fmt: skip
        things.append(Thing(f"customer-{i}", "person", path))
    return things


def queues(until_s: float, *, red_s: float = 60.0, green_s: float = 30.0) -> list[Thing]:
    """Other cars queue at the same red light each time, on the same few metres of road."""
    things = []
    for k in range(int(until_s / (red_s + green_s))):
        red = k * (red_s + green_s)
        for place in range(3):
            name = f"queue-{k}-{place}"
            x = 4.0 - 6.0 * place
            things.append(
                stopping(name, "car", x, FAR_LANE_Z, red + 3 * place, red + red_s + 2 * place)
            )
    return things


def plume(name: str, x_m: float, from_s: float, until_s: float, **traits: object) -> Thing:
    """A plume that billows over the site."""
    given: dict[str, object] = {"jitter": 0.18, "growth_s": 0.005, "detected": 0.85, **traits}
    return stands("construction_dust", x_m, SITE_Z, from_s, until_s, name=name, **given)
