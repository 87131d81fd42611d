"""The Ray cluster that the hosts live in: joined, and its coordinator started and ended."""

from __future__ import annotations

import logging
import time
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from service.hosts.actors import find_hosts
from service.hosts.coordinator import Coordinator
from service.hosts.host import HostSettings
from vision.errors import JiexuError

log = logging.getLogger(__name__)

NAMESPACE = "jiexu"
HEAD = "node:__internal_head__"
"""Ray's own resource of the machine where the head of the cluster runs."""

COORDINATOR = "coordinator"
START_S = 120.0
"""So long the coordinator may take to start."""

STOP_S = 9.0
"""So long all hosts together may take to end."""

_STEP_S = 0.2


class HostsError(JiexuError):
    """The cluster cannot be used."""


def join(address: str) -> None:
    """Join the cluster, if this process has not.

    Raises:
        HostsError: It cannot be reached.
    """
    if ray.is_initialized():
        return
    try:
        ray.init(
            address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR
        )
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise HostsError(f"hosts.address: no Ray cluster at {address}: {error}") from None


def start_coordinator(settings: HostSettings) -> Any:
    """The coordinator of the cluster, started where there is none.

    One that goes by other settings, or is of another version, ends with all its hosts, and a new
    one begins.

    Raises:
        HostsError: It does not start.
    """
    made = _coordinator(settings)
    try:
        if ray.get(made.goes_by.remote(settings), timeout=START_S):
            return made
        log.info("the hosts go by other settings: all are started anew")
        stop_all(made)
        made = _coordinator(settings)
        ray.get(made.goes_by.remote(settings), timeout=START_S)
    except (RayError, GetTimeoutError) as error:
        raise HostsError(f"hosts: the coordinator does not start: {error}") from None
    return made


def find_coordinator() -> Any | None:
    """The coordinator, ``None`` where there is none or the cluster is not joined."""
    if not ray.is_initialized():
        return None
    try:
        return ray.get_actor(COORDINATOR)
    except ValueError:
        return None


def stop_all(coordinator: Any) -> None:
    """End all hosts, with what they remember saved, and the coordinator."""
    try:
        ray.get(coordinator.stop.remote(), timeout=STOP_S)
    except (RayError, GetTimeoutError) as error:
        log.warning("the hosts did not end in time: %s", error)
    ray.kill(coordinator, no_restart=True)
    for handle in find_hosts().values():
        ray.kill(handle)
    until_s = time.monotonic() + START_S
    while find_coordinator() is not None and time.monotonic() < until_s:
        time.sleep(_STEP_S)


def _coordinator(settings: HostSettings) -> Any:
    made = ray.remote(
        num_cpus=0,
        resources={HEAD: 0.001},
        max_restarts=-1,
        max_concurrency=4,
    )(Coordinator)
    return made.options(name=COORDINATOR, lifetime="detached", get_if_exists=True).remote(settings)
