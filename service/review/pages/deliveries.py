"""The delivery monitor: what goes to the platforms, what was given up, and sending it again."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui

from service.api import deliveries as deliveries_api
from service.api.deliveries import DeliveryBody, DestinationBody
from service.api.paging import PageBody
from service.dispatch.schedule import OPEN, State
from service.review.asking import button, refusals
from service.review.elements import icon_button, tag
from service.review.local import how_long, local_time
from service.review.page import Page
from service.review.regularly import regularly
from service.review.sheet import badge, row, sheet
from service.review.visit import Visit
from service.store.tables import Role

ROWS = 50
REFRESH_S = 5.0
_TONES = {State.DELIVERED: "good", State.RETRYING: "warn", State.DEAD: "bad"}


async def build(visit: Visit) -> None:
    """Put platforms and deliveries on the page, and keep them up to date."""
    await _Monitor(visit).build()


class _Monitor:
    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.state: State | None = None
        self.destination: str | None = None
        self.cursors: list[str | None] = [None]
        self.seen: object = None

    async def build(self) -> None:
        """Put the page together."""
        say = self.visit.say
        self.platforms = tag(
            "section", classes="jx-platforms", aria_label=say("deliveries.platforms")
        )
        with tag("div", classes="jx-strip"):
            with tag("div", classes="jx-toggle", role="group", aria_label=say("deliveries.state")):
                self.states = {state: self._state_button(state) for state in (None, *State)}
            self.fault = ui.label().classes("jx-zone-fault").props("role=alert")
            self.fault.visible = False
        self.list = tag("div")
        with tag("div", classes="jx-strip"):
            self.newer = button(say("deliveries.newer"), self._newer)
            self.older = button(say("deliveries.older"), self._older)
        await self._refresh()
        regularly(REFRESH_S, self._refresh)

    def _state_button(self, state: State | None) -> ui.element:
        text = self.visit.say.part("delivery_state.")["all" if state is None else state]
        chosen = button(text, lambda: self._choose(state), classes="")
        chosen.props["aria-pressed"] = str(state is self.state).lower()
        return chosen

    async def _choose(self, state: State | None) -> None:
        self.state, self.cursors = state, [None]
        for one, shown in self.states.items():
            shown.props["aria-pressed"] = str(one is state).lower()
        await self._refresh()

    async def _older(self) -> None:
        self.cursors.append(self.following)
        await self._refresh()

    async def _newer(self) -> None:
        self.cursors.pop()
        await self._refresh()

    def _read(self) -> tuple[list[DestinationBody], PageBody[DeliveryBody]]:
        service, who = self.visit.service, self.visit.principal
        platforms = deliveries_api.list_destinations(service, who)
        page = deliveries_api.list_deliveries(
            service, who, state=self.state, limit=ROWS, cursor=self.cursors[-1]
        )
        return platforms, page

    async def _refresh(self) -> None:
        read = await self.visit.ask(Role.SUPERVISOR, self._read)
        if read == self.seen:
            return
        self.seen = read
        platforms, page = read
        self.following = page.next_cursor
        self.older.props["disabled"] = page.next_cursor is None
        self.newer.props["disabled"] = len(self.cursors) == 1
        self.platforms.clear()
        with self.platforms:
            if not platforms:
                tag("p", self.visit.say("deliveries.no_platform"), classes="jx-empty")
            for platform in platforms:
                self._platform(platform)
        self.list.clear()
        with self.list:
            self._table(page.items)

    def _platform(self, one: DestinationBody) -> None:
        say, now = self.visit.say, self.visit.service.clock()
        tone, state = "good", say("platform.sends")
        if not one.active:
            tone, state = "", say("platform.not_named")
        elif one.gone_at is not None:
            tone, state = "bad", say("platform.gone")
        elif one.open_until is not None and one.open_until > now:
            tone, state = "bad", say("platform.failing", count=one.failures)
        elif one.held_until is not None and one.held_until > now:
            tone, state = "warn", say("platform.held")
        with tag("article", classes="jx-platform"):
            with tag("div", classes="jx-camera-head"):
                tag("b", one.name)
                badge(state, tone)
            tag("div", f"{one.interface} · {one.shown}", classes="jx-camera-detail")
            with tag("div", classes="jx-platform-counts"):
                for key, count in (("waiting", one.waiting), ("dead", one.dead)):
                    with tag("div"):
                        tag("b", str(count))
                        tag("span", say.part("platform.has_")[key])
                if one.oldest_at is not None:
                    with tag("div"):
                        tag("b", how_long(say, (now - one.oldest_at).total_seconds()))
                        tag("span", say("platform.oldest"))
            if one.dead or tone == "bad":
                button(say("platform.resume"), lambda: self._resume(one.name))

    def _table(self, items: list[DeliveryBody]) -> None:
        say = self.visit.say
        if not items:
            text = "deliveries.none" if self.state else "deliveries.none_yet"
            tag("p", say(text), classes="jx-empty")
            return
        first = (say("deliveries.at"), say("deliveries.case"), say("deliveries.platform"))
        then = (say("deliveries.tells"), say("deliveries.state"), say("deliveries.attempts"))
        last = (say("deliveries.answer"), say("deliveries.reference"), "")
        with sheet(say("page.deliveries"), (*first, *then, *last)):
            for one in items:
                self._row(one)

    def _row(self, one: DeliveryBody) -> None:
        say, service = self.visit.say, self.visit.service
        at = local_time(service, one.created_at, seconds=True)
        subject = say.part("delivery_subject.")[one.subject]
        with row(at, one.case_id[:8], one.destination, subject):
            with tag("td"):
                badge(say.part("delivery_state.")[one.state], _TONES.get(one.state, ""))
                if one.state in OPEN and one.attempts:
                    next_at = local_time(service, one.next_at, seconds=True)
                    tag("div", say("deliveries.next", at=next_at), classes="jx-small")
            tag("td", str(one.attempts), classes="jx-figure")
            answer = one.error or ("" if one.status_code is None else str(one.status_code))
            tag("td", answer, classes="jx-details")
            tag("td", one.reference or "")
            with tag("td", classes="jx-acts"):
                if one.state != State.WITHDRAWN:
                    icon_button(
                        "send", say("deliveries.resend", case=one.case_id[:8]), self._resending(one)
                    )

    def _resending(self, one: DeliveryBody) -> Callable[[], object]:
        async def act() -> None:
            visit = self.visit
            with refusals(visit, self.fault):
                await visit.ask(
                    Role.SUPERVISOR,
                    deliveries_api.resend,
                    one.id,
                    visit.service,
                    visit.principal,
                    visit.origin,
                )
                ui.notify(visit.say("deliveries.resent"), type="positive")
            await self._refresh()

        return act

    async def _resume(self, name: str) -> None:
        visit = self.visit
        with refusals(visit, self.fault):
            resumed = await visit.ask(
                Role.SUPERVISOR,
                deliveries_api.resume,
                name,
                visit.service,
                visit.principal,
                visit.origin,
            )
            ui.notify(visit.say("platform.resumed", count=resumed.revived), type="positive")
        await self._refresh()


PAGE = Page("/deliveries", "deliveries", "local_shipping", Role.SUPERVISOR, build)
