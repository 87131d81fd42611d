"""The map: cameras of several coordinate systems in one place, nothing from elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect
from served_pages import ServedPages, serving_pages

from service.store.cameras import add_camera
from service.store.tables import CaseRow, CaseState, Role
from vision.site import Camera

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def put_cameras(pages: ServedPages) -> None:
    """Two cameras at one place of Changzhou told in two systems, one a kilometre off, one nowhere.

    GCJ-02 lies 449 m to the east and 226 m to the south there.
    """
    now = datetime.now(UTC)
    with pages.database.write() as session:
        for name, lon, lat, system in (
            ("wgs", 119.974, 31.811, "wgs84"),
            ("gcj", 119.974 + 0.004752, 31.811 - 0.002036, "gcj02"),
            ("far", 119.974, 31.820, "cgcs2000"),
            ("nowhere", None, None, None),
        ):
            document = {"id": name, "lon": lon, "lat": lat, "coord_sys": system}
            add_camera(session, Camera.model_validate(document), now, enabled=False)
        for number in range(3):
            case = CaseRow(
                id=f"case-{number}",
                state=CaseState.CANDIDATE if number else CaseState.CLOSED,
                kind="debris_pile",
                camera_id="far",
                zone_id="frame",
                confidence=0.8,
                experimental=False,
                started_at=now,
                raised_at=now,
                created_at=now,
                updated_at=now,
            )
            session.add(case)


def test_places_coincide_whatever_their_system_and_open_cases_are_counted(
    window: BrowserContext, pages: ServedPages
) -> None:
    put_cameras(pages)
    pages.log_in(window, Role.SUPERVISOR)
    page = window.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/ui/map")
    pins = page.locator(".jx-pin-hold")
    expect(pins).to_have_count(3)
    boxes = {
        name: page.get_by_role("button", name=f"{name}, Switched off").bounding_box()
        for name in ("wgs", "gcj", "far")
    }
    wgs, gcj, far = (box for box in boxes.values() if box is not None)
    assert abs(wgs["x"] - gcj["x"]) < 8
    assert abs(wgs["y"] - gcj["y"]) < 8
    assert wgs["y"] - far["y"] > 100
    page.get_by_role("button", name="far, Switched off").press("Enter")
    popup = page.locator(".leaflet-popup")
    expect(popup).to_contain_text("Debris pile2")
    expect(popup.get_by_role("link", name="Draw zones")).to_have_attribute(
        "href", "/ui/zones?camera=far"
    )
    expect(page.get_by_role("status").filter(has_text="nowhere")).to_be_visible()
    assert all(url.startswith((pages.url, "blob:", "data:")) for url in asked)


def test_tiles_come_from_the_server_that_the_settings_name_and_from_no_other(
    tmp_path: Path,
) -> None:
    with serving_pages(tmp_path, map_tiles="https://{s}.tiles.example/{z}/{x}/{y}.png") as served:
        policy = httpx.get(f"{served.url}/ui/login").headers["content-security-policy"]
        assert "img-src 'self' data: blob: https://*.tiles.example;" in policy
        assert policy.count("tiles.example") == 1
