from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dispatch.coordinates import Place, PlaceError, checked, converted

CHANGZHOU = Place(119.974, 31.811, "wgs84")


def metres(one: Place, other: Place) -> tuple[float, float]:
    """How far the other lies to the east and to the north."""
    north = math.radians(other.lat - one.lat) * 6_371_000
    east = math.radians(other.lon - one.lon) * 6_371_000 * math.cos(math.radians(one.lat))
    return east, north


def test_at_changzhou_gcj02_lies_449_m_east_and_226_m_south() -> None:
    shifted = converted(CHANGZHOU, "gcj02")
    east, north = metres(CHANGZHOU, shifted)
    assert (round(east), round(north)) == (pytest.approx(449, abs=2), pytest.approx(-226, abs=2))
    assert shifted.coord_sys == "gcj02"


def test_cgcs2000_is_wgs84_to_less_than_a_metre_and_taken_as_the_same() -> None:
    assert converted(CHANGZHOU, "cgcs2000") == Place(119.974, 31.811, "cgcs2000")


@given(st.floats(75, 132), st.floats(5, 52))
def test_there_and_back_is_the_same_place(lon: float, lat: float) -> None:
    place = Place(lon, lat, "wgs84")
    back = converted(converted(place, "gcj02"), "wgs84")
    assert max(map(abs, metres(place, back))) < 0.5


def test_swapped_numbers_are_refused_and_said_to_be_swapped() -> None:
    with pytest.raises(PlaceError, match="swapped"):
        checked(Place(31.811, 119.974, "wgs84"))


@pytest.mark.parametrize("place", [(0.0, 0.0), (-122.4, 37.8), (119.97, 60.0), (140.0, 31.8)])
def test_what_is_not_in_china_is_refused(place: tuple[float, float]) -> None:
    with pytest.raises(PlaceError, match="not in China"):
        converted(Place(*place, "wgs84"), "gcj02")
