"""Tiles of cameras with their newest pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui


class CameraWall(ui.element, component="camera_wall.js"):
    """A tile a camera.

    The browser fetches pictures from the API, where they are masked: one at a time, of tiles that
    can be seen, those first that are oldest.

    Args:
        texts: What it says, by the keys that its script uses.
        snapshots: Address of the snapshots, up to the id of the camera.
        timezone: IANA name of the place's time zone.
        zones: Address of the zones of a camera, up to its id; ``None`` where nobody may draw.
    """

    def __init__(
        self, texts: Mapping[str, str], snapshots: str, timezone: str, zones: str | None
    ) -> None:
        super().__init__()
        self._props["texts"] = dict(texts)
        self._props["snapshots"] = snapshots
        self._props["timezone"] = timezone
        self._props["zones"] = zones
        self._props["tiles"] = []

    def show(self, tiles: Sequence[Mapping[str, Any]]) -> None:
        """Show how the cameras are; see :func:`service.review.pages.wall.condition`."""
        if self._props["tiles"] != tiles:
            self._props["tiles"] = list(tiles)
            self.update()
