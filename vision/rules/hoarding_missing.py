"""Missing hoarding 围挡缺失: stretches of a drawn line along which no hoarding is seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
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
from vision.rules.finding import Finding, Relief, relieved
from vision.rules.hours import Hours
from vision.rules.settings import Count, RuleSettings, Seconds, Share
from vision.rules.standing import REST_INTERVAL_S, SETTLE_S, SETTLED_LOOKS
from vision.schedule import SiteClock
from vision.stages import Stage
from vision.zones import Purpose, Zone

_POINTS = 64

_FIRM_AFTER_S = 60.0
"""A look so long after the last one says by itself that a stretch is covered."""

_FIRM_LOOKS = 2
"""Otherwise so many in a row: one false box does not mend a gap."""

_END_SHARE = 0.1
"""The ends of a box wobble, by this share of its width: alone they reach into a gap beside it."""

_COVERED_WEIGHT = 2
"""A look that finds a stretch covered outweighs so many that do not: detectors miss more than they
invent. What is open now began where the open looks began to prevail."""

_END_LOOKS = 4
"""So many looks in a row must find a stretch covered by ends of boxes, as where two panels meet."""

_COVERING = frozenset({"hoarding"})
_HIDING_FAMILIES = frozenset(
    {"vehicle", "cycle", "person", "construction_machine", "street_stall", "train"}
)


class Settings(RuleSettings):
    """When a hoarding counts as missing.

    Attributes:
        max_gap_share: A gap as long as this share of the line is a violation.
        max_gap_m: So is one of so many metres, on lines whose ``length_m`` is given. Shares of the
            line in the picture are taken for shares of its length.
        max_missing_share: So is this share of the line, however scattered.
        dwell_s: Seconds in clear view that a stretch must have been open.
        min_looks: Looks in clear view that must have found it open.
        foot_share: A box reaches down to a line this share of its height below it.
        max_step_s: Seconds between two looks that count at most; longer pauses are unknown.
        min_confidence: Confidence of a detected hoarding, at least.
        hiding_confidence: Confidence of what may stand before the line, at least.
        expected_in: Stages of the site in which a hoarding must stand; always where the line has
            no stages.
    """

    max_gap_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.15
    max_gap_m: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    max_missing_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.3
    dwell_s: Seconds = 600.0
    min_looks: Count = 4
    foot_share: Share = 0.25
    max_step_s: Annotated[float, Field(gt=0.0)] = 600.0
    min_confidence: Share = 0.25
    hiding_confidence: Share = 0.25
    expected_in: tuple[Stage, ...] = (
        Stage.DEMOLITION,
        Stage.EARTHWORK,
        Stage.STRUCTURE,
        Stage.POST_NINE,
    )

    @classmethod
    def for_dwell(cls, dwell_s: float) -> dict[str, Any]:
        """The dwell as given, and as many looks as there are in it."""
        given = super().for_dwell(dwell_s)
        if dwell_s / _ACTIVE_S < cls().min_looks:
            given["min_looks"] = max(2, int(dwell_s / _ACTIVE_S))
        return given


_ACTIVE_S = 2.0
"""Usual pause between looks while something is suspected."""


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
    covered_run: NDArray[np.float64] = field(default_factory=_zeros)
    firm_run: NDArray[np.float64] = field(default_factory=_zeros)
    lean: NDArray[np.float64] = field(default_factory=_zeros)
    is_covered: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(_POINTS, bool))
    last_open_s: float = 0.0
    height: float = 0.0

    def state(self) -> dict[str, Any]:
        """In plain types; an unknown time is ``None``."""
        plain: dict[str, Any] = {"last_open_s": self.last_open_s, "height": self.height}
        for name in _ARRAYS:
            plain[name] = getattr(self, name).tolist()
        plain["open_since_s"] = [None if math.isnan(s) else s for s in plain["open_since_s"]]
        return plain

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`."""
        self.last_open_s, self.height = state["last_open_s"], state["height"]
        for name in _ARRAYS:
            kept = getattr(self, name)
            values = [np.nan if value is None else value for value in state[name]]
            setattr(self, name, np.array(values, kept.dtype))


_ARRAYS = (
    "open_s",
    "open_since_s",
    "open_looks",
    "was_open",
    "known_looks",
    "covered_looks",
    "covered_run",
    "firm_run",
    "lean",
    "is_covered",
)


