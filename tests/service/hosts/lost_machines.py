"""Machines of a cluster that may be lost, and waiting for what comes of that."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

log = logging.getLogger(__name__)


@dataclass
class Machines:
    """The nodes of a cluster, as machines that may be lost.

    Attributes:
        cluster: The cluster.
        folder: Where each machine has a folder of its own.
        nodes: Its nodes that live, by Ray's id.
    """

    cluster: Any
    folder: Path
    nodes: dict[str, Any] = field(default_factory=dict)

    def add(self) -> str:
        """A machine that watches joins; gives Ray's id of it."""
        data = self.folder / f"machine{len(self.cluster.worker_nodes)}"
        node = self.cluster.add_node(
            num_cpus=0, resources={"watching": 1}, env_vars={"JIEXU_DATA": str(data)}
        )
        self.nodes[node.node_id] = node
        return str(node.node_id)

    def lose(self, node_id: str) -> None:
        """A machine is gone at once, with all its processes."""
        for process in self._processes(node_id):
            process.kill()
        del self.nodes[node_id]

    def freeze(self, node_id: str) -> list[psutil.Process]:
        """What watches on a machine stands still until it is sent ``SIGCONT``."""
        frozen = _named("ray::Host", self._processes(node_id))
        assert frozen
        for process in frozen:
            process.send_signal(signal.SIGSTOP)
        return frozen

    def kill_coordinator(self) -> None:
        """The coordinator dies, its machine does not."""
        found = _named("ray::Coordinator", _processes(self.cluster.head_node))
        assert found
        for process in found:
            process.kill()

    def _processes(self, node_id: str) -> list[psutil.Process]:
        return _processes(self.nodes[node_id])


def _processes(node: Any) -> list[psutil.Process]:
    """The raylet of a node and all that came of it."""
    (raylet,) = node.all_processes["raylet"]
    process = psutil.Process(raylet.process.pid)
    return [process, *process.children(recursive=True)]


def _named(name: str, processes: list[psutil.Process]) -> list[psutil.Process]:
    found = []
    for process in processes:
        with suppress(psutil.Error):
            if process.cmdline()[:1] and process.cmdline()[0].startswith(name):
                found.append(process)
    return found


def until(holds: Callable[[], bool], within_s: float, what: str) -> None:
    """Wait until something holds, and log how long that took."""
    began_s = time.monotonic()
    while not holds():
        assert time.monotonic() - began_s < within_s, f"not within {within_s:g} s: {what}"
        time.sleep(0.2)
    log.info("after %.1f s: %s", time.monotonic() - began_s, what)
