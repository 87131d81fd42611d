"""The map: where cameras stand, how they are, and how many of their cases are open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from service.dispatch.coordinates import Place, PlaceError, converted
from service.review.components.city_map import CityMap
from service.review.elements import tag
from service.review.page import BASE, Page
from service.review.pages.wall import condition, open_cases
from service.review.regularly import regularly
from service.review.visit import Visit
from service.store.cameras import name_of
from service.store.tables import CameraRow, Role
from vision.rules.kinds import KINDS
from vision.site import CoordSys

REFRESH_S = 15.0


async def build(visit: Visit) -> None:
    """Put the map on the page, and keep it up to date."""
    say, settings = visit.say, visit.service.settings
    with tag("div", classes="jx-editor"):
        shown = CityMap(say.part("map."), settings.map_tiles, settings.map_attribution)
        note = tag("p", classes="jx-map-note", role="status")

    async def refresh() -> None:
        places, without = await visit.ask(Role.VIEWER, _places, visit)
        shown.show(places)
        note.visible = bool(without)
        note.text = say("map.without", count=len(without), names=", ".join(without[:5]))

    await refresh()
    regularly(REFRESH_S, refresh)


def _places(visit: Visit) -> tuple[list[dict[str, Any]], list[str]]:
    """What is to be shown, and the cameras that have no place on the map."""
    service, say = visit.service, visit.say
    kinds: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for (camera_id, kind), count in open_cases(visit).items():
        kinds[camera_id].append((kind, count))
    with service.database.read() as session:
        rows = session.scalars(select(CameraRow).order_by(CameraRow.id)).all()
    places, without = [], []
    for row in rows:
        name = name_of(row)
        place = _place(row.document, service.settings.map_coord_sys)
        if place is None:
            without.append(name)
            continue
        health = None if service.live is None else service.live.health(row.id)
        how = condition(say, health, service.clock(), enabled=row.enabled)
        found = sorted(kinds[row.id], key=lambda one: -one[1])
        count = sum(number for _, number in found)
        places.append(
            {
                "id": row.id,
                "name": name,
                "lat": place.lat,
                "lon": place.lon,
                "tone": how["tone"],
                "state": how["state"],
                "count": count,
                "cases": say("wall.cases", count=count),
                "kinds": [
                    {"name": say.kind(kind), "colour": _colour(kind), "count": number}
                    for kind, number in found
                ],
                "links": _links(visit, row.id),
            }
        )
    return places, without


def _place(camera: Mapping[str, Any], coord_sys: CoordSys) -> Place | None:
    """Where a camera stands, in the system of the map; its settings are a kept document."""
    if camera.get("lon") is None:
        return None
    try:
        return converted(Place(camera["lon"], camera["lat"], camera["coord_sys"]), coord_sys)
    except PlaceError:
        return None


def _colour(kind: str) -> str:
    return KINDS[kind].colour if kind in KINDS else "#5c677d"


def _links(visit: Visit, camera_id: str) -> list[dict[str, str]]:
    if not visit.may(Role.SUPERVISOR):
        return []
    return [{"text": visit.say("wall.zones"), "href": f"{BASE}/zones?camera={camera_id}"}]


PAGE = Page("/map", "map", "map", Role.VIEWER, build, is_wide=True)
