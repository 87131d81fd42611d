"""What stands on and around a building site: hoardings, machines, crane, cones."""

from __future__ import annotations

import numpy as np

from vision.learn.scenes.model import Builder, Colour, Finish, Model, mix, shade

HOARDINGS = ("blue", "green", "white", "grey", "barrier", "mesh")

_PANELS: dict[str, Colour] = {
    "blue": (165, 100, 35), "green": (75, 125, 50), "white": (215, 215, 212),
    "grey": (150, 150, 148),
    "mesh": (70, 115, 55), "barrier": (45, 50, 200),
}  # fmt: skip
_YELLOWS: tuple[Colour, ...] = (
    (30, 170, 230), (40, 140, 235), (50, 190, 220), (60, 110, 220), (150, 120, 60)
)  # fmt: skip


def panel(
    rng: np.random.Generator,
    style: str,
    length: float,
    height: float,
    *,
    tone: float = 1.0,
    fallen: bool = False,
) -> Model:
    """One hoarding panel along y, its street side towards -x.

    Args:
        rng: Draws wear and posters.
        style: One of :data:`HOARDINGS`.
        length: Metres along the line.
        height: Metres.
        tone: Brightness of this line's paint.
        fallen: Lying on the ground instead of standing.
    """
    colour = shade(_PANELS[style], tone)
    build = Builder(Finish(grain=0.06, dirt_share=float(rng.uniform(0.02, 0.16))))
    half = length / 2

    def plate(
        y: tuple[float, float], z: tuple[float, float], paint: Colour, x: float, bias: float
    ) -> None:
        (y0, y1), (z0, z1) = y, z
        build.faces(np.array([[[x, y0, z0], [x, y1, z0], [x, y1, z1], [x, y0, z1]]]), paint,
                    bias=bias)  # fmt: skip

    if style == "barrier":
        height = 0.95
        blocks = max(1, round(length / 1.4))
        step = length / blocks
        for i in range(blocks):
            paint: Colour = (40, 45, 205) if i % 2 else (225, 225, 225)
            build.box(
                (0, -half + (i + 0.5) * step, 0), (0.42, step * 0.96, height), paint, taper=0.7
            )
    else:
        ribs = max(3, round(length / 0.42)) if style != "mesh" else 3
        edges = np.linspace(-half, half, ribs * 2 + 1)
        foot = 0.32 if style in ("blue", "green", "white") else 0.0
        for i in range(ribs * 2):
            paint = shade(colour, 1.0 if i % 2 else 0.9)
            plate((edges[i], edges[i + 1]), (foot, height), paint, 0.0, 0.0)
        if foot:
            base: Colour = (150, 155, 158) if rng.random() < 0.5 else (60, 190, 220)
            build.box((0, 0, 0), (0.2, length, foot), base)
        if style != "mesh":
            build.box((0, 0, height - 0.02), (0.09, length, 0.09), shade(colour, 1.15), bias=0.05)
        for y in (-half, half):
            build.box((0.05, y, 0), (0.09, 0.09, height + 0.06), mix(colour, (200, 200, 200), 0.6),
                      bias=0.04)  # fmt: skip
        if rng.random() < 0.35 and style not in ("mesh",):
            w, z0, z1 = rng.uniform(0.25, 0.45) * length, height * 0.3, height * 0.82
            poster = (rng.uniform(40, 230), rng.uniform(40, 230), rng.uniform(60, 235))
            plate((-w, w), (z0, z1), poster, -0.03, 0.1)
            for k in range(3):
                z = z0 + (z1 - z0) * (0.25 + 0.22 * k)
                plate(
                    (-w * 0.8, w * rng.uniform(0.2, 0.8)), (z, z + 0.1), (235, 235, 235), -0.04, 0.2
                )
    if fallen:
        return build.done(roll=np.pi / 2 - 0.06, sink=-0.05)
    return build.done()


