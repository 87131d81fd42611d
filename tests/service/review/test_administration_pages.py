"""What admins do in the pages: users, keys of programs, the audit."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect
from served_pages import PASSWORD, ServedPages

from service.store.tables import Role

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def can_log_in(pages: ServedPages, name: str, password: str) -> bool:
    form = {"name": name, "password": password}
    return httpx.post(f"{pages.url}/api/v1/session", json=form).status_code == 201


@pytest.fixture
def admin(window: BrowserContext, pages: ServedPages) -> BrowserContext:
    pages.log_in(window, Role.ADMIN)
    return window


def test_a_user_is_made_given_a_password_and_disabled(
    admin: BrowserContext, pages: ServedPages
) -> None:
    page = admin.new_page()
    page.goto("/ui/users")
    page.get_by_role("button", name="New user").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("User name").fill("zhang.min")
    dialog.get_by_label("Password, at least 12 characters").fill("short")
    dialog.get_by_role("button", name="Make the user").click()
    expect(dialog.get_by_role("alert")).to_contain_text("too short")
    dialog.get_by_role("radio", name="Supervisor").click()
    dialog.get_by_label("Password, at least 12 characters").fill(PASSWORD)
    dialog.get_by_label("User name").press("Enter")
    row = page.get_by_role("row").filter(has_text="zhang.min")
    expect(row).to_contain_text("Supervisor")
    assert can_log_in(pages, "zhang.min", PASSWORD)

    page.get_by_role("button", name="Change zhang.min").click()
    dialog.get_by_role("button", name="Make up a password").click()
    other = dialog.get_by_label("Other password")
    expect(other).to_have_value(re.compile(".{20}"))
    made_up = other.input_value()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    assert can_log_in(pages, "zhang.min", made_up)
    assert not can_log_in(pages, "zhang.min", PASSWORD)

    page.get_by_role("button", name="Change zhang.min").click()
    dialog.get_by_role("button", name="Disable").click()
    expect(row).to_contain_text("Disabled")
    assert not can_log_in(pages, "zhang.min", made_up)


def test_the_last_admin_cannot_be_disabled(admin: BrowserContext) -> None:
    page = admin.new_page()
    page.goto("/ui/users")
    page.get_by_role("button", name="Change a.admin").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Disable").click()
    expect(dialog.get_by_role("alert")).to_contain_text("the only admin")


def test_a_key_is_shown_once_lets_its_program_in_and_is_revoked(
    admin: BrowserContext, pages: ServedPages
) -> None:
    page = admin.new_page()
    page.goto("/ui/keys")
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What it is for").fill("prometheus")
    dialog.get_by_role("button", name="Make the key").click()
    expect(dialog.get_by_role("alert")).to_contain_text("scopes")
    dialog.get_by_role("checkbox", name="Read").click()
    dialog.get_by_role("button", name="Make the key").click()
    shown = page.get_by_role("dialog", name="Key for prometheus")
    key = shown.get_by_label("The key", exact=True).inner_text()
    headers = {"authorization": f"Bearer {key}"}
    assert httpx.get(f"{pages.url}/api/v1/cameras", headers=headers).status_code == 200
    shown.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    row = page.get_by_role("row").filter(has_text="prometheus")
    expect(row).to_contain_text("Valid")
    assert key not in page.content()

    row.get_by_role("button", name="Revoke prometheus").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("Revoked")
    assert httpx.get(f"{pages.url}/api/v1/cameras", headers=headers).status_code == 401


def test_the_audit_is_narrowed_by_who_and_what(admin: BrowserContext, pages: ServedPages) -> None:
    pages.add_user("sun.li", Role.VIEWER)
    can_log_in(pages, "sun.li", PASSWORD)
    can_log_in(pages, "sun.li", "wrong wrong wrong")
    page = admin.new_page()
    page.goto("/ui/audit")
    lines = page.get_by_role("table").get_by_role("row")
    expect(lines.filter(has_text="a.admin").first).to_be_visible()
    page.get_by_label("Who", exact=True).fill("sun.li")
    page.get_by_role("button", name="Search").click()
    expect(lines.filter(has_text="a.admin")).to_have_count(0)
    expect(lines.filter(has_text="user:sun.li")).to_have_count(1)
    page.get_by_label("Who", exact=True).fill("nobody else")
    page.get_by_label("Who", exact=True).press("Enter")
    expect(page.get_by_text("Nothing was found.")).to_be_visible()


@pytest.mark.parametrize("path", ["users", "keys", "audit"])
def test_others_than_admins_neither_see_nor_reach_it(
    window: BrowserContext, pages: ServedPages, path: str
) -> None:
    pages.log_in(window, Role.SUPERVISOR)
    page = window.new_page()
    answer = page.goto(f"/ui/{path}")
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_text("This needs other rights.")).to_be_visible()
    assert page.get_by_role("navigation").get_by_role("link", name=path).count() == 0
