"""What an open page does again and again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from service.review.visit import LoggedOutError, NotAllowedError

LOGIN = "/login"
"""Within the pages: NiceGUI puts the place of the pages before it."""


def regularly(interval_s: float, work: Callable[[], Awaitable[None]]) -> ui.timer:
    """Do something every so many seconds, until the user may not any more.

    Then whoever is logged out is led to the page to log in, and whoever has lost a role sees the
    page as they may.
    """

    async def step() -> None:
        try:
            await work()
        except LoggedOutError:
            timer.cancel()
            ui.navigate.to(LOGIN)
        except NotAllowedError:
            timer.cancel()
            ui.navigate.reload()

    timer = ui.timer(interval_s, step, immediate=False)
    return timer
