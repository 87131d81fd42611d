"""Zones: polygons and lines in one view, in fractions of the frame, with a purpose."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self

import shapely
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vision.city_place import CityPlace
from vision.observe.sighting import Box
from vision.schedule import Schedule
from vision.stages import StageStart, in_order


class Purpose(StrEnum):
    """What a zone is for; decides which rules look at it."""

    CARRIAGEWAY = "carriageway"
    FOOTWAY = "footway"
    PARKING_BAY = "parking_bay"
    NO_STOPPING = "no_stopping"
    GREEN = "green"
    PERMITTED_VENDING = "permitted_vending"
    COLLECTION_POINT = "collection_point"
    SITE = "site"
    HOARDING_LINE = "hoarding_line"
    IGNORE = "ignore"
    PRIVACY = "privacy"
    WHOLE_FRAME = "whole_frame"


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Point = tuple[Fraction, Fraction]


class Permit(Schedule):
    """A right to sell in a ``permitted_vending`` zone, and when.

    Attributes:
        id: Number of the permit, named in findings about it.
        holder: Who has it.
    """

    id: Annotated[str, Field(min_length=1)]
    holder: str = ""


class Stretch(BaseModel):
    """Part of a line.

    Attributes:
        start: Where it begins, as a share of the line's length in the picture.
        end: Where it ends.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: Annotated[Fraction, Field(alias="from")]
    end: Annotated[Fraction, Field(alias="to")]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end <= self.start:
            raise ValueError("to must be greater than from")
        return self


class Zone(BaseModel):
    """A polygon (or, for ``hoarding_line``, a polyline) in one view.

    Attributes:
        id: Name of the zone, unique in its camera.
        purpose: What it is for.
        points: Corners ``(x, y)`` in fractions of frame width and height, origin top left.
        schedule: When it is for that; always without it. At other times it is as if the zone were
            not drawn, except that stalls in a ``permitted_vending`` zone are over time then.
        permits: Permits of a ``permitted_vending`` zone. With any, stalls are permitted while one
            of them holds; without, always.
        stages: Stages of the building site of a ``site`` or ``hoarding_line``; the camera's
            without it.
        gates: Stretches of a ``hoarding_line`` that may stand open.
        length_m: Length of a ``hoarding_line`` in metres.
        place: What the city calls it; what it does not say is the camera's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(min_length=1, pattern=r"^[\w.-]+$")]
    purpose: Purpose
    points: tuple[Point, ...]
    schedule: Schedule | None = None
    permits: tuple[Permit, ...] = ()
    stages: tuple[StageStart, ...] = ()
    gates: tuple[Stretch, ...] = ()
    length_m: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    place: CityPlace = CityPlace()

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

    @model_validator(mode="after")
    def _fits_purpose(self) -> Self:
        for name, purposes in _ONLY_FOR.items():
            if getattr(self, name) and self.purpose not in purposes:
                raise ValueError(f"{name}: only for {' and '.join(sorted(purposes))}")
        if self.schedule is not None and self.purpose is Purpose.PRIVACY:
            raise ValueError("schedule: a privacy zone is masked at all times")
        ids = [permit.id for permit in self.permits]
        for one in ids:
            if ids.count(one) > 1:
                raise ValueError(f"two permits are called {one!r}")
        in_order(self.stages)
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
        known = self._held.get((box, frame_size))
        if known is not None:
            return known
        width, height = frame_size
        x = min(max((box[0] + box[2]) / 2 / width, 0.0), 1.0)
        y = min(max(box[3] / height, 0.0), 1.0)
        left, top, right, bottom = self._bounds
        held = (
            left <= x <= right
            and top <= y <= bottom
            and bool(shapely.intersects_xy(self.shape, x, y))
        )
        if len(self._held) >= _HELD:
            self._held.clear()
        self._held[box, frame_size] = held
        return held

    @cached_property
    def _bounds(self) -> tuple[float, float, float, float]:
        left, top, right, bottom = self.shape.bounds
        return left, top, right, bottom

    @cached_property
    def _held(self) -> dict[tuple[Box, tuple[int, int]], bool]:
        """What :meth:`holds` said lately: most things stand, and several rules ask."""
        return {}


_ONLY_FOR: dict[str, frozenset[Purpose]] = {
    "permits": frozenset({Purpose.PERMITTED_VENDING}),
    "stages": frozenset({Purpose.SITE, Purpose.HOARDING_LINE}),
    "gates": frozenset({Purpose.HOARDING_LINE}),
    "length_m": frozenset({Purpose.HOARDING_LINE}),
}
"""Keys that belong to some purposes only."""

WHOLE_FRAME = Zone(
    id="frame",
    purpose=Purpose.WHOLE_FRAME,
    points=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),
)
"""The zone of a camera for which none was drawn."""

_HELD = 1024
