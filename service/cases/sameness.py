"""When two violations are one case, when a case is another one again, and when it might be.

* **Occurrence**: same camera, zone, kind and place as a case that is open, and not long after it
  was last seen. It is counted with that case and opens none of its own.
* **Recurrence**: the case at that place is over, but not for long. It opens a case, which is linked
  and counted apart.
* **Possible duplicate**: same kind, seen by a camera near by at about the same time. A reviewer
  decides; cameras stand elsewhere than what they see.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from service.store.tables import FINISHED, CameraRow, CaseLinkRow, CaseRow, CaseState, ViolationRow
from vision.record import ViolationRecord
from vision.rules.kinds import KINDS

SAME_PLACE_IOU = 0.5
"""Boxes of one view that overlap so far (intersection over union) are of one place."""

MOST_LINKS = 10
EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the WGS-84 ellipsoid (IUGG)."""

MOST_LOOKED_AT = 200
"""So many cases of a kind in a zone are looked through, the newest."""

_MISTAKEN = (CaseState.REJECTED, CaseState.CANCELLED)

Box = Sequence[float]


@dataclass(frozen=True)
class Sameness:
    """What counts as the same.

    Attributes:
        gap_s: What is seen again within so long after an open case was last seen, is that case.
        near_m: Cameras so near each other may see the same.
        near_s: So near in time.
        recurrence_days: What is seen within so many days after a case was over, recurs.
    """

    gap_s: float = 24 * 3600.0
    near_m: float = 50.0
    near_s: float = 24 * 3600.0
    recurrence_days: float = 30.0


@dataclass(frozen=True)
class Near:
    """A case that may be the same.

    Attributes:
        case_id: Its id.
        distance_m: How far the cameras are from each other.
    """

    case_id: str
    distance_m: float


def open_case_of(session: Session, record: ViolationRecord, same: Sameness) -> CaseRow | None:
    """The open case that a new violation is an occurrence of."""
    since = record.started_at - timedelta(seconds=same.gap_s)
    there = _cases_there(
        session,
        record.camera_id,
        record.zone_id,
        record.kind,
        CaseRow.id != record.id,
        CaseRow.state.not_in((*FINISHED, CaseState.VERIFIED)),
        or_(CaseRow.ended_at.is_(None), CaseRow.ended_at >= since),
    )
    found = (one for one, box in there if same_place(record.kind, box, record.box))
    return next(found, None)


def earlier_case_of(session: Session, record: ViolationRecord, same: Sameness) -> CaseRow | None:
    """The case, now over, that a new violation is a recurrence of."""
    since = record.started_at - timedelta(days=same.recurrence_days)
    there = _cases_there(
        session,
        record.camera_id,
        record.zone_id,
        record.kind,
        CaseRow.id != record.id,
        CaseRow.state.in_((CaseState.VERIFIED, CaseState.CLOSED)),
        func.coalesce(CaseRow.ended_at, CaseRow.updated_at) >= since,
    )
    found = (
        one
        for one, box in there
        if one.id == record.recurrence_of or same_place(record.kind, box, record.box)
    )
    return next(found, None)


def cases_at_place(session: Session, of: CaseRow, limit: int = 20) -> list[CaseRow]:
    """Other cases of the kind at the place of a case, newest first."""
    violation = session.get(ViolationRow, of.id)
    if violation is None:
        return []
    box = violation.record["box"]
    there = _cases_there(session, of.camera_id, of.zone_id, violation.kind, CaseRow.id != of.id)
    found = [other for other, there_box in there if same_place(violation.kind, there_box, box)]
    return found[:limit]


