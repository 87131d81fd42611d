"""Cases whose deadline is still to be met, the soonest first; supervisors put one off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import Response
from nicegui import context, ui

from service.api import review as review_api
from service.api.conditional import etag
from service.api.problem import invalid
from service.api.review import ExtensionForm
from service.cases.deadline_changes import cases_in_time
from service.review.asking import ask, button, refusals
from service.review.elements import tag
from service.review.page import Page
from service.review.pictures import kind_dot
from service.review.queue_tabs import DEADLINES, Waiting, tabs, waiting
from service.review.repainted import Repainted
from service.review.sheet import badge, sheet
from service.review.visit import Visit
from service.review.words import age, moment
from service.store.cameras import camera_names
from service.store.tables import CaseRow, Role

SHOWN = 100
"""So many are listed."""
_SHORTEST_S = 60.0
"""Told of what is left of a limit, or over it."""


@dataclass(frozen=True)
class _Found:
    """What there is now.

    Attributes:
        cases: With a deadline, the soonest first, those whose deadline stands still last.
        names: Names of their cameras.
        counts: How much waits elsewhere.
        now: Aware time of the reading.
    """

    cases: Sequence[CaseRow]
    names: dict[str, str]
    counts: Waiting
    now: datetime


async def build(visit: Visit) -> None:
    """Put the cases on the page; the list follows what happens."""
    deadlines = _Deadlines(visit)
    context.client.on_delete(visit.feed.listen(deadlines.hear))
    await deadlines.build()


class _Deadlines:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._zone = ZoneInfo(visit.service.settings.timezone)

    async def build(self) -> None:
        """Put the page together."""
        self._tabs = tag("div")
        place = tag("section", aria_label=self._visit.say("page.deadlines"))
        self._list = Repainted(place, self._read, self._draw)
        await self._list.again()

    async def hear(self, types: frozenset[str]) -> None:
        """Something happened: there may be others."""
        if any(one.startswith("case.") for one in types):
            await self._list.again()

    async def _read(self) -> _Found:
        return await self._visit.ask(Role.SUPERVISOR, _read, self._visit)

    def _draw(self, found: _Found) -> None:
        say = self._visit.say
        self._tabs.clear()
        with self._tabs:
            tabs(self._visit, DEADLINES, found.counts)
        if not found.cases:
            tag("p", say("deadlines.none"), classes="jx-empty")
            return
        heads = [say(f"deadlines.{one}") for one in ("until", "kind", "camera", "zone", "state")]
        with sheet(say("page.deadlines"), (*heads, "")):
            for case in found.cases:
                self._case(case, found)

    def _case(self, case: CaseRow, found: _Found) -> None:
        say = self._visit.say
        with tag("tr", data_case=case.id):
            with tag("th", scope="row"):
                self._until(case, found.now)
            with tag("td"):
                kind_dot(case.kind)
                tag("span", say.kind(case.kind))
            tag("td", found.names[case.camera_id])
            tag("td", case.zone_id)
            tag("td", say.part("state.")[case.state])
            with tag("td"):
                button(say("deadlines.put_off"), lambda: self._ask(case, found.names))

    def _until(self, case: CaseRow, now: datetime) -> None:
        say = self._visit.say
        if case.deadline_at is None:
            left_s = max(_SHORTEST_S, case.deadline_left_s or 0.0)
            badge(say("deadlines.stands", left=age(say, left_s)))
            return
        tag("span", moment(say, case.deadline_at, self._zone.key))
        if case.deadline_at <= now:
            late_s = max(_SHORTEST_S, (now - case.deadline_at).total_seconds())
            badge(say("deadlines.late", late=age(say, late_s)), "bad")

    def _ask(self, case: CaseRow, names: dict[str, str]) -> None:
        """Ask until when and why; Enter sends it."""
        say = self._visit.say

        async def send() -> None:
            with refusals(self._visit, asked.fault):
                await self._visit.ask(
                    Role.SUPERVISOR,
                    review_api.post_extension,
                    case.id,
                    ExtensionForm(
                        deadline_at=self._instant(until.value), reason=reason.value or ""
                    ),
                    self._visit.service,
                    self._visit.principal,
                    self._visit.origin,
                    Response(),
                    etag(case.version),
                )
                asked.dialog.close()
                ui.notify(say("deadlines.done"), type="positive")
                await self._list.again()

        title = f"{say.kind(case.kind)}, {names[case.camera_id]}: {say('deadlines.put_off')}"
        asked = ask(self._visit, title, say("deadlines.put_off"), send)
        with asked.form:
            tag("p", say("deadlines.does"), classes="jx-hint")
            given = "" if case.deadline_at is None else self._typed(case.deadline_at)
            until = ui.input(say("deadlines.new"), value=given).props(
                "outlined dense stack-label autofocus type=datetime-local"
            )
            reason = ui.input(say("deadlines.reason")).props("outlined dense maxlength=500")
        asked.dialog.open()

    def _typed(self, at: datetime) -> str:
        """A time as browsers give what was typed."""
        return f"{at.astimezone(self._zone):%Y-%m-%dT%H:%M}"

    def _instant(self, typed: str | None) -> datetime:
        """A time of the site as it was typed."""
        try:
            return datetime.fromisoformat(typed or "").replace(tzinfo=self._zone)
        except ValueError:
            raise invalid("deadline_at", self._visit.say("deadlines.no_time")) from None


def _read(visit: Visit) -> _Found:
    with visit.service.database.read() as session:
        cases = cases_in_time(session, SHOWN)
        names = camera_names(session, {case.camera_id for case in cases})
        return _Found(cases, names, waiting(session), visit.service.clock())


PAGE = Page(
    "/deadlines",
    "deadlines",
    "event",
    Role.SUPERVISOR,
    build,
    in_navigation=False,
    below="/queue",
)
