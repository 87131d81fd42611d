"""A picture on which zones are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import events, ui

Points = list[list[float]]


class ZoneCanvas(ui.element, component="zone_canvas.js"):
    """Polygons and lines over a picture, drawn by mouse, touch or keyboard.

    It draws what it is told and tells what is done; points are in fractions of the picture.

    Args:
        texts: What it says, by the keys that its script uses.
        snapshot: Address of the picture.
        timezone: IANA name of the place's time zone.
        on_points: Hears of points of a zone that were moved, added or taken away.
        on_drawn: Hears of the points of a new zone.
        on_select: Hears of the zone that was chosen, ``None`` for none.
        on_undo: Hears that a change is to be taken back.
        on_redo: Hears that it is to be made again.
        on_cancel: Hears that drawing was given up.
    """

    def __init__(
        self,
        texts: Mapping[str, str],
        snapshot: str,
        timezone: str,
        *,
        on_points: Callable[[int, Points], object],
        on_drawn: Callable[[Points], object],
        on_select: Callable[[int | None], object],
        on_undo: Callable[[], object],
        on_redo: Callable[[], object],
        on_cancel: Callable[[], object],
    ) -> None:
        super().__init__()
        self._props["texts"] = dict(texts)
        self._props["snapshot"] = snapshot
        self._props["timezone"] = timezone
        self._props["heard"] = 0

        def points(event: events.GenericEventArguments) -> None:
            self._props["heard"] = int(event.args["number"])
            on_points(int(event.args["index"]), _points(event.args["points"]))

        def drawn(event: events.GenericEventArguments) -> None:
            on_drawn(_points(event.args))

        def chosen(event: events.GenericEventArguments) -> None:
            on_select(None if event.args is None else int(event.args))

        self.on("points", points)
        self.on("drawn", drawn)
        self.on("choose", chosen)
        self.on("undo", on_undo, [])
        self.on("redo", on_redo, [])
        self.on("cancel", on_cancel, [])

    def show(
        self,
        zones: Sequence[Mapping[str, Any]],
        *,
        selected: int | None,
        drawing: str | None,
        is_changed: bool,
    ) -> None:
        """Show zones.

        Args:
            zones: ``name``, ``points``, ``colour``, ``line`` (whether it is one) and ``faulty``.
            selected: Index of the zone whose points can be moved.
            drawing: ``polygon`` or ``line`` while a new one is drawn.
            is_changed: Whether the browser warns before the page is left.
        """
        self._props["zones"] = list(zones)
        self._props["selected"] = selected
        self._props["drawing"] = drawing
        self._props["changed"] = is_changed
        self.update()

    def mark_boxes(self, marks: Sequence[Mapping[str, Any]]) -> None:
        """Show boxes over the camera's own picture.

        Args:
            marks: ``box`` ``[x1, y1, x2, y2]`` in pixels of the picture, ``tone`` and ``name``.
        """
        self._props["marks"] = list(marks)
        self.update()


def _points(given: Any) -> Points:
    """Points that a browser sent, within the picture."""
    return [[min(max(float(x), 0.0), 1.0), min(max(float(y), 0.0), 1.0)] for x, y in given]
