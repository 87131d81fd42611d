"""Coming in: the first admin, logging in and out, the language and the colours of each user."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from served_pages import PASSWORD, ServedPages, serving_pages
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from service.store.tables import Role

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def log_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_whoever_has_the_token_makes_the_first_admin(chromium: Browser, tmp_path: Path) -> None:
    with serving_pages(tmp_path) as served:
        page = chromium.new_page(base_url=served.url, locale="en-US")
        page.goto("/")
        expect(page.get_by_role("heading", name="Make the first admin")).to_be_visible()

        def send(token: str, password: str) -> None:
            page.get_by_label("Token from the file").fill(token)
            page.get_by_label("User name").fill("boss")
            page.get_by_label("Password, at least 12 characters").fill(password)
            page.get_by_role("button", name="Make the admin").click()

        send("guessed", PASSWORD)
        expect(page.get_by_role("alert")).to_contain_text("not the one in the file")
        token = (tmp_path / "first-run-token").read_text().strip()
        send(token, "short")
        expect(page.get_by_role("alert")).to_contain_text("too short")
        send(token, PASSWORD)
        expect(page.locator(".jx-rail")).to_be_visible()
        expect(page.locator(".jx-user")).to_contain_text("boss")
        page.close()


def test_nobody_sees_a_page_without_a_login(pages: ServedPages) -> None:
    pages.add_user("a.viewer", Role.VIEWER)
    answer = httpx.get(f"{pages.url}/ui/queue")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/ui/login?back=/queue"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_after_the_login_one_is_where_one_wanted_to_be_and_nowhere_else(
    window: BrowserContext, pages: ServedPages
) -> None:
    pages.add_user("li.na", Role.REVIEWER)
    page = window.new_page()
    page.goto("/ui/login?back=//evil.example/")
    log_in(page, "li.na", PASSWORD)
    page.wait_for_url("**/ui/queue")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/ui/login")
    page.goto("/ui/queue")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_wrong_passwords_are_told_and_many_lock_the_name(
    window: BrowserContext, pages: ServedPages
) -> None:
    pages.add_user("wang", Role.VIEWER)
    page = window.new_page()
    page.goto("/ui/login")
    log_in(page, "wang", "wrong wrong wrong")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    for _ in range(4):
        httpx.post(f"{pages.url}/api/v1/session", json={"name": "wang", "password": "wrong"})
    log_in(page, "wang", PASSWORD)
    expect(page.get_by_role("alert")).to_contain_text("Too many failed logins. Wait")


def test_a_page_of_another_site_can_log_nobody_in_or_out(pages: ServedPages) -> None:
    pages.add_user("a.viewer", Role.VIEWER)
    with httpx.Client(base_url=pages.url) as client:
        form = {"name": "a.viewer", "password": PASSWORD}
        elsewhere = {"origin": "https://evil.example"}
        assert client.post("/ui/login", data=form, headers=elsewhere).status_code == 403
        assert client.post("/ui/login", data=form).headers["location"] == "/ui/"
        client.post("/ui/log-out", data={"csrf": "guessed"})
        assert client.get("/api/v1/session").status_code == 200


def test_a_page_of_another_site_can_open_no_socket(pages: ServedPages) -> None:
    host = pages.url.removeprefix("http://")
    address = f"ws://{host}/ui/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    with pytest.raises(InvalidStatus, match="403"):
        connect(address, origin=Origin("https://evil.example"))
    with connect(address, origin=Origin(pages.url)) as socket:
        assert "sid" in str(socket.recv())


def test_language_and_colours_stay_with_the_user(
    window: BrowserContext, pages: ServedPages, chromium: Browser
) -> None:
    pages.log_in(window, Role.VIEWER, "zhao")
    page = window.new_page()
    page.goto("/ui/queue")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", name="待审队列")).to_be_visible()
    page.get_by_role("button", name="使用浅色界面").click()
    page.get_by_role("button", name="使用深色界面").click()
    expect(page.get_by_role("button", name="跟随系统配色")).to_be_visible()
    other = chromium.new_context(base_url=pages.url, locale="en-US")
    pages.log_in(other, Role.VIEWER, "zhao")
    elsewhere = other.new_page()
    elsewhere.goto("/ui/queue")
    expect(elsewhere.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(elsewhere.locator("body.body--dark")).to_be_visible()
    other.close()


def test_an_open_page_ends_with_its_login(window: BrowserContext, pages: ServedPages) -> None:
    pages.log_in(window, Role.VIEWER)
    page = window.new_page()
    page.goto("/ui/queue")
    session = window.request.get("/api/v1/session").json()
    gone = window.request.delete("/api/v1/session", headers={"x-csrf-token": session["csrf_token"]})
    assert gone.status == 204
    page.get_by_role("button", name="中文").click()
    page.wait_for_url(f"{pages.url}/ui/login")
