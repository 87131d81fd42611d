"""Start the engine that scans on a cluster, if its package is there."""

from __future__ import annotations

from vision.cluster.options import ClusterOptions
from vision.engine import Engine
from vision.errors import ConfigError


def cluster_engine(options: ClusterOptions) -> Engine:
    """Join or start a cluster.

    Raises:
        ConfigError: The package ``ray`` is not installed.
        ClusterError: The cluster cannot be reached, or has no room for a worker.
    """
    try:
        from vision.cluster.engine import ClusterEngine
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "ray":
            raise
        raise ConfigError(
            "--engine ray: the package ray is not installed: pip install jiexu[ray]"
        ) from error
    return ClusterEngine(options)
