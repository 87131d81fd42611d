"""Sun, clouds, dusk and night: how a scene is lit at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision.learn.scenes.model import Array
from vision.learn.scenes.preset import LightPlan
from vision.learn.scenes.raster import Sun


@dataclass(frozen=True, eq=False)
class Light:
    """Light of a scene.

    Attributes:
        sun: Shading of solids.
        time: ``day``, ``dusk`` or ``night``.
        cloud: 0 clear .. 1 overcast.
        tint: ``(3,)`` BGR gain of the whole picture.
        wet: Rain, 0..1.
        phase: Shifts the course of the clouds.
    """

    sun: Sun
    time: str
    cloud: float
    tint: Array
    wet: float
    phase: float

    def sunshine(self, time_s: float) -> float:
        """How much direct sun there is, 0..1; clouds pass over some tens of seconds."""
        if self.time == "night":
            return 0.0
        course = np.sin(time_s / 13 + self.phase) + 0.6 * np.sin(time_s / 5.3 + 2 * self.phase)
        share = 1 / (1 + np.exp(-(course * 1.6 + 2.2 - 4.4 * self.cloud)))
        return float(share * (0.45 if self.time == "dusk" else 1.0) * (1 - 0.9 * self.wet))

    def gain(self, time_s: float) -> Array:
        """``(3,)`` BGR gain of the picture."""
        level = 0.98 + 0.22 * self.sunshine(time_s)
        if self.time == "dusk":
            level *= 0.72 - 0.0022 * min(time_s, 90)
        return self.tint * level

    @property
    def dark(self) -> bool:
        """Whether lamps decide what is seen."""
        return self.time == "night"


def plan_light(plan: LightPlan, rng: np.random.Generator) -> Light:
    """Draw sun and weather."""
    azimuth = rng.uniform(0, 2 * np.pi)
    height = np.radians(rng.uniform(28, 65) if plan.time == "day" else rng.uniform(10, 20))
    direction = np.array(
        [np.cos(azimuth) * np.cos(height), np.sin(azimuth) * np.cos(height), np.sin(height)]
    )
    cloud = float(rng.uniform(*plan.cloud))
    clear = 1 - 0.75 * cloud
    sky = np.array([225, 205, 185]) * (1 - cloud) + np.array([215, 213, 210]) * cloud
    tint = 1 + rng.uniform(-0.06, 0.06, 3)
    if plan.time == "day":
        strength = np.array([0.52, 0.57, 0.6]) * clear * rng.uniform(0.85, 1.1)
        ambient = np.array([0.62, 0.58, 0.55]) * (1 + 0.35 * cloud)
    elif plan.time == "dusk":
        strength = np.array([0.25, 0.38, 0.52]) * clear
        ambient = np.array([0.68, 0.6, 0.56])
        sky = np.array([190, 170, 175])
        tint = tint * [0.98, 0.95, 1.03]
    else:
        direction = np.array([0.1, -0.2, 0.97])
        strength, ambient = np.full(3, 0.35), np.full(3, 0.62)
        sky = np.array([70, 65, 60])
    if plan.rain:
        tint = tint * 0.9
    return Light(
        Sun(direction, strength, ambient, sky), plan.time, cloud, tint, plan.rain,
        float(rng.uniform(0, 6.28)),
    )  # fmt: skip
