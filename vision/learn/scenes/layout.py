"""Geometry of the street: where lanes, bays, footways and the site lie, in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision.learn.scenes.camera import Camera
from vision.learn.scenes.model import Array
from vision.learn.scenes.preset import ScenePreset, Side
from vision.zones import Purpose, Zone

FAR_M = 160.0
"""Length of the drawn street."""

BAY_M = 2.3
BAY_LENGTH_M = 5.9
PANEL_M = 3.0


@dataclass(frozen=True)
class Layout:
    """Lateral positions in metres, x = 0 in the middle of the carriageway.

    Attributes:
        lanes: Lanes each way.
        lane_m: Width of a lane.
        cycle_m: Width of the cycle strip at each edge.
        bay_left: Width of the bays on the left, 0 without.
        bay_right: Width of the bays on the right, 0 without.
        footway_m: Width of each footway.
        site: Side of the building site.
        hoarding_from: First y of the hoarding line.
        hoarding_panels: Number of panels of the line.
        crossing_m: Where a crossing lies along the road.
    """

    lanes: int
    lane_m: float
    cycle_m: float
    bay_left: float
    bay_right: float
    footway_m: float
    site: Side | None
    hoarding_from: float
    hoarding_panels: int
    crossing_m: float | None

    @property
    def half(self) -> float:
        """Half the width of the carriageway, cycle strips included."""
        return self.lanes * self.lane_m + self.cycle_m

    def kerb(self, side: Side) -> float:
        """X of the kerb."""
        return self.half + self.bay_right if side == "right" else -self.half - self.bay_left

    def facade(self, side: Side) -> float:
        """X of the line where the footway ends."""
        return self.kerb(side) + (self.footway_m if side == "right" else -self.footway_m)

    def bay(self, side: Side) -> float:
        """X of the middle of the parking bays (of the carriageway's edge without bays)."""
        width = self.bay_right if side == "right" else self.bay_left
        middle = self.half + (width / 2 if width else -1.1)
        return middle if side == "right" else -middle

    def has_bays(self, side: Side) -> bool:
        """Whether there are bays on that side."""
        return (self.bay_right if side == "right" else self.bay_left) > 0

    def lane_centres(self) -> list[tuple[float, int]]:
        """X and direction (+1 away from the camera) of every lane; traffic keeps right."""
        centres: list[tuple[float, int]] = []
        for i in range(self.lanes):
            x = (i + 0.5) * self.lane_m
            centres += [(x, 1), (-x, -1)]
        return centres


def plan_layout(preset: ScenePreset, rng: np.random.Generator) -> Layout:
    """Draw the street's measures from the preset's spans."""
    street = preset.street
    site: Side | None = (
        "right" if street.right == "site" else "left" if street.left == "site" else None
    )
    return Layout(
        lanes=street.lanes,
        lane_m=float(rng.uniform(*street.lane_m)),
        cycle_m=float(rng.uniform(*street.cycle_lane_m)),
        bay_left=BAY_M if street.bays in ("left", "both") else 0.0,
        bay_right=BAY_M if street.bays in ("right", "both") else 0.0,
        footway_m=float(rng.uniform(*street.footway_m)),
        site=site,
        hoarding_from=float(rng.uniform(4.0, 6.0)),
        hoarding_panels=int(rng.integers(14, 22)),
        crossing_m=street.crossing_m,
    )


def plan_camera(
    preset: ScenePreset, layout: Layout, rng: np.random.Generator, size: tuple[int, int]
) -> Camera:
    """Hang the camera as the preset says."""
    plan = preset.camera
    across = float(rng.uniform(*plan.across))
    edge = layout.facade("right") if across > 0 else -layout.facade("left")
    focal = size[0] / 2 / np.tan(np.radians(rng.uniform(*plan.fov_deg)) / 2)
    return Camera(
        x_m=across * edge,
        height_m=float(rng.uniform(*plan.height_m)),
        yaw_rad=float(np.radians(rng.uniform(*plan.yaw_deg))),
        pitch_rad=float(np.radians(rng.uniform(*plan.pitch_deg))),
        focal_px=float(focal),
        size=size,
    )


def strip(x0: float, x1: float, y0: float, y1: float, z: float = 0.0) -> Array:
    """Corners ``(4, 3)`` of a rectangle on the ground."""
    return np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]], float)


def hoarding_x(layout: Layout) -> float:
    """X of the hoarding line."""
    assert layout.site is not None
    return layout.facade(layout.site)


def plan_zones(preset: ScenePreset, layout: Layout, camera: Camera) -> list[Zone]:
    """Zones of the view, in fractions of the frame."""
    found: list[tuple[str, Purpose, tuple[tuple[float, float], ...]]] = []
    near, far = 0.5, 70.0

    def area(
        name: str, purpose: Purpose, x: tuple[float, float], y: tuple[float, float] = (near, far)
    ) -> None:
        found.append((name, purpose, camera.fractions(strip(*x, *y))))

    area("carriageway", Purpose.CARRIAGEWAY, (-layout.half, layout.half))
    sides: tuple[Side, Side] = ("left", "right")
    for side in sides:
        sign = 1 if side == "right" else -1
        area(f"footway-{side}", Purpose.FOOTWAY, (layout.kerb(side), layout.facade(side)))
        if layout.has_bays(side):
            area(f"bays-{side}", Purpose.PARKING_BAY, (sign * layout.half, layout.kerb(side)))
    for i, cue in enumerate(preset.script):
        if cue.what == "stall" and cue.permitted:
            middle = sum(cue.along_m) / 2
            a, b = layout.kerb(cue.side), layout.facade(cue.side)
            area(f"vending-{i}", Purpose.PERMITTED_VENDING, (a, b), (middle - 4, middle + 4))
    if layout.site is not None:
        x = hoarding_x(layout)
        outer = x + (50 if layout.site == "right" else -50)
        y0 = layout.hoarding_from
        y1 = y0 + layout.hoarding_panels * PANEL_M
        area("site", Purpose.SITE, (x, outer))
        line = camera.line_fractions(np.array([x, y0, 1.0]), np.array([x, y1, 1.0]))
        found.append(("hoarding", Purpose.HOARDING_LINE, line))
    return [
        Zone(id=name, purpose=purpose, points=points) for name, purpose, points in found if points
    ]
