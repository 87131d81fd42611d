"""People on foot, riders and their two-wheelers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from vision.learn.scenes.model import Builder, Colour, Finish, Model, mix, shade

_CLOTHES: tuple[Colour, ...] = (
    (40, 40, 45), (60, 50, 45), (120, 80, 40), (70, 70, 160), (200, 200, 205), (150, 150, 150),
    (60, 120, 70), (50, 60, 90), (190, 150, 110), (40, 90, 170), (130, 60, 120), (90, 160, 200),
)  # fmt: skip
_SKIN: Colour = (125, 160, 205)
_HAIR: Colour = (25, 28, 32)


@dataclass(frozen=True)
class Look:
    """What one person wears and how tall they are."""

    height: float
    stout: float
    top: Colour
    legs: Colour
    skin: Colour
    hat: Colour | None
    vest: bool
    bag: Colour | None


def dress(rng: np.random.Generator, *, worker: bool = False) -> Look:
    """Make up a person; a worker wears helmet and bright vest."""
    helmets: list[Colour] = [(40, 200, 235), (40, 50, 200), (200, 120, 40), (235, 235, 235)]
    return Look(
        height=float(rng.uniform(1.5, 1.84)),
        stout=float(rng.uniform(0.85, 1.25)),
        top=_CLOTHES[int(rng.integers(len(_CLOTHES)))],
        legs=shade(_CLOTHES[int(rng.integers(5))], 0.9),
        skin=shade(_SKIN, float(rng.uniform(0.75, 1.05))),
        hat=helmets[int(rng.integers(4))] if worker else (
            (90, 140, 170) if rng.random() < 0.12 else None
        ),
        vest=worker,
        bag=_CLOTHES[int(rng.integers(len(_CLOTHES)))] if rng.random() < 0.35 else None,
    )  # fmt: skip


def person(look: Look, phase: float = 0.0, *, stride: float = 0.0, seated: bool = False) -> Model:
    """A person facing +y.

    Args:
        look: Clothes.
        phase: Walking phase in radians.
        stride: 0 standing .. 1 walking fast.
        seated: Sitting as on a saddle (hips at the origin's height given by the pose).
    """
    build = Builder(Finish(grain=0.05))
    h, w = look.height, look.stout
    hip, shoulder = h * 0.5, h * 0.81
    swing = 0.42 * stride * np.sin(phase)
    legs, top = look.legs, look.top
    if seated:
        hip, shoulder = 0.0, h * 0.32
    for side, s in ((-1, swing), (1, -swing)):
        x = side * 0.09 * w
        if seated:
            knee, foot = (x * 1.6, 0.34, -0.1), (x * 1.4, 0.26, -0.5)
        else:
            knee = (x, s * hip * 0.5 + 0.03, hip * 0.52)
            foot = (x, s * hip * 1.05, 0.06 + 0.1 * stride * max(0.0, side * np.cos(phase)))
        build.stroke((x, 0, hip), knee, 0.085 * w, legs)
        build.stroke(knee, foot, 0.062 * w, shade(legs, 0.95))
        build.stroke(foot, (foot[0], foot[1] + 0.13, foot[2] - 0.02), 0.05, (35, 35, 40))
    lean = 0.12 if seated else 0.05 * stride
    neck = (0, lean, shoulder + 0.04)
    build.stroke((0, 0, hip + 0.02), (0, lean * 0.6, shoulder - 0.12), 0.15 * w, top)
    build.stroke((-0.1 * w, lean, shoulder - 0.06), (0.1 * w, lean, shoulder - 0.06), 0.1 * w, top,
                 bias=0.01)  # fmt: skip
    if look.vest:
        build.stroke((-0.08, lean + 0.02, shoulder - 0.3), (0.08, lean + 0.02, shoulder - 0.3),
                     0.15 * w, (60, 230, 235), bias=0.05)  # fmt: skip
    for side, s in ((-1, -swing), (1, swing)):
        x = side * 0.21 * w
        if seated:
            elbow, hand = (x * 1.25, 0.22, shoulder - 0.28), (x * 1.3, 0.45, shoulder - 0.3)
        else:
            elbow = (x * 1.12, s * 0.2, shoulder - 0.27)
            hand = (x * 1.1, s * 0.42 + 0.06 + 0.05 * stride, shoulder - 0.5)
        build.stroke((x * 0.9, lean, shoulder - 0.04), elbow, 0.055 * w, shade(top, 0.93))
        build.stroke(elbow, hand, 0.042 * w, mix(shade(top, 0.9), look.skin, 0.4))
        build.ball(hand, 0.045, look.skin)
    head = h * 0.068
    centre = (0, neck[1] + 0.02, shoulder + 0.08 + head)
    build.stroke(neck, centre, 0.05, look.skin)
    build.ball(centre, head * 1.18, look.skin)
    build.ball((0, centre[1] - 0.035, centre[2] + 0.035), head * 1.2, look.hat or _HAIR, bias=0.02)
    if look.bag is not None and not seated:
        build.stroke((0.24 * w, 0, hip + 0.05), (0.24 * w, 0, hip + 0.2), 0.1, look.bag)
    build.shadow_of(
        np.array([[-0.2 * w, 0, 0], [0.2 * w, 0, 0], [0.2 * w, 0, shoulder],
                  [-0.2 * w, 0, shoulder],
                  [0, 0.08, h], [0, -0.08, h], [0, 0.25 * stride, 0], [0, -0.25 * stride, 0]])
    )  # fmt: skip
    return build.done()


def _ring(build: Builder, y: float, radius: float, tyre: Colour, thick: float) -> None:
    angle = np.linspace(0, 2 * np.pi, 15)
    for a, b in itertools.pairwise(angle):
        build.stroke(
            (0, y + radius * np.cos(a), radius + radius * np.sin(a)),
            (0, y + radius * np.cos(b), radius + radius * np.sin(b)),
            thick,
            tyre,
        )


def bicycle(rng: np.random.Generator) -> tuple[Model, tuple[float, float], float]:
    """A bicycle; also gives half extents and the saddle's height."""
    frames: list[Colour] = [
        (210, 170, 60), (60, 200, 230), (50, 50, 55), (60, 60, 190), (190, 190, 190), (90, 160, 70)
    ]  # fmt: skip
    colour = frames[int(rng.integers(len(frames)))]
    build = Builder(Finish(grain=0.03))
    for y in (-0.52, 0.52):
        _ring(build, y, 0.32, (35, 35, 38), 0.025)
        build.ball((0, y, 0.32), 0.05, (140, 140, 140))
    seat, bars, crank = (0, -0.22, 0.85), (0, 0.38, 0.98), (0, -0.05, 0.3)
    for a, b in (
        (seat, crank), (crank, (0, 0.33, 0.72)), ((0, 0.33, 0.72), (0, -0.2, 0.68)),
        ((0, -0.52, 0.32), crank), ((0, -0.52, 0.32), (0, -0.2, 0.68)), ((0, 0.52, 0.32), bars),
    ):  # fmt: skip
        build.stroke(a, b, 0.025, colour)
    build.stroke((-0.28, 0.36, 1.0), (0.28, 0.36, 1.0), 0.022, (60, 60, 60))
    build.stroke((0, -0.34, 0.88), (0, -0.12, 0.88), 0.055, (30, 30, 32))
    if rng.random() < 0.6:
        build.box((0, 0.58, 0.68), (0.34, 0.26, 0.24), shade(colour, 0.8))
    build.shadow_of(np.array([[0, -0.85, 0], [0, 0.85, 0], [0, 0.4, 1.0], [0, -0.2, 0.88]]))
    return build.done(), (0.28, 0.85), 0.9


def motorcycle(rng: np.random.Generator) -> tuple[Model, tuple[float, float], float]:
    """A scooter or motorcycle; also gives half extents and the saddle's height."""
    colours: list[Colour] = [
        (50, 50, 170), (180, 110, 50), (60, 60, 62), (215, 215, 215), (60, 150, 200), (90, 140, 60),
        (40, 190, 235),
    ]  # fmt: skip
    colour = colours[int(rng.integers(len(colours)))]
    build = Builder(Finish(grain=0.04))
    for y in (-0.58, 0.62):
        _ring(build, y, 0.22, (30, 30, 32), 0.055)
        build.ball((0, y, 0.24), 0.1, (110, 110, 112))
    build.stroke((0, -0.6, 0.5), (0, -0.05, 0.42), 0.15, colour)
    build.stroke((0, -0.1, 0.3), (0, 0.32, 0.3), 0.11, shade(colour, 0.7))
    build.stroke((0, 0.36, 0.3), (0, 0.44, 0.85), 0.14, colour)
    build.stroke((0, 0.62, 0.3), (0, 0.48, 0.9), 0.06, (70, 70, 72))
    build.stroke((0, -0.66, 0.72), (0, -0.08, 0.7), 0.11, (32, 32, 34), bias=0.05)
    build.stroke((-0.34, 0.4, 1.02), (0.34, 0.4, 1.02), 0.03, (40, 40, 42))
    build.ball((0, 0.52, 0.92), 0.1, (225, 230, 230), bias=0.05)
    for side in (-1, 1):
        build.stroke((side * 0.3, 0.38, 1.02), (side * 0.36, 0.36, 1.2), 0.025, (35, 35, 35))
        build.ball((side * 0.36, 0.36, 1.22), 0.055, (40, 40, 40))
    if rng.random() < 0.35:
        boxes: list[Colour] = [(40, 190, 240), (190, 120, 40), (40, 40, 42)]
        build.box((0, -0.85, 0.75), (0.46, 0.44, 0.44), boxes[int(rng.integers(3))])
    build.lamp((0, 0.6, 0.9), (215, 240, 255), 0.12, (0, 1, 0))
    build.lamp((0, -0.75, 0.6), (40, 40, 230), 0.08, (0, -1, 0))
    build.shadow_of(np.array([[-0.2, -0.8, 0], [0.2, -0.8, 0], [0.2, 0.85, 0], [-0.2, 0.85, 0],
                              [-0.3, 0.4, 1.05], [0.3, 0.4, 1.05], [0, -0.6, 0.75]]))  # fmt: skip
    return build.done(), (0.34, 0.85), 0.82