def excavator(
    rng: np.random.Generator, swing: float = 0.0, reach: float = 0.5
) -> tuple[Model, tuple[float, float]]:
    """An excavator.

    Args:
        rng: Draws size and paint; give the same state again for the same machine.
        swing: Angle of the house in radians.
        reach: 0 arm folded .. 1 arm stretched out and down.

    Returns:
        Model and half extents of its footprint in metres.
    """
    size = rng.uniform(0.8, 1.2)
    colour = shade(_YELLOWS[int(rng.integers(len(_YELLOWS)))], rng.uniform(0.85, 1.1))
    build = Builder(
        Finish(grain=0.07, dirt=(95, 120, 140), dirt_share=float(rng.uniform(0.08, 0.3)))
    )
    for side in (-1, 1):
        build.box((side * 1.05 * size, 0, 0), (0.6 * size, 3.6 * size, 0.85 * size), (48, 50, 54),
                  taper=0.92)  # fmt: skip
    c, s = np.cos(swing), np.sin(swing)

    def at(x: float, y: float, z: float) -> tuple[float, float, float]:
        return ((x * c + y * s) * size, (-x * s + y * c) * size, z * size)

    def block(
        place: tuple[float, float, float],
        extent: tuple[float, float, float],
        paint: Colour,
        taper: float = 1.0,
        gloss: float = 0.15,
    ) -> None:
        scaled = [side * size for side in extent]
        build.box(at(*place), scaled, paint, turn=swing, taper=taper, gloss=gloss)

    block((0, -0.4, 0.95), (2.5, 3.0, 0.35), (60, 62, 66))
    block((0.1, -1.2, 1.3), (2.5, 1.5, 0.95), colour, 0.94)
    block((0.75, -0.1, 1.3), (0.9, 1.3, 0.6), shade(colour, 0.92))
    block((-0.75, 0.35, 1.3), (0.95, 1.5, 1.55), (70, 62, 55), 0.9, 0.6)
    block((-0.75, 0.35, 2.85), (0.92, 1.45, 0.12), colour)
    block((-0.75, 0.35, 1.28), (0.98, 1.53, 0.5), colour)
    boom = 0.55 + 0.35 * (1 - reach)
    knee = at(0.15, 1.0 + 2.6 * np.cos(boom), 1.7 + 3.4 * np.sin(boom))
    elbow = at(0.15, 1.0 + 4.9 * np.cos(boom * 0.65), 1.7 + 3.6 * np.sin(boom * 0.85))
    drop = 0.5 + 1.1 * reach
    wrist_y = 1.0 + 4.9 * np.cos(boom * 0.65) + 1.6 - 1.6 * (1 - reach)
    wrist = at(0.15, wrist_y, max(0.75, 1.7 + 3.6 * np.sin(boom * 0.85) - 1.8 * drop))
    build.stroke(at(0.15, 0.5, 1.5), knee, 0.24 * size, colour, bias=0.3)
    build.stroke(knee, elbow, 0.21 * size, shade(colour, 1.04), bias=0.3)
    build.stroke(elbow, wrist, 0.16 * size, shade(colour, 0.95), bias=0.3)
    build.stroke(at(0.15, 1.0, 1.5), at(0.15, 2.4, 2.9), 0.08 * size, (170, 172, 175), bias=0.35)
    tip = (wrist[0], wrist[1], max(0.0, wrist[2] - 0.95 * size))
    build.box(tip, (0.95 * size, 0.9 * size, 0.95 * size), (60, 66, 74), turn=swing, taper=0.72)
    for k in range(4):
        x = tip[0] + (k - 1.5) * 0.25 * size * c
        point = (x + 0.2 * s, tip[1] + 0.2 * c, tip[2] - 0.1)
        build.stroke((x, tip[1], tip[2] + 0.05), point, 0.04, (120, 122, 124))
    build.shadow_of(np.array([at(0, 0.5, 1.5), knee, elbow, wrist, tip]))
    return build.done(), (2.0 * size, 2.4 * size)


def loader(rng: np.random.Generator, lift: float = 0.0) -> tuple[Model, tuple[float, float]]:
    """A wheel loader with its bucket at ``lift`` 0 (ground) .. 1."""
    colour = shade(_YELLOWS[int(rng.integers(3))], rng.uniform(0.85, 1.1))
    build = Builder(
        Finish(grain=0.07, dirt=(95, 120, 140), dirt_share=float(rng.uniform(0.08, 0.3)))
    )
    build.box((0, -1.5, 0.9), (1.9, 2.3, 1.1), colour, gloss=0.2)
    build.box((0, 0.1, 1.1), (1.4, 1.2, 0.9), shade(colour, 0.8))
    build.box((0, 0.1, 1.9), (1.35, 1.25, 1.2), (70, 62, 55), taper=0.9, gloss=0.6)
    build.box((0, 0.1, 3.1), (1.4, 1.3, 0.12), colour)
    build.box((0, 1.5, 0.8), (1.2, 1.4, 0.7), shade(colour, 0.9))
    z = 0.15 + 1.9 * lift
    for side in (-1, 1):
        for y in (-1.6, 1.5):
            build.wheel(side * 1.3, y, 0.72, 0.5, hub=(50, 170, 220))
        build.stroke((side * 0.5, 1.2, 1.5), (side * 0.5, 3.0, z + 0.4), 0.14, shade(colour, 0.9))
    build.box((0, 3.3, z), (2.7, 0.95, 0.95), (70, 76, 82), taper=0.85)
    return build.done(), (1.4, 3.6)


