from __future__ import annotations

from pathlib import Path

import pytest
from posting import FakeClock
from serving import PlayedCameras, PlayedDetector, Serving

from service.context import Service
from service.evidence.files import EvidenceFiles
from service.evidence.links import Signer
from service.settings import ServiceSettings
from service.store.database import Database


@pytest.fixture
def serving(database: Database, clock: FakeClock, tmp_path: Path) -> Serving:
    """The API over a database of each kind."""
    return Serving(
        Service(
            settings=ServiceSettings(
                data=tmp_path, public_url="https://jiexu.test", camera_networks=("10.0.0.0/8",)
            ),
            database=database,
            files=EvidenceFiles(tmp_path / "evidence"),
            signer=Signer(b"a secret of the tests, 32 bytes.."),
            clock=clock.now,
            live=PlayedCameras(),
            inspector=PlayedDetector(),
        )
    )
