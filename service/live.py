"""What the rest of the service asks of the live cameras and of the detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from service.cameras.counts import LiveCounts
from service.cameras.pushed import Pushed, Snapshot
from service.cameras.sink import CameraHealth
from service.cameras.standings import Standings
from service.reach import AddressPolicy
from vision.detect.detections import Detections
from vision.frames.frame import Image

__all__ = ["Inspector", "Live", "Pushed", "Snapshot", "Watching"]


class Live(Protocol):
    """The cameras that are watched."""

    def snapshot(self, camera_id: str) -> Snapshot | None:
        """The newest picture, privacy zones masked; ``None`` if there is none."""
        ...

    def health(self, camera_id: str) -> CameraHealth | None:
        """How a camera is, ``None`` if it is not watched."""
        ...

    def push(self, camera_id: str, snapshot: Snapshot) -> Pushed:
        """Take in a picture of a camera that has no source of its own."""
        ...

    def counts(self) -> LiveCounts:
        """What has happened since the start."""
        ...

    def change_policy(self, policy: AddressPolicy) -> None:
        """Other hosts may be reached from now on."""
        ...

    def settings_changed(self, camera_id: str) -> None:
        """A camera was added, changed or taken away."""
        ...


class Watching(Live, Protocol):
    """Cameras that this process has watched, here or on other hosts."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self, within_s: float = 10.0) -> None:
        """End within some seconds."""
        ...

    def standings(self, camera_id: str) -> Standings | None:
        """What the newest look says of a camera's violations; ``None`` if it could not see."""
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

    def inspect_faintly(self, image: Image) -> Detections:
        """Detect in one picture, faint detections too, as masking needs them.

        Raises:
            ModelError: The detector does not work.
        """
        ...
