"""A map of cameras and open cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui


class CityMap(ui.leaflet, component="city_map.js"):
    """Cameras where they stand, with the number of their open cases.

    Nothing is loaded from elsewhere unless a tile server is given.

    Args:
        texts: What it says, by the keys that its script uses.
        tiles: URL template of a tile server; a plain ground without it.
        attribution: Whose tiles they are.
    """

    def __init__(self, texts: Mapping[str, str], tiles: str | None, attribution: str) -> None:
        super().__init__()
        self.layers.clear()
        self._props["texts"] = dict(texts)
        self._props["tiles"] = tiles
        self._props["attribution"] = attribution
        self._props["places"] = []

    def show(self, places: Sequence[Mapping[str, Any]]) -> None:
        """Show places.

        Args:
            places: ``id``, ``name``, ``lat`` and ``lon`` in degrees of the tiles' system, ``tone``
                and ``state`` of the camera, ``count`` of open cases, ``kinds`` as rows of
                ``name``, ``colour`` and ``count``, and ``links`` as rows of ``text`` and ``href``.
        """
        if self._props["places"] != places:
            self._props["places"] = list(places)
            self.update()
