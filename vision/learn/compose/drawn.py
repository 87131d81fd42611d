"""Stalls, people and heaps of the scene maker, drawn as a background's own camera sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from vision.learn.compose.paste import Layer
from vision.learn.compose.places import Spot
from vision.learn.scenes import heaps, people, stalls, vehicles, works
from vision.learn.scenes.camera import Camera
from vision.learn.scenes.model import Model
from vision.learn.scenes.raster import Pose, Sun, rasterise

Kind = Literal["stall", "person", "heap", "excavator", "loader", "muck_truck", "cone"]

SIZES_M: dict[Kind, tuple[float, float]] = {
    "stall": (2.4, 2.3),
    "person": (0.6, 1.7),
    "heap": (2.0, 0.8),
    "excavator": (5.5, 3.6),
    "loader": (4.5, 3.0),
    "muck_truck": (5.5, 3.2),
    "cone": (0.4, 0.7),
}
"""Usual width and height; a place is looked for with these."""

_MAKERS: dict[str, Callable[[np.random.Generator], tuple[Model, tuple[float, float]]]] = {
    "heap": heaps.heap,
    "excavator": works.excavator,
    "loader": works.loader,
    "muck_truck": vehicles.muck_truck,
    "cone": works.cone,
}


def draw(
    kind: Kind, spot: Spot, camera: Camera, rng: np.random.Generator, *, sunny: bool
) -> list[tuple[str | None, Layer]]:
    """Draw a thing where it stands.

    Args:
        kind: What.
        spot: Where in the picture.
        camera: The background's camera.
        rng: Draws form and colours.
        sunny: Direct light instead of an overcast sky.

    Returns:
        Layers from far to near with their class; ``None`` means the thing's own class. Empty if
        nothing can be seen.
    """
    ground = camera.ground(np.array([[spot.x, spot.y]]))[0]
    if not np.isfinite(ground).all():
        return []
    x, y = float(ground[0]), float(ground[1])
    heading = float(rng.uniform(-np.pi, np.pi))
    sun = _sun(rng, sunny=sunny)
    things: list[tuple[str | None, Model, Pose]] = []
    if kind == "stall":
        # Long stands face the camera more often than not; the seller stands behind.
        heading = float(np.pi / 2 * rng.choice([-1, 1]) + rng.normal(0, 0.5))
        model, extent = stalls.stall(rng)
        things.append((None, model, Pose(x, y, heading)))
        if rng.random() < 0.8:
            c, s = np.cos(heading), np.sin(heading)
            side, along = extent[0] + 0.3, float(rng.uniform(-0.7, 0.7))
            where = Pose(x + side * c + along * s, y - side * s + along * c, heading - np.pi / 2)
            things.append(("person", people.person(people.dress(rng)), where))
        for _ in range(int(rng.choice([0, 0, 1, 2]))):
            turn, far = rng.uniform(0, 6.28), rng.uniform(1.3, 2.3)
            where = Pose(x + far * np.cos(turn), y + far * np.sin(turn), rng.uniform(0, 6.28))
            stride = float(rng.choice([0.0, 0.7]))
            model = people.person(people.dress(rng), float(rng.uniform(0, 6)), stride=stride)
            things.append(("person", model, where))
    elif kind == "person":
        stride = float(rng.choice([0.0, 0.8]))
        model = people.person(people.dress(rng), float(rng.uniform(0, 6)), stride=stride)
        things.append((None, model, Pose(x, y, heading)))
    else:
        model, _ = _MAKERS[kind](rng)
        things.append((None, model, Pose(x, y, heading)))
    things.sort(key=lambda t: -t[2].y)
    layers = []
    for label, model, pose in things:
        sprite = rasterise(model, pose, camera, sun, int(rng.integers(1000)))
        if sprite is None or sprite.inside < 0.6:
            continue
        share = np.maximum(sprite.alpha.astype(np.float32), 1)[..., None] / 255
        image = np.clip(sprite.colour.astype(np.float32) / share, 0, 255).astype(np.uint8)
        layers.append((label, Layer(sprite.x, sprite.y, image, sprite.alpha)))
    return layers


def _sun(rng: np.random.Generator, *, sunny: bool) -> Sun:
    turn, height = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(30, 65))
    direction = np.array(
        [np.cos(turn) * np.cos(height), np.sin(turn) * np.cos(height), np.sin(height)]
    )
    direct = np.array([0.52, 0.57, 0.6]) * (1.0 if sunny else 0.3)
    ambient = np.array([0.62, 0.58, 0.55]) * (1.0 if sunny else 1.25)
    return Sun(direction, direct, ambient, np.array([218.0, 208.0, 198.0]))
