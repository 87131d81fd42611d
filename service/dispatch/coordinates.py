"""Places in the coordinate system that a platform wants: never guessed, checked before and after.

GCJ-02 shifts WGS-84 by hundreds of metres within China: at Changzhou by 449 m to the east and 226 m
to the south, across about five unit grids. CGCS2000 is WGS-84 to less than a metre, which is less
than anyone knows of where a camera stands, and is taken as the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import prcoords

from vision.errors import JiexuError
from vision.site import CoordSys

LON_OF_CHINA = (73.0, 136.0)
LAT_OF_CHINA = (3.0, 54.0)


class PlaceError(JiexuError):
    """A place that cannot be told; the text says why and holds the numbers."""


@dataclass(frozen=True)
class Place:
    """A point on the map.

    Attributes:
        lon: Longitude in degrees, in ``coord_sys``.
        lat: Latitude in degrees, in ``coord_sys``.
        coord_sys: Coordinate system.
    """

    lon: float
    lat: float
    coord_sys: CoordSys


def checked(place: Place) -> Place:
    """A place that lies in China.

    Raises:
        PlaceError: It does not; if longitude and latitude seem to be swapped, the text says so.
    """
    if _within(place.lon, LON_OF_CHINA) and _within(place.lat, LAT_OF_CHINA):
        return place
    swapped = _within(place.lat, LON_OF_CHINA) and _within(place.lon, LAT_OF_CHINA)
    raise PlaceError(
        f"lon {place.lon:g}, lat {place.lat:g} is not in China"
        + (": longitude and latitude are swapped" if swapped else "")
    )


def converted(place: Place, coord_sys: CoordSys) -> Place:
    """A place in another coordinate system, to about 0.1 m.

    Args:
        place: The place.
        coord_sys: System that is wanted.

    Raises:
        PlaceError: It does not lie in China, where alone GCJ-02 is defined.
    """
    place = checked(place)
    here, there = place.coord_sys == "gcj02", coord_sys == "gcj02"
    if here == there:
        return Place(place.lon, place.lat, coord_sys)
    given = prcoords.Coords(lat=place.lat, lon=place.lon)
    # The inverse is found by iteration; a single step would be 1 to 2 m off.
    found = prcoords.wgs_gcj(given) if there else prcoords.gcj_wgs_bored(given)
    return checked(Place(round(found.lon, 7), round(found.lat, 7), coord_sys))


def _within(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]
