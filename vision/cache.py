"""Where a machine keeps what it has prepared; all of it can be made again."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "JIEXU_CACHE"
"""Environment variable that names the folder to use; empty for none."""


def cache_folder(name: str) -> Path | None:
    """A folder for one kind of thing, made if need be; ``None`` where nothing can be kept."""
    named = os.environ.get(CACHE_VARIABLE)
    if named == "":
        return None
    try:
        caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(named or Path(caches) / "jiexu") / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # read-only, or a user without a home
        return None
    return folder if os.access(folder, os.W_OK) else None