def links_of(session: Session, case_id: str) -> list[tuple[CaseLinkRow, CaseRow]]:
    """Links from and to a case, each with the case at its other end, nearest first."""
    other_id = case(
        (CaseLinkRow.case_id == case_id, CaseLinkRow.other_id), else_=CaseLinkRow.case_id
    )
    query = (
        select(CaseLinkRow, CaseRow)
        .join(CaseRow, CaseRow.id == other_id)
        .where(or_(CaseLinkRow.case_id == case_id, CaseLinkRow.other_id == case_id))
        .order_by(CaseLinkRow.relation, CaseLinkRow.distance_m, CaseRow.id)
    )
    return [(link, other) for link, other in session.execute(query)]


def near_cases(
    session: Session, record: ViolationRecord, raised_at: datetime, same: Sameness
) -> list[Near]:
    """Cases of the kind that cameras near by raised at about the same time, nearest first."""
    here = session.get(CameraRow, record.camera_id)
    if here is None or _position(here.document) is None:
        return []
    cameras = session.execute(select(CameraRow.id, CameraRow.document)).all()
    distances = {
        id_: distance
        for id_, document in cameras
        if id_ != record.camera_id
        and (distance := camera_distance_m(here.document, document)) is not None
        and distance <= same.near_m
    }
    if not distances:
        return []
    around = timedelta(seconds=same.near_s)
    query = select(CaseRow.id, CaseRow.camera_id).where(
        CaseRow.camera_id.in_(distances),
        CaseRow.raised_at >= raised_at - around,
        CaseRow.raised_at <= raised_at + around,
        CaseRow.kind == record.kind,
        CaseRow.state.not_in(_MISTAKEN),
    )
    found = [Near(id_, distances[camera]) for id_, camera in session.execute(query)]
    return sorted(found, key=lambda one: (one.distance_m, one.case_id))[:MOST_LINKS]


def same_place(kind: str, one: Box, other: Box) -> bool:
    """Whether two boxes (``x1, y1, x2, y2`` in pixels) of one view are of one place."""
    known = KINDS.get(kind)
    if known is not None and known.extent == "zone":
        return True
    return overlap(one, other) >= SAME_PLACE_IOU


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return float(both / (areas - both))


def camera_distance_m(one: Mapping[str, Any], other: Mapping[str, Any]) -> float | None:
    """Metres between two cameras, by their settings.

    WGS-84 and CGCS2000 differ by less than a metre and are taken for one; GCJ-02 is compared with
    itself only, for within 50 m all of it is shifted alike.

    Returns:
        ``None`` where a position is not known, or the two cannot be compared.
    """
    here, there = _position(one), _position(other)
    if here is None or there is None or here[2] != there[2]:
        return None
    return distance_m(here[:2], there[:2])


def distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Metres along the sphere between two points ``(lon, lat)`` in degrees (haversine)."""
    lon1, lat1, lon2, lat2 = (math.radians(value) for value in (*one, *other))
    half = (
        math.sin((lat2 - lat1) / 2) ** 2
        + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(half)))


def _position(document: Mapping[str, Any]) -> tuple[float, float, bool] | None:
    """Longitude, latitude, and whether they are in GCJ-02."""
    lon, lat = document.get("lon"), document.get("lat")
    if lon is None or lat is None:
        return None
    return float(lon), float(lat), document.get("coord_sys") == "gcj02"


def _cases_there(
    session: Session,
    camera_id: str,
    zone_id: str,
    kind: str,
    *narrowed: ColumnElement[bool],
) -> list[tuple[CaseRow, Box]]:
    """Cases that a camera raised of a kind in a zone, newest first, with their boxes."""
    query = (
        select(CaseRow, ViolationRow.record)
        .join(ViolationRow, ViolationRow.id == CaseRow.id)
        .where(
            CaseRow.camera_id == camera_id,
            CaseRow.zone_id == zone_id,
            ViolationRow.kind == kind,
            *narrowed,
        )
        .order_by(CaseRow.raised_at.desc(), CaseRow.id.desc())
        .limit(MOST_LOOKED_AT)
    )
    return [(one, record["box"]) for one, record in session.execute(query)]
