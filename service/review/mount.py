"""The pages as part of the application."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from nicegui import app as page_app
from nicegui import ui

from service.api.problem import add_handlers
from service.context import Service
from service.review import entry
from service.review.desks import Desks
from service.review.feed import Feed
from service.review.page import BASE
from service.review.pages import PAGES
from service.review.shell import STATIC, add_page

RECONNECT_S = 30.0
"""A browser that comes back within this time finds its page as it was."""


def add_pages(app: FastAPI, service: Service) -> None:
    """Add the pages to the application. Once a process: NiceGUI knows one application.

    Args:
        app: The application.
        service: The service behind it.
    """
    page_app.state.service = service
    page_app.state.feed = Feed(service)
    page_app.state.desks = Desks()
    add_handlers(page_app)
    page_app.include_router(entry.router)
    page_app.add_static_files(
        STATIC.removeprefix(BASE), Path(__file__).with_name("static"), max_cache_age=3600
    )
    entry.add_entry_pages()
    for page in PAGES:
        add_page(page, PAGES)
    first = PAGES[0].address

    @page_app.get("/", include_in_schema=False)
    def home() -> RedirectResponse:
        """The first page."""
        return RedirectResponse(first, 303)

    @app.get("/", include_in_schema=False)
    def root() -> RedirectResponse:
        """The host's address alone leads to the pages."""
        return RedirectResponse(first, 303)

    ui.run_with(
        app,
        mount_path=BASE,
        reconnect_timeout=RECONNECT_S,
        tailwind=False,
        show_welcome_message=False,
        binding_refresh_interval=None,
    )
