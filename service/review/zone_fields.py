"""One zone under a form: its settings by their paths, and what is wrong beside each field.

A path such as ``("schedule", "windows", 0, "from")`` is that of the site file; validation names it
too, so that a fault finds its field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nicegui import ui

from service.review.drawing import ZoneDocument, ZoneFault
from service.review.elements import tag

Path = tuple[str | int, ...]


def value_at(document: Any, path: Path) -> Any:
    """What a document says at a path, ``None`` if it says nothing there."""
    for step in path:
        if isinstance(step, int):
            is_there = isinstance(document, Sequence) and step < len(document)
        else:
            is_there = isinstance(document, Mapping) and step in document
        if not is_there:
            return None
        document = document[step]
    return document


def with_value(document: Any, path: Path, value: Any) -> Any:
    """A document with another value at a path; ``None`` and empty text take it away.

    What the path leads through is made where it is missing; the document itself stays as it is.
    """
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        rows = list(document or ())
        changed = with_value(rows[step], rest, value)
        rows[step : step + 1] = [] if changed in (None, "") else [changed]
        return rows
    known = dict(document or {})
    changed = with_value(known.get(step), rest, value)
    if changed in (None, ""):
        known.pop(step, None)
    else:
        known[step] = changed
    return known


@dataclass(eq=False)
class ZoneFields:
    """A zone that is open for changes.

    Attributes:
        zone: Gives it as it is drawn now.
        store: Takes it in, changed; the form is built anew if fields came or went.
    """

    zone: Callable[[], ZoneDocument]
    store: Callable[[ZoneDocument, bool], None]
    _places: dict[Path, ui.element] = field(default_factory=dict)

    def value(self, path: Path) -> Any:
        """A setting, ``None`` if it is not given."""
        return value_at(self.zone(), path)

    def put(self, path: Path, value: Any, *, anew: bool = False) -> None:
        """Change a setting; ``None`` takes it away.

        Args:
            path: Which.
            value: To what.
            anew: Whether fields come or go by it.
        """
        self.store(with_value(self.zone(), path, value), anew)

    def append(self, path: Path, value: Any) -> None:
        """Add a row to a list."""
        self.put(path, [*(self.value(path) or ()), value], anew=True)

    def beside(self, *path: str | int) -> None:
        """Have what is wrong at a path, or below it, told here."""
        self._places[path] = tag("div", classes="jx-field-faults")

    def show(self, faults: Iterable[ZoneFault]) -> list[str]:
        """Tell what is wrong beside its fields; gives what has none."""
        told: dict[Path, list[str]] = {path: [] for path in self._places}
        rest: list[str] = []
        for fault in faults:
            above = (fault.path[:length] for length in range(len(fault.path), 0, -1))
            place = next((path for path in above if path in told), None)
            (rest if place is None else told[place]).append(fault.text)
        for path, texts in told.items():
            shown = self._places[path]
            shown.clear()
            with shown:
                for text in texts:
                    tag("p", text, classes="jx-zone-fault", role="alert")
        return rest
