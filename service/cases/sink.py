"""What live cameras tell, kept in the store: the sink that :mod:`service.cameras` is given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from service.cameras.sink import CameraHealth, Role
from service.cases.events import CAMERA_HEALTH, tell
from service.cases.intake import Intake
from service.replays.archive import LookArchive
from service.store.database import Database
from service.store.tables import CheckpointRow
from vision.observe.look import Health, Look
from vision.record import ViolationRecord


class StoreSink:
    """Keeps what cameras find, how they are, and what they have to remember.

    Args:
        database: The store.
        intake: Keeps violations.
        clock: Tells aware wall-clock time.
        archive: Keeps looks; none are kept without it.
        guard: Raises, in the transaction, where what a camera found or remembers may not be
            written or read any more.
    """

    def __init__(
        self,
        database: Database,
        intake: Intake,
        clock: Callable[[], datetime],
        archive: LookArchive | None = None,
        guard: Callable[[Session], object] = lambda _: None,
    ) -> None:
        self._database = database
        self._intake = intake
        self._clock = clock
        self._archive = archive
        self._guard = guard
        self._lock = threading.Lock()
        self._health: dict[str, CameraHealth] = {}

    def violation_changed(self, record: ViolationRecord, evidence: Mapping[Role, Path]) -> None:
        """Keep a violation as it is known now, with its case and its evidence."""
        files = {str(role): path for role, path in evidence.items()}
        self._intake.take(record, files, self._guard)

    def looked(self, look: Look) -> None:
        """Take note of the time of a look and of the state of the view, and keep the look."""
        if self._archive is not None:
            self._archive.add(look)
        with self._lock:
            known = self._health.get(look.camera_id)
            if known is not None:
                self._health[look.camera_id] = replace(
                    known, last_frame_at=look.timestamp, view=look.health
                )

    def health_changed(self, health: CameraHealth) -> None:
        """Keep how a camera is, and tell those who follow the events."""
        with self._lock:
            before = self._health.get(health.camera_id)
            self._health[health.camera_id] = health
        if before is not None and _told(before) == _told(health):
            return
        with self._database.write() as session:
            tell(session, CAMERA_HEALTH, health.camera_id, _told(health), self._clock())

    def save_state(self, camera_id: str, state: bytes) -> None:
        """Keep what a camera has to remember, in place of what it gave before."""
        now = self._clock()
        with self._database.write() as session:
            self._guard(session)
            row = self._checkpoint(session, camera_id)
            if row is None:
                session.add(CheckpointRow(camera_id=camera_id, state=state, saved_at=now))
            else:
                row.state, row.saved_at = state, now

    def load_state(self, camera_id: str) -> bytes | None:
        """What was kept last for a camera, ``None`` if there is nothing."""
        with self._database.read() as session:
            self._guard(session)
            row = session.get(CheckpointRow, camera_id)
            return None if row is None else row.state

    def health(self, camera_id: str) -> CameraHealth | None:
        """How a camera is, ``None`` if it never told."""
        with self._lock:
            return self._health.get(camera_id)

    def _checkpoint(self, session: Session, camera_id: str) -> CheckpointRow | None:
        return session.get(CheckpointRow, camera_id, with_for_update=True)


def _told(health: CameraHealth) -> dict[str, Any]:
    """What the event stream says of a camera; times of frames are no news."""
    view: Health | None = health.view
    return {
        "id": health.camera_id,
        "state": health.state,
        "failure": health.failure,
        "detail": health.detail,
        "view": view,
    }
