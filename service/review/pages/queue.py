"""The queue: what waits for review, most urgent first, as it changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from nicegui import context, ui
from nicegui.events import ValueChangeEventArguments
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.cases.claims import QueueCount, Reviewer, Wanted, holder, queue_counts, queue_page
from service.review.elements import icon, tag
from service.review.page import BASE, Page
from service.review.visit import Visit
from service.review.words import age, moment
from service.store.cameras import camera_of
from service.store.tables import CameraRow, CaseRow, Role, Stage
from vision.rules.kinds import KINDS

SHOWN = 60
"""So many candidates are listed; the counts are of all."""


@dataclass(frozen=True)
class _Row:
    case: CaseRow
    camera_name: str
    held_by: str | None


@dataclass(frozen=True)
class _Queue:
    rows: Sequence[_Row]
    counts: Sequence[QueueCount]
    now: datetime


async def build(visit: Visit) -> None:
    """Put the queue on the page; it follows what happens."""
    query = context.client.request.query_params
    list_ = _List(visit, query.get("kind"), query.get("camera"))
    cameras = await visit.ask(Role.VIEWER, lambda: _cameras(visit))
    list_.filters(cameras)

    async def hear(types: frozenset[str]) -> None:
        if any(one.startswith("case.") for one in types):
            await list_.show.refresh()

    # Before the list is read: what happens once it is shown is heard.
    context.client.on_delete(visit.feed.listen(hear))
    with tag("div", aria_live="polite"):
        await list_.show()


class _List:
    """The list under its filters."""

    def __init__(self, visit: Visit, kind: str | None, camera: str | None) -> None:
        self._visit = visit
        self._kind = kind if kind in KINDS else None
        self._camera = camera

    def filters(self, cameras: dict[str, str]) -> None:
        """What narrows the list."""
        say = self._visit.say
        every = {"": say("queue.any")}
        kinds = every | {kind: say.kind(kind) for kind in KINDS}
        with tag("div", classes="jx-filters"):
            self._choice(say("queue.kind"), kinds, self._kind, "_kind")
            self._choice(say("queue.camera"), every | cameras, self._camera, "_camera")

    def _choice(self, label: str, options: dict[str, str], value: str | None, name: str) -> None:
        async def chosen(change: ValueChangeEventArguments[Any]) -> None:
            setattr(self, name, change.value or None)
            await self.show.refresh()

        value = value if value in options else ""
        select_ = ui.select(options, label=label, value=value, on_change=chosen)
        select_.props("outlined dense options-dense").classes("jx-filter")

    @ui.refreshable_method
    async def show(self) -> None:
        """Counts and rows as they are now."""
        visit = self._visit
        say = visit.say
        found = await visit.ask(Role.VIEWER, self._load)
        with tag("div", classes="jx-cards"):
            for kind, waiting, claimed in _by_kind(found.counts):
                with tag("div", classes="jx-stat"):
                    tag("strong", str(waiting))
                    tag("span", say.kind(kind))
                    if claimed:
                        tag("small", say("queue.claimed", count=claimed))
            disputed = sum(one.waiting for one in found.counts if one.stage is Stage.SUPERVISOR)
            if disputed:
                with tag("div", classes="jx-stat jx-stat-bad"):
                    tag("strong", str(disputed))
                    tag("span", say("queue.disputed"))
            if visit.may(Role.REVIEWER) and found.rows:
                with tag("a", classes="jx-primary jx-start", href=self._review()):
                    icon("play_arrow")
                    tag("span", say("queue.start"))
        if not found.rows:
            tag("p", say("queue.empty"), classes="jx-empty")
            return
        with tag("table", classes="jx-table"):
            with tag("thead"), tag("tr"):
                for key in ("kind", "camera", "zone", "waiting", "raised", "confidence", "state"):
                    tag("th", say(f"queue.{key}"), scope="col")
            with tag("tbody"):
                for row in found.rows:
                    self._row(row, found.now)

    def _row(self, row: _Row, now: datetime) -> None:
        say, case = self._visit.say, row.case
        timezone = self._visit.service.settings.timezone
        kind = KINDS.get(case.kind)
        with tag("tr", data_case=case.id):
            with tag("td"):
                colour = kind.colour if kind else "gray"
                tag("span", classes="jx-dot", style=f"background:{colour}")
                if self._visit.may(Role.REVIEWER):
                    tag("a", say.kind(case.kind), href=self._review(case.id))
                else:
                    tag("span", say.kind(case.kind))
                if case.experimental:
                    tag("span", say("desk.experimental"), classes="jx-chip jx-chip-warn")
                if case.recurrences:
                    text = say("desk.recurrences", count=case.recurrences)
                    tag("span", text, classes="jx-chip jx-chip-warn")
            tag("td", row.camera_name)
            tag("td", case.zone_id)
            tag("td", age(say, (now - case.raised_at).total_seconds()))
            tag("td", moment(say, case.raised_at, timezone))
            tag("td", f"{case.confidence:.0%}")
            with tag("td"):
                if row.held_by is not None:
                    held_by = row.held_by.removeprefix("user:")
                    tag("span", say("queue.held", who=held_by), classes="jx-chip")
                elif case.stage != Stage.FIRST:
                    tag("span", say(f"stage.{case.stage}"), classes="jx-chip jx-chip-bad")

    def _review(self, case_id: str | None = None) -> str:
        wanted = {"case": case_id, "kind": self._kind, "camera": self._camera}
        query = urlencode({key: value for key, value in wanted.items() if value})
        return f"{BASE}/review" + (f"?{query}" if query else "")

    def _load(self) -> _Queue:
        service = self._visit.service
        now = service.clock()
        principal = self._visit.principal
        reviewer = Reviewer(principal.actor, principal.may(Role.SUPERVISOR, None))
        wanted = Wanted(kinds=(self._kind,) if self._kind else (), camera_id=self._camera)
        with service.database.read() as session:
            cases = queue_page(session, reviewer, now, SHOWN, wanted)
            names = _names(session, {case.camera_id for case in cases})
            rows = [
                _Row(case, names.get(case.camera_id, case.camera_id), holder(case, now))
                for case in cases
            ]
            return _Queue(rows, queue_counts(session, now), now)


def _by_kind(counts: Sequence[QueueCount]) -> list[tuple[str, int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for one in counts:
        waiting, claimed = found.get(one.kind, (0, 0))
        found[one.kind] = (waiting + one.waiting, claimed + one.claimed)
    return [(kind, waiting, claimed) for kind, (waiting, claimed) in found.items()]


def _names(session: Session, ids: set[str]) -> dict[str, str]:
    rows = session.scalars(select(CameraRow).where(CameraRow.id.in_(ids)))
    return {row.id: camera_of(row).name or row.id for row in rows}


def _cameras(visit: Visit) -> dict[str, str]:
    with visit.service.database.read() as session:
        rows = session.scalars(select(CameraRow).order_by(CameraRow.id)).all()
    return {row.id: camera_of(row).name or row.id for row in rows}


PAGE = Page("/queue", "queue", "inbox", Role.VIEWER, build)
