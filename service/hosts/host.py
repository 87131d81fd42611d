"""A host: watches the cameras that are assigned to it."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from service.cameras.live import LiveCameras
from service.cameras.sink import Sink
from service.cameras.standings import Standings
from service.cases.sink import StoreSink
from service.detecting import Detectors, OnDemand
from service.evidence.files import EvidenceFiles
from service.hosts.assignments import Assigned, cameras_of
from service.hosts.state import HostReport
from service.hosts.views import SharedViews
from service.live import Pushed, Snapshot
from service.logs import set_up_logs
from service.opening import every, now, open_intake, site_clock
from service.reach import AddressPolicy
from service.settings import PREFIX, Duplicates, ServiceSettings
from service.store.database import Database
from service.watching import WatchedCameras
from vision import __version__
from vision.detect.registry import load_registry

log = logging.getLogger(__name__)

READ_S = 2.0
"""Between two readings of what is assigned, where nobody says that it changed."""

TAKEN_UP_AGAIN_S = 20.0
"""What a host let go is its own again if it is not assigned elsewhere within so long."""

IDLE_S = 5.0
"""A transaction of a host that is cut off holds its locks for so long."""

CANARY_S = 60.0
DATABASE_S = 60.0
_STEP_S = 0.05


def shipped_or_own(models: Path | None) -> Detectors:
    """The detectors of a model registry."""
    return Detectors(load_registry(models))


@dataclass(frozen=True)
class HostSettings:
    """What hosts need of the service's settings; two that are equal watch in the same way.

    Attributes:
        data: Folder for what stays on the machine; ``JIEXU_DATA`` of the machine wins.
        database_url: URL of the database, with its password.
        evidence: Folder or URL of the evidence.
        networks: Networks, besides public ones, in which cameras may be.
        folders: Folders whose recordings may be played as cameras.
        models: Folder or file of the model registry; the one that ships without it.
        timezone: IANA name.
        calendar: Name or file of the calendar.
        duplicates: When violations are one case.
        open_detectors: Opens the detectors of a model registry.
        version: Of the software.
    """

    data: Path
    database_url: str = field(repr=False)
    evidence: str
    networks: tuple[IPv4Network | IPv6Network, ...]
    folders: tuple[Path, ...]
    models: Path | None
    timezone: str
    calendar: str
    duplicates: Duplicates
    open_detectors: Callable[[Path | None], Detectors] = shipped_or_own
    version: str = __version__

    @property
    def policy(self) -> AddressPolicy:
        """Where cameras may be."""
        return AddressPolicy(networks=self.networks, folders=self.folders)

    def with_policy(self, policy: AddressPolicy) -> HostSettings:
        """The same, but for where cameras may be."""
        return replace(self, networks=tuple(policy.networks), folders=tuple(policy.folders))


def host_settings(settings: ServiceSettings) -> HostSettings:
    """What hosts need of the settings."""
    return HostSettings(
        data=settings.data.absolute(),
        database_url=settings.database_url,
        evidence=settings.evidence_root,
        networks=settings.camera_networks,
        folders=settings.camera_folders,
        models=settings.models,
        timezone=settings.timezone,
        calendar=settings.calendar,
        duplicates=settings.duplicates,
    )


class Host:
    """Watches what is assigned to it; to be called from any thread.

    Args:
        name: Its name; no other host ever has the same.
        settings: How it watches.

    Raises:
        ConfigError: A setting is wrong on this machine.
        DatabaseError: The database does not answer.
    """

    def __init__(self, name: str, settings: HostSettings) -> None:
        set_up_logs()
        data = Path(os.environ.get(f"{PREFIX}DATA", settings.data)).absolute()
        self._name = name
        self._database = Database(settings.database_url, idle_s=IDLE_S)
        self._database.wait(DATABASE_S)
        self._detectors = settings.open_detectors(settings.models)
        files = EvidenceFiles(settings.evidence)
        inspector = OnDemand(self._detectors)
        self._intake = open_intake(self._database, files, inspector, settings.duplicates)
        self._views = SharedViews(settings.evidence)
        self._lock = threading.Lock()
        self._mine: dict[str, Assigned] = {}
        self._let_go: dict[str, tuple[Assigned, float]] = {}
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._watched = WatchedCameras(
            self._database,
            LiveCameras(StoreSink(self._database, self._intake, now), settings.policy),
            self._detectors,
            clock=site_clock(settings.timezone, settings.calendar),
            folder=data / "cameras",
            views=self._views,
            sink_of=self._sink_of,
        )
        self._watched.start()
        threading.Thread(target=self._run, name="assigned", daemon=True).start()
        canary = (CANARY_S, self._detectors.check, self._stop)
        threading.Thread(target=every, args=canary, name="canary", daemon=True).start()

    def is_up(self) -> bool:
        """Answers as long as the host lives."""
        return True

    def read_again(self) -> None:
        """Something was assigned, or the settings of a camera changed."""
        self._changed.set()

    def let_go(self, cameras: Collection[str], within_s: float) -> list[str]:
        """Watch some cameras no more, with all that they remember saved, as they go elsewhere.

        Returns:
            Those that were let go in time.
        """
        until_s = time.monotonic() + within_s
        with self._lock:
            for camera_id in cameras:
                given = self._mine.pop(camera_id, None)
                if given is not None:
                    self._let_go[camera_id] = given, time.monotonic() + TAKEN_UP_AGAIN_S
        for camera_id in cameras:
            self._watched.settings_changed(camera_id)
        while (still := self._watched.watched & set(cameras)) and time.monotonic() < until_s:
            time.sleep(_STEP_S)
        self._views.flush(max(0.0, until_s - time.monotonic()))
        return [camera_id for camera_id in cameras if camera_id not in still]

    def report(self) -> HostReport:
        """How it is."""
        with self._lock:
            mine = sorted(self._mine)
        healths = {camera_id: self._watched.health(camera_id) for camera_id in mine}
        return HostReport(
            machine=socket.gethostname(),
            cameras={name: health for name, health in healths.items() if health is not None},
            counts=self._watched.counts(),
            detectors=self._detectors.counts(),
            fault=self._detectors.fault(),
        )

    def snapshot(self, camera_id: str) -> Snapshot | None:
        """The newest picture of a camera."""
        return self._watched.snapshot(camera_id)

    def standings(self, camera_id: str) -> Standings | None:
        """What the newest look says of a camera's violations."""
        return self._watched.standings(camera_id)

    def push(self, camera_id: str, snapshot: Snapshot) -> Pushed:
        """Take in a picture of a camera without a source."""
        return self._watched.push(camera_id, snapshot)

    def stop(self, within_s: float) -> None:
        """End; what cameras have to remember is saved."""
        until_s = time.monotonic() + within_s
        self._stop.set()
        self._changed.set()
        self._watched.stop(0.8 * within_s)
        self._views.flush(max(0.0, until_s - time.monotonic()))
        self._detectors.close()
        self._database.close()

    def _sink_of(self, camera_id: str) -> Sink | None:
        with self._lock:
            given = self._mine.get(camera_id)
        if given is None:
            return None
        return StoreSink(self._database, self._intake, now, guard=given.claim.hold)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._read()
            except Exception:
                log.exception("what is assigned could not be read; it is watched on")
            self._changed.wait(READ_S)
            self._changed.clear()

    def _read(self) -> None:
        """Read what is assigned, and have the cameras follow."""
        with self._database.read() as session:
            given = cameras_of(session, self._name)
        now_s = time.monotonic()
        with self._lock:
            for camera_id, (before, until_s) in list(self._let_go.items()):
                found = given.get(camera_id)
                if found is None or found.claim != before.claim or now_s >= until_s:
                    del self._let_go[camera_id]
                else:
                    del given[camera_id]
            changed = [
                camera_id
                for camera_id in given.keys() | self._mine.keys()
                if given.get(camera_id) != self._mine.get(camera_id)
            ]
            self._mine = given
        for camera_id in sorted(changed):
            self._watched.settings_changed(camera_id)
