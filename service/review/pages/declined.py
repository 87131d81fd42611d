"""What a platform declined: why, with its picture; put right here, it is sent again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import Response
from nicegui import context, ui

from service.api import review as review_api
from service.api.conditional import etag
from service.api.review import CorrectionForm
from service.cases.correction import declined_cases
from service.review.asking import ask, button, refusals
from service.review.brief import brief_of
from service.review.components.box_canvas import BoxCanvas
from service.review.elements import tag
from service.review.page import Page
from service.review.pictures import boxed_picture, first_shown, kind_dot
from service.review.queue_tabs import DECLINED, Waiting, tabs, waiting
from service.review.repainted import Repainted
from service.review.visit import Visit
from service.review.words import moment
from service.store.tables import Role
from vision.rules.kinds import KINDS

SHOWN = 20
"""So many are shown, the longest declined first."""


@dataclass(frozen=True)
class _Declined:
    """A case that was declined."""

    brief: dict[str, Any]
    version: int
    by: str
    at: datetime
    words: str


async def build(visit: Visit) -> None:
    """Put the declined cases on the page; the list follows what happens."""
    declined = _DeclinedCases(visit)
    context.client.on_delete(visit.feed.listen(declined.hear))
    await declined.build()


class _DeclinedCases:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._seen: object = None

    async def build(self) -> None:
        """Put the page together."""
        self._tabs = tag("div")
        place = tag("section", classes="jx-declined", aria_label=self._visit.say("page.declined"))
        self._list = Repainted(place, self._read, self._draw)
        await self._list.again()

    async def hear(self, types: frozenset[str]) -> None:
        """Something happened: there may be others. Pictures are read, and audited, only then."""
        if not any(one.startswith("case.") for one in types):
            return
        if await self._visit.ask(Role.REVIEWER, _known, self._visit) != self._seen:
            await self._list.again()

    async def _read(self) -> tuple[Sequence[_Declined], Waiting]:
        self._seen = await self._visit.ask(Role.REVIEWER, _known, self._visit)
        return await self._visit.ask(Role.REVIEWER, _read, self._visit)

    def _draw(self, found: tuple[Sequence[_Declined], Waiting]) -> None:
        cases, counts = found
        self._tabs.clear()
        with self._tabs:
            tabs(self._visit, DECLINED, counts)
        if not cases:
            tag("p", self._visit.say("declined.none"), classes="jx-empty")
        for one in cases:
            self._case(one)

    def _case(self, one: _Declined) -> None:
        say, brief = self._visit.say, one.brief
        at = moment(say, one.at, self._visit.service.settings.timezone)
        with tag("article", classes="jx-declined-case", data_case=brief["id"]):
            file = first_shown(brief, ("scene", "frame"))
            if file is None:
                tag("p", say("look.no_picture"), classes="jx-look-none")
            else:
                boxed_picture(brief, file, brief["kind_name"])
            with tag("div"):
                with tag("div", classes="jx-look-title"):
                    kind_dot(brief["kind"])
                    tag("h2", brief["kind_name"])
                    where = f"{brief['camera_name']} · {brief['zone_id']}"
                    tag("span", where, classes="jx-soft")
                tag("p", say("declined.by", who=one.by, at=at), classes="jx-soft")
                tag("blockquote", one.words or say("declined.no_words"))
                button(say("declined.correct"), lambda: self._ask(one), classes="jx-primary")

    def _ask(self, one: _Declined) -> None:
        """Ask what was wrong; Enter sends it."""
        say, brief = self._visit.say, one.brief

        async def send() -> None:
            with refusals(self._visit, asked.fault):
                await self._visit.ask(
                    Role.REVIEWER,
                    review_api.post_correction,
                    brief["id"],
                    CorrectionForm(
                        note=note.value or "",
                        kind=kind.value,
                        box=list(canvas.corrected) if canvas and canvas.corrected else None,
                    ),
                    self._visit.service,
                    self._visit.principal,
                    Response(),
                    etag(one.version),
                )
                asked.dialog.close()
                ui.notify(say("declined.sent"), type="positive")
                await self._list.again()

        title = f"{brief['kind_name']}, {brief['camera_name']}: {say('declined.correct')}"
        asked = ask(self._visit, title, say("declined.send"), send)
        with asked.form:
            tag("p", say("declined.does"), classes="jx-hint")
            kind = ui.select(
                {kind: say.kind(kind) for kind in KINDS},
                label=say("declined.kind"),
                value=brief["kind"],
            ).props("outlined dense options-dense")
            note = ui.input(say("declined.note")).props("outlined dense autofocus maxlength=500")
            file = first_shown(brief, ("scene", "frame"))
            canvas = None
            if file is not None:
                canvas = BoxCanvas(
                    say.part("desk."),
                    file,
                    brief["evidence"].get("frame"),
                    brief["box"],
                    brief["colour"],
                    brief["kind_name"],
                )
        asked.dialog.open()


def _known(visit: Visit) -> tuple[list[tuple[str, int]], Waiting]:
    """Which cases there are, in which version, and how much waits elsewhere."""
    with visit.service.database.read() as session:
        cases = [(case.id, case.version) for case, _ in declined_cases(session, SHOWN)]
        return cases, waiting(session)


def _read(visit: Visit) -> tuple[Sequence[_Declined], Waiting]:
    """The cases with their masked pictures; that these are shown is audited."""
    now = visit.service.clock()
    with visit.service.database.write() as session:
        found = [
            _Declined(
                brief=brief_of(session, case, visit, now),
                version=case.version,
                by=step.actor.partition(":")[2] or step.actor,
                at=step.at,
                words=str(step.details.get("notes") or step.details.get("reason") or ""),
            )
            for case, step in declined_cases(session, SHOWN)
        ]
        return found, waiting(session)


PAGE = Page(
    "/declined",
    "declined",
    "assignment_return",
    Role.REVIEWER,
    build,
    in_navigation=False,
    below="/queue",
)
