"""Write files so that a kill at any moment leaves the old content or the new, never a part."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_atomically(path: Path, content: bytes | str, *, rivals: bool = False) -> None:
    """Replace a file's content as a whole; text is written as UTF-8.

    Args:
        path: The file.
        content: Its new content.
        rivals: Whether others may be writing the same file just now. Each then has a partial file
            of its own, which a kill leaves lying; without, there is one, that the next replaces.

    Raises:
        OSError: It cannot be written; the old content stays.
    """
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex if rivals else 'partial'}")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        # A full disk is not to be filled further by what is of no use.
        partial.unlink(missing_ok=True)
