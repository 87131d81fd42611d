"""The queue: what waits for review."""

from __future__ import annotations

from service.review.elements import tag
from service.review.page import Page
from service.review.visit import Visit
from service.store.tables import Role


async def build(visit: Visit) -> None:
    """Put the queue on the page."""
    tag("p", visit.say("queue.empty"), classes="jx-empty")


PAGE = Page("/queue", "queue", "inbox", Role.VIEWER, build)
