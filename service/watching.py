"""The stored cameras, watched: settings become live cameras, and changes reach them at once."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sqlalchemy import select

from service.cameras.address import CameraSource, parse_address
from service.cameras.checkpoint import ViewStore
from service.cameras.counts import LiveCounts
from service.cameras.live import LiveCamera
from service.cameras.sink import CameraHealth, Sink
from service.cameras.standings import Standings
from service.cameras.watch import WatchSettings
from service.detecting import Detectors
from service.live import Pushed, Snapshot
from service.reach import AddressPolicy
from service.store.cameras import camera_of
from service.store.database import Database
from service.store.tables import CameraRow
from vision.errors import JiexuError
from vision.frames.looks import LookPolicy
from vision.judging import rules_for
from vision.schedule import SiteClock
from vision.site import Camera

log = logging.getLogger(__name__)

AGAIN_S = 5.0
"""Cameras that could not be watched are tried again after so long without a change."""

_BEGINNING_SHARE = 0.1


class Watchers(Protocol):
    """What watches cameras: :class:`service.cameras.live.LiveCameras`."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self, within_s: float = 10.0) -> None:
        """End within some seconds."""
        ...

    def add(self, camera: LiveCamera) -> None:
        """Watch a camera, in place of one with the same id."""
        ...

    def remove(self, camera_id: str) -> None:
        """Watch a camera no more."""
        ...

    def health(self, camera_id: str) -> CameraHealth:
        """How a camera is."""
        ...

    def snapshot(self, camera_id: str) -> Snapshot | None:
        """The newest picture."""
        ...

    def push(self, camera_id: str, snapshot: Snapshot) -> Pushed:
        """Take in a picture of a camera without a source."""
        ...

    def standings(self, camera_id: str) -> Standings | None:
        """What the newest look says of a camera's violations."""
        ...

    def counts(self) -> LiveCounts:
        """What has happened since the start."""
        ...

    def change_policy(self, policy: AddressPolicy) -> None:
        """Other hosts may be reached from now on."""
        ...


class WatchedCameras:
    """Watches every stored camera that is enabled; of those without a source, what is pushed.

    Changes are made by a thread of its own: opening a model takes seconds, and no request waits
    for that. A camera that cannot be watched is logged, leaves the others alone and is tried again.

    Args:
        database: Where cameras are kept.
        watchers: What watches them.
        detectors: Their detectors.
        clock: How the site tells the time.
        folder: Where cameras keep what they need to go on.
        views: Keeps how views look; the folder does without it.
        sink_of: What is told of what a camera finds, ``None`` for one that is not watched here;
            without it all are, and the sink of ``watchers`` is told.
    """

    def __init__(
        self,
        database: Database,
        watchers: Watchers,
        detectors: Detectors,
        *,
        clock: SiteClock,
        folder: Path,
        views: ViewStore | None = None,
        sink_of: Callable[[str], Sink | None] | None = None,
    ) -> None:
        self._database = database
        self._watchers = watchers
        self._detectors = detectors
        self._clock = clock
        self._folder = folder
        self._views = views
        self._sink_of = sink_of
        self._changes: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._watched: set[str] = set()
        self._failed: set[str] = set()
        self._is_ending = False
        self._thread = threading.Thread(target=self._run, name="watched", daemon=True)

    @property
    def watched(self) -> frozenset[str]:
        """Ids of the cameras that are watched now."""
        return frozenset(self._watched)

    def start(self) -> None:
        """Begin to watch what is stored; where ``sink_of`` decides, what is told of later."""
        self._watchers.start()
        with self._database.read() as session:
            ids = session.scalars(select(CameraRow.id).order_by(CameraRow.id)).all()
        for camera_id in ids if self._sink_of is None else ():
            self._changes.put(camera_id)
        self._thread.start()

    def stop(self, within_s: float = 10.0) -> None:
        """End; what cameras have to remember is saved, and changes still to come are left.

        Args:
            within_s: Seconds that it may take. A camera that is just being begun, with a model to
                open for it, is waited for in a small part of it only.
        """
        until_s = time.monotonic() + within_s
        self._is_ending = True
        self._changes.put(None)
        if self._thread.is_alive():
            self._thread.join(_BEGINNING_SHARE * within_s)
        self._watchers.stop(max(0.0, until_s - time.monotonic()))

    def snapshot(self, camera_id: str) -> Snapshot | None:
        """The newest picture, privacy zones masked; ``None`` if there is none."""
        return self._watchers.snapshot(camera_id)

    def health(self, camera_id: str) -> CameraHealth | None:
        """How a camera is, ``None`` if it is not watched."""
        try:
            return self._watchers.health(camera_id)
        except KeyError:
            return None

    def standings(self, camera_id: str) -> Standings | None:
        """What the newest look says of a camera's violations; ``None`` if it could not see."""
        return self._watchers.standings(camera_id)

    def push(self, camera_id: str, snapshot: Snapshot) -> Pushed:
        """Take in a picture of a camera that has no source of its own."""
        return self._watchers.push(camera_id, snapshot)

    def counts(self) -> LiveCounts:
        """What has happened since the start."""
        return self._watchers.counts()

    def change_policy(self, policy: AddressPolicy) -> None:
        """Other hosts may be reached from now on."""
        self._watchers.change_policy(policy)

    def settings_changed(self, camera_id: str) -> None:
        """A camera was added, changed or taken away."""
        self._changes.put(camera_id)

    def _run(self) -> None:
        while True:
            try:
                camera_id = self._changes.get(timeout=AGAIN_S)
            except queue.Empty:
                for failed in sorted(self._failed):
                    self._try(failed)
                continue
            if camera_id is None or self._is_ending:
                return
            self._try(camera_id)

    def _try(self, camera_id: str) -> None:
        """Apply the settings of a camera; a failure is logged the first time."""
        try:
            self._apply(camera_id)
            self._failed.discard(camera_id)
        except Exception as error:
            if camera_id not in self._failed:
                told = None if isinstance(error, JiexuError) else error
                log.warning("camera %s cannot be watched yet: %s", camera_id, error, exc_info=told)
            self._failed.add(camera_id)

    def _apply(self, camera_id: str) -> None:
        sink = None if self._sink_of is None else self._sink_of(camera_id)
        is_here = self._sink_of is None or sink is not None
        with self._database.read() as session:
            row = session.get(CameraRow, camera_id) if is_here else None
            camera = None if row is None or not row.enabled else camera_of(row)
        if camera is None:
            if camera_id in self._watched:
                self._watchers.remove(camera_id)
                self._watched.discard(camera_id)
            return
        self._watchers.add(self._live(camera, sink))
        self._watched.add(camera_id)

    def _live(self, camera: Camera, sink: Sink | None) -> LiveCamera:
        entry = self._detectors.entry_of(camera)
        folder = self._folder / camera.id
        folder.mkdir(parents=True, exist_ok=True)
        return LiveCamera(
            watch=WatchSettings(
                camera=camera,
                model=entry,
                rules=rules_for(None, camera, {}, entry.thresholds),
                clock=self._clock,
                folder=folder,
                views=self._views,
            ),
            source=_source_of(camera),
            detector=self._detectors.detector(entry),
            policy=LookPolicy(
                rest_s=camera.inspect_s, active_s=min(LookPolicy.active_s, camera.inspect_s)
            ),
            sink=sink,
        )


def _source_of(camera: Camera) -> CameraSource | None:
    if camera.source is None:
        return None
    main = None if camera.main_source is None else parse_address(camera.main_source)
    return CameraSource(parse_address(camera.source), main)
