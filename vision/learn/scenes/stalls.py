"""Street stalls: tricycle carts, tables, mats and canopies with goods."""

from __future__ import annotations

import numpy as np

from vision.learn.scenes.model import Builder, Colour, Finish, Model, mix, shade

KINDS = ("tricycle", "table", "mat", "cart", "canopy")

_CLOTH: tuple[Colour, ...] = (
    (50, 50, 200), (190, 110, 40), (70, 160, 60), (60, 190, 230), (200, 200, 205), (160, 70, 150),
    (60, 120, 220),
)  # fmt: skip
_GOODS: tuple[Colour, ...] = (
    (40, 60, 200), (40, 140, 230), (50, 200, 230), (60, 170, 80), (70, 130, 60), (200, 210, 215),
    (120, 70, 150), (90, 120, 160), (50, 50, 120), (180, 150, 90),
)  # fmt: skip


def _pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    return colours[int(rng.integers(len(colours)))]


def _goods(
    build: Builder,
    rng: np.random.Generator,
    low: tuple[float, float],
    high: tuple[float, float],
    z: float,
) -> None:
    """Fill a rectangle with crates, fruit, bundles or clothes."""
    style = rng.choice(["fruit", "crates", "cloth", "mixed"])
    step = 0.3
    for x in np.arange(low[0] + step / 2, high[0], step):
        for y in np.arange(low[1] + step / 2, high[1], step):
            if rng.random() < 0.08:
                continue
            colour = shade(_pick(rng, _GOODS), rng.uniform(0.8, 1.15))
            if style == "crates" or (style == "mixed" and rng.random() < 0.4):
                build.box(
                    (x, y, z),
                    (step * 0.92, step * 0.92, rng.uniform(0.1, 0.3)),
                    colour,
                    bias=0.1,
                    casts=False,
                )
            elif style == "cloth":
                build.lump(
                    rng, (x, y, z), (step, step, rng.uniform(0.05, 0.12)), colour, sides=6, bias=0.1
                )
            else:
                for _ in range(4):
                    build.ball((x + rng.uniform(-0.1, 0.1), y + rng.uniform(-0.1, 0.1),
                                z + rng.uniform(0.04, 0.12)), rng.uniform(0.045, 0.08), colour,
                               bias=0.1)  # fmt: skip


def _umbrella(
    build: Builder, rng: np.random.Generator, place: tuple[float, float], radius: float, top: float
) -> None:
    x, y = place
    sides = 8
    a, b = _pick(rng, _CLOTH), _pick(rng, _CLOTH)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    rim = np.stack(
        [x + radius * np.cos(angle), y + radius * np.sin(angle), np.full(sides + 1, top - 0.45)],
        axis=1,
    )
    mid = np.stack(
        [x + 0.5 * radius * np.cos(angle), y + 0.5 * radius * np.sin(angle),
         np.full(sides + 1, top - 0.14)], axis=1,
    )  # fmt: skip
    tip = np.array([x, y, top])
    for i in range(sides):
        colour = a if i % 2 else b
        build.faces(np.array([[rim[i], rim[i + 1], mid[i + 1], mid[i]]]), colour, casts=False)
        build.faces(np.array([[mid[i], mid[i + 1], tip, tip]]), shade(colour, 1.05), casts=False)
        drop = rim[[i, i + 1]] - [0, 0, 0.16]
        build.faces(
            np.array([[rim[i], rim[i + 1], drop[1], drop[0]]]), shade(colour, 0.85), casts=False
        )
    build.shadow_of(np.concatenate([rim, tip[None]]))
    build.stroke((x, y, 0), (x, y, top), 0.03, (160, 160, 165))


