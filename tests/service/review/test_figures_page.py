"""The figures: each rate with what it is of, other periods, pictures of before and after."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from playwright.sync_api import BrowserContext, expect
from served_pages import ServedPages
from sqlalchemy import select
from stored import add_case

from service.store.tables import (
    AuditRow,
    CaseStepRow,
    DecisionRow,
    EvidenceRow,
    Role,
    Variant,
    VerificationRow,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MAY = datetime(2026, 5, 4, 2, 0, tzinfo=UTC)


def decide(pages: ServedPages, case_id: str, verdict: str) -> None:
    with pages.database.write() as session:
        session.add(
            DecisionRow(
                case_id=case_id,
                at=MAY + timedelta(hours=1),
                reviewer="user:li",
                stage="first",
                verdict=verdict,
                settles=True,
                reason=None if verdict == "confirm" else "not_there",
                kind_before="street_stall",
                kind_after="street_stall",
                confidence=0.8,
            )
        )
        session.add(
            CaseStepRow(
                case_id=case_id,
                at=MAY + timedelta(hours=1),
                actor="user:li",
                action=verdict,
                state="confirmed",
                details={},
            )
        )


def look_again(pages: ServedPages, case_id: str) -> None:
    """The camera looked again and saw that it is gone; there is a picture of before and after."""
    ids = {}
    with pages.database.write() as session:
        for number, role in enumerate(("before", "after")):
            shade = np.full((90, 160, 3), 80 + 80 * number, np.uint8)
            data = cv2.imencode(".jpg", shade)[1].tobytes()
            ids[role] = str(uuid.uuid4())
            session.add(
                EvidenceRow(
                    id=ids[role],
                    violation_id=case_id,
                    case_id=case_id,
                    role=role,
                    variant=Variant.MASKED,
                    sha256=f"{number:064d}",
                    bytes=len(data),
                    width=160,
                    height=90,
                    media_type="image/jpeg",
                    taken_at=MAY,
                    key=pages.files.keep(Variant.MASKED, data, "image/jpeg"),
                    created_at=MAY,
                )
            )
        session.add(
            VerificationRow(
                id=str(uuid.uuid4()),
                case_id=case_id,
                why="handled",
                begun_at=MAY,
                until=MAY,
                result="gone",
                decided_at=MAY + timedelta(days=1),
                decided_by="camera:gate-3",
                before_id=ids["before"],
                after_id=ids["after"],
            )
        )


def test_rates_are_shown_with_what_they_are_of_and_pictures_on_demand(
    window: BrowserContext, pages: ServedPages
) -> None:
    cases = [add_case(pages.database, number, raised_at=MAY) for number in range(3)]
    for case_id, verdict in zip(cases, ("confirm", "confirm", "reject"), strict=True):
        decide(pages, case_id, verdict)
    look_again(pages, cases[0])
    pages.log_in(window, Role.SUPERVISOR)
    page = window.new_page()
    page.goto("/ui/figures?period=2026-05")
    precision = page.get_by_role("article").filter(has_text="Precision of the model")
    expect(precision).to_contain_text("66.7 %")
    expect(precision).to_contain_text("2 / 3")
    unknown = page.get_by_role("article").filter(has_text="Rework")
    expect(unknown).to_contain_text("–")
    expect(unknown).to_contain_text("0 / 0")
    expect(page.get_by_role("region", name="Kinds").locator("svg")).to_be_visible()
    spots = page.get_by_role("region", name="Where it comes back")
    expect(spots.get_by_role("row")).to_have_count(2)

    page.get_by_role("button", name="Show pictures").click()
    pair = page.get_by_role("figure")
    expect(pair).to_contain_text("Gone")
    for image in pair.get_by_role("img").all():
        image.scroll_into_view_if_needed()
        assert image.evaluate("img => img.decode().then(() => img.naturalWidth)") == 160
    with pages.database.read() as session:
        listed = select(AuditRow).where(AuditRow.action == "evidence.listed")
        assert [one.subject for one in session.scalars(listed)] == [f"case:{cases[0]}"]

    for name in ("As a page", "As a workbook"):
        link = page.get_by_role("link", name=name).get_attribute("href")
        assert window.request.get(link or "").status == 200
    printed = window.new_page()
    printed.goto(page.get_by_role("link", name="As a page").get_attribute("href") or "")
    assert (
        printed.get_by_role("heading", level=1).evaluate("one => getComputedStyle(one).fontSize")
        == "28px"
    ), "its own style holds"
    before = printed.get_by_role("img", name="Before")
    assert before.evaluate("img => img.decode().then(() => img.naturalWidth)") == 160
    printed.close()
    page.get_by_role("link", name="The one before").click()
    expect(page.get_by_role("heading", name="2026-04")).to_be_visible()
    page.get_by_role("link", name="Quarterly review").click()
    expect(page.get_by_role("heading", name="2026-Q2")).to_be_visible()


def test_figures_are_for_supervisors(window: BrowserContext, pages: ServedPages) -> None:
    pages.log_in(window, Role.REVIEWER)
    assert window.request.get("/ui/figures").status == 403
