"""The whole report of a window: daily check, monthly bulletin or quarterly review."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.reports.facts import facts_of, open_cases_overdue
from service.reports.figures import DIMENSIONS, Dimension, Figures, by_group, count, overall
from service.reports.hot_spots import HotSpot, hot_spots
from service.reports.window import Window
from service.store.tables import CameraRow

MOST_OVERDUE = 200

TITLES: dict[str, tuple[str, str]] = {
    "day": ("每日考核", "Daily check"),
    "month": ("月度通报", "Monthly bulletin"),
    "quarter": ("季度点评", "Quarterly review"),
}
"""Chinese and English title by span."""


@dataclass(frozen=True)
class Overdue:
    """A case that nobody handled though its deadline is over."""

    case_id: str
    kind: str
    state: str
    camera_id: str
    place: Mapping[str, Any]
    deadline_at: datetime


@dataclass(frozen=True)
class Report:
    """Figures of a window.

    Attributes:
        window: The window.
        as_of: What happened later is not in it.
        overall: Figures of all cases.
        groups: Figures by dimension and group.
        hot_spots: Places where the same comes back, the worst first.
        overdue: Cases whose deadline is over, the longest overdue first, at most 200.
        camera_names: Names of cameras by id.
    """

    window: Window
    as_of: datetime
    overall: Figures
    groups: Mapping[Dimension, Mapping[str, Figures]]
    hot_spots: tuple[HotSpot, ...]
    overdue: tuple[Overdue, ...]
    camera_names: Mapping[str, str]


def make_report(session: Session, window: Window, as_of: datetime) -> Report:
    """Count everything.

    Args:
        session: A session.
        window: What is counted.
        as_of: Now, aware; what a case came to by then is told.
    """
    past = window.until(as_of)
    facts = facts_of(session, past, as_of)
    counted = count(facts, past)
    cameras = session.execute(select(CameraRow.id, CameraRow.document)).all()
    positions = {
        id_: (float(document["lon"]), float(document["lat"]), str(document["coord_sys"]))
        for id_, document in cameras
        if document.get("lon") is not None
    }
    overdue = [
        Overdue(case.id, case.kind, case.state, case.camera_id, case.place or {}, case.deadline_at)
        for case in open_cases_overdue(session, as_of, MOST_OVERDUE)
        if case.deadline_at is not None
    ]
    return Report(
        window=window,
        as_of=as_of,
        overall=overall(counted),
        groups={one: by_group(counted, one) for one in DIMENSIONS},
        hot_spots=tuple(hot_spots(facts, past, positions)),
        overdue=tuple(overdue),
        camera_names={id_: document.get("name", "") for id_, document in cameras},
    )
