from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from posting import FakeClock
from serving import PlayedCameras, Serving, camera
from sqlalchemy import select

from service.context import Service
from service.evidence.files import EvidenceFiles
from service.evidence.links import Signer
from service.reload import Reloader
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
