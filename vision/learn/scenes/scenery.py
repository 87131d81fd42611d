"""Trees, lamp posts and signs: they hide things but are not labelled."""

from __future__ import annotations

import numpy as np

from vision.learn.scenes.model import Builder, Colour, Finish, Model, mix, shade


def tree(rng: np.random.Generator, tall: float) -> Model:
    """A street tree with a torn crown."""
    build = Builder(Finish(grain=0.13, fray=float(rng.uniform(0.5, 1.0))))
    leaf: Colour = mix((45, 95, 70), (40, 80, 95), float(rng.random()))
    leaf = shade(leaf, rng.uniform(0.7, 1.2))
    stem = tall * rng.uniform(0.4, 0.55)
    radius = tall * rng.uniform(0.2, 0.3)
    build.stroke((0, 0, 0), (0, 0, stem + radius * 0.5), rng.uniform(0.09, 0.16), (70, 85, 95))
    for _ in range(3):
        a = rng.uniform(0, 6.3)
        build.stroke((0, 0, stem * 0.9), (np.cos(a) * radius * 0.6, np.sin(a) * radius * 0.6,
                     stem + radius), 0.05, (65, 80, 90))  # fmt: skip
    count = int(rng.integers(45, 90))
    outward = rng.standard_normal((count, 3))
    outward *= rng.uniform(0.35, 1.0, (count, 1)) / np.linalg.norm(outward, axis=1, keepdims=True)
    leaves = outward * [radius, radius, radius * 0.85] + [0, 0, stem + radius]
    light = 0.75 + 0.4 * outward[:, 2] + 0.12 * rng.standard_normal(count)
    paint = np.array(leaf) * np.maximum(light, 0.35)[:, None]
    build.balls(leaves, radius * rng.uniform(0.13, 0.26, count), np.minimum(paint, 255))
    build.shadow_of(leaves)
    return build.done()


def lamp_post(rng: np.random.Generator, towards: float) -> Model:
    """A street lamp whose arm reaches to ``towards`` (sign of x)."""
    build = Builder(Finish(grain=0.03))
    tall = rng.uniform(6.5, 9)
    steel: Colour = (130, 130, 130)
    build.stroke((0, 0, 0), (0, 0, tall), 0.08, steel)
    build.stroke((0, 0, tall), (towards * 1.8, 0, tall + 0.3), 0.05, steel)
    build.box((towards * 1.9, 0, tall + 0.2), (0.7, 0.3, 0.12), (210, 215, 215))
    build.lamp((towards * 1.9, 0, tall + 0.15), (170, 215, 255), 0.35)
    return build.done()


def signal(towards: float, *, red: bool) -> Model:
    """A traffic light on an arm over the carriageway."""
    build = Builder(Finish(grain=0.03))
    build.stroke((0, 0, 0), (0, 0, 5.6), 0.1, (120, 120, 118))
    build.stroke((0, 0, 5.5), (towards * 4.5, 0, 5.7), 0.07, (120, 120, 118))
    for x in (0.3, towards * 4.3):
        build.box((x, -0.15, 5.0), (0.4, 0.25, 1.1), (30, 30, 32), bias=0.2)
        for k, colour in enumerate(((60, 200, 60), (40, 190, 230), (40, 40, 235))):
            on = k == (2 if red else 0)
            paint: Colour = colour if on else shade(colour, 0.2)
            build.ball((x, -0.3, 5.2 + 0.34 * k), 0.13, paint, bias=0.5)
            if on:
                build.lamp((x, -0.4, 5.2 + 0.34 * k), paint, 0.15)
    return build.done()


def shell_building(rng: np.random.Generator, wide: float, long: float, tall: float) -> Model:
    """A building under construction: slabs, columns and green netting."""
    build = Builder(Finish(grain=0.08, dirt_share=0.05))
    concrete: Colour = shade((150, 155, 158), rng.uniform(0.8, 1.1))
    storeys = int(tall / 3.2)
    netted = rng.random() < 0.7
    net: Colour = mix((80, 125, 70), (150, 120, 60), float(rng.random() < 0.25))
    for k in range(storeys + 1):
        build.box((0, 0, k * 3.2), (wide, long, 0.3), concrete)
    for x in np.linspace(-wide / 2 + 0.3, wide / 2 - 0.3, 5):
        for y in np.linspace(-long / 2 + 0.3, long / 2 - 0.3, 5):
            if min(abs(abs(x) - wide / 2), abs(abs(y) - long / 2)) < 0.5:
                build.box((x, y, 0), (0.5, 0.5, storeys * 3.2), shade(concrete, 0.85))
    build.box((0, 0, 0.3), (wide * 0.8, long * 0.8, storeys * 3.2), (70, 72, 75))
    if netted:
        top = max(1, int(storeys * rng.uniform(0.4, 1)))
        for k in range(top):
            for i in range(5):
                for axis in (0, 1):
                    step = (wide, long)[axis] / 5
                    at = -(wide, long)[axis] / 2 + (i + 0.5) * step
                    paint = shade(net, rng.uniform(0.85, 1.1))
                    for sign in (-1, 1):
                        if axis == 0:
                            centre, size = (at, sign * (long / 2 + 0.3), k * 3.2), (step, 0.05, 3.2)
                        else:
                            centre, size = (sign * (wide / 2 + 0.3), at, k * 3.2), (0.05, step, 3.2)
                        build.box(centre, size, paint, casts=False, bias=0.2)
    return build.done()
