"""Logging in with the organisation's account, and two reviewers who work at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from dispatch_rig import free_port
from playwright.sync_api import Browser, BrowserContext, Page, expect
from queued import queue_candidates
from served_pages import ServedPages, serving_pages
from sqlalchemy import func, select

from service.store.tables import AuditRow, CaseRow, CaseState, DecisionRow, Role

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider that listens."""
    port = free_port()
    program = Path(__file__).with_name("oidc_provider.py")
    process = subprocess.Popen([sys.executable, str(program), str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{url}/keys").raise_for_status()
                break
            except httpx.TransportError:
                assert process.poll() is None
                assert time.monotonic() < deadline, "it does not listen"
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def pages(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    """A service that lets people of the organisation in."""
    port = free_port()
    settings = {
        "issuer": issuer,
        "client_id": "jiexu",
        "client_secret": "a secret of the tests",
        "roles": {"city-reviewer": "reviewer"},
    }
    folder = tmp_path_factory.mktemp("served")
    with serving_pages(
        folder, port=port, oidc=json.dumps(settings), public_url=f"http://127.0.0.1:{port}"
    ) as served:
        served.add_user("somebody", Role.ADMIN)
        yield served


def log_in(window: BrowserContext, name: str) -> Page:
    page = window.new_page()
    page.goto("/ui/login")
    page.get_by_role("link", name="Log in with the organisation's account").click()
    page.get_by_label("Who are you?").fill(name)
    page.get_by_role("button", name="Log in").click()
    return page


def test_whoever_the_provider_names_is_let_in_by_its_button(
    window: BrowserContext, pages: ServedPages
) -> None:
    page = log_in(window, "li.na")
    expect(page.get_by_role("heading", name="Queue")).to_be_visible()
    expect(page.locator(".jx-user")).to_contain_text("li.na")
    expect(page.locator(".jx-user")).to_contain_text("Reviewer")


def test_whoever_has_no_role_is_not_let_in(window: BrowserContext, pages: ServedPages) -> None:
    page = log_in(window, "wang.wei")
    expect(page.get_by_text("This account was not let in here.")).to_be_visible()
    with pages.database.read() as session:
        (told,) = session.scalars(select(AuditRow).where(AuditRow.action == "login.failed"))
    assert told.details == {"why": "the provider gives no role here"}
    page.goto("/ui/queue")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_two_reviewers_at_once_decide_each_case_once(
    chromium: Browser, pages: ServedPages, tmp_path: Path
) -> None:
    cases = queue_candidates(pages.database, pages.files, tmp_path, 24)
    windows = [chromium.new_context(base_url=pages.url, locale="en-US") for _ in range(2)]
    pages.log_in(windows[1], Role.REVIEWER, "rev.two")
    screens = [log_in(windows[0], "li.na"), windows[1].new_page()]
    expect(screens[0].get_by_role("heading", name="Queue")).to_be_visible()
    for screen in screens:
        screen.goto("/ui/review")
    seen: list[set[str]] = [set(), set()]
    for number in range(10):
        for screen, mine in zip(screens, seen, strict=True):
            screen.wait_for_selector(".jx-desk:not([data-case=''])")
            mine.add(screen.locator(".jx-desk").get_attribute("data-case") or "")
            screen.keyboard.press("c" if number % 2 else "1")
    assert not seen[0] & seen[1], "no case was on both screens"
    assert [len(mine) for mine in seen] == [10, 10]
    decided = select(DecisionRow.reviewer, func.count().label("decisions")).group_by(
        DecisionRow.reviewer
    )
    open_ = select(func.count()).where(CaseRow.state == CaseState.CANDIDATE)
    deadline = time.monotonic() + 20
    while True:
        with pages.database.read() as session:
            counts = {row.reviewer: row.decisions for row in session.execute(decided)}
            left = session.scalar(open_)
        if counts == {"user:li.na": 10, "user:rev.two": 10}:
            break
        assert time.monotonic() < deadline, counts
        time.sleep(0.1)
    assert left == len(cases) - 20
    for window in windows:
        window.close()
