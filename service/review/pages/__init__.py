"""The pages, in the order of the navigation."""

from __future__ import annotations

from service.review.page import Page
from service.review.pages import (
    audit,
    deadlines,
    declined,
    deliveries,
    figures,
    keys,
    map,
    quality,
    queue,
    review,
    second_looks,
    users,
    wall,
    zones,
)

PAGES: tuple[Page, ...] = (
    queue.PAGE,
    second_looks.PAGE,
    declined.PAGE,
    deadlines.PAGE,
    review.PAGE,
    wall.PAGE,
    map.PAGE,
    zones.PAGE,
    deliveries.PAGE,
    figures.PAGE,
    quality.PAGE,
    users.PAGE,
    keys.PAGE,
    audit.PAGE,
)
