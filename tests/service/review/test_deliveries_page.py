"""The delivery monitor: what a platform refused is seen, and sent again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import BrowserContext, expect
from posting import CREATED_AT, SECRET_TEXT, record
from served_pages import ServedPages, serving_pages

from service.cases.lifecycle import Action, take_step
from service.store.cameras import add_camera
from service.store.tables import CaseRow, CaseState, Role, ViolationRow
from vision.site import Camera

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Platform(ThreadingHTTPServer):
    """A webhook that answers with one status until it is told another."""

    status = 422


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Platform)
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform(("127.0.0.1", 0), _Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, platform: Platform) -> Iterator[ServedPages]:
    """A service that sends confirmed cases to the platform."""
    city = {
        "interface": "webhook",
        "url": f"http://127.0.0.1:{platform.server_port}/cases?token=unseen",
        "secret": SECRET_TEXT,
        "evidence": "none",
    }
    dispatch = {"destinations": {"city": city}, "networks": ["127.0.0.0/8"]}
    folder = tmp_path_factory.mktemp("dispatching")
    with serving_pages(folder, dispatch=json.dumps(dispatch)) as served:
        yield served


def confirm(pages: ServedPages) -> str:
    """A case that a reviewer confirmed; gives its id."""
    told = record(0, kind="street_stall")
    camera = Camera(id=told.camera_id, lon=119.974, lat=31.811, coord_sys="wgs84")
    same = {
        "id": told.id,
        "kind": told.kind,
        "camera_id": told.camera_id,
        "zone_id": told.zone_id,
        "raised_at": CREATED_AT,
        "created_at": CREATED_AT,
        "updated_at": CREATED_AT,
    }
    with pages.database.write() as session:
        add_camera(session, camera, CREATED_AT, enabled=False)
        case = CaseRow(
            **same,
            state=CaseState.CANDIDATE,
            confidence=told.confidence,
            experimental=False,
            started_at=told.started_at,
        )
        session.add(case)
        session.flush()
        document = told.model_dump(mode="json")
        session.add(ViolationRow(**same, case_id=told.id, record=document))
        session.flush()
        take_step(session, told.id, Action.CONFIRM, "user:li", datetime.now(UTC))
    return told.id


def test_a_refused_delivery_is_seen_and_sent_again(
    window: BrowserContext, pages: ServedPages, platform: Platform
) -> None:
    pages.log_in(window, Role.SUPERVISOR)
    page = window.new_page()
    page.goto("/ui/deliveries")
    expect(page.get_by_text("Nothing was sent yet.")).to_be_visible()
    case_id = confirm(pages)
    row = page.get_by_role("row").filter(has_text=case_id[:8])
    expect(row).to_contain_text("Given up", timeout=60_000)
    expect(row).to_contain_text("422")
    city = page.get_by_role("region", name="Platforms").get_by_role("article")
    expect(city).to_contain_text("1given up")
    assert "unseen" not in page.content()

    platform.status = 204
    page.get_by_role("button", name="Given up").click()
    row.get_by_role("button", name=f"Send {case_id[:8]} again").click()
    expect(row).to_have_count(0, timeout=60_000)
    page.get_by_role("button", name="Delivered").click()
    expect(row).to_contain_text("Please handle")
    expect(city).to_contain_text("0given up")


def test_reviewers_do_not_see_it(window: BrowserContext, pages: ServedPages) -> None:
    pages.log_in(window, Role.REVIEWER)
    assert window.request.get("/ui/deliveries").status == 403
