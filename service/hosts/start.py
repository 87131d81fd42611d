"""Whether what shares cameras over hosts is installed."""

from __future__ import annotations

from importlib.util import find_spec

from vision.errors import ConfigError


def need_ray() -> None:
    """Say what is missing where it is.

    Raises:
        ConfigError: The package ``ray`` is not installed.
    """
    if find_spec("ray") is None:
        raise ConfigError("hosts: the package ray is not installed: pip install 'jiexu[ray]'")
