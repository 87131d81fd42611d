"""The queue: what waits for review, most urgent first, as it changes.

What it is narrowed to stands in its address: a reload and a shared link show the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from nicegui import context, ui
from nicegui.events import ValueChangeEventArguments
from sqlalchemy import select

from service.cases.claims import QueueCount, Reviewer, Wanted, holder, queue_counts, queue_page
from service.review.elements import icon, tag
from service.review.page import BASE, Page
from service.review.queue_tabs import CANDIDATES, Waiting, tabs, waiting
from service.review.repainted import Repainted
from service.review.visit import Visit
from service.review.words import age, moment
from service.store.cameras import camera_names, camera_of
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
class _Choices:
    cameras: Mapping[str, str]
    zones: Mapping[str, Sequence[str]]

    def zones_of(self, camera_id: str | None) -> Sequence[str]:
        return () if camera_id is None else self.zones.get(camera_id, ())


@dataclass(frozen=True)
class _Queue:
    rows: Sequence[_Row]
    counts: Sequence[QueueCount]
    waiting: Waiting
    now: datetime


async def build(visit: Visit) -> None:
    """Put the queue on the page; it follows what happens."""
    query = context.client.request.query_params
    choices = await visit.ask(Role.VIEWER, _choices, visit)
    list_ = _List(visit, choices, query)
    list_.filters()
    shown = Repainted(tag("div", aria_live="polite"), list_.read, list_.draw)
    list_.changed = shown.again

    async def hear(types: frozenset[str]) -> None:
        if any(one.startswith("case.") for one in types):
            await shown.again()

    # Before the list is read: what happens once it is shown is heard.
    context.client.on_delete(visit.feed.listen(hear))
    await shown.again()


class _List:
    """The list under its filters.

    Attributes:
        changed: Is called when it is narrowed otherwise.
    """

    changed: Callable[[], Awaitable[None]]

    def __init__(self, visit: Visit, choices: _Choices, query: Mapping[str, str]) -> None:
        self._visit = visit
        self._choices = choices
        kind, camera, zone = (query.get(name) for name in ("kind", "camera", "zone"))
        self._kind = kind if kind in KINDS else None
        self._camera = camera if camera in choices.cameras else None
        self._zone = zone if zone in choices.zones_of(self._camera) else None

    def filters(self) -> None:
        """The other list, and what narrows this one."""
        say = self._visit.say
        self._tabs = tag("div")
        with tag("div", classes="jx-filters"):
            self._choice("kind", {kind: say.kind(kind) for kind in KINDS}, self._kind)
            self._choice("camera", self._choices.cameras, self._camera)
            self._zones = self._choice("zone", self._zone_options(), self._zone)
        self._free_zones()

    def _choice(self, name: str, options: Mapping[str, str], value: str | None) -> ui.select:
        async def chosen(change: ValueChangeEventArguments[Any]) -> None:
            await self._narrow(name, change.value or None)

        say = self._visit.say
        select_ = ui.select(
            {"": say("queue.any"), **options},
            label=say(f"queue.{name}"),
            value=value or "",
            on_change=chosen,
        )
        select_.props("outlined dense options-dense").classes("jx-filter")
        return select_

    async def _narrow(self, name: str, value: str | None) -> None:
        if getattr(self, f"_{name}") == value:
            return
        setattr(self, f"_{name}", value)
        if name == "camera":
            self._zone = None
            self._zones.set_options({"": self._visit.say("queue.any"), **self._zone_options()})
            self._zones.value = ""
            self._free_zones()
        ui.navigate.history.replace(self._address(CANDIDATES))
        await self.changed()

    def _free_zones(self) -> None:
        self._zones.enabled = self._camera is not None
        self._zones.props["hint"] = (
            "" if self._camera is not None else self._visit.say("queue.zone_hint")
        )

    def _zone_options(self) -> dict[str, str]:
        return {zone: zone for zone in self._choices.zones_of(self._camera)}

    async def read(self) -> _Queue:
        """Counts and rows as they are now."""
        return await self._visit.ask(Role.VIEWER, self._load)

    def draw(self, found: _Queue) -> None:
        """Show them."""
        visit = self._visit
        say = visit.say
        self._tabs.clear()
        with self._tabs:
            tabs(visit, CANDIDATES, found.waiting)
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
                address = self._address(f"{BASE}/review")
                with tag("a", classes="jx-primary jx-start", href=address):
                    icon("play_arrow")
                    tag("span", say("queue.start"))
        if not found.rows:
            narrowed = self._kind or self._camera
            text = "queue.none_such" if narrowed and found.counts else "queue.empty"
            tag("p", say(text), classes="jx-empty")
            return
        with tag("table", classes="jx-table"):
            with tag("thead"), tag("tr"):
                for key in ("kind", "camera", "zone", "waiting", "raised", "confidence", "state"):
                    tag(
                        "th",
                        say(f"queue.{key}"),
                        scope="col",
                        classes="jx-raised" if key == "raised" else "",
                    )
            with tag("tbody"):
                for row in found.rows:
                    self._row(row, found.now)

    def _row(self, row: _Row, now: datetime) -> None:
        say, case = self._visit.say, row.case
        timezone = self._visit.service.settings.timezone
        kind = KINDS.get(case.kind)
        with tag("tr", data_case=case.id):
            with tag("td", classes="jx-whole"):
                colour = kind.colour if kind else "gray"
                tag("span", classes="jx-dot", style=f"background:{colour}")
                if self._visit.may(Role.REVIEWER):
                    tag("a", say.kind(case.kind), href=self._address(f"{BASE}/review", case.id))
                else:
                    tag("span", say.kind(case.kind))
                if case.experimental:
                    tag("span", say("desk.experimental"), classes="jx-chip jx-chip-warn")
                if case.recurrences:
                    text = say("desk.recurrences", count=case.recurrences)
                    tag("span", text, classes="jx-chip jx-chip-warn")
            tag("td", row.camera_name)
            tag("td", case.zone_id)
            waits = age(say, (now - case.raised_at).total_seconds())
            tag("td", waits, classes="jx-whole")
            tag("td", moment(say, case.raised_at, timezone), classes="jx-whole jx-raised")
            tag("td", f"{case.confidence:.0%}")
            with tag("td"):
                if row.held_by is not None:
                    held_by = row.held_by.removeprefix("user:")
                    tag("span", say("queue.held", who=held_by), classes="jx-chip")
                elif case.stage != Stage.FIRST:
                    tag("span", say(f"stage.{case.stage}"), classes="jx-chip jx-chip-bad")

    def _address(self, page: str, case_id: str | None = None) -> str:
        """A page narrowed as this one is."""
        wanted = {
            "case": case_id,
            "kind": self._kind,
            "camera": self._camera,
            "zone": self._zone,
        }
        query = urlencode({key: value for key, value in wanted.items() if value})
        return f"{page}?{query}" if query else page

    def _load(self) -> _Queue:
        service = self._visit.service
        now = service.clock()
        principal = self._visit.principal
        reviewer = Reviewer(principal.actor, principal.may(Role.SUPERVISOR, None))
        wanted = Wanted((self._kind,) if self._kind else (), self._camera, self._zone)
        with service.database.read() as session:
            cases = queue_page(session, reviewer, now, SHOWN, wanted)
            names = camera_names(session, {case.camera_id for case in cases})
            rows = [_Row(case, names[case.camera_id], holder(case, now)) for case in cases]
            return _Queue(rows, queue_counts(session, now), waiting(session), now)


def _by_kind(counts: Sequence[QueueCount]) -> list[tuple[str, int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for one in counts:
        waiting, claimed = found.get(one.kind, (0, 0))
        found[one.kind] = (waiting + one.waiting, claimed + one.claimed)
    return [(kind, waiting, claimed) for kind, (waiting, claimed) in found.items()]


def _choices(visit: Visit) -> _Choices:
    """What narrows the list: zones that are drawn, and those in which something waits."""
    waiting = select(CaseRow.camera_id, CaseRow.zone_id).where(CaseRow.queue_at.is_not(None))
    with visit.service.database.read() as session:
        rows = session.scalars(select(CameraRow).order_by(CameraRow.id)).all()
        cameras = {row.id: camera_of(row) for row in rows}
        zones = {id_: {zone.id for zone in camera.zones} for id_, camera in cameras.items()}
        for camera_id, zone_id in session.execute(waiting.distinct()):
            zones.setdefault(camera_id, set()).add(zone_id)
        return _Choices(
            cameras={id_: cameras[id_].name or id_ if id_ in cameras else id_ for id_ in zones},
            zones={id_: sorted(found) for id_, found in zones.items()},
        )


PAGE = Page("/queue", "queue", "inbox", Role.VIEWER, build)
