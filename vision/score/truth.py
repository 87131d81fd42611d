"""Truth files: what is truly to be seen in recordings. The form is described in docs/scoring.md."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from vision.errors import InputError
from vision.observe.sighting import Box
from vision.rules.kinds import KINDS
from vision.score.events import Event, Expectation

TO_THE_END_S = 1.0
"""An event that ends so shortly before its clip lasts to the end of it."""

STANDING = "standing_object"
"""Things that stand and are of no class."""

KINDS_OF_TYPES: dict[str, tuple[str, ...]] = {
    "abandoned_object": (STANDING, "debris_pile"),
    "stalled_vehicle": ("abandoned_vehicle", "parked_too_long", STANDING),
    "stopped_vehicle": ("abandoned_vehicle", "parked_too_long", STANDING),
    "vehicle_stopped_then_left": ("abandoned_vehicle", "parked_too_long", STANDING),
    "illegally_parked_vehicle": ("abandoned_vehicle", "parked_too_long", STANDING),
    "derelict_vehicle": ("abandoned_vehicle",),
    "road_debris": ("debris_pile", STANDING),
    "overflow_bin": ("debris_pile",),
    "dust": ("construction_dust",),
    "missing_hoarding": ("hoarding_missing",),
}
"""Violation kinds that events of a type may be told as. A violation kind is a type of its own."""

_EXPECTED = {
    "alert": Expectation.RAISE,
    "no_alert": Expectation.QUIET,
    "no_alert_unless_zone": Expectation.QUIET_UNLESS_ZONE,
    "detect": Expectation.UNSCORED,
    "context": Expectation.UNSCORED,
    "ignore": Expectation.UNSCORED,
}
_IF_BRIEF = re.compile(r"alert_if_threshold<=(\d+(?:\.\d+)?)s")

Seconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Pixels = Annotated[float, Field(allow_inf_nan=False)]


class TruthEvent(BaseModel):
    """One event of a truth file; see docs/scoring.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Annotated[str, Field(min_length=1)]
    box_xyxy: tuple[Pixels, Pixels, Pixels, Pixels] | None
    start_s: Seconds
    end_s: Seconds | None
    expected: str
    kinds: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    zone_id: str = ""
    note: str = ""
    thing_id: int | None = None

    @field_validator("expected")
    @classmethod
    def _known(cls, expected: str) -> str:
        if expected not in _EXPECTED and not _IF_BRIEF.fullmatch(expected):
            known = ", ".join([*_EXPECTED, "alert_if_threshold<=Ns"])
            raise ValueError(f"unknown: {expected!r}; known: {known}")
        return expected

    @field_validator("box_xyxy")
    @classmethod
    def _has_area(cls, box: Box | None) -> Box | None:
        if box is not None and not (box[0] < box[2] and box[1] < box[3]):
            raise ValueError("x1, y1, x2, y2 with x1 < x2 and y1 < y2 are needed")
        return box

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.end_s is not None and self.end_s < self.start_s:
            raise ValueError("end_s lies before start_s")
        if self.expected.startswith("alert") and self.box_xyxy is None and not self.zone_id:
            raise ValueError("an event that may be raised needs box_xyxy or zone_id")
        return self

    @property
    def expectation(self) -> tuple[Expectation, float | None]:
        """What is expected, and up to which dwell."""
        brief = _IF_BRIEF.fullmatch(self.expected)
        if brief:
            return Expectation.RAISE_IF_BRIEF, float(brief[1])
        return _EXPECTED[self.expected], None


class ClipTruth(BaseModel):
    """The truth of one recording.

    Attributes:
        file: Name or end of the path of the recording.
        sha256: Hash of its content, which finds it under any name.
        duration_s: Its length.
        events: What is to be seen.
    """

    # What else is told of a clip, such as its licence, is none of the scorer's business.
    model_config = ConfigDict(extra="ignore", frozen=True)

    file: Annotated[str, Field(min_length=1)]
    sha256: str = ""
    duration_s: Seconds | None = None
    events: tuple[TruthEvent, ...]


