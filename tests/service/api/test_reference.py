"""The page made from the API's description: complete, and all of it from this service."""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from serving import Serving

from service.api.security import COOKIE
from service.store.tables import Role


def test_page_and_files_name_no_other_host_and_hold_nothing_inline(serving: Serving) -> None:
    client = serving.anyone()
    page = client.get("/api/v1/docs")
    assert page.status_code == 200
    assert "//" not in page.text.replace("<!DOCTYPE html>", "")
    assert not re.search(r"<script(?![^>]* src=)|<style| on\w+=| style=", page.text)
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    named = re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text)
    assert len(named) == 3
    for name in named:
        file = client.get(f"/api/v1/{name}")
        assert file.status_code == 200
        assert file.headers["x-content-type-options"] == "nosniff"
    assert client.get("/api/v1/docs/elsewhere.js").status_code == 404
    assert client.get("/docs/oauth2-redirect").status_code == 404


@pytest.fixture
def listening(serving: Serving) -> Iterator[str]:
    """URL of the application, really listening."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(serving.app, port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "it does not listen"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_browser_shows_every_route_and_asks_nobody_else(listening: str, serving: Serving) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        login = serving.user(Role.ADMIN).cookies[COOKIE]
        page.context.add_cookies([{"name": COOKIE, "value": login, "url": listening}])
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{listening}/api/v1/docs")
        page.wait_for_selector(".opblock-summary", state="attached")
        shown = page.locator(".opblock-summary-path").count()
        browser.close()
    operations = sum(len(path) for path in serving.app.openapi()["paths"].values())
    assert shown == operations
    assert [url for url in asked if not url.startswith(("data:", f"{listening}/"))] == []
    assert complaints == []
