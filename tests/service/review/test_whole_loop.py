"""The whole loop as people see it: seen, reviewed, sent, handled, looked at again, counted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import cv2
import httpx
import numpy as np
import pytest
from dispatch_rig import free_port, listening, sandbox, webhook
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from served_pages import ServedPages, serving_pages
from sqlalchemy import select

from benchmarks.chaos_world import EMPTY, draw_street
from service.auth.keys import add_key
from service.store.tables import CaseRow, Role, Scope
from vision.frames.frame import Image

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZE = (640, 360)
PATIENCE_S = 150
CAMERA = "market"


@dataclass
class Street:
    """A drawn street whose pictures are pushed by a camera.

    Attributes:
        empty: The street without the heap.
        heap: The same pictures with it.
        zones: Its zones, as a camera has them.
        has_heap: Which of them the camera sees.
    """

    empty: list[Image]
    heap: list[Image]
    zones: list[dict[str, object]]
    has_heap: threading.Event = field(default_factory=threading.Event)

    def push(self, url: str, key: str, stop: threading.Event) -> None:
        """Push a picture twice a second, with the noise of a sensor."""
        random = np.random.default_rng(1)
        headers = {"authorization": f"Bearer {key}"}
        for number in range(100_000):
            if stop.wait(0.5):
                return
            seen = self.heap if self.has_heap.is_set() else self.empty
            image = seen[number % len(seen)]
            noisy = np.clip(image + random.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
            data = cv2.imencode(".jpg", noisy)[1].tobytes()
            httpx.post(
                f"{url}/api/v1/frames",
                headers=headers,
                data={"camera_id": CAMERA, "taken_at": datetime.now(UTC).isoformat()},
                files={"file": ("now.jpg", data, "image/jpeg")},
                timeout=20,
            )


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Street:
    drawn = draw_street(tmp_path_factory.mktemp("street") / "street.mp4", SIZE)
    return Street(drawn.frames[EMPTY], drawn.frames["debris_pile"], drawn.zones)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    """A service that watches and dispatches to a sandbox platform that goes on at once."""
    port = free_port()
    destination = webhook(f"http://127.0.0.1:{port}/webhook/cases")
    dispatch = {
        "networks": ["127.0.0.0/8"],
        "destinations": {"city": destination},
    }
    with (
        serving_pages(
            tmp_path_factory.mktemp("loop"),
            watch="true",
            dispatch=json.dumps(dispatch),
            verification=json.dumps({"looks": 2, "span_s": 20, "within_s": 300}),
            review=json.dumps({"undo_s": 1}),
        ) as served,
        listening(sandbox(served.url, step_s=0.5), port),
    ):
        yield served


@contextmanager
def pushed(street: Street, pages: ServedPages, admin: BrowserContext) -> Iterator[None]:
    """The camera is there and sees the street."""
    pages.log_in(admin, Role.ADMIN)
    made = admin.request.post(
        "/api/v1/cameras",
        headers={"x-csrf-token": admin.request.get("/api/v1/session").json()["csrf_token"]},
        data={
            "id": CAMERA,
            "name": "Market street",
            "lon": 119.974,
            "lat": 31.811,
            "coord_sys": "wgs84",
            "inspect_s": 2,
            "zones": street.zones,
            "rules": {"debris_pile": {"dwell_s": 4}},
        },
    )
    assert made.status == 201, made.text()
    with pages.database.write() as session:
        key, _ = add_key(session, "market", [Scope.INGEST], datetime.now(UTC), created_by="test")
    stop = threading.Event()
    pushing = threading.Thread(target=street.push, args=(pages.url, key, stop))
    pushing.start()
    try:
        yield
    finally:
        stop.set()
        pushing.join()


def wait_for(what: Callable[[], bool], said: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, said
        time.sleep(0.3)


def states(pages: ServedPages) -> list[str]:
    with pages.database.read() as session:
        return list(session.scalars(select(CaseRow.state).where(CaseRow.kind == "debris_pile")))


def rate(page: Page, name: str) -> Locator:
    """The card of a rate in the bulletin, by the whole of its name."""
    title = page.get_by_text(name, exact=True)
    return page.locator("article.jx-rate").filter(has=title)


def test_from_the_heap_on_the_street_to_the_monthly_bulletin(
    street: Street, pages: ServedPages, window: BrowserContext, chromium: Browser
) -> None:
    pages.log_in(window, Role.SUPERVISOR)
    page = window.new_page()
    with pushed(street, pages, chromium.new_context(base_url=pages.url)):
        time.sleep(6)
        assert states(pages) == []
        street.has_heap.set()
        page.goto("/ui/review")
        expect(page.get_by_role("heading", name="Debris pile")).to_be_visible(
            timeout=PATIENCE_S * 1000
        )
        page.keyboard.press("c")
        wait_for(lambda: states(pages) == ["handled"], "the platform handles it")
        street.has_heap.clear()
        wait_for(lambda: states(pages) == ["closed"], "the camera sees that it is gone")
    page.goto("/ui/figures")
    for name in ("Precision of the model", "Closed", "Closed in time"):
        expect(rate(page, name)).to_contain_text("1 / 1")
    expect(rate(page, "Rectified, by looking again")).to_contain_text("100.0 %")
    expect(rate(page, "Rework")).to_contain_text("0 / 1")
