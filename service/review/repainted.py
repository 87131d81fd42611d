"""Parts of a page that are read and shown anew, never two at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from nicegui import ui

T = TypeVar("T")


class Repainted(Generic[T]):
    """A part of a page that is read, and then drawn in one go.

    Readings follow each other, so that what is shown last is what was read last. What is asked for
    while one goes on is one more reading after it, however often it was asked for.

    Args:
        place: Where it is drawn; everything in there is replaced.
        read: Reads what is to be shown.
        draw: Draws it; it waits for nothing.
    """

    def __init__(
        self, place: ui.element, read: Callable[[], Awaitable[T]], draw: Callable[[T], None]
    ) -> None:
        self._place = place
        self._read = read
        self._draw = draw
        self._turn = asyncio.Lock()
        self._is_next = False

    async def again(self) -> None:
        """Read and draw; done at once if a reading that begins later does it."""
        if self._is_next:
            return
        self._is_next = True
        async with self._turn:
            self._is_next = False
            found = await self._read()
            if self._place.is_deleted:
                return
            self._place.clear()
            with self._place:
                self._draw(found)
