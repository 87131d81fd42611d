"""A picture with the box of a case, which is corrected by mouse, finger or keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import events, ui

from service.review.components import SCREEN_PARTS

Corners = tuple[float, float, float, float]


class BoxCanvas(ui.element, component="box_canvas.js", esm=SCREEN_PARTS):
    """A box over a picture.

    Args:
        texts: What it says, by the keys that its script uses.
        file: The picture, as :func:`service.review.brief.brief_of` tells of it.
        frame: The frame whose pixels the box is in, if the picture may be a smaller copy of it.
        box: ``x1, y1, x2, y2`` as it is.
        colour: CSS colour of the box.
        label: What screen readers say of the picture.

    Attributes:
        corrected: The box in pixels of the frame, ``None`` while it is as it was.
    """

    def __init__(
        self,
        texts: Mapping[str, str],
        file: Mapping[str, Any],
        frame: Mapping[str, Any] | None,
        box: Sequence[float],
        colour: str,
        label: str,
    ) -> None:
        super().__init__()
        self.corrected: Corners | None = None
        self._props["texts"] = dict(texts)
        self._props["file"] = dict(file)
        self._props["frame"] = None if frame is None else dict(frame)
        self._props["given"] = list(box)
        self._props["colour"] = colour
        self._props["label"] = label

        def changed(event: events.GenericEventArguments) -> None:
            self.corrected = None if event.args is None else _corners(event.args)

        self.on("box", changed)


def _corners(told: Sequence[Any]) -> Corners:
    x1, y1, x2, y2 = (float(value) for value in told)
    return x1, y1, x2, y2
