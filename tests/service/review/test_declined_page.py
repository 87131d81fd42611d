"""What a platform declined: shown with its reason, put right, and sent again."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect
from queued import BEGIN, queue_candidates
from served_pages import ServedPages
from sqlalchemy import select

from service.cases.lifecycle import Action, take_step
from service.store.tables import CaseRow, CaseState, CaseStepRow

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def decline(pages: ServedPages, folder: Path, words: str) -> str:
    """A stall that the city's platform declined."""
    (case_id,) = queue_candidates(pages.database, pages.files, folder, 1)
    with pages.database.write() as session:
        case = session.get_one(CaseRow, case_id)
        case.state, case.queue_at = CaseState.SUBMITTED, None
    with pages.database.write() as session:
        told = {"notes": words} if words else {}
        take_step(session, case_id, Action.DECLINE, "platform:city", BEGIN, details=told)
    return case_id


def test_a_declined_case_is_put_right(
    reviewer: BrowserContext, pages: ServedPages, tmp_path: Path
) -> None:
    case_id = decline(pages, tmp_path, "not a stall <b>at all</b>")
    page = reviewer.new_page()
    page.goto("/ui/queue")
    page.get_by_role("link", name="Declined 1").click()
    case = page.get_by_role("article")
    expect(case.get_by_role("heading", name="Street stall")).to_be_visible()
    expect(case).to_contain_text("Declined by city")
    expect(case.get_by_text("not a stall <b>at all</b>")).to_be_visible()
    picture = case.get_by_role("img", name="Street stall")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320

    case.get_by_role("button", name="Put right").click()
    dialog = page.get_by_role("dialog")
    expect(page.get_by_label("What was wrong?")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("note")
    dialog.get_by_label("What is it?").click()
    page.get_by_role("option", name="Debris pile").click()
    page.get_by_label("What was wrong?").fill("goods left behind, nobody sells")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is sent again.")).to_be_visible()
    expect(page.get_by_text("No platform declines a case.")).to_be_visible()
    expect(page.get_by_role("link", name="Declined", exact=True)).to_be_visible()

    with pages.database.read() as session:
        changed = session.get_one(CaseRow, case_id)
        assert (changed.state, changed.kind) == (CaseState.CONFIRMED, "debris_pile")
        query = select(CaseStepRow).where(CaseStepRow.case_id == case_id)
        last = session.scalars(query.order_by(CaseStepRow.id.desc())).first()
        assert last is not None
        assert last.details["note"] == "goods left behind, nobody sells"


def test_a_case_that_is_declined_appears_by_itself(
    reviewer: BrowserContext, pages: ServedPages, tmp_path: Path
) -> None:
    page = reviewer.new_page()
    page.goto("/ui/declined")
    expect(page.get_by_text("No platform declines a case.")).to_be_visible()
    decline(pages, tmp_path, "")
    expect(page.get_by_text("The platform did not say why.")).to_be_visible()
