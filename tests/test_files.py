from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vision.files import write_atomically


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As on a disk that is full, for this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_text_and_bytes_replace_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    write_atomically(file, "街")
    assert file.read_bytes() == "街".encode()
    write_atomically(file, b"new")
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"new"]


def test_what_cannot_be_written_whole_leaves_the_old_content_and_nothing_else(
    tmp_path: Path,
) -> None:
    file = tmp_path / "run.json"
    write_atomically(file, "old")
    with no_file_larger_than(10), pytest.raises(OSError, match="File too large"):
        write_atomically(file, "x" * 1000)
    assert [one.read_text() for one in tmp_path.iterdir()] == ["old"]
