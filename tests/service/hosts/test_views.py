from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.hosts.views import MOST_WAITING, SharedViews


def test_what_one_host_saved_another_loads(tmp_path: Path) -> None:
    one, other = SharedViews(str(tmp_path)), SharedViews(str(tmp_path))
    assert other.load("c1") is None
    one.save("c1", b"old")
    one.save("c1", b"new")
    assert one.load("c1") == b"new"
    assert one.flush(10)
    assert other.load("c1") == b"new"
    assert sorted(path.name for path in (tmp_path / "views").iterdir()) == ["c1.npz"]


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
