from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blobs import BlobDetector, draw_blob_clip
from object_store import object_store

__all__ = ["object_store"]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real clips, pictures and weights, for tests that need them."""
    folder = os.environ.get("JIEXU_SHARED_DATA")
    if not folder:
        pytest.skip("JIEXU_SHARED_DATA is not set: no real material on this machine")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def networks_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Networks compiled by tests, and by the commands that they run, are kept apart."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JIEXU_CACHE", str(tmp_path_factory.mktemp("networks")))
        yield


@pytest.fixture
def blob_detector() -> BlobDetector:
    return BlobDetector()


@pytest.fixture(scope="session")
def blob_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_blob_clip(tmp_path_factory.mktemp("blobs") / "square_20260518_090000.mp4")
