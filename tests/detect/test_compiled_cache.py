from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from full_disk import no_file_larger_than
from openvino import opset13

from vision.cache import CACHE_VARIABLE
from vision.detect.compiled_cache import KEPT_FILES, compiled


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "networks"


def doubling() -> ov.Model:
    numbers = opset13.parameter([4], np.float32)
    return ov.Model([opset13.multiply(numbers, np.float32(2))], [numbers])


def must_not_compile() -> ov.Model:
    raise AssertionError("it should have been read from the cache")


def doubled(make: Callable[[], ov.Model], *identity: str | int) -> list[float]:
    network = compiled(ov.Core(), make, "CPU", {}, identity or ("doubling",))
    return list(network(np.arange(4, dtype=np.float32))[0])


def test_what_was_compiled_once_is_read_and_gives_the_same(folder: Path) -> None:
    first = doubled(doubling)
    assert doubled(must_not_compile) == first == [0, 2, 4, 6]
    assert [file.suffix for file in folder.iterdir()] == [".blob"]


def test_another_network_is_compiled_for_itself(folder: Path) -> None:
    doubled(doubling, "one", 384, 640)
    doubled(doubling, "one", 640, 384)
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_a_damaged_file_is_compiled_anew_and_mended(folder: Path, damage: bytes | None) -> None:
    doubled(doubling)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    flipped = whole[:-1] + bytes([whole[-1] ^ 1])
    file.write_bytes(flipped if damage is None else damage)
    assert doubled(doubling) == [0, 2, 4, 6]
    assert doubled(must_not_compile) == [0, 2, 4, 6]


def test_a_full_disk_is_done_without_and_left_as_it_was(folder: Path) -> None:
    with no_file_larger_than(10):
        assert doubled(doubling) == [0, 2, 4, 6]
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    assert doubled(doubling) == [0, 2, 4, 6]


def test_without_a_folder_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, "")
    assert doubled(doubling) == [0, 2, 4, 6]


def test_only_the_files_used_last_are_kept(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(KEPT_FILES + 3):
        (folder / f"{number}.blob").write_bytes(b"old")
    doubled(doubling)
    assert len(list(folder.iterdir())) == KEPT_FILES
    assert doubled(must_not_compile) == [0, 2, 4, 6]
