"""Ten cases around May 2026, small enough to count by hand. All times are Changzhou's.

| # | kind | camera, street | what happened |
| - | --- | --- | --- |
| 0 | stall | cam-1, A | confirmed 4 May 09:10, due 11:10, done 10:40, gone 11:00, closed 11:05 |
| 1 | stall | cam-1, A | confirmed 5 May 09:10, due 11:10, done 10:10, still there, done 12:40 |
| 2 | debris, a stall | cam-2, B | confirmed 10 May 10:00, due 12 May, done, cannot be seen |
| 3 | debris | cam-2, B | rejected: nothing there |
| 4 | debris | cam-2, B | rejected: permitted |
| 5 | stall | cam-1, A | recurs (0); confirmed 20 May 09:10, due 11:10, declined by the platform |
| 6 | dust | cam-3, – | raised 31 May 23:30, confirmed 1 June, due 1 June 10:00 |
| 7 | debris | cam-1, A | confirmed 29 April 10:00, due 6 May 10:00, done 09:00, closed 12:10 |
| 8 | stall | cam-1, A | confirmed 15 May, due 12:00, cancelled |
| 9 | vehicle | cam-2, B | confirmed 18 May, no limit, gone by itself 19 May |
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from stored import add_case

from service.store.cameras import add_camera
from service.store.database import Database
from service.store.tables import CaseRow, CaseStepRow, DecisionRow
from vision.site import Camera

ZONE = ZoneInfo("Asia/Shanghai")


def at(text: str) -> datetime:
    """``05-04 09:10`` of 2026, at Changzhou's clocks."""
    return datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=ZONE)


A: dict[str, Any] = {"camera_id": "cam-1", "place": {"street": "A", "district": "Tianning"}}
B: dict[str, Any] = {"camera_id": "cam-2", "place": {"street": "B", "district": "Tianning"}}


def fill(database: Database) -> None:
    """Put the cases into a database."""
    with database.write() as session:
        camera = {"id": "cam-1", "name": "=1+1", "lon": 119.97, "lat": 31.81, "coord_sys": "wgs84"}
        add_camera(session, Camera.model_validate(camera), at("04-01 00:00"), enabled=True)
    put(
        database, 0, "closed", "05-04 09:00", "street_stall", A, "05-04 11:10",
        "confirm 05-04 09:10", "submit 05-04 09:15", "accept 05-04 09:20", "finish 05-04 10:40",
        "verify 05-04 11:00", "close 05-04 11:05",
    )  # fmt: skip
    put(
        database, 1, "closed", "05-05 09:00", "street_stall", A, "05-05 11:10",
        "confirm 05-05 09:10", "submit 05-05 09:12", "finish 05-05 10:10", "reopen 05-05 10:30",
        "finish 05-05 12:40", "verify 05-05 13:00", "close 05-05 13:10",
    )  # fmt: skip
    put(
        database, 2, "handled", "05-10 09:00", "debris_pile", B, "05-12 10:00",
        "confirm 05-10 10:00", "submit 05-10 10:05", "accept 05-10 10:10", "finish 05-12 09:00",
        "cannot_be_seen 05-12 10:00", kind_after="street_stall",
    )  # fmt: skip
    put(
        database, 3, "rejected", "05-11 09:00", "debris_pile", B, None, "reject 05-11 09:30",
        reason="not_there",
    )  # fmt: skip
    put(
        database, 4, "rejected", "05-12 09:00", "debris_pile", B, None, "reject 05-12 09:30",
        reason="permitted",
    )  # fmt: skip
    put(
        database, 5, "declined", "05-20 09:00", "street_stall", A, "05-20 11:10",
        "confirm 05-20 09:10", "submit 05-20 09:15", "decline 05-20 09:30",
        recurrence_of="violation-0", recurrences=1, occurrences=3,
    )  # fmt: skip
    put(
        database, 6, "submitted", "05-31 23:30", "construction_dust", {"camera_id": "cam-3"},
        "06-01 10:00", "confirm 06-01 00:10", "submit 06-01 00:20",
    )  # fmt: skip
    put(
        database, 7, "closed", "04-29 09:00", "debris_pile", A, "05-06 10:00",
        "confirm 04-29 10:00", "submit 04-29 10:05", "finish 05-06 09:00", "verify 05-06 12:00",
        "close 05-06 12:10",
    )  # fmt: skip
    put(
        database, 8, "cancelled", "05-15 09:00", "street_stall", A, "05-15 12:00",
        "confirm 05-15 09:10", "submit 05-15 09:15", "cancel 05-15 10:00",
    )  # fmt: skip
    put(
        database, 9, "verified", "05-18 09:00", "abandoned_vehicle", B, None,
        "confirm 05-18 09:10", "submit 05-18 09:15", "self_rectify 05-19 09:10",
    )  # fmt: skip


def put(
    database: Database,
    number: int,
    state: str,
    raised: str,
    kind: str,
    where: dict[str, Any],
    deadline: str | None,
    *steps: str,
    kind_after: str | None = None,
    reason: str | None = None,
    **columns: Any,
) -> None:
    """A case with its history and the decision that settled it."""
    id_ = add_case(
        database,
        number,
        kind=kind,
        raised_at=at(raised),
        state=state,
        deadline_at=None if deadline is None else at(deadline),
        **where,
        **columns,
    )
    with database.write() as session:
        session.get_one(CaseRow, id_).kind = kind_after or kind
        for text in steps:
            action, _, when = text.partition(" ")
            session.add(
                CaseStepRow(
                    case_id=id_, at=at(when), actor="test", action=action, state=state, details={}
                )
            )
            if action in ("confirm", "reject"):
                session.add(
                    DecisionRow(
                        case_id=id_,
                        at=at(when),
                        reviewer="user:li",
                        stage="first",
                        verdict=action,
                        settles=True,
                        reason=reason,
                        kind_before=kind,
                        kind_after=kind_after or kind,
                        confidence=0.7,
                    )
                )
