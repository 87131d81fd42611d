"""The pages, in the order of the navigation."""

from __future__ import annotations

from service.review.page import Page
from service.review.pages import queue

PAGES: tuple[Page, ...] = (queue.PAGE,)
