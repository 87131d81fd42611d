"""The zone editor: polygons and hoarding lines of one view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Response
from nicegui import context, ui
from sqlalchemy import select

from service.api import cameras as cameras_api
from service.api.cameras import CameraForm
from service.api.conditional import etag
from service.api.middleware import PREFIX
from service.api.problem import Problem
from service.review.asking import ask, button, refusals
from service.review.components.zone_canvas import Points, ZoneCanvas
from service.review.drawing import Draft, ZoneDocument, rounded, with_settings
from service.review.elements import icon_button, tag
from service.review.page import Page
from service.review.regularly import regularly
from service.review.schedule_form import gate_form, permit_form, schedule_form
from service.review.visit import Visit
from service.review.what_if import WhatIf
from service.review.zone_fields import ZoneFields
from service.store.cameras import name_of
from service.store.tables import CameraRow, Role
from vision.check import COLOURS
from vision.stages import Stage
from vision.zones import Purpose

LOOK_S = 10.0
"""So often it is looked whether someone else changed the camera."""

DRAWN = tuple(purpose for purpose in Purpose if purpose is not Purpose.WHOLE_FRAME)
_STAGED = (Purpose.SITE, Purpose.HOARDING_LINE)


async def build(visit: Visit) -> None:
    """Put the editor on the page, or say that there is no camera."""
    cameras = await visit.ask(Role.SUPERVISOR, _cameras, visit)
    wanted = context.client.request.query_params.get("camera")
    if not cameras:
        tag("p", visit.say("wall.none"), classes="jx-empty")
        return
    camera_id = wanted if wanted in cameras else next(iter(cameras))
    draft = await visit.ask(Role.SUPERVISOR, _read, visit, camera_id)
    _Editor(visit, cameras, camera_id, draft).build()


def _cameras(visit: Visit) -> dict[str, str]:
    with visit.service.database.read() as session:
        rows = session.scalars(select(CameraRow).order_by(CameraRow.id)).all()
    return {row.id: name_of(row) for row in rows}


def _read(visit: Visit, camera_id: str) -> Draft:
    document = _document(visit, camera_id)
    return Draft(document["version"], document.get("zones", []))


def _document(visit: Visit, camera_id: str) -> dict[str, Any]:
    body = cameras_api.get_camera(camera_id, Response(), visit.service, visit.principal)
    document: dict[str, Any] = body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return document


def _store(visit: Visit, camera_id: str, draft: Draft) -> int:
    """Store the zones, if the camera is still as it was read; gives its version."""
    document = {**_document(visit, camera_id), "zones": draft.zones}
    settings = {key: document[key] for key in CameraForm.model_fields if key in document}
    stored = cameras_api.replace_camera(
        camera_id,
        CameraForm.model_validate(settings),
        Response(),
        visit.service,
        visit.principal,
        visit.origin,
        etag(draft.version),
    )
    return stored.version


@dataclass(eq=False)
class _Editor:
    """What is on the page, and what is drawn."""

    visit: Visit
    cameras: dict[str, str]
    camera_id: str
    draft: Draft
    selected: int | None = None
    drawing: Purpose | None = None
    told_version: int = 0
    faults: list[ui.element] = field(default_factory=list)
    fields: ZoneFields | None = None

    def build(self) -> None:
        """Put bar, picture and list on the page."""
        say = self.visit.say
        with tag("div", classes="jx-editor"):
            self._bar()
            with tag("div", classes="jx-editor-body"):
                self.canvas = ZoneCanvas(
                    say.part("canvas."),
                    f"{PREFIX}/cameras/{self.camera_id}/snapshot",
                    self.visit.service.settings.timezone,
                    on_points=self._points,
                    on_drawn=self._drawn,
                    on_select=self._select,
                    on_undo=self._undo,
                    on_redo=self._redo,
                    on_cancel=self._cancel,
                )
                with tag("div", classes="jx-editor-side"):
                    self.list = tag(
                        "section", classes="jx-zone-cards", aria_label=say("zones.of_camera")
                    )
                    if self.visit.service.replays is not None:
                        WhatIf(
                            self.visit,
                            self.camera_id,
                            lambda: self.draft.zones,
                            self.canvas.mark_boxes,
                        ).build()
        self._all()
        regularly(LOOK_S, self._look)

    def _bar(self) -> None:
        say = self.visit.say
        with tag("div", classes="jx-editor-bar"):
            ui.select(
                {
                    id_: f"{name} ({id_})" if name != id_ else id_
                    for id_, name in self.cameras.items()
                },
                value=self.camera_id,
                label=say("zones.camera"),
                with_input=True,
                on_change=lambda event: ui.navigate.to(f"/zones?camera={event.value}"),
            ).props("outlined dense").classes("jx-editor-camera")
            with (
                ui.button(say("zones.draw"), icon="add").props("unelevated no-caps"),
                ui.menu(),
                ui.list().props("dense"),
            ):
                for purpose in DRAWN:
                    self._drawn_item(purpose)
            self.undo = icon_button("undo", say("zones.undo"), self._undo)
            self.redo = icon_button("redo", say("zones.redo"), self._redo)
            self.note = tag("span", classes="jx-editor-note", role="status")
            self.save = button(say("zones.save"), self._save, classes="jx-primary")

    def _drawn_item(self, purpose: Purpose) -> None:
        with ui.menu_item(on_click=lambda: self._draw(purpose)):
            _swatch(purpose)
            tag("span", self._purpose(purpose))

    def _purpose(self, purpose: str) -> str:
        return self.visit.say.part("purpose.").get(purpose, purpose)

    def _all(self) -> None:
        """Show everything anew."""
        self.list.clear()
        self.faults, self.fields = [], None
        with self.list:
            if not self.draft.zones:
                tag("p", self.visit.say("zones.none"), classes="jx-hint")
            for index, zone in enumerate(self.draft.zones):
                self._zone(index, zone)
        self._refresh()

    def _refresh(self) -> None:
        """Show what changes with each stroke; fields keep what is being typed."""
        say, draft = self.visit.say, self.draft
        faults = draft.faults(say)
        for index, (place, wrong) in enumerate(zip(self.faults, faults, strict=True)):
            texts = [one.text for one in wrong]
            if index == self.selected and self.fields is not None:
                texts = self.fields.show(wrong)
            place.clear()
            with place:
                for text in dict.fromkeys(texts):
                    tag("p", text, classes="jx-zone-fault", role="alert")
        self.canvas.show(
            [
                {
                    "name": zone.get("id", ""),
                    "points": zone["points"],
                    "colour": _colour(zone["purpose"]),
                    "line": zone["purpose"] == Purpose.HOARDING_LINE,
                    "faulty": bool(wrong),
                }
                for zone, wrong in zip(draft.zones, faults, strict=True)
            ],
            selected=self.selected,
            drawing=None
            if self.drawing is None
            else "line"
            if self.drawing is Purpose.HOARDING_LINE
            else "polygon",
            is_changed=draft.is_changed,
        )
        self.undo.props["disabled"] = not draft.can_undo
        self.redo.props["disabled"] = not draft.can_redo
        is_faulty = any(faults)
        self.save.props["disabled"] = not draft.is_changed or is_faulty
        self.note.text = (
            say("zones.faulty") if is_faulty else say("zones.changed") if draft.is_changed else ""
        )

    def _zone(self, index: int, zone: dict[str, Any]) -> None:
        say = self.visit.say
        is_open = index == self.selected
        with tag("article", classes="jx-zone-card jx-open" if is_open else "jx-zone-card"):
            head = tag(
                "button", classes="jx-zone-head", type="button", aria_expanded=str(is_open).lower()
            )
            head.on("click", lambda: self._select(None if is_open else index), [])
            with head:
                _swatch(zone["purpose"])
                tag("b", zone.get("id", ""))
                tag("span", self._purpose(zone["purpose"]))
            self.faults.append(tag("div"))
            if is_open:
                self._fields(index, zone)
                icon_button("delete", say("zones.remove", name=zone.get("id", "")), self._remove)

    def _fields(self, index: int, zone: dict[str, Any]) -> None:
        say = self.visit.say

        def put(**settings: Any) -> None:
            self.draft.put(index, with_settings(self.draft.zones[index], **settings))
            self._refresh()

        def turn(purpose: str) -> None:
            put(purpose=purpose)
            self._all()

        name = ui.input(say("zones.name"), value=zone.get("id", "")).props("outlined dense")
        name.on("change", lambda: put(id=name.value.strip()), [])
        ui.select(
            {purpose.value: self._purpose(purpose) for purpose in DRAWN},
            value=zone["purpose"],
            label=say("zones.purpose"),
            on_change=lambda event: turn(event.value),
        ).props("outlined dense")
        if zone["purpose"] == Purpose.HOARDING_LINE:
            length = ui.number(say("zones.length"), value=zone.get("length_m"), min=0, suffix="m")
            length.props("outlined dense").on("change", lambda: put(length_m=length.value), [])
        if zone["purpose"] in _STAGED:
            self._stages(index, zone)
        self._forms(index, zone)

    def _forms(self, index: int, zone: ZoneDocument) -> None:
        """Hours, permits and gates, as far as the zone may have them or has them."""
        say = self.visit.say

        def store(changed: ZoneDocument, anew: bool) -> None:
            self.draft.put(index, with_settings(changed))
            if anew:
                self._all()
            else:
                self._refresh()

        fields = self.fields = ZoneFields(lambda: self.draft.zones[index], store)
        zone_info = ZoneInfo(self.visit.service.settings.timezone)
        today = self.visit.service.clock().astimezone(zone_info).date()
        purpose = zone["purpose"]
        if purpose != Purpose.PRIVACY or "schedule" in zone:
            with tag("fieldset", classes="jx-options"):
                tag("legend", say("zones.hours"))
                schedule_form(fields, say, ("schedule",), today)
        if purpose == Purpose.PERMITTED_VENDING or "permits" in zone:
            with tag("fieldset", classes="jx-options"):
                tag("legend", say("zones.permits"))
                permit_form(fields, say, today)
                fields.beside("permits")
        if purpose == Purpose.HOARDING_LINE or "gates" in zone:
            with tag("fieldset", classes="jx-options"):
                tag("legend", say("zones.gates"))
                gate_form(fields, say)

    def _stages(self, index: int, zone: dict[str, Any]) -> None:
        say = self.visit.say
        stages: list[dict[str, Any]] = list(zone.get("stages", ()))

        def put(changed: Sequence[dict[str, Any]]) -> None:
            self.draft.put(index, with_settings(self.draft.zones[index], stages=list(changed)))
            self._all()

        def add() -> None:
            today = self.visit.service.clock().date().isoformat()
            put([*stages, {"stage": Stage.DEMOLITION.value, "from": today}])

        with tag("fieldset", classes="jx-options"):
            tag("legend", say("zones.stages"))
            for at, stage in enumerate(stages):
                self._stage(stage, put, stages[:at], stages[at + 1 :])
            button(say("zones.add_stage"), add)

    def _stage(
        self,
        stage: dict[str, Any],
        put: Callable[[Sequence[dict[str, Any]]], None],
        earlier: Sequence[dict[str, Any]],
        later: Sequence[dict[str, Any]],
    ) -> None:
        say = self.visit.say

        def change(*other: dict[str, Any]) -> None:
            put([*earlier, *other, *later])

        names = {one.value: say.part("site_stage.")[one] for one in Stage}
        with tag("div", classes="jx-stage-row"):
            which = ui.select(
                names,
                value=stage["stage"],
                on_change=lambda event: change({**stage, "stage": event.value}),
            ).props("outlined dense")
            which.props["aria-label"] = say("zones.stage")
            first = ui.input(value=stage["from"]).props("outlined dense type=date")
            first.props["aria-label"] = say("zones.from")
            # A day that is picked is told as changed before it is told as the field's value.
            first.on("change", lambda event: change({**stage, "from": event.args}))
            icon_button("close", say("zones.remove_stage"), change)

    def _draw(self, purpose: Purpose) -> None:
        self.drawing, self.selected = purpose, None
        self._all()

    def _cancel(self) -> None:
        self.drawing = None
        self._refresh()

    def _drawn(self, points: Points) -> None:
        if self.drawing is not None:
            self.selected = self.draft.add(self.drawing, points)
            self.drawing = None
            self._all()

    def _points(self, index: int, points: Points) -> None:
        if index < len(self.draft.zones):
            self.draft.put(index, {**self.draft.zones[index], "points": rounded(points)})
            self._refresh()

    def _select(self, index: int | None) -> None:
        if index != self.selected:
            self.selected = index
            self._all()

    def _remove(self) -> None:
        if self.selected is not None:
            self.draft.remove(self.selected)
            self.selected = None
            self._all()

    def _undo(self) -> None:
        self.draft.undo()
        self._moved()

    def _redo(self) -> None:
        self.draft.redo()
        self._moved()

    def _moved(self) -> None:
        if self.selected is not None and self.selected >= len(self.draft.zones):
            self.selected = None
        self._all()

    async def _save(self) -> None:
        say = self.visit.say
        try:
            version = await self.visit.ask(
                Role.SUPERVISOR, _store, self.visit, self.camera_id, self.draft
            )
        except Problem as problem:
            if problem.kind != "changed_meanwhile":
                raise
            await self._conflict()
            return
        self.draft.stored(version)
        self._refresh()
        ui.notify(say("zones.saved"), type="positive")

    async def _look(self) -> None:
        """Tell once if someone else changed the camera."""
        theirs = await self.visit.ask(Role.SUPERVISOR, _read, self.visit, self.camera_id)
        if theirs.version in (self.draft.version, self.told_version):
            return
        if self.draft.is_changed:
            self.told_version = theirs.version
            ui.notify(
                self.visit.say("zones.conflict"), type="warning", close_button=True, timeout=0
            )
        else:
            self._take(theirs)

    async def _conflict(self) -> None:
        """Someone else was faster: their zones, or these in place of them."""
        say = self.visit.say
        theirs = await self.visit.ask(Role.SUPERVISOR, _read, self.visit, self.camera_id)

        async def over() -> None:
            with refusals(self.visit, asked.fault):
                self.draft.version = theirs.version
                asked.dialog.close()
                await self._save()

        def take() -> None:
            asked.dialog.close()
            self._take(theirs)

        asked = ask(self.visit, say("zones.conflict"), say("zones.over"), over, is_grave=True)
        with asked.form:
            tag("p", say("zones.conflict_hint", count=len(theirs.zones)))
        with asked.buttons:
            button(say("zones.theirs"), take)
        asked.dialog.open()

    def _take(self, draft: Draft) -> None:
        self.draft, self.selected, self.drawing = draft, None, None
        self._all()


def _swatch(purpose: str) -> None:
    tag("span", classes="jx-swatch", aria_hidden="true").style(f"background: {_colour(purpose)}")


def _colour(purpose: str) -> str:
    blue, green, red = COLOURS[Purpose(purpose)]
    return f"rgb({red} {green} {blue})"


PAGE = Page("/zones", "zones", "polyline", Role.SUPERVISOR, build, is_wide=True)
