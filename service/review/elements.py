"""Elements of HTML: what the pages are made of where no ready-made element fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement


def tag(
    name: str, text: str = "", /, *, classes: str = "", **attributes: str | bool
) -> TextElement:
    """An element of HTML. Text and attributes are set as data: what is in them stays inert.

    Args:
        name: Its tag.
        text: Its text.
        classes: Its CSS classes.
        attributes: Its attributes; ``_`` stands for ``-``, one at the end is dropped.
    """
    element = TextElement(tag=name, text=text)
    element.classes(classes)
    for key, value in attributes.items():
        element.props[key.rstrip("_").replace("_", "-")] = value
    return element


def icon(name: str) -> ui.icon:
    """A Material icon that screen readers pass over."""
    made = ui.icon(name)
    made.props["aria-hidden"] = "true"
    return made


def icon_button(name: str, label: str, act: Callable[[], Any] | None = None) -> TextElement:
    """A button with an icon alone; its label is its tooltip and what screen readers say.

    Args:
        name: Material icon.
        label: What it does.
        act: What is done on a click; without it, it sends the form that it is in.
    """
    kind = "submit" if act is None else "button"
    button = tag("button", classes="jx-tool", type=kind, title=label, aria_label=label)
    if act is not None:
        button.on("click", act, [])
    with button:
        icon(name)
    return button
