"""Confidence intervals of average precision by the bootstrap over groups.

Pictures of one camera, place or video look alike, so whole groups are drawn with replacement:
drawing single pictures would promise more certainty than there is (cluster bootstrap, percentile
interval; Efron and Tibshirani, An Introduction to the Bootstrap, 1993).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vision.learn.measure.scoring import Examined, average_precision, match

RESAMPLES = 1000

COVERAGE = 0.95

Interval = tuple[float, float]


def ap50_intervals(
    examined: Sequence[Examined],
    names: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[dict[str, Interval], Interval | None]:
    """Give 95 % intervals of AP50 of each class and of their mean.

    Args:
        examined: Pictures with their detections.
        names: Classes; those without labelled boxes get no interval.
        resamples: How often the groups are drawn; 0 gives no intervals.
        seed: Seed of the draws.

    Returns:
        Intervals by class, and that of the mean over the classes that have boxes in a draw.
    """
    if not resamples:
        return {}, None
    groups, member = np.unique([e.picture.group for e in examined], return_inverse=True)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(len(groups), np.full(len(groups), 1 / max(len(groups), 1)), resamples)
    scores: dict[str, NDArray[np.float64]] = {}
    for name in names:
        matches = match(examined, name)
        if not matches.boxes.sum():
            continue
        scores[name] = np.full(resamples, np.nan)
        for i, draw in enumerate(draws):
            times = draw[member].astype(np.float64)
            total = float(matches.boxes @ times)
            if total:
                weight = times[matches.picture]
                scores[name][i] = average_precision(matches.correct, total, weight)
    if not scores:
        return {}, None
    table = np.array(list(scores.values()))
    means = np.nanmean(table[:, ~np.isnan(table).all(axis=0)], axis=0)
    return {name: _interval(values) for name, values in scores.items()}, _interval(means)


def _interval(values: NDArray[np.float64]) -> Interval:
    tail = (1 - COVERAGE) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)
