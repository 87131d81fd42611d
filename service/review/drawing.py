"""Zones of a camera while somebody draws them: changes, undo, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from service.api.problem import faults_of
from service.review.wording import Wording
from vision.zones import Purpose, Zone

ZoneDocument = dict[str, Any]
MOST_UNDONE = 200

FURTHER = ("schedule", "permits", "gates")
"""Settings of a zone that are written as in the site file."""

_SAID = {
    "crosses itself": "zone_fault.crosses",
    "at least 3 points": "zone_fault.few_corners",
    "at least 2 points": "zone_fault.few_points",
    "greater than or equal to 0": "zone_fault.outside",
    "less than or equal to 1": "zone_fault.outside",
    "should match pattern": "zone_fault.id",
    "at least 1 character": "zone_fault.id",
    "stages must begin one after the other": "zone_fault.stages",
}
"""What validation says, and the text for it."""


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

    def faults(self, say: Wording) -> list[list[str]]:
        """What is wrong with each zone, by the rules of the API."""
        ids = [zone.get("id") for zone in self.zones]
        found = []
        for zone in self.zones:
            wrong = _faults(zone, say)
            if ids.count(zone.get("id")) > 1:
                wrong.append(say("zone_fault.twice"))
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
        if value not in (None, "", [], ()) or name == "id"
    }


def further_text(zone: ZoneDocument) -> str:
    """Schedule, permits and gates of a zone, as they stand in a site file."""
    given = {name: zone[name] for name in FURTHER if name in zone}
    return yaml.safe_dump(given, allow_unicode=True, sort_keys=False) if given else ""


def with_further(zone: ZoneDocument, text: str) -> ZoneDocument:
    """A zone with schedule, permits and gates as they stand in a text.

    Raises:
        ValueError: It is no YAML, or names other settings.
    """
    try:
        given = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f"line {mark.line + 1}: "
        raise ValueError(f"{where}{getattr(error, 'problem', None) or 'no YAML'}") from None
    if not isinstance(given, dict) or not set(given) <= set(FURTHER):
        raise ValueError(f"only {', '.join(FURTHER)}")
    return with_settings(zone, **{name: given.get(name) for name in FURTHER})


def _faults(zone: ZoneDocument, say: Wording) -> list[str]:
    try:
        Zone.model_validate(zone)
    except ValidationError as error:
        told = []
        for fault in faults_of(error.errors()):
            key = next((key for part, key in _SAID.items() if part in fault.message), None)
            text = f"{fault.field}: {fault.message}" if key is None else say.texts[key]
            if text not in told:
                told.append(text)
        return told
    return []