class HoardingMissing:
    """Gaps along ``hoarding_line`` zones; without a drawn line nothing is judged.

    A point of the line is covered when a hoarding's box stands on it, unknown when a vehicle or a
    person stands before it, and open otherwise. Its open seconds count clear view only and start
    anew when it is covered for good, so a gate that opens and closes is no gap; the line's
    ``gates`` may even stay open. Points in an ``ignore`` zone are not judged. Where the site's
    stage expects no hoarding none is missing.

    Signs: ``gap``, or ``no_hoarding`` where none was ever seen along the line.
    """

    kind = "hoarding_missing"
    name = "hoarding_missing"

    def __init__(
        self, settings: Settings, zones: Sequence[Zone], clock: SiteClock | None = None
    ) -> None:
        """Judge by these settings along these lines, by this clock."""
        self._settings = settings
        self._zones = tuple(zone for zone in zones if zone.purpose is Purpose.HOARDING_LINE)
        self._ignore = tuple(zone for zone in zones if zone.purpose is Purpose.IGNORE)
        self._hours = Hours(clock)
        self._lines: list[_Line] = []
        self._told: set[str] = set()
        self._last_s: float | None = None
        self._view: tuple[int, tuple[int, int]] | None = None
        self.settings: Mapping[str, Any] = settings.model_dump(mode="json")

    def is_concerned(self, class_names: Set[str]) -> bool:  # noqa: ARG002
        """Whether there is any zone for it: the look itself says the rest."""
        return bool(self._zones)

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
        firm = step_s >= _FIRM_AFTER_S
        if step_s > self._settings.max_step_s:
            step_s = 0.0
        hoardings, hiding = self._boxes(look)
        findings = []
        for i, line in enumerate(self._lines):
            if not self._is_expected(line.zone, look):
                self._lines[i] = _Line(line.zone)
                findings += self._relieved(line, Relief.PERMITTED, look)
                continue
            self._observe(line, look, step_s, firm=firm, hoardings=hoardings, hiding=hiding)
            judged = self._judged(line.zone, look)
            finding = self._finding(line, look, judged)
            if finding is not None:
                findings.append(finding)
                self._told.add(finding.key)
            elif self._is_wide((line.open_looks >= self._settings.min_looks) & judged, line.zone):
                findings += self._relieved(line, Relief.NOT_YET, look)
            elif not self._is_wide(~line.is_covered & judged, line.zone):
                findings += self._relieved(line, Relief.CLEAR, look)
        return findings

    def state(self) -> dict[str, Any]:
        """What is kept between looks."""
        return {
            "lines": [line.state() for line in self._lines],
            "told": sorted(self._told),
            "last_s": self._last_s,
            "view": None if self._view is None else [self._view[0], list(self._view[1])],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        view = state["view"]
        self._view = None if view is None else (view[0], (view[1][0], view[1][1]))
        self._lines = []
        if state["lines"]:
            self._lines = [_Line(zone) for zone in self._zones]
            for line, known in zip(self._lines, state["lines"], strict=True):
                line.restore(known)
        self._told = set(state["told"])
        self._last_s = state["last_s"]

    def _is_expected(self, zone: Zone, look: Look) -> bool:
        """Whether a hoarding must stand along a line at the time of a look."""
        stage = self._hours.stage(zone, look)
        return self._hours.in_force(zone, look) and (
            stage is None or stage in self._settings.expected_in
        )

    def _judged(self, zone: Zone, look: Look) -> NDArray[np.bool_]:
        """``(n,)``: points of a line that must be covered."""
        share = (np.arange(_POINTS) + 0.5) / _POINTS
        judged = np.ones(_POINTS, bool)
        for gate in zone.gates:
            judged &= (share < gate.start) | (share > gate.end)
        for other in self._ignore:
            if self._hours.in_force(other, look):
                points = shapely.line_interpolate_point(zone.shape, share, normalized=True)
                judged &= ~shapely.intersects(other.shape, points)
        return judged

    def _relieved(self, line: _Line, why: Relief, look: Look) -> list[Finding]:
        """What to say of a line that was reported and of which the rule does not hold now."""
        key = _key_of(line.zone)
        if key not in self._told:
            return []
        since_s = look.time_s
        if why is Relief.PERMITTED:
            self._told.discard(key)
            if not self._hours.in_force(line.zone, look):
                since_s = self._hours.in_force_since_s(line.zone, look)
        return [relieved(key, line.zone.id, why, since_s=since_s, last_seen_s=line.last_open_s)]

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
            judged = self._judged(line.zone, look)
            if self._is_wide(fresh & judged, line.zone) or self._is_wide(due & judged, line.zone):
                return True
        return False

    def _boxes(self, look: Look) -> tuple[Boxes, Boxes]:
        """Boxes of hoardings, and of what may hide them."""
        hoardings: list[Box] = []
        hiding: list[Box] = []
        for box, confidence, name in look.detections.of(look.detections.names):
            if name in _COVERING and confidence >= self._settings.min_confidence:
                hoardings.append(box)
            elif (
                family_of(name) in _HIDING_FAMILIES
                and confidence >= self._settings.hiding_confidence
            ):
                hiding.append(box)
        return as_array(sorted(hoardings)), as_array(sorted(hiding))

    def _observe(
        self,
        line: _Line,
        look: Look,
        step_s: float,
        *,
        firm: bool,
        hoardings: Boxes,
        hiding: Boxes,
    ) -> None:
        """Enter a look into what is known of a line."""
        x, y = _points(line.zone, look.frame_size)
        covered = _standing_on(x, y, hoardings, self._settings.foot_share)
        unknown = ~covered & _standing_on(x, y, hiding, 0.1)
        is_open = ~covered & ~unknown
        if covered.any():
            heights = hoardings[:, 3] - hoardings[:, 1]
            line.height = max(float(np.median(heights)), 1.0)
        amid = _standing_on(x, y, _without_ends(hoardings), self._settings.foot_share)
        line.covered_run[covered] += 1
        line.covered_run[is_open] = 0
        line.firm_run[amid] += 1
        line.firm_run[is_open] = 0
        line.lean[is_open] += 1
        line.lean[covered] = np.maximum(line.lean[covered] - _COVERED_WEIGHT, 0)
        closed = covered & (
            (line.lean == 0)
            | (line.covered_run >= _END_LOOKS)
            | (line.firm_run >= _FIRM_LOOKS)
            | (amid & firm)
        )
        line.open_s[is_open & line.was_open] += step_s
        line.open_s[closed] = 0.0
        line.open_since_s[is_open & (line.open_looks == 0)] = look.time_s
        line.open_looks[is_open] += 1
        line.open_looks[closed] = 0
        line.open_since_s[closed] = np.nan
        line.known_looks[covered | is_open] += 1
        line.covered_looks[covered] += 1
        line.was_open = is_open
        line.is_covered = covered

    def _is_wide(self, gap: NDArray[np.bool_], zone: Zone) -> bool:
        """Whether open points make a gap long enough to matter."""
        settings = self._settings
        start, end = _longest_run(gap)
        share = (end - start) / _POINTS
        too_many_m = (
            settings.max_gap_m is not None
            and zone.length_m is not None
            and share > 0
            and share * zone.length_m >= settings.max_gap_m
        )
        return (
            too_many_m
            or end - start >= settings.max_gap_share * _POINTS
            or int(gap.sum()) >= settings.max_missing_share * _POINTS
        )

    def _finding(self, line: _Line, look: Look, judged: NDArray[np.bool_]) -> Finding | None:
        gap = (
            (line.open_s >= self._settings.dwell_s)
            & (line.open_looks >= self._settings.min_looks)
            & judged
        )
        if not self._is_wide(gap, line.zone):
            return None
        if 2 * int((gap & line.was_open).sum()) >= int(gap.sum()):
            line.last_open_s = look.time_s
        start, end = _longest_run(gap)
        since_s = line.open_since_s[start:end]
        never = not line.covered_looks.any()
        return Finding(
            key=_key_of(line.zone),
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


def _key_of(zone: Zone) -> str:
    return f"zone-{zone.id}"


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


def _without_ends(boxes: Boxes) -> Boxes:
    """``(n, 4)``: boxes without the ends that wobble."""
    end = _END_SHARE * (boxes[:, 2] - boxes[:, 0])
    inner = boxes.copy()
    inner[:, 0] += end
    inner[:, 2] -= end
    return inner


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
