"""Where it comes back, drawn to scale without a map from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from service.dispatch.coordinates import Place, PlaceError, converted
from service.reports.hot_spots import HotSpot
from vision.site import CoordSys

WIDTH, HEIGHT = 960, 420
_EDGE = 56
_LEAST_SPAN_M = 200.0
_METRES_A_DEGREE = 111_320.0
_RADIUS = (12.0, 34.0)


@dataclass(frozen=True)
class Mark:
    """A camera with its hot spots.

    Attributes:
        number: Place in the list, from 1: the worst first.
        camera_id: The camera.
        cases: Confirmed cases of its hot spots.
        x: From the left edge, in units of the drawing.
        y: From the upper edge.
        radius: Its area goes with ``cases``.
    """

    number: int
    camera_id: str
    cases: int
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class HotMap:
    """Hot spots by camera, north at the top.

    Attributes:
        marks: The cameras, the worst first.
        scale_m: Metres of the bar below the drawing.
        scale_width: Its length in units of the drawing.
        without: How many cameras with hot spots have no place in China.
    """

    marks: tuple[Mark, ...]
    scale_m: int
    scale_width: float
    without: int


def hot_map(spots: Iterable[HotSpot]) -> HotMap | None:
    """Draw hot spots; ``None`` where no camera of them has a place."""
    cases: dict[str, int] = {}
    places: dict[str, Place] = {}
    for one in spots:
        cases[one.camera_id] = cases.get(one.camera_id, 0) + one.cases
        place = _place(one)
        if place is not None:
            places[one.camera_id] = place
    if not places:
        return None
    middle_lat = sum(one.lat for one in places.values()) / len(places)
    across = _METRES_A_DEGREE * math.cos(math.radians(middle_lat))
    metres = {id_: (one.lon * across, one.lat * _METRES_A_DEGREE) for id_, one in places.items()}
    left, right = _span([x for x, _ in metres.values()])
    low, high = _span([y for _, y in metres.values()])
    scale = min((WIDTH - 2 * _EDGE) / (right - left), (HEIGHT - 2 * _EDGE) / (high - low))
    most = max(cases[id_] for id_ in places)
    worst_first = sorted(places, key=lambda id_: (-cases[id_], id_))
    marks = tuple(
        Mark(
            number=number,
            camera_id=id_,
            cases=cases[id_],
            x=WIDTH / 2 + (metres[id_][0] - (left + right) / 2) * scale,
            y=HEIGHT / 2 - (metres[id_][1] - (low + high) / 2) * scale,
            radius=max(_RADIUS[0], _RADIUS[1] * math.sqrt(cases[id_] / most)),
        )
        for number, id_ in enumerate(worst_first, 1)
    )
    scale_m = _round_length(120 / scale)
    return HotMap(marks, scale_m, scale_m * scale, len(cases.keys() - places.keys()))


def _place(spot: HotSpot) -> Place | None:
    if spot.position is None:
        return None
    lon, lat, system = spot.position
    try:
        return converted(Place(lon, lat, cast("CoordSys", system)), "wgs84")
    except PlaceError:
        return None


def _span(values: list[float]) -> tuple[float, float]:
    """Least and greatest, never closer than a street corner: one camera is in the middle."""
    low, high = min(values), max(values)
    missing = max(0.0, _LEAST_SPAN_M - (high - low)) / 2
    return low - missing, high + missing


def _round_length(metres: float) -> int:
    """The longest of 1, 2 or 5 times a power of ten that is not longer."""
    power = 10 ** math.floor(math.log10(metres))
    return int(max(step * power for step in (1, 2, 5) if step * power <= metres))
