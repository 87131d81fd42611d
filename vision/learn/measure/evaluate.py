"""Measure a detector on a built data set: scores, splits, mistakes and speed in one record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from vision import __version__
from vision.detect.registry import ModelEntry
from vision.errors import InputError
from vision.learn.data.pictures import class_names, read_image, read_pictures
from vision.learn.data.recipe import Recipe
from vision.learn.measure.bootstrap import RESAMPLES, ap50_intervals
from vision.learn.measure.breakdown import break_down
from vision.learn.measure.coco_metrics import coco_score
from vision.learn.measure.confusion import BACKGROUND, confusion_matrix
from vision.learn.measure.record import (
    ClassResult,
    ConfusionResult,
    Evaluation,
    FalseBoxes,
    PartResult,
    SizeScore,
    SourceUse,
    SpeedResult,
    SpreadResult,
)
from vision.learn.measure.scoring import RECALLS, Examined, examine, faint_detector, score
from vision.learn.measure.speed import Speed, machine, measure_speed

TEACHER_CLASSES = ("person", "bicycle", "motorcycle", "car", "bus", "truck")
"""Classes whose labels mostly come from a COCO detector, not from people."""

SPEED_PICTURES = 20

Progress = Callable[[int, int], None]
"""Told how many pictures of how many are done."""


@dataclass(frozen=True)
class Evaluated:
    """A detector's record and what it rests on.

    Attributes:
        record: What was measured.
        examined: The pictures with their detections.
    """

    record: Evaluation
    examined: tuple[Examined, ...]


def evaluate(
    entry: ModelEntry,
    data_dir: Path,
    *,
    runtime: str | None = None,
    device: str = "cpu",
    choose: Callable[[Sequence[Examined]], Mapping[str, float]] | None = None,
    teacher_classes: Collection[str] = TEACHER_CLASSES,
    recipe: Recipe | None = None,
    resamples: int = RESAMPLES,
    speed_pictures: int = SPEED_PICTURES,
    progress: Progress = lambda *_: None,
) -> Evaluated:
    """Measure a detector on the validation pictures of a built data set.

    Args:
        entry: The model; its classes are compared with the data set's by name, and those that the
            data set does not have are left out.
        data_dir: Built by :func:`vision.learn.data.dataset.build_dataset`.
        runtime: As for :func:`vision.detect.load.load_detector`.
        device: As there.
        choose: Chooses the thresholds at which precision and recall are told; the registered ones
            if not given.
        teacher_classes: Classes whose labels come from a teacher.
        recipe: Recipe of the data set, for licences of its sources.
        resamples: Draws of the bootstrap.
        speed_pictures: Pictures on which speed is measured; 0 leaves it out.
        progress: See :data:`Progress`.

    Raises:
        InputError: The data set cannot be read or has no validation pictures.
        ModelError: The model cannot be opened.
    """
    with faint_detector(entry, runtime, device=device) as detector:
        examined = examine(detector, data_dir, progress=progress)
        if not examined:
            raise InputError(f"{data_dir}: has no validation pictures")
        chosen = examined[:: -(-len(examined) // speed_pictures)] if speed_pictures else []
        images = [read_image(data_dir / e.picture.file) for e in chosen]
        speed = measure_speed({"": detector}, images)[""] if images else None
        sha256, used = detector.model_sha256, detector.runtime
    labelled = class_names(data_dir)
    thresholds = choose(examined) if choose else entry.thresholds
    limits = {name: thresholds[name] for name in entry.classes if name in labelled}
    record = summarise(
        examined,
        limits,
        input_size=entry.input_size,
        teacher_classes=teacher_classes,
        resamples=resamples,
    )
    record = record.model_copy(
        update={
            "model": entry.name,
            "sha256": sha256,
            "runtime": used,
            "data": data_dir.resolve().name,
            "sources": data_sources(data_dir, recipe),
            "speed": speed_result(speed) if speed else None,
        }
    )
    return Evaluated(record, tuple(examined))


def summarise(
    examined: Sequence[Examined],
    thresholds: Mapping[str, float],
    *,
    input_size: int,
    teacher_classes: Collection[str] = TEACHER_CLASSES,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Put all measures of detections on pictures into one record, without model and data set.

    Args:
        examined: Pictures with their detections down to
            :data:`~vision.learn.measure.scoring.FAINTEST`.
        thresholds: The classes to measure and their default thresholds.
        input_size: Pixels of the longer side as the detector sees it.
        teacher_classes: Classes whose labels come from a teacher.
        resamples: Draws of the bootstrap.
    """
    names = list(thresholds)
    intervals, mean_interval = ap50_intervals(examined, names, resamples=resamples)
    classes: dict[str, ClassResult] = {}
    for name in names:
        measured = coco_score(examined, name, input_size)
        simple = score(examined, name)
        precision, recall = simple.at(thresholds[name])
        interval = intervals.get(name)
        classes[name] = ClassResult(
            labels="teacher" if name in teacher_classes else "people",
            pictures=simple.pictures,
            boxes=simple.boxes,
            ap50=_rounded(measured.ap50) if measured else None,
            ap50_interval=_rounded_pair(interval) if interval else None,
            ap50_95=_rounded(measured.ap50_95) if measured else None,
            sizes={
                size: SizeScore(boxes=boxes, ap50=_rounded(ap50))
                for size, (boxes, ap50) in (measured.sizes if measured else {}).items()
            },
            threshold=thresholds[name],
            precision=None if precision is None else _rounded(precision),
            recall=None if recall is None else _rounded(recall),
            false_boxes=count_false_boxes(examined, {name: thresholds[name]}),
            curve=tuple(
                (round(float(r), 2), _rounded(float(p)), _rounded(float(c)))
                for r, p, c in zip(RECALLS, measured.precision, measured.confidence, strict=True)
            )
            if measured
            else (),
        )
    people = {name: thresholds[name] for name in names if name not in teacher_classes}
    counts = confusion_matrix(examined, thresholds)
    return Evaluation(
        made_with=f"jiexu {__version__}",
        model="",
        sha256="",
        runtime="",
        input_size=input_size,
        data="",
        sources=(),
        pictures=len(examined),
        groups=len({e.picture.group for e in examined}),
        map50=_mean(row.ap50 for row in classes.values()),
        map50_interval=_rounded_pair(mean_interval) if mean_interval else None,
        map50_95=_mean(row.ap50_95 for row in classes.values()),
        map50_people=_mean(row.ap50 for row in classes.values() if row.labels == "people"),
        map50_teacher=_mean(row.ap50 for row in classes.values() if row.labels == "teacher"),
        classes=classes,
        false_boxes=count_false_boxes(examined, people),
        parts=tuple(
            PartResult(
                kind=part.kind,
                name=part.name,
                pictures=part.pictures,
                classes={
                    name: SizeScore(boxes=boxes, ap50=_rounded(ap50))
                    for name, (boxes, ap50) in part.classes.items()
                },
                map50=None if part.map50 is None else _rounded(part.map50),
            )
            for part in break_down(examined, names)
        ),
        confusion=ConfusionResult(
            names=(*names, BACKGROUND),
            counts=tuple(tuple(int(n) for n in row) for row in counts),
        ),
    )


