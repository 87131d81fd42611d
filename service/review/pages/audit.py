"""The audit: who did what, when and why."""

from __future__ import annotations

import json
from typing import Any

from nicegui import ui

from service.api import users as users_api
from service.api.users import AuditBody, AuditPage
from service.review.asking import button
from service.review.elements import tag
from service.review.local import local_time
from service.review.page import Page
from service.review.sheet import row, sheet
from service.review.visit import Visit
from service.store.tables import Role

LINES = 50


async def build(visit: Visit) -> None:
    """Put filters and lines on the page."""
    say = visit.say
    actions = say.part("audit_action.")
    before: int | None = None

    async def narrow() -> None:
        nonlocal before
        before = None
        lines.clear()
        await more()

    async def more() -> None:
        nonlocal before
        found = await visit.ask(Role.ADMIN, read)
        if before is None:
            lines.clear()
        with lines:
            for line in found.items:
                _line(visit, line)
        before = found.next_before
        older.visible = before is not None
        nothing.visible = not found.items and not lines.default_slot.children

    def read() -> AuditPage:
        return users_api.list_audit(
            visit.service,
            visit.principal,
            limit=LINES,
            before=before,
            actor=_wanted(actor, "user:"),
            action=action.value or None,
            subject=_wanted(subject, ""),
        )

    with tag("form", classes="jx-strip jx-narrow", role="search").on("submit.prevent", narrow, []):
        actor = ui.input(say("audit.actor")).props("outlined dense clearable")
        action = ui.select(
            {"": say("audit.any"), **actions}, value="", label=say("audit.action"), with_input=True
        ).props("outlined dense")
        subject = ui.input(say("audit.subject"), placeholder="camera:gate-3").props(
            "outlined dense clearable"
        )
        tag("button", say("audit.search"), classes="jx-primary", type="submit")
    heads = (say("audit.at"), say("audit.actor"), say("audit.action"), say("audit.subject"))
    with sheet(say("page.audit"), (*heads, say("audit.details"), say("audit.address"))) as lines:
        pass
    nothing = tag("p", say("audit.nothing"), classes="jx-empty")
    older = button(say("audit.older"), more, classes="jx-quiet jx-more")
    await more()


def _wanted(field: ui.input, prefix: str) -> str | None:
    """What a filter asks for; a name alone stands for the user of that name."""
    text = (field.value or "").strip()
    is_name = text and ":" not in text and text not in ("system", "nobody")
    return (f"{prefix}{text}" if is_name else text) or None


def _line(visit: Visit, line: AuditBody) -> None:
    action = visit.say.part("audit_action.").get(line.action, line.action)
    with row(local_time(visit.service, line.at, seconds=True), line.actor, action, line.subject):
        with tag("td", classes="jx-details"):
            if line.reason:
                tag("div", line.reason)
            if line.details:
                tag("code", _compact(line.details))
        tag("td", line.address or "")


def _compact(details: dict[str, Any]) -> str:
    return "  ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in details.items()
    )


PAGE = Page("/audit", "audit", "history", Role.ADMIN, build)
