"""The demo of the live service: drawn scenes become cameras that may be watched."""

from __future__ import annotations

from pathlib import Path

import pytest
from posting import FakeClock

from service.context import Service
from service.demo import demo_settings, show_demo
from service.evidence.files import EvidenceFiles
from service.evidence.links import Signer
from service.settings import ServiceSettings
from service.store.cameras import camera_of
from service.store.database import Database
from service.store.migrate import upgrade
from service.store.tables import CameraRow
from vision.site import given_rules

CAMERA = "street_demo-1-20s"


@pytest.mark.slow
def test_a_drawn_scene_becomes_a_camera_once(tmp_path: Path, clock: FakeClock) -> None:
    database = Database(f"sqlite:///{tmp_path / 'jiexu.db'}")
    upgrade(database)
    service = Service(
        settings=demo_settings(ServiceSettings(data=tmp_path)),
        database=database,
        files=EvidenceFiles(tmp_path / "evidence"),
        signer=Signer(b"a secret of the tests, 32 bytes.."),
        clock=clock.now,
    )
    show_demo(service, ["street_demo"], seconds=20)
    with database.write() as session:
        row = session.get_one(CameraRow, CAMERA)
        camera = camera_of(row)
        row.enabled = False
    assert camera.source is not None
    clip = Path(camera.source.removeprefix("file://"))
    assert clip.stat().st_size > 0
    assert clip.is_relative_to(service.settings.camera_folders[0])
    assert given_rules(camera.rules)["debris_pile"]["dwell_s"] == 15
    assert camera.lon is not None, "or no platform would take its cases"
    assert {zone.purpose for zone in camera.zones} >= {"carriageway", "footway"}
    show_demo(service, ["street_demo"], seconds=20)
    with database.read() as session:
        assert not session.get_one(CameraRow, CAMERA).enabled, "what was changed stays changed"
    database.close()
