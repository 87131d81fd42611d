"""What live cameras tell, and to whom: the only thing that cameras know of a store.

A sink may be slow and may fail. Whatever raises is told again after a later look, so a sink keeps
things under the ids given here and takes the same thing twice without harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from service.cameras.states import FailureKind, SourceState
from vision.observe.look import Health, Look
from vision.record import ViolationRecord

__all__ = ["CameraHealth", "FailureKind", "Role", "Sink", "SourceState"]

Role = Literal["scene", "frame", "crop", "before", "after", "clip"]
"""What an evidence file shows, as in :class:`vision.record.EvidenceRecord`."""


@dataclass(frozen=True)
class CameraHealth:
    """How a camera is.

    Attributes:
        camera_id: Camera.
        state: What its connection is at.
        since: Aware UTC time since when it is in this state, with this failure and view.
        failure: Why there are no pictures; ``None`` while they come or before the first try.
        detail: The failure in words, without credentials.
        retry_at: Aware UTC time of the next try while ``waiting``.
        view: State of the view at the last look; ``None`` before the first.
        last_frame_at: Aware UTC time of the newest picture; ``None`` before the first.
        failures: Tries in a row that failed.
        reconnects: How often pictures came again after a failure since the service started.
    """

    camera_id: str
    state: SourceState
    since: datetime
    failure: FailureKind | None = None
    detail: str = ""
    retry_at: datetime | None = None
    view: Health | None = None
    last_frame_at: datetime | None = None
    failures: int = 0
    reconnects: int = 0


class Sink(Protocol):
    """Takes in what live cameras find; calls may come from several threads at a time."""

    def violation_changed(self, record: ViolationRecord, evidence: Mapping[Role, Path]) -> None:
        """A violation was raised, was seen again after its repeat interval, or is over.

        It has the same ``record.id`` from its start to its end, also after a restart of the
        service, and may be told more than once. ``record.ended_at`` says whether it is over.

        Args:
            record: The violation as it is known now. ``record.evidence`` describes the files by
                SHA-256 and size.
            evidence: The same files on this machine, by role. They lie there at least until this
                returns: what is to be kept must be copied. Privacy zones are masked in them.
        """
        ...

    def looked(self, look: Look) -> None:
        """A camera was looked at; the look is judged already."""
        ...

    def health_changed(self, health: CameraHealth) -> None:
        """State, failure or view of a camera is not what was told last."""
        ...

    def save_state(self, camera_id: str, state: bytes) -> None:
        """Keep what a camera has to remember, in place of what it gave before.

        It is durable once this returns: after a crash, :meth:`load_state` gives it or a later one.
        """
        ...

    def load_state(self, camera_id: str) -> bytes | None:
        """What was kept last for a camera, ``None`` if there is nothing."""
        ...
