"""Pinhole camera over a flat ground: world metres to pixels and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

Points = NDArray[np.float64]

NEAR_M = 0.6
"""Points nearer to the camera plane than this are cut away."""


@dataclass(frozen=True)
class Camera:
    """A fixed camera above the ground plane.

    World: x to the right of the road, y along the road, z up, in metres; the camera stands at
    ``(x_m, 0, height_m)``. Pixels: origin top left, x right, y down.

    Attributes:
        x_m: Lateral place of the pole.
        height_m: Height above the ground.
        yaw_rad: Turn to the right of the road's direction.
        pitch_rad: Tilt below the horizon.
        focal_px: Focal length in pixels.
        size: ``(width, height)`` of the picture in pixels.
    """

    x_m: float
    height_m: float
    yaw_rad: float
    pitch_rad: float
    focal_px: float
    size: tuple[int, int]

    @cached_property
    def place(self) -> Points:
        """``(3,)`` position in world metres."""
        return np.array([self.x_m, 0.0, self.height_m])

    @cached_property
    def axes(self) -> Points:
        """``(3, 3)`` rows right, down and forward as world unit vectors."""
        sy, cy = np.sin(self.yaw_rad), np.cos(self.yaw_rad)
        sp, cp = np.sin(self.pitch_rad), np.cos(self.pitch_rad)
        forward = np.array([sy * cp, cy * cp, -sp])
        right = np.array([cy, -sy, 0.0])
        return np.stack([right, np.cross(forward, right), forward])

    def project(self, points: Points) -> tuple[Points, Points]:
        """Project world points.

        Args:
            points: ``(n, 3)`` world metres.

        Returns:
            ``(n, 2)`` pixels and ``(n,)`` depth along the optical axis in metres. Pixels of
            points with depth below :data:`NEAR_M` are meaningless.
        """
        seen = (points - self.place) @ self.axes.T
        depth = seen[:, 2]
        safe = np.maximum(depth, 1e-3)[:, None]
        middle = np.array(self.size) / 2
        return seen[:, :2] / safe * self.focal_px + middle, depth

    def ground(self, pixels: Points) -> Points:
        """Points of the ground that pixels show.

        Args:
            pixels: ``(n, 2)``.

        Returns:
            ``(n, 2)`` world ``x, y`` in metres; NaN at and above the horizon.
        """
        offset = (pixels - np.array(self.size) / 2) / self.focal_px
        rays = np.concatenate([offset, np.ones((len(offset), 1))], axis=1) @ self.axes
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(rays[:, 2] < -1e-6, -self.height_m / rays[:, 2], np.nan)
        return self.place[:2] + rays[:, :2] * reach[:, None]

    def ground_rows(self, top: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Ground points of whole rows.

        Args:
            top: First row; it must lie below the horizon.

        Returns:
            World ``x`` and ``y`` of its pixels and of all below, ``(height - top, width)``
            float32 metres.
        """
        width, height = self.size
        u = ((np.arange(width) - width / 2) / self.focal_px)[None, :]
        v = ((np.arange(top, height) - height / 2) / self.focal_px)[:, None]
        right, down, forward = self.axes
        # The right axis is level, so the reach of a ray depends on its row alone.
        reach = -self.height_m / (v * down[2] + forward[2])
        x = self.place[0] + reach * (u * right[0] + v * down[0] + forward[0])
        y = self.place[1] + reach * (u * right[1] + v * down[1] + forward[1])
        return x.astype(np.float32), y.astype(np.float32)

    def outline(self, corners: Points) -> Points:
        """Project a planar polygon, cut at the near plane.

        Args:
            corners: ``(n, 3)`` world metres.

        Returns:
            ``(m, 2)`` pixels, not clipped to the frame; empty when all of it is behind.
        """
        depth = (corners - self.place) @ self.axes[2]
        kept: list[Points] = []
        for i in range(len(corners)):
            a, b, da, db = corners[i - 1], corners[i], depth[i - 1], depth[i]
            if (da < NEAR_M) != (db < NEAR_M):
                kept.append(a + (b - a) * (NEAR_M - da) / (db - da))
            if db >= NEAR_M:
                kept.append(b)
        if len(kept) < 3:
            return np.empty((0, 2))
        return self.project(np.array(kept))[0]

    def fractions(self, corners: Points) -> tuple[tuple[float, float], ...]:
        """Outline of a planar polygon inside the frame, in fractions of width and height.

        Returns:
            Corners of the largest visible part, empty when less than 0.1 % of the frame.
        """
        pixels = self.outline(corners)
        if len(pixels) < 3:
            return ()
        seen = shapely.Polygon(pixels / np.array(self.size)).buffer(0) & shapely.box(0, 0, 1, 1)
        parts = [part for part in shapely.get_parts(seen) if part.geom_type == "Polygon"]
        largest = max(parts, key=lambda part: float(part.area), default=None)
        if largest is None or largest.area < 1e-3:
            return ()
        ring = shapely.get_coordinates(largest.exterior)[:-1]
        return tuple((round(float(x), 4), round(float(y), 4)) for x, y in ring)

    def line_fractions(self, start: Points, end: Points) -> tuple[tuple[float, float], ...]:
        """Visible stretch of a straight line between two world points ``(3,)``, in fractions."""
        steps = start + (end - start) * np.linspace(0, 1, 400)[:, None]
        pixels, depth = self.project(steps)
        share = pixels / np.array(self.size)
        inside = (depth > NEAR_M) & (share >= 0).all(axis=1) & (share <= 1).all(axis=1)
        seen = share[inside]
        if len(seen) < 2:
            return ()
        return tuple((round(float(x), 4), round(float(y), 4)) for x, y in (seen[0], seen[-1]))