def count_false_boxes(examined: Sequence[Examined], thresholds: Mapping[str, float]) -> FalseBoxes:
    """Count boxes of classes that are known to be absent from a picture.

    Args:
        examined: Pictures; one is looked at if at least one of the classes is neither labelled nor
            unknown in it.
        thresholds: The classes and their smallest confidence.
    """
    pictures = boxes = 0
    for e in examined:
        absent = {n for n in thresholds if n not in e.truth and e.knows(n)}
        pictures += bool(absent)
        boxes += sum(n in absent and c >= thresholds[n] for _, c, n in e.found.rows())
    per_100 = _rounded(100 * boxes / pictures) if pictures else None
    return FalseBoxes(pictures=pictures, boxes=boxes, per_100=per_100)


def data_sources(data_dir: Path, recipe: Recipe | None) -> tuple[SourceUse, ...]:
    """Count the pictures of each source of a built data set and say where they come from."""
    counts = Counter((p.source, p.split) for p in read_pictures(data_dir))
    told = {source.path: source for source in recipe.sources} if recipe else {}
    return tuple(
        SourceUse(
            path=path,
            train=counts[path, "train"],
            val=counts[path, "val"],
            licence=told[path].licence if path in told else None,
            origin=told[path].origin if path in told else None,
            faults=told[path].faults if path in told else None,
        )
        for path in sorted({source for source, _ in counts})
    )


def speed_result(speed: Speed) -> SpeedResult:
    """Speed as it is written down, with the machine."""

    def rounded(values: dict[str, float]) -> SpreadResult:
        return SpreadResult(**{key: round(value, 2) for key, value in values.items()})

    return SpeedResult(
        machine=machine(),
        pictures=speed.pictures,
        runs=speed.runs,
        ms_a_picture=rounded(asdict(speed.ms_a_picture)),
        pictures_per_s=rounded(asdict(speed.pictures_per_s)),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _rounded(float(np.mean(known))) if known else None


def _rounded(value: float) -> float:
    return round(value, 4)


def _rounded_pair(pair: tuple[float, float]) -> tuple[float, float]:
    return _rounded(pair[0]), _rounded(pair[1])
