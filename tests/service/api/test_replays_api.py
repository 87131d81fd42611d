from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from scripted import START, at, every, look, seen
from serving import Serving, camera
from sqlalchemy import func, select

from service.detecting import Detectors
from service.replays.archive import LookArchive
from service.replays.jobs import Replays
from service.store.tables import AuditRow, CaseRow, Role
from vision.detect.registry import load_registry
from vision.schedule import SiteClock

REPLAYS = "/api/v1/replays"
PLAZA = {"id": "plaza", "purpose": "footway", "points": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}


@pytest.fixture
def kept(serving: Serving, tmp_path: Path) -> Iterator[Serving]:
    """A service that keeps looks: an hour of one camera, in which a heap stands."""
    archive = LookArchive(tmp_path / "archive", "Asia/Shanghai")
    replays = Replays(
        tmp_path / "replays",
        archive,
        model_of=Detectors(load_registry()).entry_of,
        site_clock=SiteClock(UTC),
        clock=serving.service.clock,
    )
    for time_s in every(10, 0, 3600):
        heap = [seen("debris_pile", at(800, 300), 0.9)] if 600 <= time_s < 1800 else []
        archive.add(replace(look(time_s, *heap), camera_id="gate-3"))
    replays.start()
    keeping = Serving(replace(serving.service, replays=replays))
    assert keeping.user(Role.SUPERVISOR).post("/api/v1/cameras", json=camera()).is_success
    yield keeping
    replays.stop()


def form(**changes: Any) -> dict[str, Any]:
    one = {"camera_id": "gate-3", "zones": [PLAZA], "rules": {"debris_pile": {"dwell_s": 300}}}
    end = (START + timedelta(hours=1)).isoformat()
    return {"begin": START.isoformat(), "end": end, "cameras": [one]} | changes


def test_a_replay_is_asked_for_followed_and_touches_no_case(kept: Serving) -> None:
    client = kept.user(Role.SUPERVISOR)
    begun = client.post(REPLAYS, json=form())
    assert begun.status_code == 202, begun.text
    path = begun.headers["location"]
    assert path == f"{REPLAYS}/{begun.json()['id']}"
    deadline = time.monotonic() + 60
    while (replay := kept.user(Role.VIEWER).get(path).json())["state"] != "done":
        assert time.monotonic() < deadline
        assert replay["fault"] is None
        time.sleep(0.1)
    result = replay["result"]
    assert result["counts"] == {"unchanged": 0, "changed": 0, "appeared": 1, "vanished": 0}
    (appeared,) = result["appeared"]
    assert (appeared["kind"], appeared["zone_id"]) == ("debris_pile", "plaza")
    assert appeared["started_at"] == "2026-03-01T16:10:00+08:00"
    with kept.service.database.read() as session:
        assert session.scalar(select(func.count()).select_from(CaseRow)) == 0
        audited = session.scalars(select(AuditRow).where(AuditRow.action == "replay.started")).one()
    assert audited.details == {"cameras": ["gate-3"], "count": 1}
    assert client.delete(path).json()["state"] == "done"


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"end": START.isoformat()}, 422, "body.end"),
        ({"end": (START + timedelta(days=90)).isoformat()}, 422, "body.cameras"),
        ({"cameras": []}, 422, "body.cameras"),
        ({"cameras": [{"camera_id": "gate-3"}] * 2}, 422, "body.cameras"),
        ({"cameras": [{"camera_id": "elsewhere"}]}, 404, None),
        (
            {"cameras": [{"camera_id": "gate-3", "zones": [PLAZA, PLAZA]}]},
            422,
            "body",
        ),
        (
            {"cameras": [{"camera_id": "gate-3", "rules": {"debris_pile": {"dwell": 3}}}]},
            422,
            "body.cameras[0].rules.debris_pile.dwell",
        ),
    ],
)
def test_what_cannot_be_replayed_is_named(
    kept: Serving, changes: dict[str, Any], status: int, field: str | None
) -> None:
    answer = kept.user(Role.SUPERVISOR).post(REPLAYS, json=form(**changes))
    assert answer.status_code == status, answer.text
    if field is not None:
        assert answer.json()["errors"][0]["field"] == field


def test_where_no_looks_are_kept_there_are_no_replays(serving: Serving) -> None:
    client = serving.user(Role.SUPERVISOR)
    assert client.post(REPLAYS, json=form()).status_code == 409
    assert client.get(f"{REPLAYS}/x").status_code == 404
