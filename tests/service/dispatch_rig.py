"""Confirmed cases, platforms as settings name them, and servers that really listen."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from fastapi import FastAPI
from posting import CREATED_AT, SECRET_TEXT, record
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.cases.lifecycle import Action, take_step
from service.dispatch import queue
from service.dispatch.candidate import CaseCamera, CaseKind, CaseLocation
from service.dispatch.notice import Notice, NoticeEvidence, Subject
from service.dispatch.platforms import DispatchSettings
from service.dispatch.secret import Secret
from service.sandbox.app import SandboxSettings, create_sandbox
from service.sandbox.calling import Callers
from service.sandbox.mischief import Mischief
from service.store.cameras import add_camera
from service.store.database import Database
from service.store.tables import CaseRow, CaseState, DeliveryRow, ViolationRow
from vision.site import Camera

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
TOKEN = "a token of the tests, long enough"
API_KEY = "a key of the tests"
CAMERA = Camera.model_validate(
    {
        "id": "gate-3",
        "name": "North gate 北门",
        "source": "rtsp://10.1.2.3/stream",
        "lon": 119.974,
        "lat": 31.811,
        "coord_sys": "wgs84",
        "zones": [
            {
                "id": "footway",
                "purpose": "footway",
                "points": [[0.1, 0.5], [0.9, 0.5], [0.9, 0.9], [0.1, 0.9]],
            }
        ],
    }
)


def webhook(url: str = "http://127.0.0.1:9/webhook/cases", **changes: Any) -> dict[str, Any]:
    """Settings of a webhook platform."""
    return {
        "interface": "webhook",
        "url": url,
        "secret": SECRET_TEXT,
        "evidence": "none",
        "rate_per_s": 1000,
        "timeout_s": 5,
    } | changes


def open311(url: str = "http://127.0.0.1:9/open311", **changes: Any) -> dict[str, Any]:
    """Settings of a GeoReport platform."""
    return {
        "interface": "open311",
        "url": url,
        "api_key": API_KEY,
        "services": {"street_stall": "S01", "abandoned_vehicle": "S02", "debris_pile": "S03"},
        "attributes": {"CAMERA": "{camera_id}", "KIND": "{kind}"},
        "evidence": "none",
        "rate_per_s": 1000,
        "timeout_s": 5,
        "poll_s": 0.2,
    } | changes


def panorama(url: str = "http://127.0.0.1:9/client/handle_event", **changes: Any) -> dict[str, Any]:
    """Settings of a panorama-video platform."""
    return {
        "interface": "panorama",
        "url": url,
        "coord_sys": "wgs84",
        "event_types": {"street_stall": 99, "debris_pile": 12},
        "callback_token": TOKEN,
        "evidence": "none",
        "rate_per_s": 1000,
        "timeout_s": 5,
    } | changes


def settings(*, time_scale: float = 1.0, **destinations: dict[str, Any]) -> DispatchSettings:
    """Settings with platforms of these names, all on this machine."""
    return DispatchSettings.model_validate(
        {
            "destinations": destinations,
            "networks": ["127.0.0.0/8"],
            "time_scale": time_scale,
        }
    )


def add_candidate(session: Session, number: int = 0, kind: str = "street_stall") -> str:
    """A candidate case of the camera, which is added if it is not there."""
    add_camera(session, CAMERA, NOW, enabled=True)
    told = record(number, kind=kind)
    seen: dict[str, Any] = {
        "kind": kind,
        "camera_id": told.camera_id,
        "zone_id": told.zone_id,
        "raised_at": CREATED_AT,
        "ended_at": None,
        "created_at": CREATED_AT,
        "updated_at": CREATED_AT,
    }
    session.add(
        CaseRow(
            id=told.id,
            state=CaseState.CANDIDATE,
            confidence=told.confidence,
            experimental=False,
            started_at=told.started_at,
            version=1,
            **seen,
        )
    )
    session.flush()
    document = told.model_dump(mode="json")
    session.add(ViolationRow(id=told.id, case_id=told.id, record=document, **seen))
    session.flush()
    return told.id


def confirm(session: Session, number: int = 0, kind: str = "street_stall") -> str:
    """A case that a reviewer confirmed."""
    case_id = add_candidate(session, number, kind)
    take_step(session, case_id, Action.CONFIRM, "user:li", NOW)
    return case_id


def notice(**changes: Any) -> Notice:
    """A message about a case at Changzhou, with one picture."""
    location = CaseLocation(lon=119.97875, lat=31.808959, coord_sys="gcj02")
    fields: dict[str, Any] = {
        "id": "case_" + "0" * 32,
        "subject": Subject.CONFIRMED,
        "case_id": "violation-0",
        "number": 1,
        "first_id": "case_" + "0" * 32,
        "at": NOW,
        "kind": CaseKind(id="street_stall", en="Street stall", zh="占道经营"),
        "camera": CaseCamera(id="gate-3", name="North gate 北门", location=location),
        "zone_id": "footway",
        "box": (10, 20, 110, 220),
        "confidence": 0.75,
        "started_at": NOW,
        "raised_at": NOW,
        "last_seen_at": NOW,
        "ended_at": None,
        "evidence": (
            NoticeEvidence(
                id="e1",
                role="scene",
                sha256="a" * 64,
                bytes=9,
                width=64,
                height=48,
                media_type="image/jpeg",
                taken_at=NOW,
                key="masked/aa/x.jpg",
            ),
        ),
        "links_until": NOW + timedelta(days=30),
    }
    return Notice.model_validate(fields | changes)


def name(database: Database, wanted: DispatchSettings) -> None:
    """Tell the store of the platforms."""
    with database.write() as session:
        queue.name_destinations(session, wanted)


def deliveries(database: Database) -> list[DeliveryRow]:
    with database.read() as session:
        order = (DeliveryRow.case_id, DeliveryRow.destination, DeliveryRow.number)
        return list(session.scalars(select(DeliveryRow).order_by(*order)))


def state_of(database: Database, case_id: str = "violation-0") -> str:
    with database.read() as session:
        return session.get_one(CaseRow, case_id).state


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def listening(app: FastAPI, port: int) -> Iterator[str]:
    """An application that listens on this machine, in a thread."""
    config = uvicorn.Config(app, port=port, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


def sandbox(service_url: str | None = None, **changes: Any) -> FastAPI:
    """A sandbox platform with quick steps."""
    secret = Secret.parse(SECRET_TEXT, named="the test")
    callers = Callers(
        url=f"{service_url}/api/v1/callbacks" if service_url else None,
        webhook="city",
        panorama="panorama",
        secret=secret,
        token=TOKEN,
    )
    fields: dict[str, Any] = {"step_s": 0.2, "seed": 1, "mischief": Mischief()} | changes
    return create_sandbox(
        SandboxSettings(callers=callers, secret=secret, api_key=API_KEY, **fields)
    )


def wait_for(there: Callable[[], object], within_s: float = 30.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + within_s
    while not there():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
