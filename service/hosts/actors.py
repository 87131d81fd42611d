"""The hosts as actors of Ray: where they may be, how they are started and found."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from service.hosts.host import Host, HostSettings
from service.hosts.state import HostReport

RESOURCE = "watching"
"""Machines with this resource watch; how much of it they have is their weight."""

LISTENING = "listening"
"""Threads of a host that only answer whether it is up."""

HOST_PREFIX = "host-"


def find_hosts() -> dict[str, Any]:
    """Ray's handles of the hosts, by name; none while the cluster is not joined."""
    found: dict[str, Any] = {}
    if not ray.is_initialized():
        return found
    for name in ray.util.list_named_actors():
        if name.startswith(HOST_PREFIX):
            try:
                found[name] = ray.get_actor(name)
            except ValueError:
                continue
    return found


def reports_of(handles: Mapping[str, Any], within_s: float) -> dict[str, HostReport]:
    """How hosts are, by name; those that do not answer in time are left out."""
    asked = {handle.report.remote(): name for name, handle in handles.items()}
    reports: dict[str, HostReport] = {}
    if asked:
        for answer in ray.wait(list(asked), num_returns=len(asked), timeout=within_s)[0]:
            with suppress(RayError):
                reports[asked[answer]] = ray.get(answer)
    return reports


def watching_nodes() -> dict[str, float]:
    """Weight of each living machine that watches, by Ray's id of it."""
    return {
        node["NodeID"]: weight
        for node in ray.nodes()
        if node["Alive"] and (weight := node["Resources"].get(RESOURCE, 0.0)) > 0
    }


def node_of(host: str) -> str:
    """Ray's id of the machine of a host, by its name."""
    return host.removeprefix(HOST_PREFIX).rpartition("-")[0]


def start_host(node: str, settings: HostSettings) -> tuple[str, Any]:
    """Start a host on a machine; gives its name and handle."""
    name = f"{HOST_PREFIX}{node}-{uuid.uuid4().hex[:8]}"
    made = ray.remote(
        num_cpus=0,
        # One a machine, whatever its weight; all of it is left to be seen as its weight.
        resources={RESOURCE: 0.001},
        max_restarts=0,
        max_concurrency=8,
        concurrency_groups={LISTENING: 2},
    )(Host)
    here = NodeAffinitySchedulingStrategy(node, soft=False)
    handle = made.options(name=name, lifetime="detached", scheduling_strategy=here).remote(
        name, settings
    )
    return name, handle


def is_up(handle: Any) -> Any:
    """Ask an actor whether it is up; gives the reference of its answer."""
    return handle.is_up.options(concurrency_group=LISTENING).remote()
