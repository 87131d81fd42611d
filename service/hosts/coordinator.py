"""The coordinator: knows which hosts live, and assigns the cameras to them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayError

from service.hosts import actors
from service.hosts.assignments import assign, assignments, enabled_cameras
from service.hosts.host import HostSettings
from service.hosts.placement import place
from service.logs import set_up_logs
from service.opening import now
from service.store.database import Database

log = logging.getLogger(__name__)

ROUND_S = 1.0
"""Between two questions to the hosts."""

SILENT_S = 10.0
"""A host that does not answer for so long is given up; it may come back."""

READ_S = 5.0
"""Between two readings of the cameras, where nobody says that they changed."""

START_S = 180.0
"""A host that has not answered for so long, from its start on, is ended and started anew."""

SETTLE_S = 15.0
"""At its own start, the coordinator waits so long for all hosts before it gives any up."""

AGAIN_S = 10.0
"""Between two starts of a host on one machine: where it cannot start, it is not started at once."""

LET_GO_S = 5.0
"""So long hosts may take to let cameras go that move while their host lives."""

STOP_S = 8.0


@dataclass(eq=False)
class _Known:
    """A host as the coordinator knows it."""

    name: str
    handle: Any
    since_s: float
    heard_s: float | None = None
    asked: Any = None

    def lives(self, now_s: float) -> bool:
        """Whether it answered lately."""
        return self.heard_s is not None and now_s - self.heard_s <= SILENT_S


class Coordinator:
    """Lives on the machine of the cluster's head, and is started again there whenever it ends.

    All that it has to know is in the database and in Ray, so a new one goes on at once.

    Args:
        settings: How hosts watch.
    """

    def __init__(self, settings: HostSettings) -> None:
        set_up_logs()
        self._settings = settings
        self._database = Database(settings.database_url, pool_size=2)
        self._hosts: dict[str, _Known] = {}
        self._started_s: dict[str, float] = {}
        self._living: frozenset[str] = frozenset()
        self._moves = self._losses = 0
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rounds", daemon=True)
        self._thread.start()

    def goes_by(self, settings: HostSettings) -> bool:
        """Whether these are its settings."""
        return settings == self._settings

    def look_now(self) -> None:
        """Cameras or their settings changed."""
        self._changed.set()

    def counted(self) -> tuple[int, int]:
        """Cameras that moved between hosts, and hosts that were lost, since its start."""
        return self._moves, self._losses

    def stop(self) -> None:
        """End all hosts, and assign nothing any more."""
        self._stop.set()
        self._changed.set()
        self._thread.join(1.0)
        ending = [host.handle.stop.remote(STOP_S - 1.0) for host in self._hosts.values()]
        if ending:
            ray.wait(ending, num_returns=len(ending), timeout=STOP_S - 1.0)
        for host in self._hosts.values():
            ray.kill(host.handle)

    def _run(self) -> None:
        read_s, settled_s = float("-inf"), time.monotonic() + SETTLE_S
        while not self._stop.is_set():
            try:
                changed = self._changed.is_set()
                self._changed.clear()
                living = self._ask_hosts()
                now_s = time.monotonic()
                all_ = len(living) == len(self._hosts) or now_s >= settled_s
                due = changed or living.keys() != self._living or now_s - read_s >= READ_S
                if all_ and due:
                    self._assign(living, poke=changed)
                    self._losses += len(self._living - living.keys())
                    self._living = frozenset(living)
                    read_s = now_s
            except Exception:
                log.exception("a round of the coordinator failed")
            self._changed.wait(ROUND_S)

    def _ask_hosts(self) -> dict[str, float]:
        """Start missing hosts and drop those that are gone; gives the weights of the living."""
        nodes = actors.watching_nodes()
        now_s = time.monotonic()
        for name, handle in actors.find_hosts().items():
            if name not in self._hosts:
                self._hosts[name] = _Known(name, handle, now_s)
        for host in list(self._hosts.values()):
            if not self._ask(host, now_s) or actors.node_of(host.name) not in nodes:
                self._drop(host)
        staffed = {actors.node_of(name) for name in self._hosts}
        for node in nodes.keys() - staffed:
            if now_s - self._started_s.get(node, float("-inf")) < AGAIN_S:
                continue
            self._started_s[node] = now_s
            name, handle = actors.start_host(node, self._settings)
            self._hosts[name] = _Known(name, handle, now_s)
            log.info("host %s is started", name)
        for host in self._hosts.values():
            if host.name in self._living and not host.lives(now_s):
                log.warning("host %s is silent: its cameras go to others", host.name)
        return {
            host.name: nodes[actors.node_of(host.name)]
            for host in self._hosts.values()
            if host.lives(now_s)
        }

    def _ask(self, host: _Known, now_s: float) -> bool:
        """Hear whether a host is up, and ask it again; ``False`` if it is gone for good."""
        if host.asked is not None:
            ready, _ = ray.wait([host.asked], timeout=0)
            if ready:
                host.asked = None
                try:
                    ray.get(ready[0])
                    host.heard_s = now_s
                except ActorUnavailableError:
                    log.warning("host %s cannot be reached", host.name)
                except RayError as error:
                    log.warning("host %s is gone: %s", host.name, str(error).partition("\n")[0])
                    return False
        if host.asked is None:
            host.asked = actors.is_up(host.handle)
        return now_s - (host.heard_s or host.since_s) < START_S

    def _drop(self, host: _Known) -> None:
        """Know a host no more; whatever is left of it ends."""
        del self._hosts[host.name]
        ray.kill(host.handle)

    def _assign(self, weights: Mapping[str, float], *, poke: bool) -> None:
        """Read cameras and assignments, and write those that must change."""
        with self._database.read() as session:
            cameras, known = enabled_cameras(session), assignments(session)
        current = {name: one.host for name, one in known.items() if one.host is not None}
        wanted: dict[str, str | None] = dict(place(cameras, weights, current))
        if weights:
            for camera_id in current.keys() - set(cameras):
                wanted[camera_id] = None
        moved = {
            camera_id: host for camera_id, host in wanted.items() if current.get(camera_id) != host
        }
        self._have_let_go({name: current.get(name) for name in moved}, weights)
        touched = set(weights) if poke else set()
        if moved:
            with self._database.write() as session:
                done = assign(session, moved, known, now())
            touched |= {host for name in done if (host := moved[name]) is not None}
            touched |= {host for name in done if (host := current.get(name)) is not None}
            self._moves += sum(current.get(name) is not None for name in done)
            log.info("%d cameras were assigned, %d hosts live", len(done), len(weights))
        for name in touched & self._hosts.keys():
            self._hosts[name].handle.read_again.remote()

    def _have_let_go(self, hosts: Mapping[str, str | None], weights: Mapping[str, float]) -> None:
        """Have hosts that live save and leave the cameras that go elsewhere."""
        leaving: dict[str, list[str]] = {}
        for camera_id, host in hosts.items():
            if host is not None and host in weights:
                leaving.setdefault(host, []).append(camera_id)
        under_way = [
            self._hosts[host].handle.let_go.remote(cameras, LET_GO_S)
            for host, cameras in leaving.items()
        ]
        if under_way:
            ray.wait(under_way, num_returns=len(under_way), timeout=LET_GO_S)
