"""A case as the screen shows it: everything that a reviewer decides by, in one document."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.cases.review import shown_box_of
from service.cases.sameness import cases_at_place, links_of
from service.evidence.access import is_shown, link_to, list_evidence
from service.review.visit import Visit
from service.store.cameras import camera_of, name_of
from service.store.tables import CameraRow, CaseRow, EvidenceRow, Relation, ViolationRow
from vision.record import ViolationRecord
from vision.rules.kinds import KINDS
from vision.zones import Purpose

HISTORY = 6
_UNKNOWN_COLOUR = "#5c677d"
_SHORTEST_STRIP = 24
_STRIP_SHARE = 32


def brief_of(session: Session, case: CaseRow, visit: Visit, now: datetime) -> dict[str, Any]:
    """A case for the screen, with links to its masked evidence, which is audited.

    Args:
        session: A writing session.
        case: The case.
        visit: Who looks at it.
        now: Aware wall-clock time.
    """
    violation = session.get_one(ViolationRow, case.id)
    record = ViolationRecord.model_validate(violation.record)
    camera = session.get(CameraRow, case.camera_id)
    kind = KINDS.get(case.kind)
    return {
        "id": case.id,
        "version": case.version,
        "state": case.state,
        "stage": case.stage,
        "kind": case.kind,
        "kind_name": visit.say.kind(case.kind),
        "colour": kind.colour if kind else _UNKNOWN_COLOUR,
        "experimental": case.experimental,
        "camera_id": case.camera_id,
        "camera_name": case.camera_id if camera is None else name_of(camera),
        "zone_id": case.zone_id,
        "zone": _outline(camera, case.zone_id),
        "confidence": case.confidence,
        "box": shown_box_of(session, case),
        "started_at": _iso(case.started_at),
        "raised_at": _iso(case.raised_at),
        "last_seen_at": _iso(record.last_seen_at),
        "ended_at": _iso(case.ended_at),
        "still_at": [_iso(at) for at in record.still_at],
        "dwell_s": record.dwell_s,
        "dwell": None if record.dwell is None else record.dwell.model_dump(),
        "rule": record.rule.name,
        "rule_dwell_s": _number(record.rule.settings.get("dwell_s")),
        "frames_seen": record.frames_seen,
        "signs": [visit.say.sign(one) for one in (*record.class_names, *record.signs)],
        "basis": record.basis,
        "model": record.model.name,
        "verification": record.verification,
        "occurrences": case.occurrences,
        "recurrences": case.recurrences,
        "priority": case.priority,
        "evidence": _evidence(session, case.id, visit, now),
        "history": _history(session, case),
        "perhaps_same": _perhaps_same(session, case),
    }


def _history(session: Session, case: CaseRow) -> list[dict[str, Any]]:
    return [
        {"id": other.id, "state": other.state, "raised_at": _iso(other.raised_at)}
        for other in cases_at_place(session, case, HISTORY)
    ]


def _perhaps_same(session: Session, case: CaseRow) -> list[dict[str, Any]]:
    """What cameras near by saw at about the same time."""
    return [
        {
            "id": other.id,
            "state": other.state,
            "camera_id": other.camera_id,
            "distance_m": link.distance_m,
        }
        for link, other in links_of(session, case.id)
        if link.relation == Relation.POSSIBLE_DUPLICATE
    ]


def caption_height(width: int) -> int:
    """Height in pixels of the strip with text below an evidence picture of this width."""
    return max(_SHORTEST_STRIP, round(width / _STRIP_SHARE))


def _evidence(session: Session, case_id: str, visit: Visit, now: datetime) -> dict[str, Any]:
    """The newest file of each role: masked where there is one, else the fact of the original."""
    found: dict[str, Any] = {}
    rows = list_evidence(session, case_id, visit.principal.actor, visit.origin, now)
    for row in rows:
        # Of what happened again there are pictures too; the box on the screen is of the first time.
        if row.superseded_at is not None or row.violation_id != case_id:
            continue
        known = found.setdefault(row.role, {"url": None, "original": None})
        if is_shown(row):
            known |= _picture(row) | {
                "url": link_to(visit.service, row, visit.principal.actor, now).path
            }
        elif row.removed_at is None:
            known |= _picture(row) | {"original": row.id}
    return found


def _picture(row: EvidenceRow) -> dict[str, Any]:
    strip = caption_height(row.width) if row.role in {"scene", "before", "after"} else 0
    return {
        "width": row.width,
        "height": row.height,
        "frame_height": max(1, row.height - strip),
        "media_type": row.media_type,
        "taken_at": _iso(row.taken_at),
    }


def _outline(camera: CameraRow | None, zone_id: str) -> dict[str, Any] | None:
    if camera is None:
        return None
    for zone in camera_of(camera).zones:
        if zone.id == zone_id:
            closed = zone.purpose is not Purpose.HOARDING_LINE
            return {"points": [list(point) for point in zone.points], "closed": closed}
    return None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
