"""A scenario: a street with a life, a camera with its site file, and what is wrong there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from vision.observe.look import Health
from vision.site import Camera, Site

from .noise import DAY, Noise
from .world import Thing, World, along, ground

CAMERA = "cam"
MINUTE, HOUR, DAY_S = 60.0, 3600.0, 86_400.0
MONDAY = datetime(2026, 3, 2, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))

CARRIAGEWAY = {"id": "road", "purpose": "carriageway", "points": ground(-40, 13.4, 40, 20.6)}
NO_STOPPING = {"id": "clearway", "purpose": "no_stopping", "points": ground(-40, 13.4, 40, 20.6)}
BAYS = {"id": "bays", "purpose": "parking_bay", "points": ground(-40, 20.6, 40, 24.0)}
FOOTWAY = {"id": "footway", "purpose": "footway", "points": ground(-40, 24.0, 40, 29.0)}
SITE = {
    "id": "works",
    "purpose": "site",
    "points": [(0.0, 0.05), (1.0, 0.05), *reversed(along(-40, 40, 29.5))],
}
FENCE = {"id": "fence", "purpose": "hoarding_line", "points": along(-16, 16, 30)}
STREET = (CARRIAGEWAY, BAYS, FOOTWAY)
WORKS = (CARRIAGEWAY, FOOTWAY, SITE, FENCE)


@dataclass(frozen=True)
class Wrong:
    """One violation that ought to be raised, once.

    Attributes:
        kind: Violation kind.
        where: Name of the thing, or of the zone for kinds that concern a zone.
        start_s: From when it is wrong.
        end_s: Until when; ``None`` while it lasts.
        signs: Signs that must be told.
        tolerance_s: By how much the start may be off; the scenario's own measure without it.
    """

    kind: str
    where: str
    start_s: float
    end_s: float | None = None
    signs: tuple[str, ...] = ()
    tolerance_s: float | None = None


@dataclass(frozen=True)
class Scenario:
    """A scenario.

    Attributes:
        name: Name, unique.
        shows: One sentence for the table.
        times: Stream times of the looks.
        things: What stands and passes.
        zones: Zones as in the site file.
        wrong: What ought to be raised; nothing else may be.
        rules: Rule settings that differ from the defaults.
        site: Further keys of the site file.
        noise: How the detector errs.
        start: Aware wall-clock time of stream time 0.
        health: ``(from_s, until_s, health)`` of times at which the camera cannot see.
        shifts: ``(from_s, dx, dy)``: from then on the whole picture is off by so many pixels.
        turns: Times at which the camera has been turned to another pose.
        fog: ``(from_s, until_s)`` of times at which the detector sees dust all over the view.
        gated: Share of looks at which the change gate is closed.
    """

    name: str
    shows: str
    times: tuple[float, ...]
    things: Sequence[Thing]
    zones: Sequence[Mapping[str, Any]] = STREET
    wrong: tuple[Wrong, ...] = ()
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    site: Mapping[str, Any] = field(default_factory=dict)
    noise: Noise = DAY
    start: datetime = MONDAY
    health: tuple[tuple[float, float, Health], ...] = ()
    shifts: tuple[tuple[float, float, float], ...] = ()
    turns: tuple[float, ...] = ()
    gated: float = 0.0

    def __post_init__(self) -> None:
        names = [thing.name for thing in self.things]
        assert len(names) == len(set(names)), f"{self.name}: two things of one name"

    @cached_property
    def world(self) -> World:
        """The street."""
        return World(self.things)

    @property
    def camera(self) -> Camera:
        """The camera as the site file describes it."""
        return self.site_file.cameras[0]

    @cached_property
    def site_file(self) -> Site:
        """The site file."""
        zones = [dict(zone) for zone in self.zones]
        return Site.model_validate(
            {
                "timezone": str(self.start.tzinfo),
                "cameras": [{"id": CAMERA, "zones": zones}],
                "rules": self.rules,
                **self.site,
            }
        )

    @property
    def pace_s(self) -> float:
        """Usual seconds between looks."""
        steps = sorted(b - a for a, b in zip(self.times, self.times[1:], strict=False))
        return steps[len(steps) // 2]

    def at(self, time_s: float) -> datetime:
        """Wall-clock time of a stream time, in the zone of the start."""
        return (self.start.astimezone(UTC) + timedelta(seconds=time_s)).astimezone(
            self.start.tzinfo
        )

    def shift(self, time_s: float) -> tuple[float, float]:
        """How far the whole picture is off at a time, in pixels."""
        return next(
            ((dx, dy) for start, dx, dy in reversed(self.shifts) if start <= time_s), (0.0, 0.0)
        )

    def thing(self, name: str) -> Thing | None:
        """The thing of a name."""
        return next((thing for thing in self.things if thing.name == name), None)


def every(
    pace_s: float, until_s: float, *, but: Sequence[tuple[float, float]] = ()
) -> tuple[float, ...]:
    """Times of looks from 0 on, without those in pauses."""
    count = int(until_s / pace_s + 1e-9) + 1
    times = [round(i * pace_s, 3) for i in range(count)]
    return tuple(t for t in times if not any(start < t < end for start, end in but))


def on_days(days: int, *hours: float, start_hour: float = 10.0) -> tuple[float, ...]:
    """Times of looks at these hours of the day, over many days.

    Args:
        days: Number of days.
        hours: Hours of the day, at or after ``start_hour`` on the first day.
        start_hour: Hour of the day at stream time 0.
    """
    return tuple(
        day * DAY_S + (hour - start_hour) * HOUR
        for day in range(days)
        for hour in hours
        if day or hour >= start_hour
    )
