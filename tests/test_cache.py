from __future__ import annotations

from pathlib import Path

import pytest

from vision.cache import CACHE_VARIABLE, cache_folder


def test_without_a_name_it_lies_with_the_users_other_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("networks") == tmp_path / "jiexu" / "networks"
    assert (tmp_path / "jiexu" / "networks").is_dir()


def test_a_variable_names_another_folder_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "own"))
    assert cache_folder("pages") == tmp_path / "own" / "pages"
    monkeypatch.setenv(CACHE_VARIABLE, "")
    assert cache_folder("pages") is None


def test_a_place_that_cannot_be_written_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    assert cache_folder("pages") is None
