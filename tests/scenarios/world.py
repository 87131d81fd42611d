"""A street on a ground plane: things that stand and pass, and what of them a camera can see.

The camera hangs ``LENS_M`` above the ground and looks straight across the street. ``x`` is metres
to the right of its axis, ``z`` metres away from it. From near to far lie a footway, two lanes,
parking bays, a footway, and a building site behind its hoarding; see the depths below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from vision.observe.sighting import Box

FRAME = (1280, 720)
HORIZON = 144.0
FOCAL = 900.0
LENS_M = 6.0

NEAR_FOOTWAY_Z, NEAR_LANE_Z, FAR_LANE_Z, BAY_Z, FOOTWAY_Z, HOARDING_Z, SITE_Z = (
    12.0,
    15.0,
    18.5,
    22.0,
    25.5,
    30,
    34,
)
"""Depths in metres at which things of these places stand."""

SIZES: dict[str, tuple[float, float, float]] = {
    "person": (0.6, 0.4, 1.7),
    "bicycle": (1.7, 0.5, 1.1),
    "motorcycle": (1.9, 0.7, 1.2),
    "car": (4.3, 1.8, 1.5),
    "truck": (7.5, 2.4, 2.9),
    "bus": (11.5, 2.5, 3.2),
    "muck_truck": (8.0, 2.5, 3.1),
    "derelict_vehicle": (4.3, 1.8, 1.5),
    "derelict_cycle": (1.8, 0.6, 1.1),
    "street_stall": (2.2, 1.2, 2.0),
    "debris_pile": (2.4, 1.6, 0.9),
    "overflow_bin": (1.0, 0.8, 1.3),
    "bin": (0.8, 0.8, 1.1),
    "hoarding": (3.0, 0.1, 2.5),
    "construction_dust": (7.0, 0.1, 5.0),
    "umbrella": (2.4, 2.4, 2.3),
    "table": (1.6, 0.8, 0.9),
    "suitcase": (0.6, 0.4, 0.6),
    "traffic_cone": (0.4, 0.4, 0.7),
}
"""Width across the view, depth and height of a thing of each class, in metres."""

SEEN_THROUGH = frozenset({"hoarding", "construction_dust"})
"""What hides nothing: panels stand behind the street, plumes let things show."""


def box_at(x_m: float, z_m: float, size: tuple[float, float, float]) -> Box:
    """Picture of a block that stands on the ground, its near face at ``(x_m, z_m)``."""
    width, depth, height = size
    middle = FRAME[0] / 2 + FOCAL * x_m / z_m
    half = FOCAL * width / z_m / 2
    far = z_m + depth if height < LENS_M else z_m
    return (
        middle - half,
        HORIZON + FOCAL * (LENS_M - height) / far,
        middle + half,
        HORIZON + FOCAL * LENS_M / z_m,
    )


def ground(x1_m: float, z1_m: float, x2_m: float, z2_m: float) -> list[tuple[float, float]]:
    """Corners of a patch of ground, in fractions of the frame, cut at the frame's edges."""
    corners = [(x1_m, z2_m), (x2_m, z2_m), (x2_m, z1_m), (x1_m, z1_m)]
    return [_fraction(x, z) for x, z in corners]


def along(x1_m: float, x2_m: float, z_m: float) -> list[tuple[float, float]]:
    """A line on the ground across the view, in fractions of the frame."""
    return [_fraction(x1_m, z_m), _fraction(x2_m, z_m)]


def _fraction(x_m: float, z_m: float) -> tuple[float, float]:
    x1, _, x2, y = box_at(x_m, z_m, (0, 0, 0))
    return (
        round(min(max((x1 + x2) / 2 / FRAME[0], 0.0), 1.0), 4),
        round(min(y / FRAME[1], 1.0), 4),
    )


