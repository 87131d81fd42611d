"""What is taken for what: the confusion matrix of a detector on partly labelled pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vision.detect.detections import Detections
from vision.learn.measure.scoring import MATCH_IOU, Examined, of_class
from vision.observe.boxes import ious

BACKGROUND = "background"
"""Row of boxes where nothing is labelled, and column of labelled boxes that were not found."""


def confusion_matrix(
    examined: Sequence[Examined], thresholds: Mapping[str, float]
) -> NDArray[np.int64]:
    """Count labelled boxes by the class of the detection on them.

    Labelled boxes first go to detections of their own class, as in :func:`match`; what is left on
    both sides is paired by the largest overlap. A class that is unknown in a picture counts nowhere
    in it: neither its labelled boxes nor its detections.

    Args:
        examined: Pictures with their detections.
        thresholds: The classes and their smallest confidence.

    Returns:
        ``(classes + 1, classes + 1)``: row is the labelled class, column the found one; the last
        of each is :data:`BACKGROUND`.
    """
    names = list(thresholds)
    counts = np.zeros((len(names) + 1, len(names) + 1), np.int64)
    for e in examined:
        known = {name: limit for name, limit in thresholds.items() if e.knows(name)}
        pairs, missed, false = pair_boxes(e.truth, e.found, known)
        for labelled, found in pairs:
            counts[names.index(labelled), names.index(found)] += 1
        for name, _ in missed:
            counts[names.index(name), -1] += 1
        for name, _, _ in false:
            counts[-1, names.index(name)] += 1
    return counts


Missed = tuple[str, NDArray[np.float32]]
"""Class and box of a labelled thing that no detection lies on."""

FalseBox = tuple[str, NDArray[np.float32], float]
"""Class, box and confidence of a detection that lies on nothing labelled."""


def pair_boxes(
    truth: Mapping[str, NDArray[np.float32]], found: Detections, thresholds: Mapping[str, float]
) -> tuple[list[tuple[str, str]], list[Missed], list[FalseBox]]:
    """Pair labelled boxes with detections of one picture.

    Args:
        truth: Labelled boxes by class.
        found: Detections.
        thresholds: The classes to look at and their smallest confidence.

    Returns:
        Labelled and found class of each pair, labelled boxes without a detection, and detections
        without a labelled box.
    """
    pairs: list[tuple[str, str]] = []
    missed: list[Missed] = []
    false: list[FalseBox] = []
    for name, limit in thresholds.items():
        boxes = truth.get(name, np.empty((0, 4), np.float32))
        free = np.ones(len(boxes), bool)
        for box, confidence in of_class(found, name, limit):
            overlaps = np.where(free, ious(box[np.newaxis], boxes)[0], 0.0)
            if len(boxes) and overlaps.max() >= MATCH_IOU:
                free[int(overlaps.argmax())] = False
                pairs.append((name, name))
            else:
                false.append((name, box, confidence))
        missed += [(name, box) for box in boxes[free]]

    if missed and false:
        shared = ious(np.stack([box for _, box, _ in false]), np.stack([box for _, box in missed]))
        gone_found: set[int] = set()
        gone_missed: set[int] = set()
        while shared.max() >= MATCH_IOU:
            i, j = (int(v) for v in np.unravel_index(int(shared.argmax()), shared.shape))
            pairs.append((missed[j][0], false[i][0]))
            gone_found.add(i)
            gone_missed.add(j)
            shared[i, :] = 0
            shared[:, j] = 0
        false = [row for i, row in enumerate(false) if i not in gone_found]
        missed = [row for j, row in enumerate(missed) if j not in gone_missed]
    return pairs, missed, false
