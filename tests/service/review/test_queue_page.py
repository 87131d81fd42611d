"""The queue: what waits, filtered, and as it changes while it is looked at."""

from __future__ import annotations

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