def stall(rng: np.random.Generator, kind: str = "any") -> tuple[Model, tuple[float, float]]:
    """A stall facing -x (the seller stands at +x).

    Args:
        rng: Draws form, colours and goods.
        kind: One of :data:`KINDS`, or ``any``.

    Returns:
        Model and half extents of its footprint in metres.
    """
    if kind == "any":
        kind = str(rng.choice(KINDS))
    build = Builder(Finish(grain=0.07, dirt_share=float(rng.uniform(0.0, 0.12))))
    wide, long = rng.uniform(0.9, 1.3), rng.uniform(1.6, 2.6)
    steel: Colour = _pick(rng, ((150, 150, 150), (150, 90, 40), (50, 60, 150), (90, 130, 70)))
    if kind in ("tricycle", "cart"):
        deck = rng.uniform(0.6, 0.8)
        build.box((0, 0, deck - 0.2), (wide, long, 0.2), steel)
        for side in (-1, 1):
            build.box((side * wide / 2, 0, deck), (0.04, long, 0.18), steel, casts=False)
            build.wheel(side * (wide / 2 + 0.06), -long * 0.25, 0.28, 0.09, hub=(120, 120, 120))
        _goods(build, rng, (-wide / 2 + 0.05, -long / 2 + 0.05), (wide / 2 - 0.05, long / 2), deck)
        if kind == "tricycle":
            front = long / 2 + 0.75
            for side in (-1, 1):
                build.stroke(
                    (side * 0.2, long / 2, deck - 0.15), (0, front - 0.1, 0.75), 0.04, steel
                )
            build.wheel(0.05, front, 0.27, 0.1, hub=(110, 110, 110))
            build.wheel(-0.05, front, 0.27, 0.1, hub=(110, 110, 110))
            build.stroke((-0.33, front - 0.2, 1.05), (0.33, front - 0.2, 1.05), 0.025, (50, 50, 50))
            build.stroke((0, front, 0.3), (0, front - 0.2, 1.05), 0.035, steel)
            build.stroke((0, long / 2 + 0.05, 0.8), (0, long / 2 + 0.35, 0.8), 0.1, (35, 35, 38))
        else:
            glass_top = deck + rng.uniform(0.5, 0.8)
            build.box((0, 0, glass_top), (wide, long, 0.08), steel)
            for x in (-wide / 2, wide / 2):
                for y in (-long / 2, long / 2):
                    build.stroke((x, y, deck), (x, y, glass_top), 0.025, steel)
            build.box((0, 0, glass_top + 0.08), (wide * 0.9, long * 0.9, 0.3), _pick(rng, _CLOTH))
    elif kind == "table":
        for i in range(int(rng.integers(1, 4))):
            y = (i - 0.5) * 1.7
            cloth = _pick(rng, _CLOTH)
            build.box((0, y, rng.choice([0.0, 0.45])), (wide * 0.8, 1.6, 0.3), cloth)
            build.box((0, y, 0.7), (wide * 0.85, 1.65, 0.04), cloth, bias=0.05)
            _goods(build, rng, (-wide * 0.4, y - 0.8), (wide * 0.4, y + 0.8), 0.74)
        long = 2.6
    elif kind == "mat":
        wide, long = rng.uniform(1.2, 2.0), rng.uniform(1.8, 3.2)
        build.box((0, 0, 0), (wide, long, 0.03), _pick(rng, _CLOTH))
        _goods(
            build, rng, (-wide / 2 + 0.1, -long / 2 + 0.1), (wide / 2 - 0.1, long / 2 - 0.1), 0.04
        )
        build.box((wide / 2 + 0.3, rng.uniform(-0.5, 0.5), 0), (0.3, 0.3, 0.35), (160, 80, 40))
    else:
        wide, long = rng.uniform(1.6, 2.4), rng.uniform(2.2, 3.0)
        build.box((-wide * 0.15, 0, 0.5), (wide * 0.5, long * 0.9, 0.25), _pick(rng, _CLOTH))
        _goods(build, rng, (-wide * 0.4, -long * 0.43), (wide * 0.1, long * 0.43), 0.76)
        cloth = _pick(rng, _CLOTH)
        top = rng.uniform(2.2, 2.6)
        for x in (-wide / 2, wide / 2):
            for y in (-long / 2, long / 2):
                build.stroke((x, y, 0), (x, y, top), 0.03, (190, 190, 195))
        w, m = wide / 2 + 0.15, long / 2 + 0.15
        eaves = np.array([[-w, -m, top], [w, -m, top], [w, m, top], [-w, m, top]])
        tip = np.array([0, 0, top + rng.uniform(0.35, 0.7)])
        for i in range(4):
            a, b = eaves[i], eaves[(i + 1) % 4]
            drop = np.array([0, 0, 0.25])
            build.faces(np.array([[a, b, tip, tip]]), cloth)
            build.faces(np.array([[a, b, b - drop, a - drop]]), mix(cloth, (255, 255, 255), 0.35))
    if kind != "canopy" and rng.random() < 0.72:
        _umbrella(
            build,
            rng,
            (rng.uniform(-0.1, 0.3), rng.uniform(-0.4, 0.4)),
            rng.uniform(1.0, 1.5),
            rng.uniform(2.1, 2.6),
        )
    for _ in range(int(rng.integers(0, 6))):
        side = rng.choice([-1, 1])
        place = (side * (wide / 2 + rng.uniform(0.2, 0.5)), rng.uniform(-0.5, 0.5) * long, 0)
        build.box(
            place,
            (0.4, 0.35, rng.uniform(0.2, 0.45)),
            _pick(rng, ((90, 130, 170), (200, 200, 200), (60, 60, 180), (170, 110, 50))),
        )
    if rng.random() < 0.3:
        build.box((-wide / 2 - 0.3, long / 2, 0), (0.05, 0.5, 0.8), _pick(rng, _CLOTH), tilt=0.15)
    build.lamp((0, 0, 1.7), (190, 230, 255), 0.25)
    return build.done(), (wide / 2 + 0.45, long / 2 + 0.5)
