"""Which detection belongs to which place: by place alone, one to one, in any order of input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.detect.detections import Detections
from vision.observe.boxes import Boxes, areas, as_array, intersections
from vision.observe.families import FLAT, family_of
from vision.observe.sighting import Box

_NOT_ASKED = -1.0
"""Stands for NaN, which cannot be sorted."""


@dataclass(frozen=True)
class Candidate:
    """One thing as the detector saw it in one look, double boxes merged.

    Attributes:
        family: Family of its classes.
        box: Box of the most confident detection.
        confidence: Highest confidence.
        votes: Summed confidence for each class that was given to it.
        flat: Whether it can hide nothing (dust, soil, hoarding).
        derelict: How derelict the second stage finds it, 0..1; ``None`` if it was not asked.
    """

    family: str
    box: Box
    confidence: float
    votes: tuple[tuple[str, float], ...]
    flat: bool
    derelict: float | None = None


def candidates(detections: Detections, merge_iou: float, min_confidence: float) -> list[Candidate]:
    """Bring detections into an order of their own and merge double boxes of one family.

    Args:
        detections: Detections of one look.
        merge_iou: Boxes of one family that overlap more are one thing.
        min_confidence: Less confident detections are left out.

    Returns:
        Candidates by falling confidence; the same whatever the order of the detections.
    """
    rows = sorted(
        (-confidence, family_of(name), name, tuple(box), derelict)
        for box, confidence, name, derelict in zip(
            detections.xyxy.tolist(),
            detections.confidence.tolist(),
            [detections.names[i] for i in detections.class_id.tolist()],
            np.nan_to_num(detections.derelict, nan=_NOT_ASKED).tolist(),
            strict=True,
        )
        if confidence >= min_confidence and box[2] > box[0] and box[3] > box[1]
    )
    if not rows:
        return []
    boxes = as_array([row[3] for row in rows])
    same = doubles(boxes, merge_iou)
    owner = list(range(len(rows)))
    for i, j in np.argwhere(np.triu(same, 1)).tolist():
        if owner[i] == i and owner[j] == j and rows[i][1] == rows[j][1]:
            owner[j] = i
    votes: dict[int, dict[str, float]] = {}
    derelict: dict[int, float] = {}
    for j, i in enumerate(owner):
        name = rows[j][2]
        if rows[j][4] != _NOT_ASKED:
            derelict.setdefault(i, rows[j][4])
        given = votes.setdefault(i, {})
        given[name] = given.get(name, 0.0) - rows[j][0]
    return [
        Candidate(
            family=rows[i][1],
            box=rows[i][3],
            confidence=-rows[i][0],
            votes=tuple(sorted(given.items())),
            flat=rows[i][2] in FLAT,
            derelict=derelict.get(i),
        )
        for i, given in votes.items()
    ]


def doubles(boxes: Boxes, merge_iou: float) -> NDArray[np.bool_]:
    """``(n, n)``: whether two boxes show one thing.

    Either they overlap by more than ``merge_iou``, or one lies in the other and fills more than
    half of it: detectors like to box a thing whole and again without its far end.
    """
    shared = intersections(boxes, boxes)
    size = areas(boxes)
    union = size[:, None] + size[None, :] - shared
    nested = shared > 0.85 * np.minimum(size[:, None], size[None, :])
    return np.asarray((shared > merge_iou * union) | (nested & (shared > 0.5 * union)))


def match(
    places: Boxes,
    place_families: Sequence[str],
    second_chance: Sequence[bool],
    found: Sequence[Candidate],
    shared: NDArray[np.float64],
    *,
    match_iou: float,
    foot_distance: float,
) -> dict[int, int]:
    """Match places to candidates one to one, best overlap first.

    Ties fall to the place first in order (the oldest), then to the candidate first in order (the
    most confident). A place that overlaps with nothing gets a second chance: a candidate of like
    size whose lower middle is near its own, as when an umbrella or a passer-by cuts the box.

    Args:
        places: ``(p, 4)`` boxes of the places, oldest first.
        place_families: Family of each place.
        second_chance: Whether a place may be matched by its lower middle.
        found: Candidates of this look.
        shared: ``(p, c)`` areas shared by places and candidates.
        match_iou: Least overlap.
        foot_distance: Largest distance of the lower middles, as share of the place's size (the
            root of its area).

    Returns:
        Index of the candidate for each matched place.
    """
    if not len(places) or not found:
        return {}
    boxes = as_array([candidate.box for candidate in found])
    place_size, size = areas(places), areas(boxes)
    overlap = shared / (place_size[:, None] + size[None, :] - shared)
    matched: dict[int, int] = {}
    taken: set[int] = set()

    def take(order: list[tuple[float, int, int]]) -> None:
        for _, p, c in sorted(order):
            if p not in matched and c not in taken:
                matched[p] = c
                taken.add(c)

    def kin(p: int, c: int) -> bool:
        return place_families[p] == found[c].family

    take(
        [
            (-float(overlap[p, c]), p, c)
            for p, c in np.argwhere(overlap >= match_iou).tolist()
            if kin(p, c)
        ]
    )
    left = [p for p in range(len(places)) if p not in matched and second_chance[p]]
    if left and len(taken) < len(found):
        near = []
        for p in left:
            x = (places[p, 0] + places[p, 2]) / 2
            scale = float(np.sqrt(place_size[p]))
            for c in range(len(found)):
                if c in taken or not kin(p, c) or not 0.4 <= size[c] / place_size[p] <= 2.5:
                    continue
                distance = float(
                    np.hypot((boxes[c, 0] + boxes[c, 2]) / 2 - x, boxes[c, 3] - places[p, 3])
                )
                if distance <= foot_distance * scale:
                    near.append((distance / scale, p, c))
        take(near)
    return matched


def covers(places: Boxes, found: Sequence[Candidate], frame_height: float) -> NDArray[np.bool_]:
    """``(p, c)``: whether a candidate stands before a place and so may hide it.

    What stands before another thing reaches lower in the picture, or to its lower edge.
    """
    boxes = as_array([candidate.box for candidate in found])
    flat = np.array([candidate.flat for candidate in found], bool)
    foot = np.minimum(places[:, 3] + 0.05 * (places[:, 3] - places[:, 1]), 0.99 * frame_height)
    return np.asarray((boxes[None, :, 3] >= foot[:, None]) & ~flat)
