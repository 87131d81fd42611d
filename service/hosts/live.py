"""The cameras that hosts watch, as the rest of the service sees them."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import astuple, dataclass
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from service.cameras.counts import DetectorCounts, LiveCounts
from service.cameras.schedule import Shed
from service.cameras.sink import CameraHealth
from service.cameras.standings import Standings
from service.hosts.actors import find_hosts, reports_of
from service.hosts.cluster import find_coordinator, join, start_coordinator
from service.hosts.host import HostSettings
from service.hosts.state import HostReport, HostsState
from service.live import Pushed, Snapshot
from service.reach import AddressPolicy

log = logging.getLogger(__name__)

REPORT_S = 2.0
"""Between two questions to the hosts how they are."""

OLD_S = 15.0
"""What a host said longer ago is not told any more."""

ASK_S = 3.0
"""So long a request waits for a host."""


@dataclass(frozen=True)
class _Heard:
    report: HostReport
    at_s: float


class HostedCameras:
    """See :class:`service.live.Watching`. Hosts watch on when the process ends that started them.

    Nothing here waits for a host that is gone for longer than some seconds, and how cameras are is
    told from what hosts said last.

    Args:
        address: Of the Ray cluster.
        settings: How hosts watch.
    """

    def __init__(self, address: str, settings: HostSettings) -> None:
        self._address = address
        self._settings = settings
        self._handles: dict[str, Any] = {}
        self._heard: dict[str, _Heard] = {}
        self._counted = (0, 0)
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hosts", daemon=True)

    def start(self) -> None:
        """Begin to join the cluster, and to have the cameras watched where they are not.

        A cluster that is not there yet is tried again and again.
        """
        self._thread.start()

    def stop(self, within_s: float = 10.0) -> None:
        """Leave the cluster; its hosts watch on."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            # One that is trying to join cannot be told to stop.
            self._thread.join(min(ASK_S, within_s))
        ray.shutdown()

    def snapshot(self, camera_id: str) -> Snapshot | None:
        """The newest picture, privacy zones masked; ``None`` if there is none."""
        found: Snapshot | None = self._asked(camera_id, "snapshot")
        return found

    def standings(self, camera_id: str) -> Standings | None:
        """What the newest look says of a camera's violations; ``None`` if it could not see."""
        found: Standings | None = self._asked(camera_id, "standings")
        return found

    def push(self, camera_id: str, snapshot: Snapshot) -> Pushed:
        """Take in a picture of a camera that has no source of its own."""
        if self._host_of(camera_id) is None:
            return Pushed.NOT_WATCHED
        result = self._asked(camera_id, "push", snapshot)
        return Pushed.BUSY if result is None else Pushed(result)

    def health(self, camera_id: str) -> CameraHealth | None:
        """How a camera is, ``None`` if it is not watched."""
        host = self._host_of(camera_id)
        return None if host is None else self._heard[host].report.cameras[camera_id]

    def counts(self) -> LiveCounts:
        """What has happened since each host started."""
        return _summed([heard.report.counts for heard in self._recent().values()])

    def detector_counts(self) -> dict[str, DetectorCounts]:
        """What the detectors of all hosts have done, by model."""
        found: dict[str, list[DetectorCounts]] = {}
        for heard in self._recent().values():
            for model, counts in heard.report.detectors.items():
                found.setdefault(model, []).append(counts)
        return {
            model: DetectorCounts(
                *(sum(values) for values in zip(*map(astuple, all_), strict=True))
            )
            for model, all_ in found.items()
        }

    def state(self) -> HostsState:
        """How the hosts are."""
        reports = {name: heard.report for name, heard in self._recent().items()}
        return HostsState(reports, *self._counted)

    def settings_changed(self, camera_id: str) -> None:
        """A camera was added, changed or taken away."""
        del camera_id
        coordinator = find_coordinator()
        if coordinator is not None:
            coordinator.look_now.remote()

    def change_policy(self, policy: AddressPolicy) -> None:
        """Other hosts may be reached from now on: soon all hosts are started anew with that."""
        self._settings = self._settings.with_policy(policy)
        self._wake.set()

    def _run(self) -> None:
        """Keep in touch with the hosts, with the cluster joined and the settings handed over."""
        goes_by: HostSettings | None = None
        said = ""
        while not self._stop.is_set():
            settings = self._settings
            try:
                if goes_by is not settings:
                    join(self._address)
                    start_coordinator(settings)
                    goes_by = settings
                    log.info("the hosts of the cluster watch the cameras")
                self._ask_all()
                said = ""
            except Exception as error:
                if str(error) != said:
                    log.exception("the hosts cannot be asked; it is tried again")
                said = str(error)
            self._wake.wait(REPORT_S)
            self._wake.clear()

    def _ask_all(self) -> None:
        """Ask all hosts how they are."""
        self._handles = find_hosts()
        reports = reports_of(self._handles, ASK_S)
        at_s = time.monotonic()
        self._heard |= {name: _Heard(report, at_s) for name, report in reports.items()}
        for name in self._heard.keys() - self._handles.keys():
            del self._heard[name]
        coordinator = find_coordinator()
        if coordinator is not None:
            with suppress(RayError, GetTimeoutError):
                self._counted = ray.get(coordinator.counted.remote(), timeout=ASK_S)

    def _recent(self) -> dict[str, _Heard]:
        since_s = time.monotonic() - OLD_S
        return {name: heard for name, heard in dict(self._heard).items() if heard.at_s >= since_s}

    def _host_of(self, camera_id: str) -> str | None:
        """The host that watches a camera, by what was said last."""
        found = [
            (heard.at_s, name)
            for name, heard in self._recent().items()
            if camera_id in heard.report.cameras
        ]
        return max(found)[1] if found else None

    def _asked(self, camera_id: str, method: str, *arguments: Any) -> Any:
        host = self._host_of(camera_id)
        handle = None if host is None else self._handles.get(host)
        if handle is None:
            return None
        try:
            return ray.get(getattr(handle, method).remote(camera_id, *arguments), timeout=ASK_S)
        except (RayError, GetTimeoutError) as error:
            log.warning("camera %s: its host does not answer: %s", camera_id, type(error).__name__)
            return None


def _summed(counts: list[LiveCounts]) -> LiveCounts:
    """What several hosts did; a camera that moved counts where it was, too."""
    looks: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    restarts: Counter[str] = Counter()
    decode_s: dict[str, float] = {}
    for one in counts:
        looks.update(one.looks)
        skipped.update(one.skipped)
        restarts.update(one.restarts)
        for camera_id, seconds in one.decode_s.items():
            decode_s[camera_id] = decode_s.get(camera_id, 0.0) + seconds
    return LiveCounts(
        looks=looks,
        skipped=skipped,
        decode_s=decode_s,
        failed=sum(one.failed for one in counts),
        shed=Shed(sum(one.shed.rest for one in counts), sum(one.shed.closer for one in counts)),
        restarts=restarts,
    )
