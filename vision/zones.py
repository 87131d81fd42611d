"""Zones: polygons and lines in one view, in fractions of the frame, with a purpose."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self

import shapely
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vision.observe.sighting import Box


class Purpose(StrEnum):
    """What a zone is for; decides which rules look at it."""

    CARRIAGEWAY = "carriageway"
    FOOTWAY = "footway"
    PARKING_BAY = "parking_bay"
    NO_STOPPING = "no_stopping"
    GREEN = "green"
    PERMITTED_VENDING = "permitted_vending"
    SITE = "site"
    HOARDING_LINE = "hoarding_line"
    IGNORE = "ignore"
    PRIVACY = "privacy"
    WHOLE_FRAME = "whole_frame"


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Point = tuple[Fraction, Fraction]


class Zone(BaseModel):
    """A polygon (or, for ``hoarding_line``, a polyline) in one view.

    Attributes:
        id: Name of the zone, unique in its camera.
        purpose: What it is for.
        points: Corners ``(x, y)`` in fractions of frame width and height, origin top left.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(min_length=1, pattern=r"^[\w.-]+$")]
    purpose: Purpose
    points: tuple[Point, ...]

    @model_validator(mode="after")
    def _drawable(self) -> Self:
        if self.purpose is Purpose.HOARDING_LINE:
            if len(self.points) < 2:
                raise ValueError("a hoarding_line needs at least 2 points")
        elif len(self.points) < 3:
            raise ValueError("a polygon needs at least 3 points")
        elif not shapely.Polygon(self.points).is_valid:
            raise ValueError(f"polygon crosses itself: {shapely.is_valid_reason(self.shape)}")
        return self

    @cached_property
    def shape(self) -> shapely.Polygon | shapely.LineString:
        """Geometry in fractions of the frame."""
        if self.purpose is Purpose.HOARDING_LINE:
            return shapely.LineString(self.points)
        return shapely.Polygon(self.points)

    def pixels(self, frame_size: tuple[int, int]) -> list[tuple[float, float]]:
        """Corners in pixels of a frame of ``(width, height)``."""
        width, height = frame_size
        return [(x * width, y * height) for x, y in self.points]

    def holds(self, box: Box, frame_size: tuple[int, int]) -> bool:
        """Whether a thing stands in the zone: the middle of its lower edge lies in the polygon.

        The point is taken from the box alone, never clipped to the zone; where the box leaves the
        frame it is brought back to the frame's edge.
        """
        width, height = frame_size
        x = min(max((box[0] + box[2]) / 2 / width, 0.0), 1.0)
        y = min(max(box[3] / height, 0.0), 1.0)
        return bool(shapely.intersects_xy(self.shape, x, y))


WHOLE_FRAME = Zone(
    id="frame",
    purpose=Purpose.WHOLE_FRAME,
    points=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),
)
"""The zone of a camera for which none was drawn."""


def ignored(box: Box, zones: Sequence[Zone], frame_size: tuple[int, int]) -> bool:
    """Whether a thing stands in an ``ignore`` zone."""
    return any(z.purpose is Purpose.IGNORE and z.holds(box, frame_size) for z in zones)