@dataclass(frozen=True)
class Truth:
    """A truth file.

    Attributes:
        path: Where it was read from.
        clips: The recordings that it tells of.
        types: Violation kinds by type, where the file differs from :data:`KINDS_OF_TYPES`.
    """

    path: Path
    clips: tuple[ClipTruth, ...]
    types: Mapping[str, tuple[str, ...]]

    def clip_of(self, name: str, sha256: str) -> ClipTruth | None:
        """The recording of this content or, failing that, of this name or end of a path."""
        for clip in self.clips:
            if sha256 and clip.sha256 == sha256:
                return clip
        same = [clip for clip in self.clips if _ends_alike(clip.file, name)]
        return same[0] if len(same) == 1 else None

    def events(self, clip: ClipTruth, name: str, dwells: Mapping[str, float]) -> list[Event]:
        """Events of a recording for the scorer.

        Args:
            clip: The recording.
            name: What the violations call it.
            dwells: Dwell in force by violation kind.
        """
        events = []
        for one in clip.events:
            kinds = one.kinds or self.kinds_of(one.type)
            expectation, max_dwell_s = one.expectation
            known = [dwells[kind] for kind in kinds if kind in dwells]
            events.append(
                Event(
                    kinds=kinds,
                    start_s=one.start_s,
                    end_s=_end_of(one, clip),
                    box=one.box_xyxy,
                    expectation=expectation,
                    max_dwell_s=max_dwell_s,
                    dwell_s=min(known, default=None),
                    zone_id=one.zone_id,
                    clip=name,
                    type=one.type,
                )
            )
        return events

    def kinds_of(self, type_: str) -> tuple[str, ...]:
        """Violation kinds that events of a type may be told as; none for an unknown type."""
        named = self.types.get(type_) or KINDS_OF_TYPES.get(type_)
        return named or ((type_,) if type_ in KINDS else ())


def read_truth(path: Path) -> Truth:
    """Read a truth file: a list of clips, one clip, or ``{"types": ..., "clips": [...]}``.

    Raises:
        InputError: The file cannot be read or is wrong; it, the entry and the key are named.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: no JSON: {error.msg}") from error
    types: dict[str, tuple[str, ...]] = {}
    if isinstance(content, dict) and "clips" in content:
        types = _types(path, content.get("types", {}))
        content = content["clips"]
    elif isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        raise InputError(f"{path}: a list of clips is expected")
    clips = [_clip(path, number, entry) for number, entry in enumerate(content)]
    truth = Truth(path, tuple(clips), types)
    for clip in clips:
        for number, event in enumerate(clip.events):
            if event.expected.startswith("alert") and not (
                event.kinds or truth.kinds_of(event.type)
            ):
                raise InputError(
                    f"{path}: {clip.file}: events[{number}].type: no violation kind is known for "
                    f"{event.type!r}; name them in 'kinds' or in the file's 'types'"
                )
    return truth


def _types(path: Path, types: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(types, dict):
        raise InputError(f"{path}: types: a map of types to lists of violation kinds is expected")
    for name, kinds in types.items():
        if not isinstance(kinds, list) or not kinds or not all(isinstance(k, str) for k in kinds):
            raise InputError(f"{path}: types.{name}: a list of violation kinds is expected")
    return {name: tuple(kinds) for name, kinds in types.items()}


def _clip(path: Path, number: int, entry: Any) -> ClipTruth:
    try:
        return ClipTruth.model_validate(entry)
    except ValidationError as error:
        fault = error.errors()[0]
        name = entry.get("file") if isinstance(entry, dict) else None
        where = name if isinstance(name, str) and name else f"clip {number + 1}"
        key = "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"]
        ).lstrip(".")
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            message = "unknown key"
        raise InputError(f"{path}: {where}: {key}: {message}") from error


def _end_of(event: TruthEvent, clip: ClipTruth) -> float | None:
    if event.end_s is None or clip.duration_s is None:
        return event.end_s
    return None if event.end_s >= clip.duration_s - TO_THE_END_S else event.end_s


def _ends_alike(a: str, b: str) -> bool:
    """Whether one path is the end of the other, part by part."""
    one, other = _parts(a), _parts(b)
    shorter = min(len(one), len(other))
    return one[-shorter:] == other[-shorter:]


def _parts(path: str) -> Sequence[str]:
    return [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
