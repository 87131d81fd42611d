"""Debris heaps, bins and overflowing bins."""

from __future__ import annotations

import numpy as np

from vision.learn.scenes.model import Builder, Colour, Finish, Model, mix, shade

KINDS = ("rubble", "sand", "soil", "timber", "bags", "furniture", "mixed")

_SOILS: dict[str, Colour] = {
    "rubble": (140, 148, 155), "sand": (125, 165, 190), "soil": (62, 88, 115),
    "mixed": (105, 118, 128),
}  # fmt: skip
_BAGS: tuple[Colour, ...] = (
    (35, 33, 32), (215, 218, 220), (60, 60, 185), (170, 130, 60), (80, 150, 70), (120, 160, 180),
    (190, 195, 180), (60, 180, 220),
)  # fmt: skip
_BINS: tuple[Colour, ...] = (
    (60, 110, 40), (110, 80, 30), (70, 70, 72), (40, 45, 130), (60, 90, 110), (45, 75, 40)
)  # fmt: skip


def _pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    return colours[int(rng.integers(len(colours)))]


def _mound(
    build: Builder, rng: np.random.Generator, size: tuple[float, float, float], colour: Colour
) -> None:
    """Uneven heap of loose material with an irregular outline."""
    wide, long, tall = size
    rows, sides = 6, 18
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    outline = 1 + sum(
        rng.uniform(0.03, 0.16) * np.sin(k * angle + rng.uniform(0, 6)) for k in (2, 3, 5)
    )
    rings = np.empty((rows, sides, 3))
    lean = rng.uniform(-0.2, 0.2, 2)
    for i in range(rows):
        share = i / (rows - 1)
        spread = (1 - share) ** rng.uniform(0.8, 1.0) + 0.03
        jitter = 1 + rng.uniform(-0.08, 0.08, sides)
        rings[i, :, 0] = np.cos(angle) * outline * spread * jitter * wide / 2 + lean[0] * share
        rings[i, :, 1] = np.sin(angle) * outline * spread * jitter * long / 2 + lean[1] * share
        rings[i, :, 2] = tall * (share + rng.uniform(-0.07, 0.07, sides) * (0 < i < rows - 1))
    paint = np.clip(np.asarray(colour) * rng.uniform(0.82, 1.14, (rows - 1, sides, 1)), 0, 255)
    build.loft(rings, paint, caps=False)


def _spot(
    rng: np.random.Generator, wide: float, long: float, tall: float
) -> tuple[float, float, float]:
    """A place on the surface of a mound."""
    r, a = np.sqrt(rng.uniform(0, 1)), rng.uniform(0, 2 * np.pi)
    return (r * np.cos(a) * wide / 2, r * np.sin(a) * long / 2, max(0.0, tall * (1 - r) * 0.93))


def _bag(build: Builder, rng: np.random.Generator, place: tuple[float, float, float]) -> None:
    size = rng.uniform(0.3, 0.65)
    build.lump(rng, place, (size, size * rng.uniform(0.7, 1.1), size * rng.uniform(0.5, 0.9)),
               shade(_pick(rng, _BAGS), rng.uniform(0.8, 1.1)), rough=0.22, sides=7, gloss=0.18,
               bias=0.1)  # fmt: skip


def _board(build: Builder, rng: np.random.Generator, place: tuple[float, float, float]) -> None:
    wood: Colour = mix((90, 135, 175), (140, 165, 185), float(rng.random()))
    length = rng.uniform(0.8, 2.4)
    turn, rise = rng.uniform(0, np.pi), rng.uniform(-0.5, 0.5)
    build.box(place, (rng.uniform(0.06, 0.3), length, 0.05), wood, turn=turn, tilt=rise, bias=0.1)


