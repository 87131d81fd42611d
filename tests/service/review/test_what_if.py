"""What-if in the zone editor: what was seen is judged again under the zones as they are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, expect
from scripted import at, every, look, seen
from served_pages import ServedPages, serving_pages

from service.replays.archive import LookArchive
from service.store.cameras import add_camera, camera_of
from service.store.tables import CameraRow, Role
from vision.site import Camera

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    """A service that has kept three hours of a camera, during which a heap lay in its view."""
    folder = tmp_path_factory.mktemp("kept")
    archive = LookArchive(folder / "archive", "Asia/Shanghai")
    begin = datetime.now(UTC) - timedelta(hours=4)
    for time_s in every(10, 0, 3 * 3600):
        heap = [seen("debris_pile", at(800, 300), 0.9)] if time_s >= 600 else []
        when = begin + timedelta(seconds=time_s)
        archive.add(replace(look(time_s, *heap), camera_id="gate-3", timestamp=when))
    archive.flush()
    with serving_pages(folder, watch="true") as served:
        privacy = {"id": "door", "purpose": "privacy", "points": [[0, 0], [0.1, 0], [0.1, 0.1]]}
        camera = Camera.model_validate({"id": "gate-3", "zones": [privacy]})
        with served.database.write() as session:
            add_camera(session, camera, datetime.now(UTC), enabled=False)
        yield served


def test_what_would_appear_and_vanish_is_told_and_nothing_is_stored(
    window: BrowserContext, pages: ServedPages
) -> None:
    pages.log_in(window, Role.SUPERVISOR)
    page = window.new_page()
    page.goto("/ui/zones?camera=gate-3")
    what_if = page.get_by_role("region", name="What if?")
    what_if.get_by_role("button", name="Judge again").click()
    stays = what_if.locator(".jx-what-if-counts > div").filter(has_text="Stay")
    expect(stays).to_contain_text("1", timeout=60_000)

    page.get_by_role("button", name="Draw a zone").click()
    page.locator(".q-menu .q-item", has_text="Parking bays").click()
    page.get_by_role("button", name="Put one in the middle").click()
    what_if.get_by_role("button", name="Judge again").click()
    expect(what_if.get_by_role("listitem").filter(has_text="Vanish")).to_contain_text(
        "Debris pile", timeout=60_000
    )
    with pages.database.read() as session:
        assert len(camera_of(session.get_one(CameraRow, "gate-3")).zones) == 1
