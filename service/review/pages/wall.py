"""The camera wall: what the cameras see, and how they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from service.api.middleware import PREFIX
from service.cameras.sink import CameraHealth
from service.cameras.states import SourceState
from service.review.components.camera_wall import CameraWall
from service.review.local import how_long
from service.review.page import BASE, Page
from service.review.regularly import regularly
from service.review.visit import Visit
from service.review.wording import Wording
from service.store.cameras import name_of
from service.store.tables import FINISHED, CameraRow, CaseRow, CaseState, Role
from vision.observe.look import Health

REFRESH_S = 5.0
COUNT_S = 30.0
"""Open cases are counted so often: with many of them, that takes longer than looking at states."""

_OPEN = [state for state in CaseState if state not in FINISHED]
_TONES = {
    SourceState.LIVE: "good",
    SourceState.CONNECTING: "warn",
    SourceState.WAITING: "bad",
    SourceState.NEEDS_OPERATOR: "bad",
    SourceState.STOPPED: "off",
}


async def build(visit: Visit) -> None:
    """Put the tiles on the page, and keep them up to date."""
    place = visit.service.settings.timezone
    zones = f"{BASE}/zones?camera=" if visit.may(Role.SUPERVISOR) else None
    wall = CameraWall(visit.say.part("wall."), f"{PREFIX}/cameras/", place, zones)
    cases: Counter[str] = Counter()

    async def count() -> None:
        found = await visit.ask(Role.VIEWER, open_cases, visit)
        cases.clear()
        for (camera_id, _), number in found.items():
            cases[camera_id] += number

    async def refresh() -> None:
        wall.show(await visit.ask(Role.VIEWER, _tiles, visit, cases))

    await count()
    await refresh()
    regularly(REFRESH_S, refresh)
    regularly(COUNT_S, count)


def open_cases(visit: Visit) -> dict[tuple[str, str], int]:
    """Open cases by camera and kind."""
    counted = (
        select(CaseRow.camera_id, CaseRow.kind, func.count())
        .where(CaseRow.state.in_(_OPEN))
        .group_by(CaseRow.camera_id, CaseRow.kind)
    )
    with visit.service.database.read() as session:
        return {(camera, kind): number for camera, kind, number in session.execute(counted)}


def _tiles(visit: Visit, cases: Mapping[str, int]) -> list[dict[str, Any]]:
    service = visit.service
    with service.database.read() as session:
        rows = session.scalars(select(CameraRow).order_by(CameraRow.id)).all()
    tiles = []
    for row in rows:
        health = None if service.live is None else service.live.health(row.id)
        tiles.append(
            {
                "id": row.id,
                "name": name_of(row),
                "cases": visit.say("wall.cases", count=cases.get(row.id, 0)),
                **condition(visit.say, health, service.clock(), enabled=row.enabled),
            }
        )
    return tiles


def condition(
    say: Wording, health: CameraHealth | None, now: datetime, *, enabled: bool
) -> dict[str, str]:
    """How a camera is, in words.

    Returns:
        ``tone`` (``good``, ``warn``, ``bad`` or ``off``), ``state`` in a word and ``detail`` in a
        line.
    """
    if not enabled:
        return {"tone": "off", "state": say("camera.disabled"), "detail": ""}
    if health is None:
        return {"tone": "off", "state": say("camera.not_watched"), "detail": ""}
    since = how_long(say, (now - health.since).total_seconds())
    if health.state is not SourceState.LIVE:
        failure = "" if health.failure is None else say.part("camera_failure.")[health.failure]
        parts = (failure, say("camera.since", since=since))
        return {
            "tone": _TONES[health.state],
            "state": say.part("camera_state.")[health.state],
            "detail": " · ".join(part for part in parts if part),
        }
    if health.view not in (None, Health.OK):
        return {
            "tone": "warn",
            "state": say.part("view.")[health.view],
            "detail": say("camera.not_judged", since=since),
        }
    return {
        "tone": "good",
        "state": say("camera_state.live"),
        "detail": say("camera.since", since=since),
    }


PAGE = Page("/wall", "wall", "videocam", Role.VIEWER, build)
