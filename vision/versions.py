"""Versions of what results depend on."""

from __future__ import annotations

import platform
from importlib.metadata import version

LIBRARIES = ("numpy", "opencv-python-headless", "av", "openvino", "pyarrow")


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decode, see and store."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
