"""Telling open pages that something happened, from the one log of events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from nicegui import background_tasks
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from service.cases.events import events_after, last_number
from service.context import Service

log = logging.getLogger(__name__)

POLL_S = 1.0
"""However many pages are open, the log is asked so often, once."""
BATCH = 200

Hear = Callable[[frozenset[str]], Awaitable[None]]
"""Is told the types of what happened, such as ``case.created``, once a poll at most."""


class Feed:
    """Follows the events while any page listens.

    Args:
        service: Whose events.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ears: set[Hear] = set()
        self._task: asyncio.Task[None] | None = None

    def listen(self, hear: Hear) -> Callable[[], None]:
        """Have something told from now on.

        Returns:
            Ends it.
        """
        self._ears.add(hear)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._follow())
        return lambda: self._ears.discard(hear)

    async def _follow(self) -> None:
        number = await run_in_threadpool(self._last)
        while self._ears:
            await asyncio.sleep(POLL_S)
            try:
                number, types = await run_in_threadpool(self._types_after, number)
            except SQLAlchemyError as error:
                log.warning("events cannot be read: %s", type(error).__name__)
                continue
            if types:
                for hear in tuple(self._ears):
                    background_tasks.create(hear(types), name="feed")

    def _last(self) -> int:
        with self._service.database.read() as session:
            return last_number(session)

    def _types_after(self, number: int) -> tuple[int, frozenset[str]]:
        types: set[str] = set()
        with self._service.database.read() as session:
            while events := events_after(session, number, BATCH):
                number = events[-1].id
                types.update(event.type for event in events)
        return number, frozenset(types)
