"""A service as a person starts it, and a real Chromium before it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from served_pages import ServedPages, serving_pages

from service.store.tables import Role


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for a module: while it is there, nothing else can have an event loop."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    """One service for all tests of a module."""
    with serving_pages(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture
def window(chromium: Browser, pages: ServedPages) -> Iterator[BrowserContext]:
    """A browser of someone who reads English, and has not logged in."""
    context = chromium.new_context(
        base_url=pages.url, locale="en-US", viewport={"width": 1280, "height": 720}
    )
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def reviewer(window: BrowserContext, pages: ServedPages) -> BrowserContext:
    """A browser in which a reviewer is logged in."""
    pages.log_in(window, Role.REVIEWER)
    return window
