"""Tables."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from service.review.elements import tag


def sheet(caption: str, heads: Sequence[str]) -> ui.element:
    """A table; rows of :func:`row` belong into the answer.

    Args:
        caption: What screen readers call it.
        heads: Titles of the columns; one that is empty has buttons below it.
    """
    with (
        tag("div", classes="jx-sheet", tabindex="0", role="region", aria_label=caption),
        tag("table", classes="jx-grid"),
    ):
        with tag("thead"), tag("tr"):
            for head in heads:
                tag("th", head, scope="col") if head else tag("td")
        return tag("tbody")


def row(*cells: str, classes: str = "") -> ui.element:
    """A row of texts; further cells may be put into the answer."""
    made = tag("tr", classes=classes)
    with made:
        for number, cell in enumerate(cells):
            tag("td", cell) if number else tag("th", cell, scope="row")
    return made


def badge(text: str, tone: str = "") -> ui.element:
    """A short word about a state; ``tone`` is ``good``, ``warn``, ``bad`` or nothing."""
    return tag("span", text, classes=f"jx-badge jx-{tone}" if tone else "jx-badge")