def _furniture(build: Builder, rng: np.random.Generator, place: tuple[float, float, float]) -> None:
    x, y, _ = place
    turn = float(rng.uniform(0, np.pi))
    kind = rng.choice(["sofa", "cupboard", "mattress", "chair", "door"])
    cloth = _pick(
        rng, ((70, 90, 130), (110, 110, 115), (60, 60, 110), (150, 170, 185), (90, 110, 60))
    )
    wood: Colour = (70, 105, 145)
    if kind == "sofa":
        build.box((x, y, 0), (0.85, 1.7, 0.42), cloth, turn=turn)
        build.box((x + 0.35 * np.cos(turn), y - 0.35 * np.sin(turn), 0.35), (0.22, 1.7, 0.5),
                  shade(cloth, 0.9), turn=turn)  # fmt: skip
    elif kind == "cupboard":
        build.box((x, y, 0), (0.5, 0.9, rng.uniform(0.8, 1.7)), wood, turn=turn,
                  tilt=float(rng.choice([0, 0.1])))  # fmt: skip
    elif kind == "mattress":
        build.box((x, y, 0.1), (0.2, 1.8, 1.2), (190, 200, 205), turn=turn, tilt=0.1)
    elif kind == "chair":
        build.box((x, y, 0.4), (0.45, 0.45, 0.06), wood, turn=turn)
        build.box((x, y + 0.2, 0.45), (0.45, 0.05, 0.5), wood, turn=turn)
        for dx in (-0.18, 0.18):
            for dy in (-0.18, 0.18):
                build.stroke((x + dx, y + dy, 0), (x + dx, y + dy, 0.4), 0.025, wood)
    else:
        build.box((x, y, 0.05), (0.06, 0.85, 1.9), mix(wood, (200, 205, 210), 0.5), turn=turn,
                  tilt=float(rng.uniform(0.2, 0.9)))  # fmt: skip


def heap(
    rng: np.random.Generator, kind: str = "any", size: float = 1.0
) -> tuple[Model, tuple[float, float]]:
    """A debris heap.

    Args:
        rng: Draws the form.
        kind: One of :data:`KINDS`, or ``any``.
        size: Scale, 1 is about 2.5 m long.

    Returns:
        Model and half extents of its footprint in metres.
    """
    if kind == "any":
        kind = str(rng.choice(KINDS))
    build = Builder(Finish(grain=0.17 if kind in _SOILS else 0.09, dirt_share=0.08))
    wide, long = rng.uniform(1.2, 2.2) * size, rng.uniform(1.6, 3.2) * size
    tall = rng.uniform(0.45, 1.0) * size
    if kind in _SOILS:
        colour = shade(_SOILS[kind], rng.uniform(0.8, 1.15))
        for _ in range(int(rng.integers(1, 4))):
            dx, dy = rng.uniform(-0.25, 0.25) * wide, rng.uniform(-0.3, 0.3) * long
            inner = Builder(build.finish)
            share = rng.uniform((0.7, 0.6, 0.6), 1.0)
            _mound(inner, rng, (wide * share[0], long * share[1], tall * share[2]), colour)
            part = inner.done()
            build.faces(part.corners + np.array([dx, dy, 0]), part.colours)
    if kind in {"rubble", "mixed"}:
        for _ in range(int(rng.integers(35, 80) * size)):
            place = _spot(rng, wide * 1.08, long * 1.08, tall)
            edge = rng.uniform(0.08, 0.38)
            tone = _pick(rng, ((150, 155, 160), (120, 125, 128), (70, 85, 145), (175, 180, 182)))
            build.box(place, (edge, edge * rng.uniform(0.5, 1.4), edge * rng.uniform(0.3, 0.8)),
                      shade(tone, rng.uniform(0.75, 1.1)), turn=rng.uniform(0, 3),
                      tilt=rng.uniform(-0.5, 0.5), bias=0.08, casts=False)  # fmt: skip
    if kind in ("soil", "sand"):
        for _ in range(int(rng.integers(8, 25))):
            place = _spot(rng, wide * 1.15, long * 1.15, tall)
            edge = rng.uniform(0.05, 0.2)
            build.lump(rng, place, (edge, edge, edge * 0.7), shade(_SOILS[kind], 0.85), sides=5,
                       bias=0.06)  # fmt: skip
    if kind in ("timber", "mixed"):
        for _ in range(int(rng.integers(8, 24) if kind == "timber" else rng.integers(3, 9))):
            _board(build, rng, _spot(rng, wide * 0.8, long * 0.8, tall * 0.9))
    if kind in ("bags", "mixed"):
        for _ in range(int(rng.integers(14, 42) * size if kind == "bags" else rng.integers(4, 12))):
            _bag(build, rng, _spot(rng, wide, long, tall * 0.8))
    if kind == "furniture":
        for _ in range(int(rng.integers(3, 7))):
            _furniture(
                build, rng, (rng.uniform(-0.5, 0.5) * wide, rng.uniform(-0.5, 0.5) * long, 0)
            )
        for _ in range(int(rng.integers(3, 10))):
            _bag(build, rng, _spot(rng, wide, long, 0.1))
    for _ in range(int(rng.integers(3, 14))):
        x, y, _ = _spot(rng, wide * 1.2, long * 1.2, 0)
        scrap: Colour = _pick(
            rng, ((200, 205, 210), (90, 130, 165), (70, 70, 170), (150, 150, 150))
        )
        build.box((x, y, 0), (rng.uniform(0.08, 0.3), rng.uniform(0.08, 0.3), 0.03), scrap,
                  turn=rng.uniform(0, 3), casts=False)  # fmt: skip
    return build.done(), (wide * 0.6, long * 0.6)


