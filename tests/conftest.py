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
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests, and the commands that they run, keep on the machine is kept apart."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JIEXU_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def blob_detector() -> BlobDetector:
    return BlobDetector()


@pytest.fixture(scope="session")
def blob_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_blob_clip(tmp_path_factory.mktemp("blobs") / "square_20260518_090000.mp4")
