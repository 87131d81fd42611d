"""Deadlines that are still to be met: the soonest first, and put off by supervisors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import BrowserContext, expect
from queued import queue_candidates
from served_pages import ServedPages
from sqlalchemy import select

from service.store.tables import AuditRow, CaseRow, CaseState, CaseStepRow, Role

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SITE = ZoneInfo("Asia/Shanghai")


def running(pages: ServedPages, folder: Path, deadlines: list[datetime | None]) -> list[str]:
    """Cases that are handled until then; one whose deadline stands still has two hours left."""
    ids = queue_candidates(pages.database, pages.files, folder, len(deadlines))
    with pages.database.write() as session:
        for case_id, deadline_at in zip(ids, deadlines, strict=True):
            case = session.get_one(CaseRow, case_id)
            case.queue_at, case.deadline_clock, case.deadline_at = None, "urgent_hour", deadline_at
            case.state = CaseState.HANDLING if deadline_at else CaseState.SUSPENDED
            case.deadline_left_s = None if deadline_at else 7200.0
    return ids


def test_a_deadline_is_put_off_with_a_reason(
    window: BrowserContext, pages: ServedPages, tmp_path: Path
) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    later, suspended, over = running(
        pages, tmp_path, [now + timedelta(days=1), None, now - timedelta(hours=3)]
    )
    pages.log_in(window, Role.SUPERVISOR)
    page = window.new_page()
    page.goto("/ui/queue")
    page.get_by_role("link", name="Deadlines").click()
    rows = page.locator("tr[data-case]")
    expect(rows).to_have_count(3)
    shown = [rows.nth(number).get_attribute("data-case") for number in range(3)]
    assert shown == [over, later, suspended]
    expect(rows.nth(0)).to_contain_text("3 h over")
    expect(rows.nth(2)).to_contain_text("suspended, 2 h left")

    rows.nth(0).get_by_role("button", name="Put off").click()
    until = page.get_by_label("New deadline")
    expect(until).to_be_focused()
    given = (now - timedelta(hours=3)).astimezone(SITE)
    assert until.input_value() == f"{given:%Y-%m-%dT%H:%M}"
    until.fill("")
    page.get_by_label("Why?").fill("waits for the owner")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("no date with a time")
    wanted = (now + timedelta(days=2)).astimezone(SITE)
    until.fill(f"{wanted:%Y-%m-%dT%H:%M}")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The deadline is put off.")).to_be_visible()
    expect(rows.nth(0)).to_have_attribute("data-case", later)

    with pages.database.read() as session:
        assert session.get_one(CaseRow, over).deadline_at == wanted
        step = session.scalars(select(CaseStepRow).where(CaseStepRow.action == "extended")).one()
        assert (step.case_id, step.details["reason"]) == (over, "waits for the owner")
        told = session.scalars(select(AuditRow).where(AuditRow.action == "case.extended")).one()
        assert (told.actor, told.reason) == ("user:a.supervisor", "waits for the owner")


def test_a_deadline_is_not_put_forward_and_no_reviewer_comes_here(
    window: BrowserContext, pages: ServedPages, tmp_path: Path
) -> None:
    (case_id,) = running(pages, tmp_path, [datetime.now(UTC) + timedelta(days=3)])
    pages.log_in(window, Role.SUPERVISOR)
    page = window.new_page()
    page.goto("/ui/deadlines")
    row = page.locator(f"tr[data-case='{case_id}']")
    row.get_by_role("button", name="Put off").click()
    page.get_by_label("New deadline").fill("2026-01-01T08:00")
    page.get_by_label("Why?").fill("sooner is better")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not possible for the case")

    pages.log_in(window, Role.REVIEWER)
    page.goto("/ui/queue")
    expect(page.get_by_role("link", name="Declined")).to_be_visible()
    expect(page.get_by_role("link", name="Deadlines")).to_have_count(0)
    answer = page.goto("/ui/deadlines")
    assert answer is not None
    assert answer.status == 403
