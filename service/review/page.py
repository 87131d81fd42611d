"""What a page of the shell is. A new page is one module in ``pages/`` and one row in its list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from service.api.middleware import PAGES
from service.review.visit import Visit
from service.store.tables import Role

BASE = PAGES
"""Where the pages lie; everything else belongs to the API."""


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        path: Its path below :data:`BASE`, such as ``/queue``.
        name: Key of its title in the texts, ``page.<name>``.
        icon: Name of a Material icon.
        role: Least role that sees it.
        build: Puts its elements where it is called; the shell is around it already.
        is_wide: Whether it uses the whole window, without scrolling of the shell.
        in_navigation: Whether the navigation leads to it.
        below: Path of the page in the navigation that it belongs to; empty for none.
    """

    path: str
    name: str
    icon: str
    role: Role
    build: Callable[[Visit], Awaitable[None]]
    is_wide: bool = False
    in_navigation: bool = True
    below: str = ""

    @property
    def address(self) -> str:
        """Its address within the host."""
        return f"{BASE}{self.path}"
