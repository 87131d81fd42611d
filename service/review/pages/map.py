"""The map: where cameras stand, how they are, and how many of their cases are open."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from nicegui import ui
from sqlalchemy import func, select

from service.dispatch.coordinates import Place, PlaceError, converted
from service.review.components.city_map import CityMap
from service.review.elements import tag
from service.review.page import BASE, Page
from service.review.pages.wall import condition
from service.review.visit import Visit
from service.store.cameras import camera_of
from service.store.tables import FINISHED, CameraRow, CaseRow, CaseState, Role
from vision.rules.kinds import KINDS
from vision.site import Camera, CoordSys

REFRESH_S = 10.0
_OPEN = [state for state in CaseState if state not in FINISHED]


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
    ui.timer(REFRESH_S, refresh, immediate=False)


def _places(visit: Visit) -> tuple[list[dict[str, Any]], list[str]]:
    """What is to be shown, and the cameras that have no place on the map."""
    service, say = visit.service, visit.say
    counted = (
        select(CaseRow.camera_id, CaseRow.kind, func.count())
        .where(CaseRow.state.in_(_OPEN))
        .group_by(CaseRow.camera_id, CaseRow.kind)
    )
    with service.database.read() as session:
        rows = session.scalars(select(CameraRow).order_by(CameraRow.id)).all()
        kinds: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for camera_id, kind, count in session.execute(counted):
            kinds[camera_id].append((kind, count))
    places, without = [], []
    for row in rows:
        camera = camera_of(row)
        place = _place(camera, service.settings.map_coord_sys)
        if place is None:
            without.append(camera.name or row.id)
            continue
        health = None if service.live is None else service.live.health(row.id)
        how = condition(say, health, service.clock(), enabled=row.enabled)
        found = sorted(kinds[row.id], key=lambda one: -one[1])
        count = sum(number for _, number in found)
        places.append(
            {
                "id": row.id,
                "name": camera.name or row.id,
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


def _place(camera: Camera, coord_sys: CoordSys) -> Place | None:
    """Where a camera stands, in the system of the map."""
    if camera.lon is None or camera.lat is None or camera.coord_sys is None:
        return None
    try:
        return converted(Place(camera.lon, camera.lat, camera.coord_sys), coord_sys)
    except PlaceError:
        return None


def _colour(kind: str) -> str:
    return KINDS[kind].colour if kind in KINDS else "#5c677d"


def _links(visit: Visit, camera_id: str) -> list[dict[str, str]]:
    if not visit.may(Role.SUPERVISOR):
        return []
    return [{"text": visit.say("wall.zones"), "href": f"{BASE}/zones?camera={camera_id}"}]


PAGE = Page("/map", "map", "map", Role.VIEWER, build, is_wide=True)
