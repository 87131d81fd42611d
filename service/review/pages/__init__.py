"""The pages, in the order of the navigation."""

from __future__ import annotations

from service.review.page import Page
from service.review.pages import queue, review

PAGES: tuple[Page, ...] = (queue.PAGE, review.PAGE)
