"""Zones of a camera while somebody draws them: changes, undo, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from service.review.wording import Wording
from vision.zones import Purpose, Zone

ZoneDocument = dict[str, Any]
MOST_UNDONE = 200

_SAID = {
    "crosses itself": "zone_fault.crosses",
    "at least 3 points": "zone_fault.few_corners",
    "at least 2 points": "zone_fault.few_points",
    "greater than or equal to 0": "zone_fault.outside",
    "less than or equal to 1": "zone_fault.outside",
    "should match pattern": "zone_fault.id",
    "at least 1 character": "zone_fault.id",
    "stages must begin one after the other": "zone_fault.stages",
    "is no time": "zone_fault.time",
    "expected a time": "zone_fault.time",
    "from and to are the same": "zone_fault.same_times",
    "cannot open at 24:00": "zone_fault.late",
    "until lies before from": "zone_fault.dates",
    "valid date": "zone_fault.date",
    "at least 1 item": "zone_fault.no_days",
    "to must be greater than from": "zone_fault.gate",
    "two permits are called": "zone_fault.same_permit",
    "a privacy zone is masked": "zone_fault.privacy",
    "permits: only for": "zone_fault.only_vending",
    "gates: only for": "zone_fault.only_hoarding",
    "length_m: only for": "zone_fault.only_hoarding",
    "stages: only for": "zone_fault.only_site",
}
"""What validation says, and the text for it."""


@dataclass(frozen=True)
class ZoneFault:
    """What is wrong with a zone.

    Attributes:
        path: Where in its settings; empty for the zone as a whole.
        text: What, in the language of the page.
    """

    path: tuple[str | int, ...]
    text: str


class Draft:
    """Zones as they are drawn now.

    Attributes:
        version: Version of the camera that was read.
        zones: The zones as documents, with faults or without.
    """

    def __init__(self, version: int, zones: Sequence[ZoneDocument]) -> None:
        self.version = version
        self.zones = list(zones)
        self._saved = list(zones)
        self._past: list[list[ZoneDocument]] = []
        self._undone: list[list[ZoneDocument]] = []

    @property
    def is_changed(self) -> bool:
        """Whether it differs from what is stored."""
        return self.zones != self._saved

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is a change to make again."""
        return bool(self._undone)

    def put(self, index: int, zone: ZoneDocument) -> None:
        """Replace a zone."""
        if zone != self.zones[index]:
            self._change([*self.zones[:index], zone, *self.zones[index + 1 :]])

    def add(self, purpose: Purpose, points: Sequence[Sequence[float]]) -> int:
        """Add a zone under a name that is not taken; gives its index."""
        taken = {zone.get("id") for zone in self.zones}
        name = next(
            name
            for number in range(1, len(taken) + 2)
            if (name := str(purpose) if number == 1 else f"{purpose}-{number}") not in taken
        )
        zone = {"id": name, "purpose": purpose.value, "points": rounded(points)}
        self._change([*self.zones, zone])
        return len(self.zones) - 1

    def remove(self, index: int) -> None:
        """Take a zone away."""
        self._change([*self.zones[:index], *self.zones[index + 1 :]])

    def undo(self) -> None:
        """Take the last change back."""
        if self._past:
            self._undone.append(self.zones)
            self.zones = self._past.pop()

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        if self._undone:
            self._past.append(self.zones)
            self.zones = self._undone.pop()

    def stored(self, version: int) -> None:
        """It was stored as it is."""
        self.version = version
        self._saved = self.zones

    def faults(self, say: Wording) -> list[list[ZoneFault]]:
        """What is wrong with each zone, by the rules of the API."""
        ids = [zone.get("id") for zone in self.zones]
        found = []
        for zone in self.zones:
            wrong = _faults(zone, say)
            if ids.count(zone.get("id")) > 1:
                wrong.append(ZoneFault((), say("zone_fault.twice")))
            found.append(wrong)
        return found

    def _change(self, zones: list[ZoneDocument]) -> None:
        self._past.append(self.zones)
        del self._past[:-MOST_UNDONE]
        self._undone.clear()
        self.zones = zones


def rounded(points: Sequence[Sequence[float]]) -> list[list[float]]:
    """Points as they are kept: a ten-thousandth of the frame is less than a pixel."""
    return [[round(float(x), 4), round(float(y), 4)] for x, y in points]


def with_settings(zone: ZoneDocument, **settings: Any) -> ZoneDocument:
    """A zone with other settings; those that are empty are left out."""
    changed = {**zone, **settings}
    return {
        name: value
        for name, value in changed.items()
        if value not in (None, "", [], (), {}) or name == "id"
    }


def _faults(zone: ZoneDocument, say: Wording) -> list[ZoneFault]:
    try:
        Zone.model_validate(zone)
    except ValidationError as error:
        told: list[ZoneFault] = []
        for one in error.errors():
            fault = ZoneFault(one["loc"], _text(one["loc"], one["msg"], say))
            # Of points it is enough to say once what is wrong.
            if fault not in told and not (one["loc"][:1] == ("points",) and _has(told, fault)):
                told.append(fault)
        return told
    return []


def _has(told: Sequence[ZoneFault], fault: ZoneFault) -> bool:
    return any(one.text == fault.text for one in told)


def _text(path: tuple[str | int, ...], message: str, say: Wording) -> str:
    key = next((key for part, key in _SAID.items() if part in message), None)
    if path[:1] == ("permits",) and path[-1:] == ("id",):
        key = "zone_fault.permit_id"
    elif path[-1:] in (("from",), ("until",)) and "date" in message:
        key = "zone_fault.date"
    if key is not None:
        return say.texts[key]
    where = ".".join(str(step) for step in path)
    plain = message.removeprefix("Value error, ")
    return f"{where}: {plain}" if where else plain
