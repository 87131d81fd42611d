"""What the user says about the cluster."""

from __future__ import annotations

from dataclasses import dataclass

from vision.errors import ConfigError

CLIENT_SCHEME = "ray://"


@dataclass(frozen=True)
class ClusterOptions:
    """How a cluster is used.

    Attributes:
        address: ``host:port`` of the cluster's head, ``auto`` for the one this machine is part of;
            ``None`` starts one on this machine for the time of the scan.
        workers: Workers to start; ``None`` for as many as the cluster has room for at the start.
        worker_cpus: CPUs that a worker reserves, and threads of its detector.
        worker_gpus: Share of a GPU that a worker reserves: with 0.25, four workers share one. Above
            0 the detector runs on CUDA.
    """

    address: str | None = None
    workers: int | None = None
    worker_cpus: int = 1
    worker_gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.address is not None and self.address.startswith(CLIENT_SCHEME):
            raise ConfigError(
                f"--address {self.address}: the run folder must lie on a machine of the cluster; "
                "run the command there, with --address auto"
            )
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"--workers {self.workers}: must be at least 1")
        if self.worker_cpus < 1:
            raise ConfigError(f"--worker-cpus {self.worker_cpus}: must be at least 1")
        if self.worker_gpus < 0 or (self.worker_gpus > 1 and self.worker_gpus % 1):
            raise ConfigError(
                f"--worker-gpus {self.worker_gpus}: a share of one GPU, or a whole number"
            )
