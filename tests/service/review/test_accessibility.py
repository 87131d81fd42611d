"""What axe-core finds on the pages: labels, roles, contrast, in both themes and languages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from queued import BEGIN, queue_candidates
from served_pages import ServedPages

from service.cases.lifecycle import Action, take_step
from service.store.cameras import add_camera
from service.store.tables import CaseRow, CaseState, Role, VerificationRow
from vision.site import Camera

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DIALOGS = {
    "/ui/declined": re.compile("Put right|更正"),
    "/ui/deadlines": re.compile("Put off|延期"),
}
"""What opens a dialog on a page."""


def faults(page: Page) -> list[str]:
    """What breaks WCAG 2.1 at level A or AA."""
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    context = {"exclude": [[".q-loading-bar"]]}  # Quasar's own, gone once the page is there
    found = Axe().run(page, context=context, options=options).response["violations"]
    return [
        f"{fault['id']}: {node['html'][:160]} {node['failureSummary']}"
        for fault in found
        for node in fault["nodes"]
    ]


def looked_at(pages: ServedPages, folder: Path) -> None:
    """A case that is said to be handled, and whose camera cannot see the place."""
    (case_id,) = queue_candidates(pages.database, pages.files, folder, 1)
    now = datetime.now(UTC)
    with pages.database.write() as session:
        case = session.get_one(CaseRow, case_id)
        case.state, case.queue_at = CaseState.HANDLED, None
        session.add(
            VerificationRow(
                id=case_id,
                case_id=case_id,
                why="handled",
                begun_at=now,
                until=now,
                result="cannot_see",
                decided_at=now,
                open=True,
            )
        )


def declined_and_running(pages: ServedPages, folder: Path) -> None:
    """A case that a platform declined, and one whose deadline is over."""
    declined, running = queue_candidates(pages.database, pages.files, folder, 2)
    with pages.database.write() as session:
        case = session.get_one(CaseRow, declined)
        case.state, case.queue_at = CaseState.SUBMITTED, None
        case = session.get_one(CaseRow, running)
        case.state, case.queue_at = CaseState.HANDLING, None
        case.deadline_at, case.deadline_clock = BEGIN, "urgent_hour"
    with pages.database.write() as session:
        take_step(session, declined, Action.DECLINE, "platform:city", BEGIN)


@pytest.mark.parametrize(("scheme", "locale"), [("light", "en-US"), ("dark", "zh-CN")])
def test_pages_of_review_can_be_read_by_everyone(
    chromium: Browser, pages: ServedPages, tmp_path: Path, scheme: str, locale: str
) -> None:
    queue_candidates(pages.database, pages.files, tmp_path, 3)
    context = chromium.new_context(base_url=pages.url, color_scheme=scheme, locale=locale)
    page = context.new_page()
    pages.add_user("somebody", Role.VIEWER)
    page.goto("/ui/login")
    expect(page.get_by_role("main")).to_be_visible()
    assert faults(page) == []
    pages.log_in(context, Role.SUPERVISOR, f"sup.{scheme}")
    looked_at(pages, tmp_path)
    declined_and_running(pages, tmp_path)
    for path in ("/ui/queue", "/ui/second-looks", "/ui/declined", "/ui/deadlines", "/ui/quality"):
        page.goto(path)
        page.wait_for_selector("#page > *")
        assert faults(page) == [], path
        if path in DIALOGS:
            page.get_by_role("button", name=DIALOGS[path]).first.click()
            expect(page.get_by_role("dialog")).to_be_visible()
            page.wait_for_timeout(300)
            assert faults(page) == [], f"{path}: its dialog"
    page.goto("/ui/review")
    page.wait_for_selector(".jx-desk:not([data-case=''])")
    page.wait_for_timeout(300)
    assert faults(page) == []
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert faults(page) == []
    context.close()


@pytest.mark.parametrize(("scheme", "locale"), [("light", "en-US"), ("dark", "zh-CN")])
def test_pages_of_supervision_can_be_read_by_everyone(
    chromium: Browser, pages: ServedPages, scheme: str, locale: str
) -> None:
    zone = {
        "id": "bays",
        "purpose": "permitted_vending",
        "points": [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5]],
        "schedule": {"windows": [{"from": "17:30", "to": "22:00"}]},
        "permits": [{"id": "P-1"}],
    }
    place = {"lon": 119.974, "lat": 31.811, "coord_sys": "wgs84"}
    camera = Camera.model_validate({"id": f"{scheme}-1", "zones": [zone], **place})
    with pages.database.write() as session:
        add_camera(session, camera, datetime.now(UTC), enabled=False)
    context = chromium.new_context(base_url=pages.url, color_scheme=scheme, locale=locale)
    page = context.new_page()
    pages.log_in(context, Role.ADMIN)
    for path, ready in (
        ("/ui/wall", ".jx-camera"),
        ("/ui/map", ".jx-pin"),
        (f"/ui/zones?camera={scheme}-1", "[data-zone]"),
        ("/ui/deliveries", ".jx-toggle"),
        ("/ui/figures", ".jx-chart svg"),
        ("/ui/users", ".jx-grid"),
        ("/ui/keys", ".jx-empty"),
        ("/ui/audit", ".jx-grid"),
    ):
        page.goto(path)
        page.wait_for_selector(ready)
        if ready == "[data-zone]":
            page.locator(ready).press("Enter")
            page.wait_for_selector("[data-point]")
        assert faults(page) == [], path
    context.close()


def test_everything_on_the_case_screen_is_reached_by_the_keyboard(
    reviewer: BrowserContext, pages: ServedPages, tmp_path: Path
) -> None:
    queue_candidates(pages.database, pages.files, tmp_path, 1)
    page = reviewer.new_page()
    page.goto("/ui/review")
    page.wait_for_selector(".jx-desk:not([data-case=''])")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim().split(' ')[0]"))
    assert {"Scene", "Correct", "Confirm", "Reject", "Change", "Next", "Alike"} <= reached
