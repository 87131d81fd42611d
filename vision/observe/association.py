"""Which detection belongs to which place: by place alone, one to one, in any order of input.

A camera-day has tens of thousands of looks. What overlaps at all is found for a whole look at once;
the few pairs that do are then worked on one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import hypot, isnan, sqrt
from typing import NamedTuple

import numpy as np

from vision.detect.detections import Detections
from vision.observe.boxes import area, areas, as_array, intersections
from vision.observe.families import FLAT, family_of
from vision.observe.sighting import Box


class Candidate(NamedTuple):
    """One thing as the detector saw it in one look, double boxes merged.

    Attributes:
        family: Family of its classes.
        box: Box of the most confident detection.
        confidence: Highest confidence.
        votes: Summed confidence for each class that was given to it.
        flat: Whether it can hide nothing (dust, soil, hoarding).
        derelict: How derelict the second stage finds it, 0..1; ``None`` if it was not asked.
        appearance: Signature of how it looks; ``None`` if none was taken.
    """

    family: str
    box: Box
    confidence: float
    votes: tuple[tuple[str, float], ...]
    flat: bool
    derelict: float | None = None
    appearance: bytes | None = None


class Touch(NamedTuple):
    """A place and a candidate that overlap.

    Attributes:
        place: Index of the place.
        found: Index of the candidate.
        shared: Area that they share, in square pixels.
    """

    place: int
    found: int
    shared: float


@lru_cache(maxsize=64)
def _families(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(family_of(name) for name in names)


def candidates(detections: Detections, merge_iou: float, min_confidence: float) -> list[Candidate]:
    """Bring detections into an order of their own and merge double boxes of one family.

    Args:
        detections: Detections of one look.
        merge_iou: Boxes of one family that overlap more are one thing.
        min_confidence: Less confident detections are left out.

    Returns:
        Candidates by falling confidence; the same whatever the order of the detections.
    """
    names, families = detections.names, _families(detections.names)
    rows = sorted(
        (-confidence, families[class_id], names[class_id], tuple(box), row)
        for row, (box, confidence, class_id) in enumerate(
            zip(
                detections.xyxy.tolist(),
                detections.confidence.tolist(),
                detections.class_id.tolist(),
                strict=True,
            )
        )
        if confidence >= min_confidence and box[2] > box[0] and box[3] > box[1]
    )
    if not rows:
        return []
    owner = _owners(rows, merge_iou)
    scores = detections.derelict
    scored = not np.isnan(scores).all()
    signed = set(detections.appearance[:, 0].nonzero()[0].tolist())
    if not owner and not scored and not signed:
        return [
            Candidate(family, box, -rank, ((name, -rank),), name in FLAT)
            for rank, family, name, box, _ in rows
        ]
    derelict: dict[int, float] = {}
    appearance: dict[int, bytes] = {}
    votes: dict[int, dict[str, float]] = {}
    for j in range(len(rows)):
        i = owner.get(j, j)
        votes.setdefault(i, {})
        name = rows[j][2]
        votes[i][name] = votes[i].get(name, 0.0) - rows[j][0]
    if scored or signed:
        for j in range(len(rows)):
            i, row = owner.get(j, j), rows[j][4]
            if scored and not isnan(scores[row]):
                derelict.setdefault(i, float(scores[row]))
            if row in signed:
                appearance.setdefault(i, detections.appearance[row].tobytes())
    return [
        Candidate(
            rows[i][1],
            rows[i][3],
            -rows[i][0],
            tuple(sorted(given.items())) if len(given) > 1 else tuple(given.items()),
            rows[i][2] in FLAT,
            derelict.get(i),
            appearance.get(i),
        )
        for i, given in sorted(votes.items())
    ]


_Row = tuple[float, str, str, Box, int]


def _owners(rows: Sequence[_Row], merge_iou: float) -> dict[int, int]:
    """For rows that show the same thing as an earlier row, that row."""
    owner: dict[int, int] = {}
    if len(rows) > 1:
        boxes = as_array([row[3] for row in rows])
        shared = intersections(boxes, boxes)
        size = areas(boxes)
        close = shared > min(merge_iou, 0.5) / 2 * (size[:, None] + size)
        first, second = close.nonzero()
        for i, j, common in zip(
            first.tolist(), second.tolist(), shared[first, second].tolist(), strict=True
        ):
            if (
                i < j
                and i not in owner
                and j not in owner
                and rows[i][1] == rows[j][1]
                and doubles(rows[i][3], rows[j][3], common, merge_iou)
            ):
                owner[j] = i
    return owner


def doubles(a: Box, b: Box, shared: float, merge_iou: float) -> bool:
    """Whether two boxes that share an area show one thing.

    Either they overlap by more than ``merge_iou``, or one lies in the other and fills more than
    half of it: detectors like to box a thing whole and again without its far end.
    """
    size, other = area(a), area(b)
    union = size + other - shared
    if shared > merge_iou * union:
        return True
    return shared > 0.85 * min(size, other) and shared > 0.5 * union


def touching(places: Sequence[Box], found: Sequence[Candidate]) -> list[Touch]:
    """Places and candidates that overlap, by place and candidate."""
    if not places or not found:
        return []
    shared = intersections(as_array(places), as_array([one.box for one in found]))
    p, c = shared.nonzero()
    return list(map(Touch, p.tolist(), c.tolist(), shared[p, c].tolist()))


def match(
    places: Sequence[Box],
    place_families: Sequence[str],
    second_chance: Sequence[bool],
    found: Sequence[Candidate],
    touches: Sequence[Touch],
    *,
    match_iou: float,
    foot_distance: float,
    handicaps: Sequence[float] | None = None,
) -> dict[int, int]:
    """Match places to candidates one to one, best overlap first.

    Ties fall to the place first in order (the oldest), then to the candidate first in order (the
    most confident). A place that overlaps with nothing gets a second chance: a candidate of like
    size whose lower middle is near its own, as when an umbrella or a passer-by cuts the box.

    Args:
        places: Boxes of the places, oldest first.
        place_families: Family of each place.
        second_chance: Whether a place may be matched by its lower middle.
        found: Candidates of this look.
        touches: From :func:`touching`.
        match_iou: Least overlap.
        foot_distance: Largest distance of the lower middles, as share of the place's size (the
            root of its area).
        handicaps: By how much the overlap of each place counts less than that of the others.

    Returns:
        Index of the candidate for each matched place.
    """
    matched: dict[int, int] = {}
    taken: set[int] = set()

    def take(order: list[tuple[float, int, int]]) -> None:
        order.sort()
        for _, p, c in order:
            if p not in matched and c not in taken:
                matched[p] = c
                taken.add(c)

    order = []
    for p, c, shared in touches:
        if place_families[p] == found[c].family:
            overlap = shared / (area(places[p]) + area(found[c].box) - shared)
            if overlap >= match_iou:
                behind = handicaps[p] if handicaps is not None else 0.0
                order.append((behind - overlap, p, c))
    take(order)
    if len(taken) == len(found) or len(matched) == len(places):
        return matched
    near = []
    for p, place in enumerate(places):
        if p in matched or not second_chance[p]:
            continue
        x, size = (place[0] + place[2]) / 2, area(place)
        reach = foot_distance * sqrt(size)
        for c, candidate in enumerate(found):
            box = candidate.box
            if c in taken or abs(box[3] - place[3]) > reach:
                continue
            if candidate.family != place_families[p] or not 0.4 <= area(box) / size <= 2.5:
                continue
            distance = hypot((box[0] + box[2]) / 2 - x, box[3] - place[3])
            if distance <= reach:
                near.append((distance / sqrt(size), p, c))
    take(near)
    return matched


def covers(place: Box, candidate: Candidate, frame_height: float) -> bool:
    """Whether a candidate stands before a place and so may hide it.

    What stands before another thing reaches lower in the picture, or to its lower edge.
    """
    return reaches_before(candidate.box, place, frame_height) and not candidate.flat


def reaches_before(front: Box, place: Box, frame_height: float) -> bool:
    """Whether a box reaches lower in the picture than a place, or to the picture's lower edge."""
    foot = min(place[3] + 0.05 * (place[3] - place[1]), 0.99 * frame_height)
    return front[3] >= foot
