"""Missing hoarding 围挡缺失: stretches of a drawn line along which no hoarding is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import Field

from vision.observe.boxes import Boxes, as_array
from vision.observe.families import family_of
from vision.observe.look import Look
from vision.observe.sighting import Box, Sighting
from vision.rules.finding import Finding
from vision.rules.settings import Count, RuleSettings, Seconds, Share
from vision.rules.standing import REST_INTERVAL_S, SETTLE_S, SETTLED_LOOKS
from vision.zones import Purpose, Zone

_POINTS = 64
_COVERING = frozenset({"hoarding"})
_HIDING_FAMILIES = frozenset(
    {"vehicle", "cycle", "person", "construction_machine", "street_stall", "train"}
)


class Settings(RuleSettings):
    """When a hoarding counts as missing.

    Attributes:
        max_gap_share: A gap as long as this share of the line is a violation.
        max_missing_share: So is this share of the line, however scattered.
        dwell_s: Seconds in clear view that a stretch must have been open.
        min_looks: Looks in clear view that must have found it open.
        foot_share: A box reaches down to a line this share of its height below it.
        max_step_s: Seconds between two looks that count at most; longer pauses are unknown.
        min_confidence: Confidence of a detected hoarding, at least.
        hiding_confidence: Confidence of what may stand before the line, at least.
    """

    max_gap_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.15
    max_missing_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.3
    dwell_s: Seconds = 600.0
    min_looks: Count = 4
    foot_share: Share = 0.25
    max_step_s: Annotated[float, Field(gt=0.0)] = 600.0
    min_confidence: Share = 0.25
    hiding_confidence: Share = 0.25


def _zeros() -> NDArray[np.float64]:
    return np.zeros(_POINTS)


@dataclass
class _Line:
    """What is known of each of the points along one line."""

    zone: Zone
    open_s: NDArray[np.float64] = field(default_factory=_zeros)
    open_since_s: NDArray[np.float64] = field(default_factory=lambda: np.full(_POINTS, np.nan))
    open_looks: NDArray[np.float64] = field(default_factory=_zeros)
    was_open: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(_POINTS, bool))
    known_looks: NDArray[np.float64] = field(default_factory=_zeros)
    covered_looks: NDArray[np.float64] = field(default_factory=_zeros)
    last_open_s: float = 0.0
    height: float = 0.0


class HoardingMissing:
    """Gaps along ``hoarding_line`` zones; without a drawn line nothing is judged.

    A point of the line is covered when a hoarding's box stands on it, unknown when a vehicle or a
    person stands before it, and open otherwise. Its open seconds count clear view only and start
    anew when it is covered, so a gate that opens and closes is no gap.

    Signs: ``gap``, or ``no_hoarding`` where none was ever seen along the line.
    """

    kind = "hoarding_missing"
    name = "hoarding_missing"

    def __init__(self, settings: Settings, zones: Sequence[Zone]) -> None:
        """Judge by these settings along these lines."""
        self._settings = settings
        self._zones = tuple(zone for zone in zones if zone.purpose is Purpose.HOARDING_LINE)
        self._lines: list[_Line] = []
        self._last_s: float | None = None
        self._view: tuple[int, tuple[int, int]] | None = None
        self.settings: Mapping[str, Any] = settings.model_dump(mode="json")

    def judge(self, look: Look, sightings: Sequence[Sighting]) -> list[Finding]:  # noqa: ARG002
        """Findings that hold after this look, in the order of the lines."""
        if not self._zones:
            return []
        if (look.pose, look.frame_size) != self._view:
            self._view = (look.pose, look.frame_size)
            self._lines = [_Line(zone) for zone in self._zones]
            self._last_s = None
        step_s = 0.0 if self._last_s is None else look.time_s - self._last_s
        self._last_s = look.time_s
        if step_s > self._settings.max_step_s:
            step_s = 0.0
        hoardings, hiding = self._boxes(look)
        findings = []
        for line in self._lines:
            self._observe(line, look, step_s, hoardings, hiding)
            finding = self._finding(line, look)
            if finding is not None:
                findings.append(finding)
        return findings

    def wants_closer_look(self, look: Look, sightings: Sequence[Sighting]) -> bool:  # noqa: ARG002
        """A gap may just have opened, or its dwell is about to expire."""
        for line in self._lines:
            open_s = line.open_s[line.was_open]
            if not len(open_s):
                continue
            fresh = (
                line.was_open
                & (line.covered_looks > 0)
                & (line.open_looks >= 2)
                & (line.open_looks < SETTLED_LOOKS)
                & (look.time_s - line.open_since_s < SETTLE_S)
            )
            left_s = self._settings.dwell_s - line.open_s
            due = line.was_open & (left_s > 0) & (left_s <= REST_INTERVAL_S)
            if self._is_wide(fresh) or self._is_wide(due):
                return True
        return False

    def _boxes(self, look: Look) -> tuple[Boxes, Boxes]:
        """Boxes of hoardings, and of what may hide them."""
        hoardings: list[Box] = []
        hiding: list[Box] = []
        for row, confidence, name in look.detections.rows():
            x1, y1, x2, y2 = row.tolist()
            if name in _COVERING and confidence >= self._settings.min_confidence:
                hoardings.append((x1, y1, x2, y2))
            elif (
                family_of(name) in _HIDING_FAMILIES
                and confidence >= self._settings.hiding_confidence
            ):
                hiding.append((x1, y1, x2, y2))
        return as_array(sorted(hoardings)), as_array(sorted(hiding))

    def _observe(
        self, line: _Line, look: Look, step_s: float, hoardings: Boxes, hiding: Boxes
    ) -> None:
        """Enter a look into what is known of a line."""
        x, y = _points(line.zone, look.frame_size)
        covered = _standing_on(x, y, hoardings, self._settings.foot_share)
        unknown = ~covered & _standing_on(x, y, hiding, 0.1)
        is_open = ~covered & ~unknown
        if covered.any():
            heights = hoardings[:, 3] - hoardings[:, 1]
            line.height = max(float(np.median(heights)), 1.0)
        line.open_s[is_open & line.was_open] += step_s
        line.open_s[covered] = 0.0
        line.open_since_s[is_open & (line.open_looks == 0)] = look.time_s
        line.open_looks[is_open] += 1
        line.open_looks[covered] = 0
        line.open_since_s[covered] = np.nan
        line.known_looks[covered | is_open] += 1
        line.covered_looks[covered] += 1
        line.was_open = is_open
        if is_open.any():
            line.last_open_s = look.time_s

    def _is_wide(self, gap: NDArray[np.bool_]) -> bool:
        """Whether open points make a gap long enough to matter."""
        start, end = _longest_run(gap)
        return (
            end - start >= self._settings.max_gap_share * _POINTS
            or int(gap.sum()) >= self._settings.max_missing_share * _POINTS
        )

    def _finding(self, line: _Line, look: Look) -> Finding | None:
        gap = (line.open_s >= self._settings.dwell_s) & (
            line.open_looks >= self._settings.min_looks
        )
        if not self._is_wide(gap):
            return None
        start, end = _longest_run(gap)
        since_s = line.open_since_s[start:end]
        never = not line.covered_looks.any()
        return Finding(
            key=f"zone-{line.zone.id}",
            zone_id=line.zone.id,
            box=_gap_box(line, look.frame_size, start, end),
            confidence=0.5 if never else self._trust(line, gap),
            since_s=float(np.median(since_s)),
            last_seen_s=line.last_open_s,
            looks_seen=int(line.open_looks[start:end].max()),
            signs=("no_hoarding",) if never else ("gap",),
            class_names=tuple(sorted(_COVERING)),
        )

    def _trust(self, line: _Line, gap: NDArray[np.bool_]) -> float:
        """How reliably the rest of the line is seen: a gap in it is worth as much."""
        rest = ~gap & (line.known_looks > 0)
        if not rest.any():
            return 0.5
        rate = float((line.covered_looks[rest] / line.known_looks[rest]).mean())
        return min(max(rate, 0.3), 0.99)


def _points(zone: Zone, frame_size: tuple[int, int]) -> tuple[Boxes, Boxes]:
    """``x`` and ``y`` ``(n,)`` in pixels of points evenly along a line."""
    line = shapely.LineString(zone.pixels(frame_size))
    share = (np.arange(_POINTS) + 0.5) / _POINTS
    points = shapely.line_interpolate_point(line, share, normalized=True)
    return shapely.get_x(points), shapely.get_y(points)


def _standing_on(x: Boxes, y: Boxes, boxes: Boxes, foot_share: float) -> NDArray[np.bool_]:
    """``(n,)``: whether any box, extended downward by a share of its height, holds a point."""
    foot = boxes[:, 3] + foot_share * (boxes[:, 3] - boxes[:, 1])
    inside = (
        (boxes[:, 0][:, None] <= x)
        & (x <= boxes[:, 2][:, None])
        & (boxes[:, 1][:, None] <= y)
        & (y <= foot[:, None])
    )
    return np.asarray(inside.any(axis=0))


def _longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and end (exclusive) of the longest run of true values; the first of equals."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    if not len(edges):
        return 0, 0
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])


def _gap_box(line: _Line, frame_size: tuple[int, int], start: int, end: int) -> Box:
    """Box over a stretch of a line, as high as the hoardings seen along it."""
    width, height = frame_size
    x, y = _points(line.zone, frame_size)
    tall = line.height or 0.1 * height
    spacing = max(0.02 * width, float(np.ptp(x)) / _POINTS)
    x1, x2 = float(x[start:end].min()) - spacing / 2, float(x[start:end].max()) + spacing / 2
    y1, y2 = float(y[start:end].min()) - tall, float(y[start:end].max())
    return max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
