"""Measure how well derelict vehicles are told from sound ones, by one stage, by two, by both.

All vehicles are brought to one size and one quality first, for wrecks and sound cars come from
different origins. Two things are measured: the classifier alone on labelled crops, and the whole
system, in which a detector has to find the vehicle before anything can be said about it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.detect.classifier import Classifier, cut
from vision.detect.detector import Detector
from vision.learn.derelict.crops import EQUAL_QUALITY, Crop, compressed, equalised, resized
from vision.learn.measure.bootstrap import COVERAGE, RESAMPLES
from vision.learn.measure.scoring import MATCH_IOU, average_precision
from vision.observe.association import candidates
from vision.observe.boxes import iou
from vision.observe.families import family_of
from vision.observe.memory import MemorySettings

SIDES = (64, 128)
"""Longer sides of vehicles at which they are compared, in pixels."""

DERELICT = "derelict_vehicle"


@dataclass(frozen=True, eq=False)
class Ranking:
    """Vehicles by how derelict they look.

    Attributes:
        score: ``(n,)`` float64 of the vehicles that were found.
        positive: ``(n,)`` whether each is derelict.
        group: ``(n,)`` int64 group of each; pictures of one group look alike.
        wanted: ``(groups,)`` derelict vehicles of each group, found or not.
    """

    score: NDArray[np.float64]
    positive: NDArray[np.bool_]
    group: NDArray[np.int64]
    wanted: NDArray[np.int64]

    def average_precision(self, times: NDArray[np.float64] | None = None) -> float | None:
        """Average precision; a derelict vehicle that was not found is missed.

        Args:
            times: ``(groups,)`` how often each group counts; once if not given.

        Returns:
            ``None`` if there is no derelict vehicle.
        """
        times = np.ones(len(self.wanted)) if times is None else times
        total = float(self.wanted @ times)
        if not total:
            return None
        # Of equal scores the sound vehicles go first: nothing is gained by saying nothing.
        order = np.lexsort((self.positive, -self.score))
        return average_precision(self.positive[order], total, times[self.group[order]])

    def interval(self, *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float]:
        """95 % interval of the average precision by the bootstrap over groups."""
        rng = np.random.default_rng(seed)
        groups = len(self.wanted)
        drawn = [
            self.average_precision(draw.astype(np.float64))
            for draw in rng.multinomial(groups, np.full(groups, 1 / groups), resamples)
        ]
        tail = (1 - COVERAGE) / 2
        low, high = np.quantile([ap for ap in drawn if ap is not None], [tail, 1 - tail])
        return float(low), float(high)

    def summary(self) -> dict[str, Any]:
        """What card and registry tell: counts, average precision and its interval."""
        ap = self.average_precision()
        return {
            "derelict": int(self.wanted.sum()),
            "found": int(self.positive.sum()),
            "sound": int((~self.positive).sum()),
            "ap": None if ap is None else round(ap, 3),
            "ci95": None if ap is None else [round(edge, 3) for edge in self.interval()],
        }


def rank_crops(crops: Sequence[Crop], classifier: Classifier, side: int) -> Ranking:
    """Score labelled crops.

    Args:
        crops: Crops of the validation side.
        classifier: Its first class is the positive.
        side: Longer side to which every vehicle is shrunk, in pixels; smaller ones are left out.
    """
    seen = [(crop, view) for crop in crops if (view := equalised(crop, side)) is not None]
    scores = classifier.classify([view for _, view in seen])[:, 0]
    number = _numbers([crop for crop, _ in seen])
    return _ranking(
        [
            (float(score), crop.positive, number[crop.group])
            for (crop, _), score in zip(seen, scores, strict=True)
        ],
        [number[crop.group] for crop, _ in seen if crop.positive],
        len(number),
    )


@dataclass(frozen=True)
class Found:
    """A vehicle that the detector found in the view of a labelled one.

    Attributes:
        crop: The labelled vehicle.
        confidence: Confidence of the detector's class ``derelict_vehicle``.
        votes: Share of that class in the detector's votes.
        score: What the classifier makes of the box.
    """

    crop: Crop
    confidence: float
    votes: float
    score: float


def find(
    crops: Sequence[Crop],
    detector: Detector,
    classifier: Classifier,
    side: int,
    *,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[Found]:
    """Let detector and classifier look at vehicles with what is around them.

    Boxes are merged as at run time. The box that overlaps a labelled derelict vehicle best finds
    it, other boxes beside one are left out (a scrapyard is not labelled whole), and every box in
    the view of a sound vehicle is a sound vehicle.

    Args:
        crops: Crops of the validation side.
        detector: Opened with thresholds of at most the memory's ``keep_confidence``.
        classifier: Its first class is ``derelict_vehicle``.
        side: Longer side to which every vehicle is shrunk, in pixels; smaller ones are left out.
        progress: Told after each view how many of how many are done.
    """
    settings = MemorySettings()
    large = [crop for crop in crops if crop.side >= side]
    everything = []
    for done, crop in enumerate(large, 1):
        x1, y1, x2, y2 = crop.box
        scale = side / max(x2 - x1, y2 - y1)
        view = compressed(resized(crop.image, scale), EQUAL_QUALITY)
        label = (x1 * scale, y1 * scale, x2 * scale, y2 * scale)
        seen = [
            candidate
            for candidate in candidates(
                detector.detect([view])[0], settings.merge_iou, settings.keep_confidence
            )
            if candidate.family == family_of(DERELICT)
        ]
        if crop.positive:
            seen = [one for one in seen if iou(one.box, label) >= MATCH_IOU]
            seen = sorted(seen, key=lambda one: -iou(one.box, label))[:1]
        scores = classifier.classify([cut(view, candidate.box) for candidate in seen])[:, 0]
        for candidate, score in zip(seen, scores, strict=True):
            votes = dict(candidate.all_votes)
            derelict = votes.get(DERELICT, 0.0)
            share = derelict / sum(votes.values())
            everything.append(Found(crop, derelict, share, float(score)))
        progress(done, len(large))
    return everything


def rank_system(
    crops: Sequence[Crop], found: Sequence[Found], side: int, *, weight: float
) -> dict[str, Ranking]:
    """Rank what was found by one stage, by two, and by both.

    Args:
        crops: Vehicles to rank.
        found: What :func:`find` found at this side; that of other vehicles is left out.
        side: As for :func:`find`.
        weight: Weight of the classifier in the combination.

    Returns:
        ``one_stage`` by the detector's confidence in the class, ``votes`` by the class's share in
        the detector's votes, ``two_stage`` by the classifier, ``combined`` as the rule for
        abandoned vehicles mixes votes and classifier.
    """
    large = [crop for crop in crops if crop.side >= side]
    number = _numbers(large)
    mine = [one for one in found if one.crop in set(large)]
    wanted = [number[crop.group] for crop in large if crop.positive]
    ways: dict[str, Callable[[Found], float]] = {
        "one_stage": lambda one: one.confidence,
        "votes": lambda one: one.votes,
        "two_stage": lambda one: one.score,
        "combined": lambda one: (1 - weight) * one.votes + weight * one.score,
    }
    return {
        name: _ranking(
            [(value(one), one.crop.positive, number[one.crop.group]) for one in mine],
            wanted,
            len(number),
        )
        for name, value in ways.items()
    }


def measure_derelict(
    crops: Sequence[Crop],
    detector: Detector,
    classifier: Classifier,
    *,
    weight: float,
    sides: Sequence[int] = SIDES,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, Any]:
    """Measure what card and registry tell.

    Args:
        crops: Crops of the validation side.
        detector: As for :func:`find`.
        classifier: As for :func:`find`.
        weight: Weight of the classifier in the combination.
        sides: Sizes at which vehicles are compared.
        progress: Told after each view of a size how many of how many are done.

    Returns:
        By size, ``crops`` (the classifier alone) and ``system`` (by stage), each for ``all``
        vehicles, for each family of sources (the first part of their path) that has both classes,
        and for each :attr:`~vision.learn.derelict.crops.Crop.pair` that has: there nothing but the
        vehicle differs. See :meth:`Ranking.summary`.
    """
    sets = {"all": list(crops), **_likes(crops, lambda c: c.source.split("/")[0])}
    sets |= _likes(crops, lambda c: c.pair)
    measured: dict[str, Any] = {}
    for side in sides:
        found = find(crops, detector, classifier, side, progress=progress)
        measured[f"{side}_px"] = {
            "crops": {
                name: rank_crops(some, classifier, side).summary() for name, some in sets.items()
            },
            "system": {
                name: {
                    way: ranking.summary()
                    for way, ranking in rank_system(some, found, side, weight=weight).items()
                }
                for name, some in sets.items()
            },
        }
    return measured


def _likes(crops: Sequence[Crop], key: Callable[[Crop], str]) -> dict[str, list[Crop]]:
    """Crops by a key, where both classes have it."""
    both = {key(c) for c in crops if c.positive} & {key(c) for c in crops if not c.positive}
    return {name: [c for c in crops if key(c) == name] for name in sorted(both)}


def _numbers(crops: Sequence[Crop]) -> dict[str, int]:
    return {group: i for i, group in enumerate(dict.fromkeys(crop.group for crop in crops))}


def _ranking(rows: list[tuple[float, bool, int]], wanted: list[int], groups: int) -> Ranking:
    return Ranking(
        score=np.array([row[0] for row in rows], np.float64),
        positive=np.array([row[1] for row in rows], bool),
        group=np.array([row[2] for row in rows], np.int64),
        wanted=np.bincount(np.array(wanted, np.int64), minlength=groups),
    )
