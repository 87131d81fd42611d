"""Cars, vans, buses, trucks and machines on wheels, whole and derelict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision.learn.scenes.model import Array, Builder, Colour, Finish, Model, mix, shade

PAINTS: tuple[Colour, ...] = (
    (235, 235, 235),
    (228, 230, 232),
    (205, 205, 205),
    (150, 150, 150),
    (95, 92, 90),
    (45, 42, 40),
    (28, 27, 27),
    (120, 60, 30),
    (40, 35, 150),
    (35, 30, 110),
    (110, 85, 60),
    (150, 175, 190),
    (60, 90, 70),
    (60, 110, 150),
    (40, 150, 200),
)
_WEIGHTS = np.array([5, 4, 4, 3, 3, 3, 4, 1.5, 1.2, 1, 1, 1, 0.7, 0.7, 0.6])

_GLASS: Colour = (52, 46, 40)
_TRIM: Colour = (38, 38, 40)
DUST: Colour = (118, 138, 150)
RUST: Colour = (38, 66, 112)


@dataclass(frozen=True)
class Body:
    """Side profile of a car, metres; y positions are shares of the length from the rear."""

    length: float
    width: float
    height: float
    belt: float
    bonnet: float
    clearance: float
    wheel: float
    glass_rear: float
    roof_rear: float
    roof_front: float
    glass_front: float
    boot: float


BODIES: dict[str, tuple[Body, float]] = {
    "sedan": (Body(4.65, 1.80, 1.46, 0.95, 0.80, 0.2, 0.31, 0.13, 0.3, 0.56, 0.74, 0.92), 5),
    "hatch": (Body(4.05, 1.72, 1.5, 0.96, 0.85, 0.2, 0.3, 0.01, 0.12, 0.58, 0.78, 0.95), 2.5),
    "suv": (Body(4.6, 1.86, 1.72, 1.08, 1.0, 0.26, 0.36, 0.015, 0.1, 0.57, 0.73, 1.06), 4),
    "minivan": (Body(3.9, 1.62, 1.88, 1.05, 0.98, 0.22, 0.29, 0.01, 0.05, 0.78, 0.95, 1.04), 1.6),
    "mpv": (Body(4.85, 1.85, 1.78, 1.02, 0.95, 0.22, 0.32, 0.01, 0.09, 0.66, 0.85, 1.02), 1.5),
}


def paint(rng: np.random.Generator) -> Colour:
    """A car colour as often as it is met."""
    b, g, r = PAINTS[int(rng.choice(len(PAINTS), p=_WEIGHTS / _WEIGHTS.sum()))]
    jitter = rng.uniform(0.88, 1.06)
    return shade((b, g, r), jitter)


def _choose_body(rng: np.random.Generator) -> tuple[str, Body]:
    names = list(BODIES)
    weights = np.array([BODIES[n][1] for n in names])
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    body = BODIES[name][0]
    stretch, swell = rng.uniform(0.94, 1.06), rng.uniform(0.96, 1.05)
    return name, Body(
        body.length * stretch,
        body.width * rng.uniform(0.97, 1.03),
        body.height * swell,
        body.belt * swell,
        body.bonnet * swell,
        body.clearance,
        body.wheel,
        body.glass_rear + rng.uniform(0, 0.02),
        body.roof_rear + rng.uniform(-0.02, 0.03),
        body.roof_front + rng.uniform(-0.03, 0.03),
        body.glass_front + rng.uniform(-0.02, 0.02),
        body.boot * swell,
    )


def _shell(build: Builder, body: Body, colour: Colour, glass: Colour, gloss: float) -> None:
    """Skin of lower body and cabin."""
    half, low = body.width / 2, body.clearance
    stations = np.array([0.0, 0.02, 0.1, 0.3, 0.5, 0.72, 0.86, 0.95, 0.985, 1.0])
    belt = np.interp(
        stations,
        [0, 0.02, body.glass_rear + 0.03, 0.3, body.glass_front, 0.9, 0.97, 1.0],
        [
            body.boot * 0.86,
            body.boot * 0.97,
            body.boot,
            body.belt,
            body.belt,
            body.bonnet,
            body.bonnet * 0.9,
            body.bonnet * 0.72,
        ],
    )
    wide = np.interp(stations, [0, 0.03, 0.15, 0.8, 0.95, 1.0], [0.86, 0.93, 1, 1, 0.93, 0.8])
    sill = np.interp(stations, [0, 0.05, 0.9, 1.0], [low + 0.12, low, low, low + 0.06])
    rings = np.empty((len(stations), 8, 3))
    for i, (share, top, w, bottom) in enumerate(zip(stations, belt, wide, sill, strict=True)):
        right = np.array(
            [
                [half * w * 0.9, bottom],
                [half * w, bottom + 0.22 * (top - bottom)],
                [half * w, bottom + 0.68 * (top - bottom)],
                [half * w * 0.9, top],
            ]
        )
        left = right[::-1] * [-1, 1]
        rings[i, :, 0] = np.concatenate([right[:, 0], left[:, 0]])
        rings[i, :, 1] = (share - 0.5) * body.length
        rings[i, :, 2] = np.concatenate([right[:, 1], left[:, 1]])
    colours = np.empty((len(stations) - 1, 8, 3))
    colours[:] = colour
    colours[:, [0, 6]] = shade(colour, 0.55)
    colours[:, 7] = (20, 20, 20)
    build.loft(rings, colours, gloss=gloss)

    def ring(share: float, roof: float, top_half: float) -> Array:
        base = float(np.interp(share, stations, belt)) - 0.02
        y = (share - 0.5) * body.length
        z1 = base + (roof - base) * 0.86
        side = half * 0.9
        mid = side + (top_half - side) * 0.86
        right = [[side, y, base], [mid, y, z1], [top_half * 0.93, y, roof]]
        left = [[-x, y, z] for x, y, z in reversed(right)]
        return np.array(right + left)

    roof_half = half * 0.74
    tall = body.height
    cabin = np.stack(
        [
            ring(body.glass_rear, float(np.interp(body.glass_rear, stations, belt)), half * 0.86),
            ring(body.roof_rear, tall * 0.97, roof_half),
            ring((body.roof_rear + body.roof_front) / 2, tall, roof_half),
            ring(body.roof_front, tall * 0.975, roof_half),
            ring(body.glass_front, float(np.interp(body.glass_front, stations, belt)), half * 0.88),
        ]
    )
    skin = np.empty((4, 6, 3))
    skin[:] = colour
    skin[:, [0, 4]] = glass
    skin[[0, 3], 1:4] = glass
    skin[[0, 3], 1] = colour
    skin[[0, 3], 3] = colour
    build.loft(cabin, skin, gloss=min(1.0, gloss + 0.25), caps=False, bias=0.1)
    for share in (0.02, 0.5, 0.98):
        at = body.roof_rear + (body.roof_front - body.roof_rear) * share
        foot, head = ring(at, tall * 0.97, roof_half)[[0, 1]]
        for side in (1, -1):
            mirror = np.array([side, 1, 1])
            a, b = foot * mirror, head * mirror
            wide_by = np.array([0, 0.045, 0])
            out = np.array([0.012 * side, 0, 0])
            build.faces(
                np.array(
                    [[a - wide_by + out, a + wide_by + out, b + wide_by + out, b - wide_by + out]]
                ),
                colour,
                bias=0.3,
                middle=np.array([0, a[1], a[2]]),
                casts=False,
            )


def _face(
    build: Builder,
    y: float,
    x: tuple[float, float],
    z: tuple[float, float],
    colour: Colour,
    *,
    gloss: float = 0.0,
) -> None:
    """A patch on the front (y > 0) or rear (y < 0) end."""
    quad = np.array([[[x[0], y, z[0]], [x[1], y, z[0]], [x[1], y, z[1]], [x[0], y, z[1]]]])
    inside = np.array([(x[0] + x[1]) / 2, y - np.sign(y), (z[0] + z[1]) / 2])
    build.faces(quad, colour, gloss=gloss, bias=0.35, middle=inside, casts=False)


def _ends(build: Builder, body: Body, rng: np.random.Generator, *, worn: bool) -> None:
    half, front, rear = body.width / 2, body.length / 2, -body.length / 2
    lamp: Colour = (150, 155, 150) if worn else (240, 240, 235)
    z = body.bonnet * 0.66
    for side in (-1, 1):
        a, b = sorted((side * half * 0.46, side * half * 0.84))
        if not (worn and rng.random() < 0.4):
            _face(build, front - 0.05, (a, b), (z - 0.08, z + 0.07), lamp, gloss=0.5)
        a, b = sorted((side * half * 0.5, side * half * 0.86))
        _face(build, rear - 0.01, (a, b), (body.boot * 0.66, body.boot * 0.86), (30, 25, 165))
    _face(build, front + 0.01, (-half * 0.42, half * 0.42), (z - 0.13, z + 0.05), (30, 30, 32))
    low = body.clearance + 0.08
    _face(build, front + 0.01, (-half * 0.7, half * 0.7), (low, low + 0.14), _TRIM)
    _face(build, rear - 0.02, (-half * 0.75, half * 0.75), (low + 0.05, low + 0.17), _TRIM)
    if not worn:
        plate: Colour = (170, 80, 20) if rng.random() < 0.7 else (150, 210, 150)
        _face(build, front + 0.03, (-0.22, 0.22), (low + 0.1, low + 0.24), plate)
        _face(build, rear - 0.04, (-0.22, 0.22), (low + 0.3, low + 0.44), plate)


def car(rng: np.random.Generator) -> tuple[Model, tuple[float, float]]:
    """A car in use.

    Returns:
        Model and half extents ``(x, y)`` of its footprint in metres.
    """
    name, body = _choose_body(rng)
    colour = paint(rng)
    build = Builder(Finish(grain=0.03, dirt_share=float(rng.choice([0, 0, 0.06, 0.12]))))
    glass = mix(_GLASS, (120, 115, 105), float(rng.uniform(0, 0.35)))
    _shell(build, body, colour, glass, gloss=0.5)
    _ends(build, body, rng, worn=False)
    _wheels(build, body, mix((140, 140, 142), (60, 60, 60), float(rng.random())))
    front = body.length / 2
    for side in (-1, 1):
        x = side * body.width * 0.36
        build.lamp((x, front, 0.65), (215, 240, 255), 0.16, (0, 1, 0))
        build.lamp((x, -front, 0.8), (40, 40, 230), 0.1, (0, -1, 0))
        build.box(
            (side * (body.width / 2 + 0.07), body.length * (body.glass_front - 0.56), body.belt),
            (0.16, 0.1, 0.13),
            shade(colour, 0.9),
            casts=False,
        )
    if name == "sedan" and rng.random() < 0.12:
        build.box((0, 0, body.height), (0.5, 0.2, 0.13), (60, 200, 240), bias=0.3)
    return build.done(), (body.width / 2, body.length / 2)


def _wheels(build: Builder, body: Body, hub: Colour, missing: frozenset[int] = frozenset()) -> None:
    half = body.width / 2
    spots = [(x, y) for x in (-half, half) for y in (-body.length * 0.3, body.length * 0.315)]
    for i, (x, y) in enumerate(spots):
        side = np.sign(x)
        build.disc(
            (x + side * 0.004, y, body.wheel + 0.02),
            side,
            body.wheel * 1.17,
            (22, 22, 24),
            bias=0.2,
        )
        if i in missing:
            build.box((x * 0.85, y, 0), (0.2, 0.3, 0.22), (95, 110, 125))
        else:
            build.wheel(x, y, body.wheel, 0.2, hub=hub)


def derelict(rng: np.random.Generator) -> tuple[Model, tuple[float, float]]:
    """A car or van left for months: dusty, rusty, sunken, with parts missing and leaves on it."""
    _, body = _choose_body(rng)
    state = rng.uniform(0.4, 1.0)
    colour = mix(paint(rng), DUST, float(rng.uniform(0.1, 0.45)))
    dust: Colour = mix(DUST, (90, 110, 118), float(rng.random()))
    build = Builder(
        Finish(grain=0.12, dirt=dust, dirt_share=float(rng.uniform(0.06, 0.34) * state))
    )
    glass: Colour = mix((48, 48, 48), DUST, float(rng.uniform(0.0, 0.5)))
    broken = rng.random() < 0.55
    if broken:
        glass = (16, 16, 18)
    _shell(build, body, colour, glass, gloss=0.04)
    _ends(build, body, rng, worn=True)
    missing = frozenset(int(i) for i in rng.choice(4, size=int(rng.integers(0, 3)), replace=False))
    _wheels(build, body, RUST, missing)
    half, length = body.width / 2, body.length
    for _ in range(int(rng.integers(3, 12))):
        side = float(rng.choice([-1, 1]))
        y, z = rng.uniform(-0.46, 0.46) * length, rng.uniform(body.clearance, body.belt * 0.8)
        size = rng.uniform(0.06, 0.3)
        build.disc(
            (side * (half + 0.012), y, z),
            side,
            size,
            shade(RUST, rng.uniform(0.7, 1.3)),
            bias=0.32,
            sides=8,
        )
    top = body.bonnet + 0.01
    for _ in range(int(rng.integers(2, 7))):
        _flat_patch(
            build,
            rng,
            (rng.uniform(-half, half) * 0.7, rng.uniform(0.27, 0.43) * length, top),
            float(rng.uniform(0.1, 0.35)),
            RUST,
        )
    leaf_colours: list[Colour] = [(40, 90, 120), (30, 70, 95), (50, 110, 90), (25, 60, 80)]
    for _ in range(int(rng.integers(15, 70))):
        y = rng.uniform(-0.48, 0.48)
        z = body.height if body.roof_rear - 0.5 < y < body.roof_front - 0.5 else body.belt
        leaf = leaf_colours[int(rng.integers(4))]
        _flat_patch(
            build,
            rng,
            (rng.uniform(-half, half) * 0.7, y * length, z + 0.02),
            float(rng.uniform(0.04, 0.1)),
            leaf,
        )
    if broken and rng.random() < 0.7:
        for _ in range(6):
            a = np.array(
                [rng.uniform(-0.6, 0.6), (body.roof_front - 0.42) * length, body.belt + 0.1]
            )
            b = a + rng.uniform(-0.25, 0.25, 3)
            build.stroke(a, b, 0.012, (190, 195, 195), bias=0.4)
    if rng.random() < 0.25:
        y = (body.glass_front - 0.5) * length
        lid = np.array(
            [
                [
                    [-half * 0.85, y, body.belt],
                    [half * 0.85, y, body.belt],
                    [half * 0.8, y + 0.55, body.belt + 0.75],
                    [-half * 0.8, y + 0.55, body.belt + 0.75],
                ]
            ]
        )
        build.faces(lid, shade(colour, 0.9), bias=0.2)
        build.box((0, y + 0.6, body.bonnet - 0.02), (half * 1.5, 0.9, 0.06), (35, 38, 42), bias=0.2)
    if rng.random() < 0.3:
        _face(
            build,
            length / 2 + 0.04,
            (-half * 0.8, half * 0.8),
            (body.clearance, body.bonnet * 0.75),
            (34, 38, 42),
        )
    _surroundings(build, rng, half, length)
    lean = 0.025 + 0.03 * len(missing)
    return (
        build.done(
            roll=float(rng.uniform(-lean, lean)),
            pitch=float(rng.uniform(-lean, lean) * 0.6),
            sink=float(rng.uniform(0.05, 0.13)),
        ),
        (half, length / 2),
    )


def _flat_patch(
    build: Builder,
    rng: np.random.Generator,
    place: tuple[float, float, float],
    size: float,
    colour: Colour,
) -> None:
    angle = rng.uniform(0, 2 * np.pi) + np.linspace(0, 2 * np.pi, 4, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(4)], axis=1)
    ring *= size * rng.uniform(0.6, 1.0, (4, 1))
    build.faces(np.array([ring + place]), colour, bias=0.35, casts=False)


def _surroundings(build: Builder, rng: np.random.Generator, half: float, length: float) -> None:
    """Leaves, weeds and litter that gather about a car that never moves."""
    for _ in range(int(rng.integers(10, 50))):
        side = rng.choice([-1, 1])
        x, y = side * (half + rng.uniform(-0.1, 0.3)), rng.uniform(-0.52, 0.52) * length
        colour: Colour = mix((45, 85, 110), (150, 160, 165), float(rng.uniform(0, 0.6)))
        _flat_patch(build, rng, (x, y, 0.14), float(rng.uniform(0.04, 0.12)), colour)
    for _ in range(int(rng.integers(0, 16))):
        side = rng.choice([-1, 1])
        x, y = side * (half + rng.uniform(-0.05, 0.1)), rng.uniform(-0.5, 0.5) * length
        tip = (x + rng.uniform(-0.1, 0.1), y + rng.uniform(-0.1, 0.1), rng.uniform(0.2, 0.5))
        build.stroke((x, y, 0.1), tip, 0.015, (50, 105, 85), bias=0.2)


def bus(rng: np.random.Generator) -> tuple[Model, tuple[float, float]]:
    """A city bus."""
    length, width, height = rng.uniform(8.5, 12), 2.5, rng.uniform(2.9, 3.2)
    lively: list[Colour] = [
        (70, 150, 60),
        (180, 110, 30),
        (40, 60, 190),
        (210, 210, 215),
        (60, 170, 210),
        (170, 140, 60),
    ]
    colour = lively[int(rng.integers(len(lively)))]
    band = lively[int(rng.integers(len(lively)))]
    build = Builder(Finish(grain=0.03))
    half, end = width / 2, length / 2
    stations = np.array([-end, -end + 0.1, end - 0.25, end])
    inset = [0.94, 1.0, 1.0, 0.92]
    rings = np.empty((4, 8, 3))
    for i in range(4):
        w = half * inset[i]
        right = [[w, 0.35], [w, 1.15], [w * 0.985, height - 0.5], [w * 0.88, height]]
        left = [[-x, z] for x, z in reversed(right)]
        ring = np.array(right + left)
        rings[i, :, 0], rings[i, :, 1], rings[i, :, 2] = ring[:, 0], stations[i], ring[:, 1]
    skin = np.empty((3, 8, 3))
    skin[:] = colour
    skin[:, [0, 6]] = band
    skin[:, [1, 5]] = _GLASS
    skin[:, 3] = shade((215, 215, 215), 0.95)
    build.loft(rings, skin, gloss=0.45)
    for side in (-1, 1):
        for y in np.arange(-end + 0.4, end - 0.3, rng.uniform(1.2, 1.7)):
            _side_patch(build, side * (half + 0.005), (y, y + 0.12), (1.15, height - 0.5), colour)
    for y in (end - 1.4, -0.6):
        _side_patch(build, half + 0.02, (y, y + 1.0), (0.45, height - 0.55), (60, 55, 50))
    _face(
        build,
        end + 0.02,
        (-half * 0.85, half * 0.85),
        (1.2, height - 0.55),
        _GLASS,
        gloss=0.6,
    )
    _face(
        build,
        end + 0.03,
        (-half * 0.6, half * 0.6),
        (height - 0.5, height - 0.18),
        (20, 60, 90),
    )
    _face(build, -end - 0.02, (-half * 0.7, half * 0.7), (1.6, height - 0.4), _GLASS, gloss=0.4)
    for side in (-1, 1):
        a, b = sorted((side * half * 0.6, side * half * 0.9))
        _face(build, end + 0.03, (a, b), (0.6, 0.82), (240, 240, 235))
        _face(build, -end - 0.03, (a, b), (0.7, 1.1), (30, 25, 165))
        for y in (-end * 0.52, end * 0.55):
            build.wheel(side * half, y, 0.48, 0.3, hub=(120, 120, 120))
        build.lamp((side * 0.9, end, 0.75), (215, 240, 255), 0.2, (0, 1, 0))
        build.lamp((side * 0.9, -end, 0.9), (40, 40, 230), 0.13, (0, -1, 0))
    build.box((0, -1, height), (1.4, 2.2, 0.2), (200, 200, 200), bias=0.2)
    return build.done(), (half, end)


def _side_patch(
    build: Builder, x: float, y: tuple[float, float], z: tuple[float, float], colour: Colour
) -> None:
    quad = np.array([[[x, y[0], z[0]], [x, y[1], z[0]], [x, y[1], z[1]], [x, y[0], z[1]]]])
    inside = np.array([x - np.sign(x), (y[0] + y[1]) / 2, (z[0] + z[1]) / 2])
    build.faces(quad, colour, bias=0.3, middle=inside, casts=False)


def _cab(build: Builder, front: float, size: tuple[float, float, float], colour: Colour) -> None:
    length, width, height = size
    half = width / 2
    rings = []
    for y, lean in ((front - length, 0.0), (front - 0.35, 0.0), (front, 1.0)):
        top = height - 0.12 * lean
        pull = 0.3 * lean
        points = [
            [half, y, 0.45],
            [half, y, height * 0.55],
            [half * 0.93, y - pull, top],
            [-half * 0.93, y - pull, top],
            [-half, y, height * 0.55],
            [-half, y, 0.45],
        ]
        rings.append(points)
    build.loft(np.array(rings), colour, gloss=0.3)
    y, z0, z1 = front + 0.02, height * 0.55, height - 0.3
    glass = np.array(
        [
            [
                [-half * 0.88, y, z0],
                [half * 0.88, y, z0],
                [half * 0.84, y - 0.24, z1],
                [-half * 0.84, y - 0.24, z1],
            ]
        ]
    )
    build.faces(glass, _GLASS, gloss=0.7, bias=0.35, middle=np.array([0, y - 1, z0]), casts=False)
    for side in (-1, 1):
        _side_patch(
            build,
            side * (half + 0.01),
            (front - length * 0.75, front - 0.4),
            (height * 0.57, height - 0.3),
            _GLASS,
        )
        a, b = sorted((side * half * 0.55, side * half * 0.9))
        _face(build, front + 0.03, (a, b), (0.62, 0.84), (235, 238, 235))
        build.box(
            (side * (half + 0.14), front - 0.2, height * 0.6), (0.14, 0.12, 0.5), (30, 30, 30)
        )
        build.lamp((side * half * 0.75, front, 0.72), (215, 240, 255), 0.18, (0, 1, 0))
    _face(build, front + 0.03, (-half * 0.5, half * 0.5), (0.6, height * 0.42), (60, 60, 62))
    _face(build, front + 0.03, (-half, half), (0.35, 0.55), _TRIM)


def truck(rng: np.random.Generator) -> tuple[Model, tuple[float, float]]:
    """A light lorry with box, flat bed or tarpaulin."""
    length, width = rng.uniform(5.5, 9), rng.uniform(2.0, 2.45)
    cab_length, cab_height = rng.uniform(1.6, 2.1), rng.uniform(2.1, 2.7)
    colour = paint(rng)
    build = Builder(Finish(grain=0.05, dirt_share=float(rng.uniform(0, 0.2))))
    end, half = length / 2, width / 2
    _cab(build, end, (cab_length, width * 0.94, cab_height), colour)
    build.box((0, -cab_length / 2, 0.6), (width * 0.5, length - cab_length, 0.25), (40, 40, 42))
    bed = length - cab_length - 0.15
    y = -end + bed / 2
    kind = rng.choice(["box", "bed", "tarp"])
    if kind == "box":
        skin: Colour = mix((225, 225, 225), paint(rng), float(rng.choice([0.0, 0.0, 0.7])))
        tall = rng.uniform(1.8, 2.3)
        build.box((0, y, 0.85), (width, bed, tall), skin, gloss=0.15)
        for at in np.arange(-bed / 2 + 0.5, bed / 2, 0.8):
            for side in (-1, 1):
                _side_patch(
                    build,
                    side * (half + 0.006),
                    (y + at, y + at + 0.05),
                    (0.9, 0.8 + tall),
                    shade(skin, 0.85),
                )
        _face(build, -end - 0.01, (-0.02, 0.02), (0.9, 0.8 + tall), shade(skin, 0.6))
    else:
        build.box((0, y, 0.85), (width, bed, 0.12), shade(colour, 0.7))
        rim = rng.uniform(0.35, 0.6)
        for side in (-1, 1):
            build.box((side * (half - 0.03), y, 0.95), (0.06, bed, rim), shade(colour, 0.85))
        build.box((0, -end + 0.05, 0.95), (width, 0.06, rim), shade(colour, 0.85))
        if kind == "tarp":
            build.lump(
                rng,
                (0, y, 0.95),
                (width * 0.95, bed * 0.95, rng.uniform(0.7, 1.4)),
                (110, 95, 60),
                rough=0.06,
                sides=10,
            )
    for side in (-1, 1):
        for at in (end - cab_length * 0.55, -end + bed * 0.28):
            build.wheel(side * half, at, 0.42, 0.28, hub=(110, 110, 110))
        a, b = sorted((side * half * 0.6, side * half * 0.9))
        _face(build, -end - 0.03, (a, b), (0.65, 0.85), (30, 25, 165))
        build.lamp((side * half * 0.8, -end, 0.75), (40, 40, 230), 0.12, (0, -1, 0))
    return build.done(), (half, end)


def muck_truck(rng: np.random.Generator) -> tuple[Model, tuple[float, float]]:
    """A tipper for excavated soil, loaded, covered or empty."""
    length, width = rng.uniform(8.0, 9.6), 2.5
    cabs: list[Colour] = [
        (40, 150, 220),
        (70, 140, 60),
        (40, 40, 170),
        (200, 200, 200),
        (150, 100, 40),
        (35, 120, 230),
    ]
    colour = cabs[int(rng.integers(len(cabs)))]
    tub = colour if rng.random() < 0.5 else cabs[int(rng.integers(len(cabs)))]
    build = Builder(Finish(grain=0.07, dirt=DUST, dirt_share=float(rng.uniform(0.1, 0.4))))
    end, half = length / 2, width / 2
    _cab(build, end, (2.0, width * 0.96, 3.0), colour)
    bed = length - 2.3
    y = -end + bed / 2
    build.box((0, -0.8, 0.7), (1.0, length - 2.2, 0.35), (45, 45, 48))
    tall = rng.uniform(1.3, 1.75)
    build.box((0, y, 1.1), (width * 0.96, bed, tall), tub, taper=1.04)
    for at in np.arange(-bed / 2 + 0.3, bed / 2, rng.uniform(0.6, 0.9)):
        for side in (-1, 1):
            build.box(
                (side * (half + 0.02), y + at, 1.1),
                (0.08, 0.12, tall),
                shade(tub, 0.82),
                casts=False,
                bias=0.15,
            )
    load = rng.random()
    if load < 0.55:
        build.lump(
            rng,
            (0, y, 1.05 + tall),
            (width * 0.9, bed * 0.92, rng.uniform(0.4, 0.9)),
            (70, 100, 130),
            rough=0.12,
            sides=12,
            bias=1.6,
        )
    elif load < 0.8:
        build.box((0, y, 1.1 + tall), (width * 0.98, bed, 0.12), (60, 75, 55), bias=1.6)
    else:
        build.box((0, y, 1.1 + tall), (width * 0.88, bed * 0.94, 0.01), (45, 55, 62), bias=1.6)
    build.box((0, end - 2.35, 1.1 + tall), (width * 0.9, 0.5, 0.15), shade(tub, 0.9), bias=1.6)
    for side in (-1, 1):
        for at in (end - 0.95, end - 2.6, -end + 2.6, -end + 1.25):
            build.wheel(side * half, at, 0.52, 0.34, hub=(100, 105, 108))
        a, b = sorted((side * half * 0.6, side * half * 0.9))
        _face(build, -end - 0.03, (a, b), (0.75, 0.95), (30, 25, 165))
        build.lamp((side * half * 0.8, -end, 0.85), (40, 40, 230), 0.12, (0, -1, 0))
    return build.done(), (half, end)
