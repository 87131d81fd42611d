from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from dispatch_rig import (
    confirm,
    deliveries,
    free_port,
    listening,
    panorama,
    sandbox,
    wait_for,
    webhook,
)
from posting import SECRET_TEXT, FakeClock
from serving import PlayedCameras, Serving, camera
from sqlalchemy import select

from service.context import Service
from service.dispatch.dispatcher import Dispatcher
from service.evidence.files import EvidenceFiles
from service.evidence.links import Signer
from service.reload import Reloader
from service.serve import dispatching
from service.settings import load_settings
from service.store.database import Database
from service.store.tables import AuditRow, Role

RELOAD = "/api/v1/settings/reload"


class File:
    """A service that was started with a file, and the file."""

    def __init__(self, path: Path, database: Database, clock: FakeClock) -> None:
        self.path = path
        self.write(port=8700)
        service = Service(
            settings=load_settings(path),
            database=database,
            files=EvidenceFiles(path.parent / "evidence"),
            signer=Signer(b"a secret of the tests, 32 bytes.."),
            clock=clock.now,
            live=PlayedCameras(),
        )
        service.reloader = Reloader(service, lambda: load_settings(path))
        self.serving = Serving(service)

    def write(self, **settings: Any) -> None:
        self.path.write_text(yaml.safe_dump({"data": str(self.path.parent), **settings}))

    def reload(self) -> Any:
        return self.serving.user(Role.ADMIN).post(RELOAD)


@pytest.fixture
def file(database: Database, clock: FakeClock, tmp_path: Path) -> File:
    return File(tmp_path / "service.yaml", database, clock)


def test_what_can_change_changes_at_once_and_the_rest_is_named(file: File) -> None:
    file.write(
        port=9000,
        host="0.0.0.0",
        retention={"closed_days": 7, "rejected_hours": 72},
        limits={"body_mb": 0.001},
        signing_secret="another secret, also of 32 bytes",
    )
    answer = file.reload()
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "applied": ["limits.body_mb", "retention.closed_days"],
        "needs_restart": ["host", "port", "signing_secret"],
    }
    service = file.serving.service
    assert service.settings.retention.closed_days == 7
    assert (service.settings.port, service.settings.host) == (8700, "127.0.0.1")
    supervisor = file.serving.user(Role.SUPERVISOR)
    long = supervisor.post("/api/v1/cameras", json=camera(name="x" * 2000))
    assert long.status_code == 413
    assert file.reload().json()["applied"] == []
    with service.database.read() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.action == "settings.reloaded")).all()
    assert [row.actor for row in rows] == ["user:a.admin"] * 2
    assert "another secret" not in str([row.details for row in rows])


def test_where_cameras_may_be_reaches_those_that_read_them(file: File) -> None:
    client = file.serving.user(Role.SUPERVISOR)
    assert client.post("/api/v1/cameras", json=camera()).status_code == 422
    file.write(port=8700, camera_networks=["10.0.0.0/8"])
    assert file.reload().json() == {"applied": ["camera_networks"], "needs_restart": []}
    assert client.post("/api/v1/cameras", json=camera()).status_code == 201
    (policy,) = file.serving.live.policies
    assert policy.networks == (ip_network("10.0.0.0/8"),)
    file.write(port=8700, camera_networks=["10.0.0.0/8"], link_s=60)
    assert file.reload().json()["applied"] == ["link_s"]
    assert len(file.serving.live.policies) == 1, "readers are left alone"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"retention": {"closed_days": -1}, "link_s": 60}, "retention.closed_days"),
        ({"signing_secret": ["hunter2"], "link_s": 60}, "signing_secret"),
        ({"colour": "red", "link_s": 60}, "colour"),
    ],
)
def test_a_wrong_file_changes_nothing_and_every_fault_is_told(
    file: File, settings: dict[str, Any], named: str
) -> None:
    before = file.serving.service.settings
    file.write(**settings)
    answer = file.reload()
    assert answer.status_code == 422
    assert named in answer.json()["detail"]
    assert "hunter2" not in answer.text
    assert file.serving.service.settings == before
    file.path.unlink()
    assert file.reload().status_code == 422


def test_without_a_file_there_is_nothing_to_read(file: File) -> None:
    bare = Serving(replace(file.serving.service, reloader=None))
    assert bare.user(Role.ADMIN).post(RELOAD).status_code == 409


def of_city(url: str = "http://127.0.0.1:9/cases", **changes: Any) -> dict[str, Any]:
    platform = webhook(url, **changes)
    return {"networks": ["127.0.0.0/8"], "destinations": {"city": platform}}


def test_platforms_change_and_faulty_ones_are_named(file: File) -> None:
    file.write(port=8700, dispatch=of_city())
    assert file.reload().json()["applied"] == ["dispatch.destinations.city", "dispatch.networks"]
    file.write(port=8700, dispatch=of_city(timeout_s=-1))
    answer = file.reload()
    assert answer.status_code == 422
    assert "dispatch.destinations.city.webhook.timeout_s" in answer.json()["detail"]
    assert SECRET_TEXT not in answer.text
    platform = file.serving.service.settings.dispatch.destinations["city"]
    assert platform.timeout_s == 5


def test_links_that_would_lead_nowhere_yet_are_refused(file: File) -> None:
    """``public_url`` in the same file holds from the next start only."""
    file.write(port=8700, public_url="https://jiexu.test", dispatch=of_city(evidence="links"))
    answer = file.reload()
    assert answer.status_code == 422
    assert "dispatch.destinations.city" in answer.json()["detail"]
    assert file.serving.service.settings.dispatch.destinations == {}


def test_cases_go_where_the_new_settings_say_and_only_there(file: File, database: Database) -> None:
    """One platform is moved to another address, one stays as it is, one goes."""
    service = file.serving.service
    with (
        listening(sandbox(), free_port()) as first,
        listening(sandbox(), free_port()) as second,
    ):
        both = {
            "city": webhook(f"{first}/webhook/cases", kinds=["street_stall"]),
            "heaps": panorama(f"{first}/client/handle_event", event_types={"debris_pile": 12}),
        }
        file.write(port=8700, dispatch={"networks": ["127.0.0.0/8"], "destinations": both})
        assert file.reload().status_code == 200
        service.dispatcher = Dispatcher(dispatching(service), idle_s=0.02)
        service.dispatcher.start()
        try:
            send(database, 0, "street_stall")
            send(database, 1, "debris_pile")
            wait_for(lambda: held(first) == 2)
            moved = {"city": webhook(f"{second}/webhook/cases")}
            file.write(port=8700, dispatch={"networks": ["127.0.0.0/8"], "destinations": moved})
            assert file.reload().json()["applied"] == [
                "dispatch.destinations.city",
                "dispatch.destinations.heaps",
            ]
            send(database, 2, "street_stall")
            send(database, 3, "debris_pile")
            wait_for(lambda: held(second) == 2)
            assert held(first) == 2
        finally:
            service.dispatcher.stop()
    assert [(row.destination, row.state) for row in deliveries(database)] == [
        *(("city", "delivered"), ("heaps", "delivered"), ("city", "delivered")),
        ("city", "delivered"),
    ]


def send(database: Database, number: int, kind: str) -> None:
    with database.write() as session:
        confirm(session, number, kind)


def held(url: str) -> int:
    return len(httpx.get(f"{url}/cases").json()["cases"])
