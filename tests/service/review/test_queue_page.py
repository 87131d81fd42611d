"""The queue: what waits, filtered, and as it changes while it is looked at."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect
from queued import queue_candidates
from served_pages import ServedPages

from service.store.tables import CaseRow, Role

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_new_candidates_appear_and_decided_ones_go(
    reviewer: BrowserContext, pages: ServedPages, tmp_path: Path
) -> None:
    page = reviewer.new_page()
    page.goto("/ui/queue")
    expect(page.get_by_text("Nothing waits for review.")).to_be_visible()
    first, second = queue_candidates(pages.database, pages.files, tmp_path, 2)
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_have_attribute("data-case", first)
    queue_candidates(pages.database, pages.files, tmp_path, 1, kind="debris_pile")
    expect(rows).to_have_count(3)
    page.get_by_label("Kind").click()
    page.get_by_role("option", name="Debris pile").click()
    expect(rows).to_have_count(1)
    page.get_by_label("Kind").click()
    page.get_by_role("option", name="All", exact=True).click()
    expect(rows).to_have_count(3)
    page.locator(f"tr[data-case='{second}'] a").click()
    expect(page.locator(f".jx-desk[data-case='{second}']")).to_be_visible()
    page.keyboard.press("c")
    expect(page.locator(f".jx-desk[data-case='{first}']")).to_be_visible()


def test_what_the_queue_is_narrowed_to_stands_in_its_address(
    reviewer: BrowserContext, pages: ServedPages, tmp_path: Path
) -> None:
    (here,) = queue_candidates(pages.database, pages.files, tmp_path, 1, camera_id="market")
    (there,) = queue_candidates(pages.database, pages.files, tmp_path, 1, camera_id="market")
    with pages.database.write() as session:
        zone = session.get_one(CaseRow, here).zone_id
    page = reviewer.new_page()
    page.goto("/ui/queue")
    expect(page.locator(f"tr[data-case='{there}']")).to_be_visible()
    expect(page.locator(".q-field--disabled")).to_contain_text("Choose a camera first")
    page.get_by_label("Camera").click()
    page.get_by_role("option", name="market").click()
    page.get_by_label("Zone").click()
    page.get_by_role("option", name=zone).click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page).to_have_url(f"{pages.url}/ui/queue?camera=market&zone={zone}")
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_have_attribute("data-case", here)
    page.get_by_role("link", name="Start reviewing").click()
    expect(page.locator(f".jx-desk[data-case='{here}'][data-ready='1']")).to_be_visible()
    page.goto("/ui/queue?camera=nowhere&kind=nothing&zone=none")
    expect(page.locator(f"tr[data-case='{there}']")).to_be_visible()


def test_many_changes_at_once_leave_each_case_in_one_row(
    reviewer: BrowserContext, pages: ServedPages, tmp_path: Path
) -> None:
    page = reviewer.new_page()
    page.goto("/ui/queue?kind=construction_dust")
    kind = {"kind": "construction_dust"}
    with ThreadPoolExecutor(3) as pool:
        for number in range(9):
            folder = tmp_path / str(number)
            folder.mkdir()
            pool.submit(queue_candidates, pages.database, pages.files, folder, 1, **kind)
        for name in ("All", "Construction dust"):
            page.get_by_label("Kind").click()
            page.get_by_role("option", name=name, exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(9)
    page.wait_for_timeout(1500)
    expect(page.locator("tbody tr")).to_have_count(9)
    expect(page.locator("table")).to_have_count(1)


def test_viewers_read_the_queue_and_cannot_review(
    window: BrowserContext, pages: ServedPages, tmp_path: Path
) -> None:
    (case_id,) = queue_candidates(pages.database, pages.files, tmp_path, 1)
    pages.log_in(window, Role.VIEWER)
    page = window.new_page()
    page.goto("/ui/queue")
    expect(page.locator(f"tr[data-case='{case_id}']")).to_contain_text("Street stall")
    expect(page.locator("tbody a")).to_have_count(0)
    expect(page.get_by_role("link", name="Start reviewing")).to_have_count(0)


def test_text_from_cameras_stays_text(
    window: BrowserContext, pages: ServedPages, tmp_path: Path
) -> None:
    (case_id,) = queue_candidates(pages.database, pages.files, tmp_path, 1)
    hostile = "<img src=x onerror=document.title='owned'>{{ 7*7 }}"
    with pages.database.write() as session:
        session.get_one(CaseRow, case_id).zone_id = hostile
    pages.log_in(window, Role.REVIEWER)
    page = window.new_page()
    page.goto("/ui/queue")
    expect(page.get_by_text(hostile)).to_be_visible()
    page.goto(f"/ui/review?case={case_id}")
    expect(page.get_by_text(hostile)).to_be_visible()
    assert "owned" not in page.title()
