"""Cameras without a source of their own: their newest picture is pushed.

What is pushed takes the way of every camera's pictures: it is looked at when the camera is due, and
of several that come meanwhile only the newest is kept. Time is the camera's: what counts is when
pictures were taken, which must rise.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from service.cameras.sink import CameraHealth
from service.cameras.source import shrunk
from service.cameras.states import FailureKind, SourceState
from service.cameras.supervisor import OnPicture, Taken
from vision.frames.frame import Image

SILENT_S = 60.0
"""A camera that pushed nothing for so long gives no pictures any more."""

MOST_WAITING_BYTES = 256 * 2**20
"""Pushed pictures of all cameras that may wait to be looked at."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A picture of a camera.

    Attributes:
        image: ``(h, w, 3)`` uint8 BGR.
        taken_at: Aware wall-clock time.
    """

    image: Image
    taken_at: datetime


class Pushed(StrEnum):
    """What became of a picture that was pushed."""

    TAKEN = "taken"
    NOT_NEWER = "not_newer"
    """A picture of the same time or a later one is there already."""
    NOT_WATCHED = "not_watched"
    """This camera is not one that takes pushed pictures."""
    BUSY = "busy"
    """There is more to look at than can be looked at; it was dropped."""


@dataclass(eq=False)
class _Camera:
    id: str
    late_s: float
    newest_at: datetime | None
    since: datetime
    state: SourceState = SourceState.CONNECTING
    last_frame_at: datetime | None = None
    heard_s: float = 0.0
    waiting: Taken | None = None
    waiting_since_s: float = 0.0
    held: bool = False
    reconnects: int = 0


class PushedCameras:
    """Takes pushed pictures and gives them to be looked at; to be called from any thread.

    Args:
        on_picture: Hears of each picture that was wanted.
        on_health: Hears of each change of a camera.
        monotonic: Tells monotonic seconds.
    """

    def __init__(
        self,
        *,
        on_picture: OnPicture,
        on_health: Callable[[CameraHealth], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_picture = on_picture
        self._on_health = on_health
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._cameras: dict[str, _Camera] = {}

    def __contains__(self, camera_id: str) -> bool:
        return camera_id in self._cameras

    def add(self, camera_id: str, *, late_s: float, newest_at: datetime | None) -> None:
        """Take pictures of a camera from now on.

        Args:
            camera_id: The camera.
            late_s: While a picture waits for longer than this to be looked at, no more are taken.
            newest_at: Aware time of the newest picture that was looked at before.
        """
        camera = _Camera(camera_id, late_s, newest_at, datetime.now(UTC))
        with self._lock:
            self._cameras[camera_id] = camera
        self._on_health(_health(camera))

    def remove(self, camera_id: str) -> None:
        """Take no more."""
        with self._lock:
            self._cameras.pop(camera_id, None)

    def stop(self) -> None:
        """Take no more of any camera."""
        with self._lock:
            cameras = list(self._cameras.values())
            for camera in cameras:
                _enter(camera, SourceState.STOPPED)
        for camera in cameras:
            self._on_health(_health(camera))

    def push(self, camera_id: str, snapshot: Snapshot) -> Pushed:
        """Take in a picture; it waits in place of an older one until the camera is due."""
        with self._lock:
            refusal = self._refusal(camera_id, snapshot)
        if refusal is not None:
            return refusal
        luma, small = shrunk(snapshot.image)
        taken = Taken(
            luma=luma,
            small=small,
            image=snapshot.image,
            # Only differences count, and those of the camera's own clock are the true ones.
            arrived_s=snapshot.taken_at.timestamp(),
            arrived_at=snapshot.taken_at.astimezone(UTC),
            pts=None,
            decode_s=0.0,
        )
        with self._lock:
            refusal = self._refusal(camera_id, snapshot)
            if refusal is not None:
                return refusal
            camera = self._cameras[camera_id]
            now_s = self._monotonic()
            if camera.waiting is None:
                camera.waiting_since_s = now_s
            camera.waiting = taken
            camera.newest_at = camera.last_frame_at = taken.arrived_at
            camera.heard_s = now_s
            came_back = camera.state is SourceState.WAITING
            changed = camera.state is not SourceState.LIVE
            if changed:
                camera.reconnects += came_back
                _enter(camera, SourceState.LIVE)
            health = _health(camera)
        if changed:
            self._on_health(health)
        return Pushed.TAKEN

    def want(self, camera_id: str) -> bool:
        """Give the waiting picture to be looked at.

        Returns:
            Whether there was one, and the one before is no longer in use.
        """
        with self._lock:
            camera = self._cameras.get(camera_id)
            if camera is None or camera.held or camera.waiting is None:
                return False
            taken, camera.waiting, camera.held = camera.waiting, None, True
        self._on_picture(camera_id, taken)
        return True

    def done(self, camera_id: str) -> None:
        """The last picture is no longer in use."""
        with self._lock:
            camera = self._cameras.get(camera_id)
            if camera is not None:
                camera.held = False

    def health(self, camera_id: str) -> CameraHealth:
        """How a camera is.

        Raises:
            KeyError: There is no such camera.
        """
        with self._lock:
            return _health(self._cameras[camera_id])

    def notice_silence(self) -> None:
        """Tell of cameras that have pushed nothing for long; to be called again and again."""
        now_s = self._monotonic()
        with self._lock:
            silent = [
                camera
                for camera in self._cameras.values()
                if camera.state is SourceState.LIVE and now_s - camera.heard_s > SILENT_S
            ]
            for camera in silent:
                _enter(camera, SourceState.WAITING)
        for camera in silent:
            self._on_health(_health(camera))

    def _refusal(self, camera_id: str, snapshot: Snapshot) -> Pushed | None:
        camera = self._cameras.get(camera_id)
        if camera is None or camera.state is SourceState.STOPPED:
            return Pushed.NOT_WATCHED
        if camera.newest_at is not None and snapshot.taken_at <= camera.newest_at:
            return Pushed.NOT_NEWER
        if camera.waiting is not None:
            waited_s = self._monotonic() - camera.waiting_since_s
            return Pushed.BUSY if waited_s > camera.late_s else None
        waiting = [one.waiting for one in self._cameras.values() if one.waiting is not None]
        taken = sum(one.image.nbytes for one in waiting) + snapshot.image.nbytes
        return Pushed.BUSY if taken > MOST_WAITING_BYTES else None


def _enter(camera: _Camera, state: SourceState) -> None:
    camera.state, camera.since = state, datetime.now(UTC)


def _health(camera: _Camera) -> CameraHealth:
    is_silent = camera.state is SourceState.WAITING
    return CameraHealth(
        camera_id=camera.id,
        state=camera.state,
        since=camera.since,
        failure=FailureKind.READ_TIMEOUT if is_silent else None,
        detail=f"no picture was pushed for {SILENT_S:.0f} s" if is_silent else "",
        last_frame_at=camera.last_frame_at,
        failures=int(is_silent),
        reconnects=camera.reconnects,
    )
