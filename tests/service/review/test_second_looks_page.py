"""What a camera could not settle: shown with pictures, answered by key."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect
from queued import BEGIN, queue_candidates
from served_pages import ServedPages
from sqlalchemy import select

from service.store.tables import CaseRow, CaseState, CaseStepRow, Role, VerificationRow

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def ask(
    pages: ServedPages, folder: Path, state: CaseState, why: str, result: str, **changes: object
) -> str:
    """A case of which a person is asked."""
    (case_id,) = queue_candidates(pages.database, pages.files, folder, 1, **changes)
    with pages.database.write() as session:
        case = session.get_one(CaseRow, case_id)
        case.state, case.queue_at = state, None
        session.add(
            VerificationRow(
                id=str(uuid.uuid4()),
                case_id=case_id,
                why=why,
                begun_at=BEGIN,
                until=BEGIN,
                result=result,
                decided_at=BEGIN,
                decided_by="camera:gate-3",
                open=True,
            )
        )
    return case_id


def steps(pages: ServedPages, case_id: str) -> list[tuple[str, str]]:
    query = select(CaseStepRow).where(CaseStepRow.case_id == case_id).order_by(CaseStepRow.id)
    with pages.database.read() as session:
        return [(row.action, row.details.get("remark", "")) for row in session.scalars(query)]


def test_questions_are_answered_by_key(
    reviewer: BrowserContext, pages: ServedPages, tmp_path: Path
) -> None:
    hidden = ask(pages, tmp_path, CaseState.HANDLED, "handled", "cannot_see")
    page = reviewer.new_page()
    page.goto("/ui/queue")
    page.get_by_role("link", name="Second looks 1").click()
    expect(page.get_by_role("heading", name="Street stall")).to_be_visible()
    before = page.get_by_role("img", name="Before")
    assert before.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320
    box = page.locator(".jx-look-picture rect")
    assert (box.get_attribute("x"), box.get_attribute("width")) == ("20.0", "30.0")
    expect(page.get_by_text("The camera has no picture now.")).to_be_visible()

    gone = ask(pages, tmp_path, CaseState.ACCEPTED, "unhandled", "gone", kind="debris_pile")
    expect(page.locator(".jx-look")).to_have_count(2)
    page.keyboard.press("t")
    dialog = page.get_by_role("dialog", name="Street stall")
    expect(dialog).to_contain_text("The case is reopened")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("g")
    expect(page.get_by_label("How do you know?")).to_be_focused()
    page.keyboard.type("gone, seen on the spot")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is written down.")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("heading", name="Debris pile")).to_be_visible()
    assert steps(pages, hidden)[-2:] == [
        ("verify", "gone, seen on the spot"),
        ("close", "gone, seen on the spot"),
    ]

    page.keyboard.press("t")
    expect(page.get_by_label("How do you know?")).to_be_focused()
    with pages.database.write() as session:
        row = session.scalars(select(VerificationRow).where(VerificationRow.case_id == gone)).one()
        row.open = None
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_text("Nobody is asked any more")).to_be_visible()
    assert steps(pages, gone) == [("raised", "")]


def test_viewers_are_asked_nothing(window: BrowserContext, pages: ServedPages) -> None:
    pages.log_in(window, Role.VIEWER)
    page = window.new_page()
    page.goto("/ui/queue")
    expect(page.get_by_role("link", name="Second looks")).to_have_count(0)
    answer = page.goto("/ui/second-looks")
    assert answer is not None
    assert answer.status == 403
