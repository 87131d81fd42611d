"""Places where the same comes back: 易反复."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.reports.facts import CaseFacts
from service.reports.window import Window
from service.store.tables import CaseState, Verdict

LEAST = 2
"""A place with so many confirmed cases of a kind in the window, or one that recurred, is listed."""


@dataclass(frozen=True)
class HotSpot:
    """A zone in which a kind comes back.

    Attributes:
        camera_id: Its camera.
        zone_id: The zone.
        kind: The kind.
        cases: Confirmed cases that were raised in the window.
        recurring: Of them, those whose place had a case that was over not long before.
        occurrences: Violations that are these cases.
        last_at: When the last of them was raised.
        place: What the city calls it.
        position: Longitude, latitude and coordinate system of the camera, if known.
    """

    camera_id: str
    zone_id: str
    kind: str
    cases: int
    recurring: int
    occurrences: int
    last_at: datetime
    place: Mapping[str, Any]
    position: tuple[float, float, str] | None


def hot_spots(
    facts: Iterable[CaseFacts],
    window: Window,
    positions: Mapping[str, tuple[float, float, str]],
) -> list[HotSpot]:
    """Places where a kind comes back, the worst first.

    Args:
        facts: Cases.
        window: Cases that were raised in it count.
        positions: Position by camera.
    """
    there: dict[tuple[str, str, str], list[CaseFacts]] = defaultdict(list)
    for case in facts:
        settled = case.settlement
        if settled is None or settled.verdict != Verdict.CONFIRM:
            continue
        if case.state == CaseState.CANCELLED:
            continue
        if window.holds(case.raised_at):
            there[case.camera_id, case.zone_id, case.kind].append(case)
    found = []
    for (camera_id, zone_id, kind), cases in there.items():
        recurring = sum(case.recurrence_of is not None for case in cases)
        if len(cases) < LEAST and not recurring:
            continue
        last = max(cases, key=lambda case: case.raised_at)
        found.append(
            HotSpot(
                camera_id=camera_id,
                zone_id=zone_id,
                kind=kind,
                cases=len(cases),
                recurring=recurring,
                occurrences=sum(case.occurrences for case in cases),
                last_at=last.raised_at,
                place=last.place,
                position=positions.get(camera_id),
            )
        )
    return sorted(
        found, key=lambda one: (-one.cases, -one.recurring, one.camera_id, one.zone_id, one.kind)
    )