@dataclass(frozen=True)
class Thing:
    """A physical thing with a life of its own.

    Attributes:
        name: Name in the scenario.
        class_name: What it is.
        path: ``(time_s, x_m, z_m)``: it is there from the first to the last of these times and
            moves evenly between them.
        size: Width, depth and height in metres; that of its class without it.
        individual: What it looks like is its own; two names with one individual are one thing
            that comes back.
        called: What else a detector takes it for, with the chance of that in a look.
        derelict: What the second stage makes of its crops; ``None``: is not asked.
        growth_s: Share by which it grows a second.
        jitter: Share by which its outline changes from look to look by itself.
        detected: Chance of being detected, over that of other things.
        confidence: Confidence of its detections, over that of other things.
        hides: Whether it hides what stands behind it.
    """

    name: str
    class_name: str
    path: tuple[tuple[float, float, float], ...]
    size: tuple[float, float, float] | None = None
    individual: str = ""
    called: tuple[tuple[str, float], ...] = ()
    derelict: float | None = None
    growth_s: float = 0.0
    jitter: float = 0.0
    detected: float = 1.0
    confidence: float = 1.0
    hides: bool = True

    @property
    def looks_like(self) -> str:
        """Name of its appearance."""
        return self.individual or self.name

    @cached_property
    def _times(self) -> list[float]:
        return [time_s for time_s, _, _ in self.path]

    @property
    def from_s(self) -> float:
        """When it appears."""
        return self.path[0][0]

    @property
    def until_s(self) -> float:
        """When it leaves."""
        return self.path[-1][0]

    @cached_property
    def rests(self) -> bool:
        """Whether it never moves."""
        return len({(x, z) for _, x, z in self.path}) == 1

    def place(self, time_s: float) -> tuple[float, float]:
        """``x`` and ``z`` in metres."""
        if self.rests:
            return self.path[0][1:]
        x = np.interp(time_s, self._times, [x for _, x, _ in self.path])
        z = np.interp(time_s, self._times, [z for *_, z in self.path])
        return float(x), float(z)

    def box(self, time_s: float) -> Box:
        """Its whole picture, hidden or not, in pixels."""
        width, depth, height = self.size or SIZES[self.class_name]
        grown = 1 + self.growth_s * (time_s - self.from_s)
        return box_at(*self.place(time_s), (width * grown, depth, height * grown))


@dataclass(frozen=True)
class Visible:
    """What can be seen of a thing at one time.

    Attributes:
        thing: The thing.
        whole: Its whole box, in pixels.
        box: Box around what is neither hidden nor outside the frame.
        share: Share of the whole box that is.
    """

    thing: Thing
    whole: Box
    box: Box
    share: float


@dataclass
class World:
    """All things of a scenario, and the memory of what was worked out about them."""

    things: Sequence[Thing]
    _seen: dict[float, list[Visible]] = field(default_factory=dict)

    def at(self, time_s: float) -> list[Visible]:
        """Things of which anything can be seen, nearest first."""
        if time_s not in self._seen:
            self._seen[time_s] = self._look(time_s)
        return self._seen[time_s]

    def _look(self, time_s: float) -> list[Visible]:
        present = [
            (thing.place(time_s)[1], thing)
            for thing in self.things
            if thing.from_s <= time_s < thing.until_s
        ]
        visible: list[Visible] = []
        blockers: list[tuple[float, Box]] = []
        for depth, thing in sorted(present, key=lambda one: one[0]):
            whole = thing.box(time_s)
            before = [box for near, box in blockers if near < depth and _touch(box, whole)]
            seen = _unhidden(whole, before)
            if seen is not None:
                visible.append(Visible(thing, whole, *seen))
            if thing.hides and thing.class_name not in SEEN_THROUGH:
                blockers.append((depth, whole))
        return visible


_GRID = (np.arange(16) + 0.5) / 16


def _unhidden(whole: Box, before: Sequence[Box]) -> tuple[Box, float] | None:
    """Box and share of what is left of a box behind others and inside the frame."""
    x1, y1, x2, y2 = whole
    if not before and x1 >= 0 and y1 >= 0 and x2 <= FRAME[0] and y2 <= FRAME[1]:
        return whole, 1.0
    x, y = x1 + _GRID * (x2 - x1), y1 + _GRID * (y2 - y1)
    free = ((y >= 0) & (y <= FRAME[1]))[:, None] & ((x >= 0) & (x <= FRAME[0]))
    for box in before:
        free &= ~(((y >= box[1]) & (y <= box[3]))[:, None] & ((x >= box[0]) & (x <= box[2])))
    if not free.any():
        return None
    columns, rows = np.flatnonzero(free.any(axis=0)), np.flatnonzero(free.any(axis=1))
    step_x, step_y = (x2 - x1) / 16, (y2 - y1) / 16
    box = (
        max(x1 + columns[0] * step_x, 0.0),
        max(y1 + rows[0] * step_y, 0.0),
        min(x1 + (columns[-1] + 1) * step_x, float(FRAME[0])),
        min(y1 + (rows[-1] + 1) * step_y, float(FRAME[1])),
    )
    return box, float(free.mean())


