from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from object_store import KEYS

from service.evidence.files import EvidenceFiles
from service.hosts.views import MOST_WAITING, SharedViews


@pytest.fixture(params=["folder", "bucket"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Where evidence lies, as the settings name it."""
    if request.param == "folder":
        yield str(tmp_path / "evidence")
        return
    url = request.getfixturevalue("object_store")
    for variable, text in {**KEYS, "AWS_ENDPOINT_URL_S3": url}.items():
        monkeypatch.setenv(variable, text)
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.mkdir("jiexu-views")
    type(system).clear_instance_cache()
    yield "s3://jiexu-views/north"
    type(system).clear_instance_cache()


def test_what_one_host_saved_another_loads(place: str) -> None:
    one, other = SharedViews(place), SharedViews(place)
    assert other.load("c1") is None
    one.save("c1", b"old")
    one.save("c1", b"new")
    assert one.load("c1") == b"new"
    assert one.flush(10)
    assert other.load("c1") == b"new"
    assert list(EvidenceFiles(place).keys()) == [], "a view is no evidence"


def test_a_place_that_hangs_or_fails_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    views = SharedViews(str(tmp_path))
    asked = []

    def fail(path: str, *_: Any) -> bytes:
        asked.append(path)
        raise ConnectionError("no bucket")

    monkeypatch.setattr(views._fs, "cat_file", fail)
    monkeypatch.setattr(views, "_write", fail)
    assert views.load("c1") is None
    assert views.load("c2") is None
    assert len(asked) == 1, "after one failure no view is asked for, for a while"
    for number in range(2 * MOST_WAITING):
        views.save(f"c{number}", b"view")
        assert len(views._waiting) <= MOST_WAITING
    assert views.flush(10)
    assert "view not written: ConnectionError" in caplog.text
