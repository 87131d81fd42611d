"""What the rest of the service asks of the live cameras and of the detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from service.cameras.sink import CameraHealth
from vision.detect.detections import Detections
from vision.frames.frame import Image


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The newest picture of a camera.

    Attributes:
        image: ``(h, w, 3)`` uint8 BGR, nothing masked.
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


class Live(Protocol):
    """The cameras that are watched."""

    def snapshot(self, camera_id: str) -> Snapshot | None:
        """The newest picture, ``None`` if there is none."""
        ...

    def health(self, camera_id: str) -> CameraHealth | None:
        """How a camera is, ``None`` if it is not watched."""
        ...

    def push(self, camera_id: str, snapshot: Snapshot) -> Pushed:
        """Take in a picture of a camera that has no source of its own."""
        ...

    def settings_changed(self, camera_id: str) -> None:
        """A camera was added, changed or taken away."""
        ...


class Inspector(Protocol):
    """The detector, for pictures on demand."""

    @property
    def model_name(self) -> str:
        """Name of the model in the registry."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in the order of the class ids."""
        ...

    def inspect(self, images: Sequence[Image]) -> list[Detections]:
        """Detect in pictures ``(h, w, 3)`` uint8 BGR.

        Raises:
            ModelError: The detector does not work.
        """
        ...
