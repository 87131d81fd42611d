"""A supervisor with everything it tells, and waiting for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

from service.cameras.sink import CameraHealth
from service.cameras.source import Deadlines
from service.cameras.supervisor import ReaderSettings, Supervisor, Taken
from service.reach import AddressPolicy

LOOPBACK = AddressPolicy(networks=(ip_network("127.0.0.0/8"),), folders=(Path("/"),))
QUICK = ReaderSettings(
    seats=4,
    deadlines=Deadlines(open_s=3.0, read_s=2.0, keyframe_s=20.0, decode_s=2.0, hang_s=2.0),
)


class Watched:
    """Notes what a supervisor tells; a context that starts and stops it."""

    def __init__(self, settings: ReaderSettings = QUICK, **more: object) -> None:
        self.healths: list[CameraHealth] = []
        self.pictures: list[tuple[str, Taken]] = []
        self._changed = threading.Condition()
        self.supervisor = Supervisor(
            LOOPBACK,
            on_picture=self._picture,
            on_health=self._health,
            settings=settings,
            **more,  # type: ignore[arg-type]
        )

    def __enter__(self) -> Watched:
        self.supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.stop()

    def wait(self, holds: Callable[[], bool], timeout_s: float = 40.0) -> None:
        """Wait until something holds; fails when it does not come to."""
        until_s = time.monotonic() + timeout_s
        with self._changed:
            while not holds():
                left_s = until_s - time.monotonic()
                assert left_s > 0, f"waited in vain: {self.healths[-6:]}"
                self._changed.wait(min(left_s, 0.2))

    def latest(self, camera_id: str) -> CameraHealth | None:
        return next((one for one in reversed(self.healths) if one.camera_id == camera_id), None)

    def wait_for(self, camera_id: str, *states: object, timeout_s: float = 40.0) -> CameraHealth:
        """Wait until a camera's state or failure is one of these."""

        def holds() -> bool:
            now = self.latest(camera_id)
            return now is not None and (now.state in states or now.failure in states)

        self.wait(holds, timeout_s)
        found = self.latest(camera_id)
        assert found is not None
        return found

    def next_picture(self, camera_id: str) -> Taken:
        """Ask for a picture and wait for it."""
        before = len(self.pictures)
        self.supervisor.done(camera_id)
        self.wait(lambda: self.supervisor.want(camera_id) or len(self.pictures) > before)
        self.wait(lambda: any(name == camera_id for name, _ in self.pictures[before:]))
        return next(taken for name, taken in self.pictures[before:] if name == camera_id)

    def _picture(self, camera_id: str, taken: Taken) -> None:
        with self._changed:
            self.pictures.append((camera_id, taken))
            self._changed.notify_all()

    def _health(self, health: CameraHealth) -> None:
        with self._changed:
            self.healths.append(health)
            self._changed.notify_all()
