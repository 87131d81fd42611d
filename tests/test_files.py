from __future__ import annotations

from pathlib import Path

import pytest
from full_disk import no_file_larger_than

from vision.files import write_atomically


def test_text_and_bytes_replace_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    write_atomically(file, "街")
    assert file.read_bytes() == "街".encode()
    write_atomically(file, b"new")
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"new"]


@pytest.mark.parametrize("rivals", [False, True])
def test_what_cannot_be_written_whole_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, rivals: bool
) -> None:
    file = tmp_path / "run.json"
    write_atomically(file, "old")
    with no_file_larger_than(10), pytest.raises(OSError, match="File too large"):
        write_atomically(file, "x" * 1000, rivals=rivals)
    assert [one.read_text() for one in tmp_path.iterdir()] == ["old"]
