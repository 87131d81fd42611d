"""Forms of a zone's hours, permits and gates, with what is wrong beside each field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import get_args

from nicegui import ui

from service.review.asking import button
from service.review.elements import icon_button, tag
from service.review.wording import Wording
from service.review.zone_fields import Path, ZoneFields
from vision.calendars import WEEKDAYS
from vision.schedule import DayWord

DAY_WORDS: tuple[DayWord, ...] = get_args(DayWord)
_NEW_HOURS = {"from": "08:00", "to": "18:00"}


def schedule_form(fields: ZoneFields, say: Wording, path: Path, today: date) -> None:
    """Weekly windows, first and last day, and days with hours of their own.

    Args:
        fields: The zone.
        say: The texts.
        path: Where the schedule stands: ``("schedule",)``, or a permit, which is one.
        today: Local day, for new special days.
    """
    _windows(fields, say, (*path, "windows"), has_days=True)
    with tag("div", classes="jx-date-row"):
        _date(fields, say("zones.first_day"), (*path, "from"))
        _date(fields, say("zones.last_day"), (*path, "until"))
    fields.beside(*path, "from")
    fields.beside(*path, "until")
    special = (*path, "special_days")
    for number in range(len(fields.value(special) or ())):
        _special_day(fields, say, (*special, number))
    with tag("div", classes="jx-form-buttons"):
        button(
            say("zones.add_hours"),
            lambda: fields.append((*path, "windows"), {"days": list(WEEKDAYS), **_NEW_HOURS}),
        )
        # Tomorrow: today's hours may have been kept already.
        day = (today + timedelta(days=1)).isoformat()
        button(
            say("zones.add_special"), lambda: fields.append(special, {"from": day, "windows": []})
        )
    fields.beside(*path)


def permit_form(fields: ZoneFields, say: Wording, today: date) -> None:
    """Permits, each with its number, holder and hours."""
    for number in range(len(fields.value(("permits",)) or ())):
        path: Path = ("permits", number)
        with tag("fieldset", classes="jx-options jx-permit"):
            tag("legend", say("zones.permit", number=number + 1))
            with tag("div", classes="jx-date-row"):
                _text(fields, say("zones.permit_id"), (*path, "id"))
                _text(fields, say("zones.permit_holder"), (*path, "holder"))
            fields.beside(*path, "id")
            schedule_form(fields, say, path, today)
            _remove(fields, say("zones.remove_permit", number=number + 1), path)
    taken = {one.get("id") for one in fields.value(("permits",)) or ()}
    free = next(name for n in range(1, len(taken) + 2) if (name := f"P-{n}") not in taken)
    button(say("zones.add_permit"), lambda: fields.append(("permits",), {"id": free}))


def gate_form(fields: ZoneFields, say: Wording) -> None:
    """Stretches of a hoarding line that may stand open, in percent of its length."""
    for number in range(len(fields.value(("gates",)) or ())):
        path: Path = ("gates", number)
        with tag("div", classes="jx-window-row"):
            _percent(fields, say("zones.from"), (*path, "from"))
            _percent(fields, say("zones.to"), (*path, "to"))
            _remove(fields, say("zones.remove_gate", number=number + 1), path)
        fields.beside(*path)
    button(say("zones.add_gate"), lambda: fields.append(("gates",), {"from": 0.4, "to": 0.6}))


def _windows(fields: ZoneFields, say: Wording, path: Path, *, has_days: bool) -> None:
    windows: Sequence[object] | None = fields.value(path)
    if not windows:
        never = windows is not None
        text = "zones.closed" if never else "zones.whole_days"
        tag("p", say(text), classes="jx-hint")
    for number in range(len(windows or ())):
        one: Path = (*path, number)
        if has_days:
            _days(fields, say, (*one, "days"))
        with tag("div", classes="jx-window-row"):
            _clock(fields, say("zones.opens"), (*one, "from"))
            _clock(fields, say("zones.closes"), (*one, "to"))
            # Without any weekly window it holds all day; a special day without one is closed.
            whole = path if has_days and len(windows or ()) == 1 else one
            _remove(fields, say("zones.remove_hours", number=number + 1), whole)
        fields.beside(*one)


def _special_day(fields: ZoneFields, say: Wording, path: Path) -> None:
    with tag("fieldset", classes="jx-options jx-special"):
        tag("legend", say("zones.special"))
        with tag("div", classes="jx-date-row"):
            _date(fields, say("zones.from"), (*path, "from"))
            _date(fields, say("zones.until"), (*path, "until"))
        _windows(fields, say, (*path, "windows"), has_days=False)
        with tag("div", classes="jx-form-buttons"):
            button(
                say("zones.add_hours"),
                lambda: fields.append((*path, "windows"), dict(_NEW_HOURS)),
            )
            _remove(fields, say("zones.remove_special"), path)
        fields.beside(*path)


def _days(fields: ZoneFields, say: Wording, path: Path) -> None:
    given = fields.value(path)
    chosen = {given} if isinstance(given, str) else set(WEEKDAYS if given is None else given)
    with tag("div", classes="jx-days", role="group", aria_label=say("zones.days")):
        for word in DAY_WORDS:
            _day(fields, say, path, word, chosen)


def _day(fields: ZoneFields, say: Wording, path: Path, word: DayWord, chosen: set[str]) -> None:
    def press() -> None:
        chosen.symmetric_difference_update({word})
        chip.props["aria-pressed"] = str(word in chosen).lower()
        fields.put(path, [one for one in DAY_WORDS if one in chosen])

    chip = tag("button", say.part("day.")[word], type="button", title=say.part("day_means.")[word])
    chip.props["aria-pressed"] = str(word in chosen).lower()
    chip.on("click", press, [])


def _clock(fields: ZoneFields, label: str, path: Path) -> None:
    shown = ui.input(label, value=str(fields.value(path) or ""))
    shown.props("outlined dense maxlength=8 placeholder=00:00")
    _stores(shown, lambda: fields.put(path, shown.value.strip()))


def _date(fields: ZoneFields, label: str, path: Path) -> None:
    shown = ui.input(label, value=fields.value(path)).props("outlined dense stack-label type=date")
    # A day that is picked is told as changed before it is told as the field's value.
    shown.on("change", lambda event: fields.put(path, event.args or None))


def _text(fields: ZoneFields, label: str, path: Path) -> None:
    shown = ui.input(label, value=fields.value(path)).props("outlined dense maxlength=128")
    _stores(shown, lambda: fields.put(path, shown.value.strip() or None))


def _percent(fields: ZoneFields, label: str, path: Path) -> None:
    given = fields.value(path)
    share = None if given is None else round(100 * given, 2)
    shown = ui.number(label, value=share, min=0, max=100, step=1, suffix="%")
    shown.props("outlined dense")

    def store() -> None:
        fields.put(path, None if shown.value is None else round(shown.value / 100, 4))

    _stores(shown, store)


def _stores(shown: ui.element, store: Callable[[], None]) -> None:
    # Once it is left or Enter is pressed: a half-typed time is no fault.
    shown.on("change", store, [])


def _remove(fields: ZoneFields, label: str, path: Path) -> None:
    icon_button("close", label, lambda: fields.put(path, None, anew=True))
