"""Which detection belongs to which place: by place alone, one to one, in any order of input.

A camera-day has tens of thousands of looks with a dozen or two of things each: too few for arrays
to pay, so boxes that overlap are found one by one, and each pair is worked on as little as can be.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import hypot, isnan, sqrt
from typing import NamedTuple

from vision.detect.detections import Detections
from vision.observe.boxes import area, intersection
from vision.observe.families import family_of
from vision.observe.sighting import Box

Votes = tuple[tuple[str, float], ...]
"""Summed confidence by class, in alphabetical order."""


class Candidate(NamedTuple):
    """One thing as the detector saw it in one look, double boxes merged.

    Candidates sort by falling confidence, then by family, class and box.

    Attributes:
        rank: Minus the highest confidence.
        family: Family of its classes.
        class_name: Class of the most confident detection.
        box: Box of the most confident detection.
        row: Row of the most confident detection.
        votes: Summed confidence for each class that was given to it; empty where one detection
            shows it.
        derelict: How derelict the second stage finds it, 0..1; ``None`` if it was not asked.
        appearance: Signature of how it looks; ``None`` if none was taken.
    """

    rank: float
    family: str
    class_name: str
    box: Box
    row: int
    votes: Votes = ()
    derelict: float | None = None
    appearance: bytes | None = None

    @property
    def confidence(self) -> float:
        """Highest confidence, 0..1."""
        return -self.rank

    @property
    def is_plain(self) -> bool:
        """Whether classes and confidence are all that is known of it."""
        return self.derelict is None and self.appearance is None

    @property
    def all_votes(self) -> Votes:
        """Summed confidence for each class that was given to it, by however many detections."""
        return self.votes or ((self.class_name, self.confidence),)

    @property
    def likeliest(self) -> str:
        """Class with most votes."""
        if not self.votes:
            return self.class_name
        return max(self.votes, key=lambda vote: vote[1])[0]


Touch = tuple[int, int, float]
"""Index of a place, index of a candidate, and the area that they share in square pixels."""


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
    new = tuple.__new__  # A named tuple's own constructor costs twice as much.
    found = [
        new(
            Candidate,
            (-confidence, families[class_id], names[class_id], box, row, (), None, None),
        )
        for row, (box, confidence, class_id) in enumerate(
            zip(
                map(tuple, detections.xyxy.tolist()),
                detections.confidence.tolist(),
                detections.class_id.tolist(),
                strict=True,
            )
        )
        if confidence >= min_confidence and box[2] > box[0] and box[3] > box[1]
    ]
    found.sort()
    owner = _owners(found, merge_iou)
    scores, lights = detections.derelict.tolist(), detections.appearance[:, 0].tolist()
    if not owner and not any(lights) and all(map(isnan, scores)):
        return found
    return _merged(found, owner, scores, lights, detections)


def _merged(
    found: Sequence[Candidate],
    owner: Mapping[int, int],
    scores: Sequence[float],
    lights: Sequence[int],
    detections: Detections,
) -> list[Candidate]:
    """Candidates with what those that show the same thing say, and with scores and signatures."""
    votes: dict[int, dict[str, float]] = {i: {} for i in owner.values()}
    derelict: dict[int, float] = {}
    appearance: dict[int, bytes] = {}
    for j, one in enumerate(found):
        i = owner.get(j, j)
        if i in votes:
            votes[i][one.class_name] = votes[i].get(one.class_name, 0.0) - one.rank
        if lights[one.row] and i not in appearance:
            appearance[i] = detections.appearance[one.row].tobytes()
        if i not in derelict and not isnan(scores[one.row]):
            derelict[i] = scores[one.row]
    return [
        Candidate(
            *one[:5],
            tuple(sorted(votes[i].items())) if i in votes else (),
            derelict.get(i),
            appearance.get(i),
        )
        if i in votes or i in appearance or i in derelict
        else one
        for i, one in enumerate(found)
        if i not in owner
    ]


def _owners(found: Sequence[Candidate], merge_iou: float) -> dict[int, int]:
    """For candidates that show the same thing as an earlier one of their family, that one."""
    owner: dict[int, int] = {}
    heads: dict[str, list[tuple[int, Box]]] = {}
    for j, one in enumerate(found):
        box = x1, y1, x2, y2 = one.box
        kin = heads.setdefault(one.family, [])
        for i, other in kin:
            if (
                other[0] < x2
                and x1 < other[2]
                and other[1] < y2
                and y1 < other[3]
                and doubles(other, box, intersection(other, box), merge_iou)
            ):
                owner[j] = i
                break
        else:
            kin.append((j, box))
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
    """Places and candidates that overlap, by place, the candidates of one from left to right."""
    if not places or not found:
        return []
    from_left = sorted([one.box + (c,) for c, one in enumerate(found)])  # noqa: RUF005 - costs half
    lefts = [edges[0] for edges in from_left]
    widest = 1 + max([edges[2] - edges[0] for edges in from_left])
    touches: list[Touch] = []
    add = touches.append
    for p, (px1, py1, px2, py2) in enumerate(places):
        first, last = bisect_left(lefts, px1 - widest), bisect_left(lefts, px2)
        for x1, y1, x2, y2, c in from_left[first:last]:
            if px1 < x2 and y1 < py2 and py1 < y2:
                width = (px2 if px2 < x2 else x2) - (px1 if px1 > x1 else x1)
                height = (py2 if py2 < y2 else y2) - (py1 if py1 > y1 else y1)
                add((p, c, width * height))
    return touches


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
    order = []
    families = [one.family for one in found]
    # Not area(): a call costs more than the product, and these boxes are none the wrong way round.
    sizes = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in [one.box for one in found]]
    place_sizes = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in places]
    for p, c, shared in touches:
        if place_families[p] == families[c]:
            overlap = shared / (place_sizes[p] + sizes[c] - shared)
            if overlap >= match_iou:
                behind = handicaps[p] if handicaps is not None else 0.0
                order.append((behind - overlap, p, c))
    _take(order, matched, taken)
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
    _take(near, matched, taken)
    return matched


def _take(order: list[tuple[float, int, int]], matched: dict[int, int], taken: set[int]) -> None:
    """Match places and candidates that are still free, least distance first."""
    order.sort()
    for _, p, c in order:
        if p not in matched and c not in taken:
            matched[p] = c
            taken.add(c)


def front_foot(place: Box, frame_height: float) -> float:
    """How far down in the picture a box must reach to stand before a place: lower, or to its edge.

    Args:
        place: Box of the place.
        frame_height: In pixels.
    """
    lower, edge = place[3] + 0.05 * (place[3] - place[1]), 0.99 * frame_height
    return lower if lower < edge else edge
