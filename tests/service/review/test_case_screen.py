"""The case screen, as a reviewer works with it: by keyboard, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from queued import BEGIN, SIZE, queue_candidates
from served_pages import ServedPages
from sqlalchemy import select

from service.store.tables import AuditRow, CaseRow, CaseState, DecisionRow, Role, Verdict

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def queue(pages: ServedPages, tmp_path: Path) -> Iterator[Callable[..., list[str]]]:
    """Puts candidates into the queue; what is left of them is taken out again."""

    def put(count: int, **changes: object) -> list[str]:
        return queue_candidates(pages.database, pages.files, tmp_path, count, **changes)

    yield put
    with pages.database.write() as session:
        for case in session.scalars(select(CaseRow).where(CaseRow.queue_at.is_not(None))):
            case.queue_at, case.state = None, CaseState.CANCELLED


def on_screen(page: Page) -> str:
    page.wait_for_selector(".jx-desk:not([data-case=''])")
    return page.locator(".jx-desk").get_attribute("data-case") or ""


def case_of(pages: ServedPages, case_id: str) -> CaseRow:
    with pages.database.read() as session:
        return session.get_one(CaseRow, case_id)


def wait_for_state(pages: ServedPages, case_id: str, state: CaseState) -> CaseRow:
    deadline = time.monotonic() + 10
    while (case := case_of(pages, case_id)).state != state:
        assert time.monotonic() < deadline, f"{case_id} is {case.state}, not {state}"
        time.sleep(0.05)
    return case


def last_decision(pages: ServedPages, case_id: str) -> DecisionRow:
    query = select(DecisionRow).where(DecisionRow.case_id == case_id).order_by(DecisionRow.id)
    with pages.database.read() as session:
        return session.scalars(query).all()[-1]


def test_cases_are_confirmed_rejected_and_taken_back_by_single_keys(
    reviewer: BrowserContext, pages: ServedPages, queue: Callable[..., list[str]]
) -> None:
    first, second, third, fourth = queue(4)
    page = reviewer.new_page()
    page.goto("/ui/review")
    assert on_screen(page) == first, "the oldest comes first"
    page.keyboard.press("c")
    assert on_screen(page) == second
    wait_for_state(pages, first, CaseState.CONFIRMED)
    page.keyboard.press("3")
    assert on_screen(page) == third
    wait_for_state(pages, second, CaseState.REJECTED)
    rejected = last_decision(pages, second)
    assert (rejected.reason, rejected.reviewer) == ("permitted", "user:a.reviewer")
    assert rejected.on_screen_s is not None
    page.keyboard.press("u")
    expect(page.get_by_role("status")).to_contain_text("Taken back")
    assert on_screen(page) == second
    wait_for_state(pages, second, CaseState.CANDIDATE)
    page.keyboard.press("n")
    assert on_screen(page) == third, "what is passed over is left to others"
    page.keyboard.press("s")
    assert on_screen(page) == fourth
    page.keyboard.press("c")
    expect(page.locator(".jx-rest-title")).to_contain_text("Nothing waits for you")
    wait_for_state(pages, fourth, CaseState.CONFIRMED)
    assert last_decision(pages, third).verdict == Verdict.NOT_SURE


def test_where_the_time_went_is_shown_with_what_it_means(
    reviewer: BrowserContext, pages: ServedPages, queue: Callable[..., list[str]]
) -> None:
    ledger = {"observed_s": 45.0, "bridged_s": 10.0, "unknown_s": 5.0}
    with_ledger, without = *queue(1, dwell=ledger), *queue(1)
    page = reviewer.new_page()
    page.goto(f"/ui/review?case={with_ledger}")
    assert on_screen(page) == with_ledger
    parts = page.get_by_role("list", name="Of this time")
    expect(parts.get_by_role("listitem")).to_contain_text(["Seen 45 sec", "Bridged", "Unknown"])
    hidden = parts.get_by_title("Hidden or missed for a while, and seen again at the same place")
    expect(hidden).to_contain_text("10 sec")
    widths = [
        page.locator(f".jx-bar .jx-dwell-{name}").evaluate("one => parseFloat(one.style.width)")
        for name in ("observed", "bridged", "unknown")
    ]
    assert widths[0] / widths[1] == pytest.approx(4.5, rel=0.01)
    page.goto(f"/ui/review?case={without}")
    assert on_screen(page) == without
    expect(page.get_by_text("How much of it was seen is not known.")).to_be_visible()


def test_the_kind_is_changed_and_the_box_drawn_anew(
    reviewer: BrowserContext, pages: ServedPages, queue: Callable[..., list[str]]
) -> None:
    (case_id,) = queue(1)
    page = reviewer.new_page()
    page.goto("/ui/review")
    assert on_screen(page) == case_id
    page.keyboard.press("k")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("3")
    expect(page.get_by_role("heading", name="Debris pile")).to_be_visible()
    page.keyboard.press("b")
    over = page.locator("svg.jx-over").bounding_box()
    assert over is not None
    scale = min(over["width"] / 320, over["height"] / 214)
    left = over["x"] + (over["width"] - 320 * scale) / 2
    top = over["y"] + (over["height"] - 214 * scale) / 2
    page.mouse.move(left + 100 * scale, top + 100 * scale)
    page.mouse.down()
    page.mouse.move(left + 200 * scale, top + 150 * scale, steps=4)
    page.mouse.up()
    page.keyboard.press("c")
    wait_for_state(pages, case_id, CaseState.CONFIRMED)
    decision = last_decision(pages, case_id)
    assert (decision.kind_before, decision.kind_after) == ("street_stall", "debris_pile")
    assert decision.box_after == pytest.approx([100, 100, 200, 150], abs=1.5)


def test_boxes_are_in_pixels_of_the_frame_of_which_the_scene_is_a_smaller_copy(
    reviewer: BrowserContext, pages: ServedPages, queue: Callable[..., list[str]]
) -> None:
    (case_id,) = queue(1, frame_size=(2 * SIZE[0], 2 * SIZE[1]), box=(200, 100, 300, 160))
    page = reviewer.new_page()
    page.goto("/ui/review")
    assert on_screen(page) == case_id
    drawn = page.locator("svg.jx-over rect.jx-box")
    assert [drawn.get_attribute(name) for name in ("x", "y", "width", "height")] == [
        "100",
        "50",
        "50",
        "30",
    ]
    page.keyboard.press("b")
    inside = drawn.bounding_box()
    assert inside is not None
    page.mouse.move(inside["x"] + inside["width"] / 2, inside["y"] + inside["height"] / 2)
    page.mouse.down()
    page.mouse.move(inside["x"], inside["y"] + inside["height"] / 2, steps=4)
    page.mouse.up()
    page.keyboard.press("c")
    wait_for_state(pages, case_id, CaseState.CONFIRMED)
    assert last_decision(pages, case_id).box_after == pytest.approx([150, 100, 250, 160], abs=4)


def test_the_reason_other_wants_a_note(
    reviewer: BrowserContext, pages: ServedPages, queue: Callable[..., list[str]]
) -> None:
    (case_id,) = queue(1)
    page = reviewer.new_page()
    page.goto("/ui/review")
    on_screen(page)
    page.keyboard.press("9")
    expect(page.get_by_label("Note", exact=True)).to_be_focused()
    page.keyboard.type("A wedding, gone by noon <b>9</b>")
    page.keyboard.press("Escape")
    page.keyboard.press("9")
    wait_for_state(pages, case_id, CaseState.REJECTED)
    assert last_decision(pages, case_id).note == "A wedding, gone by noon <b>9</b>"


def test_alike_candidates_are_decided_together(
    reviewer: BrowserContext, pages: ServedPages, queue: Callable[..., list[str]]
) -> None:
    alike = queue(3)
    later = BEGIN + timedelta(days=1)
    (elsewhere,) = queue(1, raised_at=later)
    page = reviewer.new_page()
    page.goto("/ui/review")
    on_screen(page)
    page.keyboard.press("a")
    expect(page.locator(".jx-tile")).to_have_count(3)
    page.locator(".jx-tile input").nth(2).uncheck()
    left_out = set(alike)
    page.keyboard.press("1")
    deadline = time.monotonic() + 10
    while len(left_out) > 1 and time.monotonic() < deadline:
        left_out = {one for one in alike if case_of(pages, one).state == CaseState.CANDIDATE}
    assert len(left_out) == 1
    assert case_of(pages, elsewhere).state == CaseState.CANDIDATE


def test_a_case_that_was_changed_meanwhile_comes_back(
    reviewer: BrowserContext, pages: ServedPages, queue: Callable[..., list[str]]
) -> None:
    first, second = queue(2)
    page = reviewer.new_page()
    page.goto("/ui/review")
    assert on_screen(page) == first
    with pages.database.write() as session:
        session.get_one(CaseRow, first).version += 1
    page.keyboard.press("c")
    expect(page.get_by_role("status")).to_contain_text("Someone changed this case meanwhile")
    assert on_screen(page) == first
    page.keyboard.press("c")
    wait_for_state(pages, first, CaseState.CONFIRMED)
    assert on_screen(page) == second


def test_a_claim_that_was_lost_is_told(
    reviewer: BrowserContext, pages: ServedPages, queue: Callable[..., list[str]]
) -> None:
    first, second = queue(2)
    page = reviewer.new_page()
    page.goto("/ui/review")
    assert on_screen(page) == first
    with pages.database.write() as session:
        session.get_one(CaseRow, first).claimed_by = "user:someone.else"
    page.keyboard.press("c")
    expect(page.get_by_role("status")).to_contain_text("Someone else has this case now")
    assert on_screen(page) == second
    assert case_of(pages, first).state == CaseState.CANDIDATE


def test_two_reviewers_never_have_the_same_case(
    window: BrowserContext, pages: ServedPages, queue: Callable[..., list[str]]
) -> None:
    queue(12)
    seen = []
    for name in ("rev.one", "rev.two"):
        pages.log_in(window, Role.REVIEWER, name)
        page = window.new_page()
        page.goto("/ui/review")
        seen.append(on_screen(page))
    assert seen[0] != seen[1]
    with pages.database.read() as session:
        held = session.scalars(select(CaseRow.claimed_by).where(CaseRow.queue_at.is_not(None)))
        assert sorted(set(filter(None, held))) == ["user:rev.one", "user:rev.two"]


@pytest.mark.parametrize("how", ["passed over", "page closed"])
def test_a_case_that_is_given_back_wakes_a_screen_that_has_none(
    window: BrowserContext, pages: ServedPages, queue: Callable[..., list[str]], how: str
) -> None:
    (case_id,) = queue(1)
    shown = []
    for name in ("rev.one", "rev.two"):
        pages.log_in(window, Role.REVIEWER, name)
        page = window.new_page()
        page.goto("/ui/review")
        shown.append(page)
    first, second = shown
    assert on_screen(first) == case_id
    expect(second.get_by_text("Nothing waits for you.")).to_be_visible()
    if how == "passed over":
        first.keyboard.press("n")
    else:
        first.close()
    # A page that is closed is kept for a while: its browser may come back.
    expect(second.locator(".jx-desk")).to_have_attribute("data-case", case_id, timeout=60_000)


def test_a_claim_that_ends_by_itself_comes_to_a_screen_that_has_none(
    reviewer: BrowserContext, pages: ServedPages, queue: Callable[..., list[str]]
) -> None:
    (case_id,) = queue(1)
    with pages.database.write() as session:
        case = session.get_one(CaseRow, case_id)
        case.claimed_by = "user:someone.else"
        case.claimed_until = datetime.now(UTC) + timedelta(seconds=10)
    page = reviewer.new_page()
    page.goto("/ui/review")
    expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    expect(page.locator(".jx-desk")).to_have_attribute("data-case", case_id, timeout=60_000)


def test_originals_are_for_supervisors_with_a_reason_and_written_down(
    window: BrowserContext, pages: ServedPages, queue: Callable[..., list[str]]
) -> None:
    (case_id,) = queue(1)
    pages.log_in(window, Role.SUPERVISOR)
    page = window.new_page()
    page.goto("/ui/review")
    on_screen(page)
    page.get_by_role("button", name="Open original").click()
    page.get_by_label("Reason").fill("plate for the notice")
    page.get_by_role("dialog").get_by_role("button", name="Open original").click()
    picture = page.get_by_role("img", name="Original")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320
    with pages.database.read() as session:
        query = select(AuditRow).where(AuditRow.subject == f"case:{case_id}").order_by(AuditRow.id)
        told = [(row.action, row.actor, row.reason) for row in session.scalars(query)]
    supervisor = "user:a.supervisor"
    assert ("evidence.opened", supervisor, "plate for the notice") in told
    assert ("evidence.read", supervisor, None) in told
    assert ("evidence.listed", supervisor, None) in told


def test_reviewers_are_offered_no_original(
    reviewer: BrowserContext, queue: Callable[..., list[str]]
) -> None:
    queue(1)
    page = reviewer.new_page()
    page.goto("/ui/review")
    on_screen(page)
    expect(page.get_by_role("button", name="Open original")).to_have_count(0)


def test_viewers_do_not_review(window: BrowserContext, pages: ServedPages) -> None:
    pages.log_in(window, Role.VIEWER)
    page = window.new_page()
    answer = page.goto("/ui/review")
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_text("This needs other rights.")).to_be_visible()
