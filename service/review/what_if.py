"""What drawn zones would have given: kept looks are judged again before anything is saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from fastapi import Response
from nicegui import ui

from service.api import replays as replays_api
from service.api.replays import ReplayBody, ReplayedBody, ReplayForm, ResultBody
from service.replays.jobs import ReplayState
from service.review.asking import button, refusals
from service.review.elements import tag
from service.review.local import how_long, local_time
from service.review.regularly import regularly
from service.review.sheet import badge
from service.review.visit import Visit
from service.store.tables import Role

LOOK_S = 0.7
"""So often it is looked how far a replay is."""

HOURS = (1, 24, 7 * 24)
MOST_SHOWN = 40
_TONES = {"appeared": "good", "vanished": "bad", "changed": "warn"}


class WhatIf:
    """A part of the zone editor.

    Args:
        visit: The open page.
        camera_id: The camera.
        zones: Gives the zones as they are drawn now.
        mark: Shows boxes on the picture: ``box`` in pixels, ``tone`` and ``name``.
    """

    def __init__(
        self,
        visit: Visit,
        camera_id: str,
        zones: Callable[[], Sequence[dict[str, Any]]],
        mark: Callable[[Sequence[dict[str, Any]]], None],
    ) -> None:
        self._visit = visit
        self._camera_id = camera_id
        self._zones = zones
        self._mark = mark
        self._replay: ReplayBody | None = None

    def build(self) -> None:
        """Put it on the page."""
        say = self._visit.say
        spans = {hours: say.part("what_if.hours_")[str(hours)] for hours in HOURS}
        with tag("section", classes="jx-what-if", aria_label=say("what_if.title")):
            tag("h2", say("what_if.title"))
            tag("p", say("what_if.hint"), classes="jx-hint")
            with tag("div", classes="jx-what-if-ask"):
                self._span = ui.select(spans, value=24, label=say("what_if.span"))
                self._span.props("outlined dense")
                self._begin = button(say("what_if.begin"), self._start)
            self._fault = ui.label().classes("jx-zone-fault").props("role=alert")
            self._fault.visible = False
            self._told = tag("div", role="status")
        self._timer = regularly(LOOK_S, self._look)
        self._timer.deactivate()

    async def _start(self) -> None:
        visit = self._visit
        self._mark(())
        self._told.clear()
        with refusals(visit, self._fault):
            now = visit.service.clock()
            form = ReplayForm.model_validate(
                {
                    "begin": now - timedelta(hours=self._span.value),
                    "end": now,
                    "cameras": [{"camera_id": self._camera_id, "zones": self._zones()}],
                }
            )
            self._replay = await visit.ask(
                Role.SUPERVISOR,
                replays_api.start_replay,
                form,
                Response(),
                visit.service,
                visit.principal,
                visit.origin,
            )
            self._timer.activate()
            self._show()

    async def _look(self) -> None:
        assert self._replay is not None
        with refusals(self._visit, self._fault):
            self._replay = await self._visit.ask(
                Role.SUPERVISOR,
                replays_api.get_replay,
                self._replay.id,
                self._visit.service,
                self._visit.principal,
            )
        self._show()
        if self._replay.finished_at is not None:
            self._timer.deactivate()
            ui.run_javascript(f"getHtmlElement({self._told.id})?.scrollIntoView({{block: 'end'}})")

    async def _give_up(self) -> None:
        assert self._replay is not None
        self._replay = await self._visit.ask(
            Role.SUPERVISOR,
            replays_api.cancel_replay,
            self._replay.id,
            self._visit.service,
            self._visit.principal,
        )

    def _show(self) -> None:
        replay, say = self._replay, self._visit.say
        assert replay is not None
        self._begin.props["disabled"] = replay.finished_at is None
        self._told.clear()
        with self._told:
            if replay.finished_at is None:
                ui.linear_progress(replay.progress, show_value=False, size="8px")
                button(say("what_if.give_up"), self._give_up)
            elif replay.result is not None:
                self._result(replay.result)
            elif replay.state is ReplayState.FAILED:
                tag("p", say("what_if.failed", why=replay.fault), classes="jx-zone-fault")

    def _result(self, result: ResultBody) -> None:
        say = self._visit.say
        counts = result.counts
        looks = sum(camera.looks for camera in result.cameras)
        tag("p", say("what_if.looks", looks=looks), classes="jx-hint")
        with tag("div", classes="jx-what-if-counts"):
            for name in ("appeared", "vanished", "changed", "unchanged"):
                with tag("div"):
                    tag("b", str(getattr(counts, name)))
                    badge(say.part("what_if.has_")[name], _TONES.get(name, ""))
        marks = []
        for name, tone in _TONES.items():
            found: Sequence[ReplayedBody] = getattr(result, name)[:MOST_SHOWN]
            with tag("ul", classes="jx-what-if-list"):
                for one in found:
                    self._violation(one, name, tone)
            marks += [{"box": one.box, "tone": tone, "name": say.kind(one.kind)} for one in found]
        for note in result.notes:
            tag("p", note, classes="jx-hint")
        self._mark(marks)

    def _violation(self, one: ReplayedBody, name: str, tone: str) -> None:
        say = self._visit.say
        lasted = ""
        if one.ended_at is not None:
            lasted = how_long(say, (one.ended_at - one.started_at).total_seconds())
        with tag("li"):
            badge(say.part("what_if.has_")[name], tone)
            tag("b", say.kind(one.kind))
            tag("span", one.zone_id)
            tag("span", f"{local_time(self._visit.service, one.started_at)} {lasted}")
