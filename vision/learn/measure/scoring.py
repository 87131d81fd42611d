"""Show a detector the validation pictures of a built data set and score what it finds.

Classes that nobody looked for in a picture (``unknown`` in ``pictures.json``) are neither found nor
missed there: each class is measured on the pictures in which it was labelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.detect.detections import Detections
from vision.detect.detector import Detector
from vision.detect.load import load_detector
from vision.detect.registry import ModelEntry
from vision.learn.data.labels import read_boxes
from vision.learn.data.pictures import Picture, class_names, read_image, read_pictures
from vision.observe.boxes import ious

MATCH_IOU = 0.5
"""A detection finds a labelled box of its class from this overlap."""

FAINTEST = 0.01
"""Threshold with which detectors are shown pictures to be measured; below it nothing is gained."""

RECALLS: NDArray[np.float64] = np.linspace(0, 1, 101)
"""Recalls at which COCO reads precision."""


@dataclass(frozen=True, eq=False)
class Examined:
    """One picture, what people labelled in it and what the detector found.

    Attributes:
        picture: The picture.
        truth: Labelled boxes by class: ``(n, 4)`` float32 corners in pixels.
        found: The detections, down to very low confidence.
        size: Width and height in pixels.
        luma: Mean brightness, 0..255.
    """

    picture: Picture
    truth: Mapping[str, NDArray[np.float32]]
    found: Detections
    size: tuple[int, int]
    luma: float

    def knows(self, name: str) -> bool:
        """Whether somebody looked for a class in this picture."""
        return name not in self.picture.unknown


@dataclass(frozen=True, eq=False)
class Matches:
    """The detections of one class over pictures, the most confident first.

    Attributes:
        confidence: ``(n,)`` float32, falling.
        correct: ``(n,)`` whether each of them found a box that none before it had found.
        picture: ``(n,)`` int64 index of its picture.
        boxes: ``(pictures,)`` int64 labelled boxes of each picture; 0 where the class is unknown.
        known: ``(pictures,)`` whether somebody looked for the class.
    """

    confidence: NDArray[np.float32]
    correct: NDArray[np.bool_]
    picture: NDArray[np.int64]
    boxes: NDArray[np.int64]
    known: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ClassScore:
    """How well one class is found.

    Attributes:
        name: Class.
        pictures: Pictures in which the class was labelled or known to be absent.
        boxes: Labelled boxes in them.
        ap50: Average precision at IoU 0.5; None without boxes.
        confidence: ``(n,)`` float32 confidences of the detections, falling.
        correct: ``(n,)`` whether each of them found a box that none before it had found.
    """

    name: str
    pictures: int
    boxes: int
    ap50: float | None
    confidence: NDArray[np.float32]
    correct: NDArray[np.bool_]

    def at(self, threshold: float) -> tuple[float | None, float | None]:
        """Precision and recall of the detections from a confidence up; None if undefined."""
        kept = self.confidence >= threshold
        right = int(self.correct[kept].sum())
        precision = right / int(kept.sum()) if kept.any() else None
        return precision, right / self.boxes if self.boxes else None


@contextmanager
def faint_detector(
    entry: ModelEntry, runtime: str | None = None, *, device: str = "cpu"
) -> Iterator[Detector]:
    """A detector that tells all it sees down to :data:`FAINTEST`, closed at the end.

    Args:
        entry: The model.
        runtime: As for :func:`vision.detect.load.load_detector`.
        device: The same.

    Raises:
        ModelError: The model cannot be opened.
    """
    thresholds = dict.fromkeys(entry.classes, FAINTEST)
    detector = load_detector(entry, runtime=runtime, device=device, thresholds=thresholds)
    with closing(detector):
        yield detector


def examine(
    detector: Detector,
    data_dir: Path,
    *,
    keep: Callable[[Picture], bool] = lambda picture: picture.split == "val",
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[Examined]:
    """Run a detector over pictures of a built data set.

    Args:
        detector: Its thresholds should be near zero (:data:`FAINTEST`), or precision at low
            confidence is unknown. Its classes are compared with the data set's by name.
        data_dir: Built by :func:`vision.learn.data.dataset.build_dataset`.
        keep: Which pictures to take.
        progress: Told after each picture how many of how many are done.

    Raises:
        InputError: The data set or one of its pictures cannot be read.
    """
    names = class_names(data_dir)
    pictures = [picture for picture in read_pictures(data_dir) if keep(picture)]
    examined = []
    for done, picture in enumerate(pictures, 1):
        image = read_image(data_dir / picture.file)
        h, w = image.shape[:2]
        label = data_dir / "labels" / Path(picture.file).relative_to("images").with_suffix(".txt")
        boxes = read_boxes(label, names)
        truth = {
            name: (
                np.array([b.xyxy for b in boxes if b.name == name], np.float32).reshape(-1, 4)
                * np.array([w, h, w, h], np.float32)
            )
            for name in {b.name for b in boxes}
        }
        luma = float(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).mean())
        found = detector.detect([image])[0]
        examined.append(Examined(picture, truth, found, (w, h), luma))
        progress(done, len(pictures))
    return examined


def match(examined: Sequence[Examined], name: str) -> Matches:
    """Tell which detections of a class are right.

    Detections are taken from the most confident down; each finds the free labelled box with the
    largest overlap if that is at least :data:`MATCH_IOU`, as COCO does.
    """
    confidence: list[float] = []
    correct: list[bool] = []
    picture: list[int] = []
    known = np.array([e.knows(name) for e in examined], bool)
    boxes = np.zeros(len(examined), np.int64)
    for i, e in enumerate(examined):
        if not known[i]:
            continue
        truth = e.truth.get(name, np.empty((0, 4), np.float32))
        boxes[i] = len(truth)
        free = np.ones(len(truth), bool)
        for box, c in of_class(e.found, name):
            overlaps = np.where(free, ious(box[np.newaxis], truth)[0], 0.0)
            best = int(overlaps.argmax()) if len(overlaps) else -1
            hit = best >= 0 and bool(overlaps[best] >= MATCH_IOU)
            if hit:
                free[best] = False
            confidence.append(c)
            correct.append(hit)
            picture.append(i)
    order = np.argsort(-np.array(confidence, np.float32), kind="stable")
    return Matches(
        np.array(confidence, np.float32)[order],
        np.array(correct, bool)[order],
        np.array(picture, np.int64)[order],
        boxes,
        known,
    )


def score(examined: Sequence[Examined], name: str) -> ClassScore:
    """Measure one class.

    The average precision is COCO's: the mean over 101 recalls of the best precision at that recall
    or above.
    """
    matches = match(examined, name)
    total = int(matches.boxes.sum())
    return ClassScore(
        name,
        int(matches.known.sum()),
        total,
        average_precision(matches.correct, total) if total else None,
        matches.confidence,
        matches.correct,
    )


def choose_threshold(
    measured: ClassScore,
    *,
    precision: float,
    default: float,
    fewest_boxes: int = 15,
    lowest: float = 0.2,
    highest: float = 0.7,
) -> float:
    """Choose the lowest confidence from which a class is precise enough.

    Args:
        measured: The class on validation pictures.
        precision: Wanted precision.
        default: Taken where fewer than ``fewest_boxes`` are labelled.
        fewest_boxes: See ``default``.
        lowest: The result is not below this.
        highest: The result is not above this, even where the wanted precision is not reached.

    Returns:
        A multiple of 0.05.
    """
    if measured.boxes < fewest_boxes:
        return default
    for step in range(round(lowest * 20), round(highest * 20) + 1):
        reached, _ = measured.at(step / 20)
        if reached is not None and reached >= precision:
            return step / 20
    return highest


def measure(examined: Sequence[Examined], thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Sum up what a model card and the registry tell about a detector.

    Args:
        examined: Pictures.
        thresholds: The model's classes and their smallest confidence.

    Returns:
        ``pictures``; ``classes``: boxes, ``ap50``, and ``precision`` and ``recall`` at the
        threshold, of every class that has boxes; ``map50``: the mean of these classes' ``ap50``.
        Fractions are rounded to three digits.
    """
    classes: dict[str, dict[str, float | int | None]] = {}
    for name, threshold in thresholds.items():
        measured = score(examined, name)
        if measured.ap50 is None:
            continue
        precision, recall = measured.at(threshold)
        classes[name] = {
            "boxes": measured.boxes,
            "ap50": round(measured.ap50, 3),
            "precision": None if precision is None else round(precision, 3),
            "recall": None if recall is None else round(recall, 3),
        }
    aps = [row["ap50"] for row in classes.values() if row["ap50"] is not None]
    return {
        "pictures": len(examined),
        "map50": round(float(np.mean(aps)), 3) if aps else None,
        "classes": classes,
    }


def of_class(
    found: Detections, name: str, threshold: float = 0.0
) -> Iterator[tuple[NDArray[np.float32], float]]:
    """Boxes ``(4,)`` and confidences of one class from a confidence up, the best first."""
    if name not in found.names:
        return
    mine = found[(found.class_id == found.names.index(name)) & (found.confidence >= threshold)]
    for i in np.argsort(-mine.confidence, kind="stable"):
        yield mine.xyxy[i], float(mine.confidence[i])


def average_precision(
    correct: NDArray[np.bool_], total: float, weight: NDArray[np.float64] | None = None
) -> float:
    """Mean of the best precision at :data:`RECALLS` or above.

    Args:
        correct: ``(n,)`` of detections, the most confident first.
        total: Boxes to find, above 0; weighted too where there are weights.
        weight: ``(n,)`` how often each detection counts; once if not given.
    """
    counts = np.ones(len(correct)) if weight is None else weight
    right, all_so_far = np.cumsum(correct * counts), np.cumsum(counts)
    recall = right / total
    precision = np.divide(right, all_so_far, out=np.zeros_like(right), where=all_so_far > 0)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, RECALLS - 1e-9)
    return float(np.append(best_from_here, 0.0)[at].mean())
