"""Keys of programs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from nicegui import ui

from service.api import users as users_api
from service.api.users import KeyBody, KeyForm, NewKeyBody
from service.review.asking import ask, button, refusals
from service.review.elements import icon, icon_button, tag
from service.review.local import local_time
from service.review.page import Page
from service.review.sheet import badge, row, sheet
from service.review.visit import Visit
from service.store.tables import Role, Scope

DAYS = (30, 90, 365)
"""For so long a key may be made to hold."""


async def build(visit: Visit) -> None:
    """Put the list of keys on the page."""
    say = visit.say

    @ui.refreshable
    async def listed() -> None:
        found = await visit.ask(Role.ADMIN, users_api.list_keys, visit.service, visit.principal)
        if not found:
            tag("p", say("keys.none"), classes="jx-empty")
            return
        heads = (say("keys.name"), say("keys.begins"), say("keys.scopes"), say("keys.by"))
        times = (say("keys.since"), say("keys.until"), say("keys.used"), say("keys.state"))
        with sheet(say("page.keys"), (*heads, *times, "")):
            for key in found:
                _key(visit, key, listed.refresh)

    with tag("div", classes="jx-strip"):
        tag("p", say("keys.hint"), classes="jx-hint")
        with button("", lambda: _make(visit, listed.refresh), classes="jx-primary"):
            icon("key")
            tag("span", say("keys.new"))
    await listed()


def _key(visit: Visit, key: KeyBody, changed: Callable[[], object]) -> None:
    say = visit.say
    scopes = say.part("scope.")
    with row(key.name):
        with tag("td"):
            tag("code", f"{key.shown}…")
        tag("td", ", ".join(scopes[scope] for scope in key.scopes))
        tag("td", key.created_by.removeprefix("user:"))
        tag("td", local_time(visit.service, key.created_at))
        tag("td", local_time(visit.service, key.expires_at) or say("keys.for_good"))
        tag("td", local_time(visit.service, key.used_at) or say("keys.never"))
        state, tone = _state(key, visit.service.clock())
        with tag("td"):
            badge(say.part("keys.is_")[state], tone)
        with tag("td", classes="jx-acts"):
            if key.revoked_at is None:
                label = say("keys.revoke", name=key.name)
                icon_button("block", label, lambda: _revoke(visit, key, changed))


def _state(key: KeyBody, now: datetime) -> tuple[str, str]:
    if key.revoked_at is not None:
        return "revoked", "bad"
    if key.expires_at is not None and key.expires_at <= now:
        return "over", "warn"
    return "valid", "good"


def _make(visit: Visit, changed: Callable[[], object]) -> None:
    say = visit.say

    async def send() -> None:
        days = lasts.value
        with refusals(visit, asked.fault):
            form = KeyForm(
                name=name.value,
                scopes=[scope for scope, box in boxes.items() if box.value],
                expires_at=visit.service.clock() + timedelta(days=days) if days else None,
            )
            made = await visit.ask(
                Role.ADMIN,
                users_api.create_key,
                form,
                visit.service,
                visit.principal,
                visit.origin,
            )
            asked.dialog.close()
            _show(visit, made)
            changed()

    asked = ask(visit, say("keys.new"), say("keys.make"), send)
    with asked.form:
        name = ui.input(say("keys.what_for")).props("outlined autofocus maxlength=128")
        with tag("fieldset", classes="jx-options"):
            tag("legend", say("keys.scopes"))
            means = say.part("scope_means.")
            names = say.part("scope.")
            boxes = {
                scope: ui.checkbox(f"{names[scope]}: {means[scope]}").props("dense")
                for scope in Scope
            }
        spans = {days: say("keys.days", days=days) for days in DAYS} | {0: say("keys.for_good")}
        with tag("fieldset", classes="jx-options"):
            tag("legend", say("keys.lasts"))
            lasts = ui.radio(spans, value=DAYS[-1]).props("dense inline")
    asked.dialog.open()


def _show(visit: Visit, made: NewKeyBody) -> None:
    """Show a new key, this once."""
    say = visit.say

    async def done() -> None:
        asked.dialog.close()

    asked = ask(visit, say("keys.made", name=made.name), say("keys.kept"), done, may_cancel=False)
    with asked.form:
        tag("p", say("keys.once"), classes="jx-caution")
        with tag("div", classes="jx-secret"):
            tag("code", made.key, tabindex="0", aria_label=say("keys.key"))
            icon_button("content_copy", say("keys.copy"), lambda: ui.clipboard.write(made.key))
    asked.dialog.open()


def _revoke(visit: Visit, key: KeyBody, changed: Callable[[], object]) -> None:
    say = visit.say

    async def send() -> None:
        with refusals(visit, asked.fault):
            await visit.ask(
                Role.ADMIN,
                users_api.revoke_key,
                key.id,
                visit.service,
                visit.principal,
                visit.origin,
            )
            asked.dialog.close()
            changed()

    title = say("keys.revoke", name=key.name)
    asked = ask(visit, title, say("keys.revoke_now"), send, is_grave=True)
    with asked.form:
        tag("p", say("keys.revoke_hint"))
    asked.dialog.open()


PAGE = Page("/keys", "keys", "key", Role.ADMIN, build)