def _touch(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def stands(
    class_name: str,
    x_m: float,
    z_m: float,
    from_s: float = 0.0,
    until_s: float = float("inf"),
    *,
    name: str = "",
    **traits: object,
) -> Thing:
    """A thing that stands at one place from one time to another."""
    path = ((from_s, x_m, z_m), (until_s, x_m, z_m))
    return replace(Thing(name or class_name, class_name, path), **traits)  # type: ignore[arg-type]


def passes(
    class_name: str, z_m: float, at_s: float, speed_m_s: float, *, name: str, **traits: object
) -> Thing:
    """A thing that crosses the view at one depth, in its middle at ``at_s``; speed has a sign."""
    reach = (FRAME[0] / 2) * z_m / FOCAL + 8.0
    side = 1.0 if speed_m_s > 0 else -1.0
    takes_s = reach / abs(speed_m_s)
    path = ((at_s - takes_s, -side * reach, z_m), (at_s + takes_s, side * reach, z_m))
    return replace(Thing(name, class_name, path), **traits)  # type: ignore[arg-type]


def traffic(
    until_s: float, per_min: float, seed: int, *, big_share: float = 0.15, speed_m_s: float = 8.0
) -> list[Thing]:
    """Vehicles and cycles on both lanes at random times."""
    rng = np.random.default_rng(seed)
    things = []
    for i in range(int(until_s * per_min / 60)):
        kind = rng.choice(
            ["car", "bus", "truck", "motorcycle", "bicycle"],
            p=[0.75 - big_share, big_share * 0.6, big_share * 0.4, 0.15, 0.1],
        )
        near = rng.random() < 0.5
        speed = speed_m_s * rng.uniform(0.6, 1.3) * (1 if near else -1)
        depth = (NEAR_LANE_Z if near else FAR_LANE_Z) + rng.uniform(-0.5, 0.5)
        things.append(
            passes(str(kind), depth, rng.uniform(0, until_s), speed, name=f"traffic-{seed}-{i}")
        )
    return things


def crowd(
    until_s: float, per_min: float, seed: int, *, depths: Sequence[float] = (NEAR_FOOTWAY_Z, 25.0)
) -> list[Thing]:
    """People who walk along the footways at random times."""
    rng = np.random.default_rng(seed)
    return [
        passes(
            "person",
            float(rng.choice(list(depths)) + rng.uniform(-0.4, 0.4)),
            rng.uniform(0, until_s),
            float(rng.uniform(0.8, 1.6) * rng.choice([-1, 1])),
            name=f"walker-{seed}-{i}",
        )
        for i in range(int(until_s * per_min / 60))
    ]


def hoarding(
    x1_m: float = -18.0,
    x2_m: float = 18.0,
    *,
    without: Sequence[tuple[float, float, float, float]] = (),
    until_s: float = float("inf"),
    detected: float = 1.0,
) -> list[Thing]:
    """A hoarding along the site, seen as panels of 6 m.

    Args:
        x1_m: Its left end.
        x2_m: Its right end.
        without: ``(x1_m, x2_m, from_s, until_s)``: stretches that are open for a time; panels
            that touch one are gone meanwhile.
        until_s: When all of it is taken down.
        detected: Chance of being detected, over that of other things.
    """
    panels = []
    for i in range(round((x2_m - x1_m) / 6)):
        left = x1_m + 6 * i
        free_s = 0.0
        parts = []
        for _, _, open_s, shut_s in sorted(
            (gap for gap in without if gap[0] < left + 6 and gap[1] > left), key=lambda g: g[2]
        ):
            parts.append((free_s, open_s))
            free_s = shut_s
        parts.append((free_s, until_s))
        panels += [
            stands(
                "hoarding",
                left + 3,
                HOARDING_Z,
                start,
                end,
                name=f"panel-{i}-{k}",
                size=(6.3, 0.1, 2.5),
                detected=detected,
            )
            for k, (start, end) in enumerate(parts)
            if end > start
        ]
    return panels
