"""Layout of the timelines: one per camera, its recordings side by side in order of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from vision.observe.look import NUDGED
from vision.record import ViolationRecord
from vision.report.summary import (
    LOOK_INSPECTED,
    LOOK_UNHEALTHY,
    InputEntry,
    LookTimes,
    RunSummary,
)

_NOTCH = 0.8
_BINS = 240
_TICKS = 8
_TICK_DISTANCE = 9.0
_MIN_BAR = 0.45
_LANES = 8
_STEPS_S = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10800, 21600, 43200, 86400),
)


@dataclass(frozen=True)
class Bar:
    """A violation on the timeline; ``x`` and ``width`` in percent, ``lane`` from 0."""

    violation: ViolationRecord
    x: float
    width: float
    lane: int
    open_end: bool


@dataclass(frozen=True)
class KindRow:
    """Bars of one kind."""

    kind: str
    bars: tuple[Bar, ...]
    lanes: int


@dataclass(frozen=True)
class Stretch:
    """A stretch of time, in percent, with what happened in it."""

    x: float
    width: float
    kind: str
    detail: str
    start_s: float
    end_s: float
    input_name: str


@dataclass(frozen=True)
class Tick:
    """A label of the axis at ``x`` percent; ``anchor`` as in SVG."""

    x: float
    text: str
    anchor: str


@dataclass(frozen=True)
class LookBar:
    """Looks in a short stretch: shares of the highest bar."""

    x: float
    width: float
    inspected: float
    gated: float
    unhealthy: float


@dataclass(frozen=True)
class CameraTimeline:
    """Timeline of one camera.

    Attributes:
        camera_id: The camera.
        camera_name: What people call it, or nothing.
        duration_s: Seconds recorded.
        recordings: Number of recordings.
        rows: One for each kind that was found.
        health: Stretches in which the view could not be judged.
        unknown: Stretches without usable looks: health events and holes in the recording.
        notches: Percent at which time leaps between two recordings.
        looks: Looks over time.
        ticks: Labels of the axis.
    """

    camera_id: str
    camera_name: str
    duration_s: float
    recordings: int
    rows: tuple[KindRow, ...]
    health: tuple[Stretch, ...]
    unknown: tuple[Stretch, ...]
    notches: tuple[float, ...]
    looks: tuple[LookBar, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class _Segment:
    """One recording on the axis."""

    entry: InputEntry
    x: float
    width: float

    def at(self, time_s: float) -> float:
        share = time_s / self.entry.duration_s if self.entry.duration_s > 0 else 0.0
        return self.x + self.width * min(max(share, 0.0), 1.0)


def timelines(run: RunSummary) -> tuple[CameraTimeline, ...]:
    """Lay out every camera with a scanned recording, cameras with violations first."""
    by_camera: dict[str, list[InputEntry]] = defaultdict(list)
    for entry in run.run.inputs:
        if entry.status not in {"failed", "repeated"}:
            by_camera[entry.camera_id].append(entry)
    found: dict[str, list[ViolationRecord]] = defaultdict(list)
    for violation in run.violations:
        found[violation.source.name].append(violation)
    result = [_camera(camera, entries, found, run) for camera, entries in by_camera.items()]
    return tuple(sorted(result, key=lambda line: not line.rows))


def _camera(
    camera_id: str,
    entries: list[InputEntry],
    found: dict[str, list[ViolationRecord]],
    run: RunSummary,
) -> CameraTimeline:
    segments, notches = _segments(sorted(entries, key=_start_key))
    bars: dict[str, list[Bar]] = defaultdict(list)
    health: list[Stretch] = []
    unknown: list[Stretch] = []
    for segment in segments:
        entry = segment.entry
        for violation in sorted(found.get(entry.name, []), key=lambda v: v.start_s):
            bars[violation.kind].append(_bar(segment, violation, bars[violation.kind]))
        for event in entry.health_events:
            if event.kind == NUDGED:
                continue
            end_s = entry.duration_s if event.end_s is None else event.end_s
            health.append(_stretch(segment, event.kind, event.detail, event.start_s, end_s))
        unknown += [_stretch(segment, "gap", "", gap.start_s, gap.end_s) for gap in entry.gaps]
    return CameraTimeline(
        camera_id=camera_id,
        camera_name=next((entry.camera_name for entry in entries if entry.camera_name), ""),
        duration_s=sum(entry.duration_s for entry in entries),
        recordings=len(entries),
        rows=tuple(
            KindRow(kind, tuple(row), max(bar.lane for bar in row) + 1)
            for kind, row in sorted(bars.items())
        ),
        health=tuple(health),
        unknown=(*health, *unknown),
        notches=notches,
        looks=_looks(segments, run),
        ticks=_ticks(segments),
    )


def _start_key(entry: InputEntry) -> tuple[bool, float, str]:
    start = entry.start.value.timestamp() if entry.start else 0.0
    return entry.start is None, start, entry.name


def _end(entry: InputEntry) -> datetime | None:
    return entry.start.value + timedelta(seconds=entry.duration_s) if entry.start else None


def _segments(entries: Sequence[InputEntry]) -> tuple[list[_Segment], tuple[float, ...]]:
    """Recordings to scale; where time leaps between two, a notch stands for the leap."""
    leaps = []
    for before, after in pairwise(entries):
        end = _end(before)
        gap_s = (after.start.value - end).total_seconds() if after.start and end else None
        leaps.append(gap_s is None or abs(gap_s) > 2.0)
    notch = min(_NOTCH, 20.0 / max(1, sum(leaps)))
    total_s = sum(entry.duration_s for entry in entries) or 1.0
    usable = 100.0 - notch * sum(leaps)
    segments: list[_Segment] = []
    notches = []
    x = 0.0
    for entry, leap in zip(entries, [*leaps, False], strict=True):
        width = usable * entry.duration_s / total_s
        segments.append(_Segment(entry, x, width))
        x += width
        if leap:
            notches.append(round(x + notch / 2, 3))
            x += notch
    return segments, tuple(notches)


def _bar(segment: _Segment, violation: ViolationRecord, others: Sequence[Bar]) -> Bar:
    end_s = violation.last_seen_s if violation.end_s is None else violation.end_s
    x = segment.at(violation.start_s)
    width = max(segment.at(end_s) - x, _MIN_BAR)
    x = min(x, 100.0 - width)
    taken = {bar.lane for bar in others if bar.x < x + width and x < bar.x + bar.width}
    lane = next((n for n in range(_LANES) if n not in taken), _LANES - 1)
    return Bar(violation, round(x, 3), round(width, 3), lane, violation.end_s is None)


def _stretch(segment: _Segment, kind: str, detail: str, start_s: float, end_s: float) -> Stretch:
    x = segment.at(start_s)
    width = max(segment.at(end_s) - x, _MIN_BAR)
    return Stretch(
        round(min(x, 100.0 - width), 3),
        round(width, 3),
        kind,
        detail,
        start_s,
        end_s,
        segment.entry.name,
    )


def _looks(segments: Sequence[_Segment], run: RunSummary) -> tuple[LookBar, ...]:
    counts = np.zeros((_BINS, 3), np.int64)
    for segment in segments:
        looks: LookTimes | None = run.looks.get(segment.entry.name)
        if looks is None or not segment.entry.duration_s:
            continue
        share = np.clip(looks.time_s / segment.entry.duration_s, 0.0, 1.0)
        places = (segment.x + segment.width * share) / 100.0 * _BINS
        np.add.at(counts, (np.clip(places.astype(int), 0, _BINS - 1), looks.state), 1)
    highest = counts.sum(axis=1).max(initial=0)
    if not highest:
        return ()
    return tuple(
        LookBar(
            x=round(index * 100 / _BINS, 3),
            width=round(100 / _BINS, 3),
            inspected=round(float(row[LOOK_INSPECTED]) / highest, 3),
            gated=round(float(row.sum() - row[LOOK_INSPECTED] - row[LOOK_UNHEALTHY]) / highest, 3),
            unhealthy=round(float(row[LOOK_UNHEALTHY]) / highest, 3),
        )
        for index, row in enumerate(counts)
        if row.any()
    )


def _ticks(segments: Sequence[_Segment]) -> tuple[Tick, ...]:
    """Wall-clock labels in the offset of each recording, far enough apart to be read."""
    total_s = sum(segment.entry.duration_s for segment in segments)
    step_s = next((step for step in _STEPS_S if total_s / step <= _TICKS), _STEPS_S[-1])
    wanted: list[tuple[int, float, datetime | float]] = []
    for number, segment in enumerate(segments):
        entry = segment.entry
        if entry.start is None:
            first = 0.0
        else:
            start = entry.start.value
            midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
            first = -(start - midnight).total_seconds() % step_s
            wanted.append((0 if number == 0 else 1, segment.x, start))
        for time_s in np.arange(first, entry.duration_s, step_s).tolist():
            moment: datetime | float = (
                time_s if entry.start is None else entry.start.value + timedelta(seconds=time_s)
            )
            wanted.append((2, segment.at(time_s), moment))
    kept: list[tuple[float, datetime | float]] = []
    for _, x, moment in sorted(wanted, key=lambda item: item[:2]):
        if len(kept) < 2 * _TICKS and all(
            # The first label carries a date and is half as wide again.
            abs(x - other) >= _TICK_DISTANCE * (1.5 if other == 0 else 1)
            for other, _ in kept
        ):
            kept.append((x, moment))
    ticks = []
    date = None
    for x, moment in sorted(kept, key=lambda item: item[0]):
        if isinstance(moment, datetime):
            text = moment.strftime("%H:%M:%S" if step_s < 60 or moment.second else "%H:%M")
            if moment.date() != date:
                text = f"{moment:%m-%d} {text}"
            date = moment.date()
        else:
            text = f"+{timedelta(seconds=round(moment))}"
        anchor = "start" if x < 5 else "end" if x > 95 else "middle"
        ticks.append(Tick(round(x, 3), text, anchor))
    return tuple(ticks)