def crane(rng: np.random.Generator, slew: float = 0.0) -> Model:
    """A tower crane with its jib at ``slew`` radians."""
    colour: Colour = _YELLOWS[int(rng.integers(2))] if rng.random() < 0.7 else (60, 60, 190)
    tall, jib, tail = rng.uniform(26, 42), rng.uniform(22, 36), 10.0
    build = Builder(Finish(grain=0.02))
    half = 0.9
    corners = [(-half, -half), (half, -half), (half, half), (-half, half)]
    for x, y in corners:
        build.stroke((x, y, 0), (x, y, tall), 0.12, colour)
    for z in np.arange(0, tall, 2.0):
        for i in range(4):
            a, b = corners[i], corners[(i + 1) % 4]
            build.stroke((*a, z), (*b, z + 2.0), 0.06, colour)
            build.stroke((*a, z), (*b, z), 0.06, colour)
    c, s = np.cos(slew), np.sin(slew)

    def at(along: float, side: float, z: float) -> tuple[float, float, float]:
        return (along * s + side * c, along * c - side * s, z)

    build.box((0, 0, tall), (2.4, 2.4, 1.2), colour, turn=slew)
    build.box(at(1.5, 1.2, tall + 0.2), (1.3, 1.5, 1.8), (90, 80, 70), turn=slew)
    for start, stop in ((0.0, jib), (-tail, 0.0)):
        for side in (-0.6, 0.6):
            build.stroke(at(start, side, tall + 1.2), at(stop, side, tall + 1.2), 0.1, colour)
        if start >= 0:
            build.stroke(at(start, 0, tall + 2.6), at(stop, 0, tall + 2.2), 0.1, colour)
            for along in np.arange(0, jib - 2, 2.0):
                build.stroke(
                    at(along, -0.6, tall + 1.2), at(along + 1, 0, tall + 2.4), 0.06, colour
                )
                build.stroke(
                    at(along + 2, 0.6, tall + 1.2), at(along + 1, 0, tall + 2.4), 0.06, colour
                )
    build.stroke((0, 0, tall), (0, 0, tall + 7), 0.2, colour)
    build.stroke((0, 0, tall + 7), at(jib * 0.7, 0, tall + 2.3), 0.05, (70, 70, 70))
    build.stroke((0, 0, tall + 7), at(-tail, 0, tall + 1.4), 0.05, (70, 70, 70))
    build.box(at(-tail + 1.5, 0, tall - 0.8), (1.6, 3.0, 2.0), (130, 135, 138), turn=slew)
    hook = jib * rng.uniform(0.3, 0.9)
    build.stroke(
        at(hook, 0, tall + 1.2), at(hook, 0, tall - rng.uniform(4, 14)), 0.04, (50, 50, 50)
    )
    return build.done()


def cone(rng: np.random.Generator) -> tuple[Model, tuple[float, float]]:
    """A traffic cone."""
    build = Builder(Finish(grain=0.03, dirt_share=float(rng.uniform(0, 0.2))))
    orange: Colour = (40, 80, 235) if rng.random() < 0.7 else (40, 40, 205)
    tall = rng.uniform(0.6, 0.85)
    build.box((0, 0, 0), (0.4, 0.4, 0.04), (35, 35, 38))
    angle = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    levels = np.array([0.04, 0.3, 0.5, 0.66, 0.8, 1.0])
    rings = np.empty((6, 10, 3))
    for i, share in enumerate(levels):
        radius = 0.15 * (1 - share) + 0.03
        rings[i, :, 0], rings[i, :, 1] = np.cos(angle) * radius, np.sin(angle) * radius
        rings[i, :, 2] = share * tall
    skin = np.empty((5, 10, 3))
    skin[:] = orange
    skin[[1, 3]] = (235, 235, 235)
    build.loft(rings, skin)
    return build.done(), (0.2, 0.2)


def spoil(rng: np.random.Generator, wide: float, long: float, tall: float) -> Model:
    """A bank of dug soil, as scenery inside a site."""
    build = Builder(Finish(grain=0.15))
    sides = 20
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    rings = np.empty((6, sides, 3))
    for i, share in enumerate(np.linspace(0, 1, 6)):
        spread = (1 - share * 0.93) * (1 + rng.uniform(-0.08, 0.08, sides))
        rings[i, :, 0] = np.cos(angle) * spread * wide / 2
        rings[i, :, 1] = np.sin(angle) * spread * long / 2
        rings[i, :, 2] = tall * share**0.8
    colour: Colour = mix((70, 100, 132), (95, 130, 160), float(rng.random()))
    paint = np.asarray(colour) * rng.uniform(0.85, 1.12, (5, sides, 1))
    build.loft(rings, np.clip(paint, 0, 255), caps=False)
    return build.done()