def bins(rng: np.random.Generator, *, overflowing: bool) -> tuple[Model, tuple[float, float]]:
    """A wheeled bin, or one that runs over with bags."""
    build = Builder(Finish(grain=0.05, dirt_share=float(rng.uniform(0.0, 0.2))))
    big = rng.random() < 0.25
    wide, deep, tall = (1.1, 1.35, 1.15) if big else (0.56, 0.68, rng.uniform(0.95, 1.08))
    colour = shade(_pick(rng, _BINS), rng.uniform(0.8, 1.3))
    build.box((0, 0, 0.08), (wide * 0.84, deep * 0.84, tall), colour, taper=1.19)
    build.box((0, 0, tall), (wide * 1.06, deep * 1.06, 0.07), shade(colour, 0.8), bias=0.05)
    for side in (-1, 1):
        build.wheel(side * wide * 0.45, deep * 0.38, 0.1, 0.06, hub=(60, 60, 60), detail=False)
    sign = np.array(
        [
            [
                [-wide * 0.505, -0.15, tall * 0.5],
                [-wide * 0.505, 0.15, tall * 0.5],
                [-wide * 0.53, 0.15, tall * 0.78],
                [-wide * 0.53, -0.15, tall * 0.78],
            ]
        ]
    )
    build.faces(sign, (225, 228, 228), bias=0.12, middle=np.array([0, 0, tall * 0.6]), casts=False)
    if overflowing:
        lid = np.array(
            [
                [
                    [wide * 0.5, -deep / 2, tall],
                    [wide * 0.5, deep / 2, tall],
                    [wide * 0.78, deep / 2, tall + deep * 0.55],
                    [wide * 0.78, -deep / 2, tall + deep * 0.55],
                ]
            ]
        )
        build.faces(lid, shade(colour, 0.85))
        for i in range(int(rng.integers(5, 11))):
            x, y = rng.uniform(-0.4, 0.4) * wide, rng.uniform(-0.4, 0.4) * deep
            _bag(build, rng, (x, y, tall + 0.03 + 0.045 * i * rng.uniform(0.2, 1)))
        for _ in range(int(rng.integers(2, 8))):
            _bag(build, rng, (rng.choice([-1, 1]) * wide * rng.uniform(0.6, 0.95),
                              rng.uniform(-0.7, 0.7) * deep, 0))  # fmt: skip
    else:
        build.box(
            (0, 0, tall + 0.07), (wide, deep, 0.06), shade(colour, 0.95), taper=0.85, bias=0.1
        )
    return build.done(), (wide * 0.6, deep * 0.6)
