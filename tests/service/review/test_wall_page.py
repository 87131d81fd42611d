"""The camera wall: what cameras see and how they are, as it changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, expect
from served_pages import ServedPages, serving_pages

from service.store.cameras import add_camera
from service.store.tables import Role
from vision.site import Camera

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    """A service that watches its cameras; this one's pictures are pushed."""
    folder = tmp_path_factory.mktemp("watched")
    with serving_pages(folder, watch="true") as served:
        yield served


def picture() -> bytes:
    noise = np.random.default_rng(7).integers(0, 255, (18, 32, 3), np.uint8)
    image = cv2.resize(noise, (640, 360), interpolation=cv2.INTER_NEAREST)
    return cv2.imencode(".jpg", image)[1].tobytes()


def push(window: BrowserContext, camera_id: str) -> None:
    csrf = window.request.get("/api/v1/session").json()["csrf_token"]
    file = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": picture()}
    answer = window.request.post(
        "/api/v1/frames",
        headers={"x-csrf-token": csrf},
        multipart={"camera_id": camera_id, "file": file},
    )
    assert answer.status == 202, answer.text()


def test_a_camera_shows_its_masked_picture_and_turns_live_while_one_looks(
    window: BrowserContext, pages: ServedPages
) -> None:
    pages.log_in(window, Role.REVIEWER)
    with pages.database.write() as session:
        now = datetime.now(UTC)
        add_camera(session, Camera(id="off-1", name="Back yard"), now, enabled=False)
    admin = window.browser.new_context(base_url=pages.url)  # type: ignore[union-attr]
    pages.log_in(admin, Role.ADMIN)
    csrf = admin.request.get("/api/v1/session").json()["csrf_token"]
    made = admin.request.post(
        "/api/v1/cameras",
        headers={"x-csrf-token": csrf},
        data={"id": "gate-3", "name": "North gate"},
    )
    assert made.status == 201, made.text()

    page = window.new_page()
    page.goto("/ui/wall")
    tile = page.get_by_role("listitem").filter(has_text="North gate")
    expect(tile).to_contain_text("Connecting", timeout=60_000)
    expect(tile).to_contain_text("Open cases: 0")
    push(window, "gate-3")
    expect(tile).to_contain_text("Live", timeout=60_000)
    image = tile.locator("img")
    expect(image).to_be_visible(timeout=60_000)
    assert image.evaluate("img => img.decode().then(() => img.naturalWidth)") == 640

    tile.get_by_role("button", name="Enlarge North gate").press("Enter")
    expect(page.get_by_role("dialog", name="North gate").get_by_role("img")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    tiles = page.get_by_role("listitem")
    expect(tiles).to_have_count(2)
    page.get_by_role("searchbox", name="Find a camera").fill("yard")
    expect(tiles).to_have_count(1)
    expect(tiles).to_contain_text("Switched off")
    page.get_by_role("button", name="Need attention").click()
    expect(page.get_by_text("No camera is like that.")).to_be_visible()
    admin.close()


def test_a_tablet_shows_it_without_scrolling_sideways(
    chromium: Browser, pages: ServedPages
) -> None:
    tablet = chromium.new_context(
        base_url=pages.url, viewport={"width": 768, "height": 1024}, has_touch=True
    )
    pages.log_in(tablet, Role.VIEWER)
    page = tablet.new_page()
    page.goto("/ui/wall")
    expect(page.get_by_role("list").last).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tablet.close()


def test_the_wall_of_someone_who_logged_out_leads_to_the_login(
    window: BrowserContext, pages: ServedPages
) -> None:
    pages.log_in(window, Role.VIEWER, "zhou")
    page = window.new_page()
    page.goto("/ui/wall")
    csrf = window.request.get("/api/v1/session").json()["csrf_token"]
    window.request.delete("/api/v1/session", headers={"x-csrf-token": csrf})
    page.wait_for_url(f"{pages.url}/ui/login")
    assert "LoggedOutError" not in (pages.data / "log").read_text()
