"""The usual way, to compare with: a track id from ByteTrack and a timer in a zone.

``ultralytics`` tracks the very detections that Jiexu judges; a track whose lower middle has been in
a zone for the dwell is a violation until the tracker gives it up. That is what the parking and
loitering examples of the field do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.observe.boxes import iou
from vision.observe.look import Health, Look
from vision.observe.sighting import Box
from vision.rules.finding import Violation
from vision.zones import Zone

SAME_THING_IOU = 0.5
"""Overlap from which a track is taken to be on a thing."""


@dataclass(frozen=True)
class Track:
    """One track in one look.

    Attributes:
        id: Number that the tracker gave.
        class_name: Class of the detection.
        box: Box of the track in pixels.
        confidence: Of the detection.
    """

    id: int
    class_name: str
    box: Box
    confidence: float


def tracks(looks: Iterable[Look]) -> list[tuple[Look, list[Track]]]:
    """Track the detections of one stream with ByteTrack as ultralytics ships it.

    Args:
        looks: In order of time. Unhealthy ones are left out: nothing was detected in them.

    Returns:
        Each healthy look with the tracks that it confirmed.
    """
    from ultralytics.engine.results import Boxes
    from ultralytics.trackers.byte_tracker import BYTETracker
    from ultralytics.utils import YAML, IterableSimpleNamespace
    from ultralytics.utils.checks import check_yaml

    settings: Any = IterableSimpleNamespace(**YAML.load(check_yaml("bytetrack.yaml")))
    tracker = BYTETracker(settings)
    tracked = []
    for look in looks:
        if look.health is not Health.OK:
            continue
        found = look.detections
        rows: NDArray[np.float32] = np.column_stack(
            [found.xyxy, found.confidence, found.class_id]
        ).astype(np.float32)
        width, height = look.frame_size
        given = tracker.update(Boxes(rows.reshape(-1, 6), (height, width)))
        tracked.append(
            (
                look,
                [
                    Track(int(row[4]), found.names[int(row[6])], _box(row), float(row[5]))
                    for row in given.tolist()
                ],
            )
        )
    return tracked


def naive_violations(
    looks: Iterable[Look],
    zones: Sequence[Zone],
    dwell_s: Mapping[str, float],
    kinds: Mapping[str, str],
    *,
    camera_id: str = "cam",
) -> list[Violation]:
    """Violations as track id and timer see them.

    Args:
        looks: Of one stream, in order of time.
        zones: A track is timed in the first of them that holds it.
        dwell_s: Seconds in the zone from which a kind is violated.
        kinds: Class name to kind; other classes are not timed.
        camera_id: Camera named in the violations.

    Returns:
        Ordered by ``noticed_s``, then key. One that lasts to the end has no ``end_s``.
    """
    return timed(tracks(looks), zones, dwell_s, kinds, camera_id=camera_id)


def timed(
    tracked: Iterable[tuple[Look, Sequence[Track]]],
    zones: Sequence[Zone],
    dwell_s: Mapping[str, float],
    kinds: Mapping[str, str],
    *,
    camera_id: str = "cam",
) -> list[Violation]:
    """Violations of what :func:`tracks` gave; see :func:`naive_violations`."""
    began: dict[tuple[int, str], tuple[float, int]] = {}
    found: dict[tuple[int, str], Violation] = {}
    last_s = 0.0
    for look, there in tracked:
        last_s = look.time_s
        for track in there:
            kind = kinds.get(track.class_name)
            zone = next((one for one in zones if one.holds(track.box, look.frame_size)), None)
            if kind is None or zone is None:
                continue
            timed = (track.id, zone.id)
            since_s, looks_seen = began.get(timed, (look.time_s, 0))
            began[timed] = since_s, looks_seen + 1
            if look.time_s - since_s < dwell_s[kind]:
                continue
            known = found.get(timed)
            if known is not None:
                found[timed] = replace(known, last_seen_s=look.time_s, looks_seen=looks_seen + 1)
                continue
            found[timed] = Violation(
                kind=kind,
                camera_id=camera_id,
                zone_id=zone.id,
                key=f"track-{track.id}",
                box=track.box,
                confidence=track.confidence,
                start_s=since_s,
                noticed_s=look.time_s,
                best_s=look.time_s,
                last_seen_s=look.time_s,
                end_s=None,
                looks_seen=looks_seen + 1,
                signs=("dwell",),
                rule_name="track_and_timer",
                rule_settings={"dwell_s": dwell_s[kind]},
                class_names=(track.class_name,),
            )
    over = [
        one if one.last_seen_s == last_s else replace(one, end_s=one.last_seen_s)
        for one in found.values()
    ]
    return sorted(over, key=lambda one: (one.noticed_s, one.key))


def identity_switches(
    truth: Iterable[Mapping[str, Box]], given: Iterable[Iterable[tuple[int, Box]]]
) -> int:
    """How often a thing got another number while it stood there.

    Args:
        truth: For each look, the true box of each thing in view, by the thing's name.
        given: For each of these looks, number and box of each track or sighting.

    Returns:
        Changes of number, summed over all things; looks in which nothing lies on a thing do not
        count, for a thing that is found again under its old number was not lost.
    """
    number: dict[str, int] = {}
    switches = 0
    for things, followed in zip(truth, given, strict=True):
        there = list(followed)
        for name, box in things.items():
            best = max(((iou(box, other), -one) for one, other in there), default=(0.0, 0))
            if best[0] < SAME_THING_IOU:
                continue
            switches += number.get(name, -best[1]) != -best[1]
            number[name] = -best[1]
    return switches


def _box(row: Sequence[float]) -> Box:
    return row[0], row[1], row[2], row[3]
