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


def test_a_box_is_corrected_by_mouse_and_by_keys(
    reviewer: BrowserContext, pages: ServedPages, tmp_path: Path
) -> None:
    case_id = decline(pages, tmp_path, "the box is beside it")
    page = reviewer.new_page()
    page.goto("/ui/declined")
    page.locator(f"[data-case='{case_id}']").get_by_role("button", name="Put right").click()
    dialog = page.get_by_role("dialog")
    box = dialog.locator("rect.jx-box")
    back = dialog.get_by_role("button", name="Put it back")
    expect(back).to_be_disabled()

    # Drawn anew, over the upper left quarter of the picture.
    picture = dialog.get_by_role("application", name="Box")
    place = picture.bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + 1, place["y"] + 1)
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2, steps=4)
    page.mouse.up()
    expect(back).to_be_enabled()
    back.click()
    expect(box).to_have_attribute("x", "20")
    expect(back).to_be_disabled()

    picture.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Shift+ArrowRight"):
        page.keyboard.press(key)
    expect(box).to_have_attribute("x", "26.4")
    page.get_by_label("What was wrong?").fill("the box was beside it")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is sent again.")).to_be_visible()
    with pages.database.read() as session:
        changed = session.get_one(CaseRow, case_id)
        assert changed.box == pytest.approx([26.4, 23.2, 59.6, 47.2])
