"""The file ``evaluation.json``: everything that was measured about one detector on one data set."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from vision.errors import InputError

EVALUATION_FILE = "evaluation.json"

FEW_BOXES = 15
"""Figures of a class with fewer labelled boxes say little."""

Interval = tuple[float, float]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceUse(_Strict):
    """Pictures of one source in the data set.

    Attributes:
        path: The source's path in the recipe.
        train: Pictures for training.
        val: Pictures for validation.
        licence: As its origin states it; None where the recipe says nothing.
        origin: Where the pictures and labels come from.
        faults: What is known to be wrong with them.
    """

    path: str
    train: int
    val: int
    licence: str | None = None
    origin: str | None = None
    faults: str | None = None


class SizeScore(_Strict):
    """Labelled boxes of one size (COCO's, at input size) and their AP50."""

    boxes: int
    ap50: float


class FalseBoxes(_Strict):
    """Boxes of classes that are known to be absent, at the default thresholds.

    Attributes:
        pictures: Pictures looked at.
        boxes: Such boxes in them.
        per_100: Boxes per 100 pictures; None without pictures.
    """

    pictures: int
    boxes: int
    per_100: float | None


class ClassResult(_Strict):
    """One class.

    Attributes:
        labels: Who labelled it: ``people``, or a detector as ``teacher``, whose mistakes count as
            truth.
        pictures: Pictures in which it was looked for.
        boxes: Labelled boxes.
        ap50: Average precision at IoU 0.5; None without boxes, like all below that need them.
        ap50_interval: 95 % bootstrap interval over groups.
        ap50_95: Mean average precision over IoU 0.5 to 0.95.
        sizes: By size, those that have boxes.
        threshold: Default confidence threshold.
        precision: At the threshold; None if nothing is found.
        recall: At the threshold.
        false_boxes: Where the class is known to be absent.
        curve: ``[recall, precision, confidence]`` at the 101 recalls of COCO.
    """

    labels: Literal["people", "teacher"]
    pictures: int
    boxes: int
    ap50: float | None
    ap50_interval: Interval | None
    ap50_95: float | None
    sizes: dict[str, SizeScore]
    threshold: float
    precision: float | None
    recall: float | None
    false_boxes: FalseBoxes
    curve: tuple[tuple[float, float, float], ...]


class PartResult(_Strict):
    """A part of the pictures, see :class:`vision.learn.measure.breakdown.Part`."""

    kind: Literal["light", "source"]
    name: str
    pictures: int
    classes: dict[str, SizeScore]
    map50: float | None


class ConfusionResult(_Strict):
    """Counts ``[labelled][found]``; the last name is ``background``."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class SpreadResult(_Strict):
    """Minimum, median and maximum over runs."""

    min: float
    median: float
    max: float


class SpeedResult(_Strict):
    """See :class:`vision.learn.measure.speed.Speed`.

    Attributes:
        machine: Processor and cores.
        pictures: Pictures in each run.
        runs: Runs.
        ms_a_picture: One picture at a time.
        pictures_per_s: All pictures at once.
    """

    machine: str
    pictures: int
    runs: int
    ms_a_picture: SpreadResult
    pictures_per_s: SpreadResult


class Evaluation(_Strict):
    """What was measured.

    Attributes:
        made_with: Version of Jiexu.
        model: Name of the model.
        sha256: Of its files for the runtime.
        runtime: Runtime id.
        input_size: Pixels of the longer side.
        data: Name of the data set.
        sources: What the data set is made of.
        pictures: Validation pictures.
        groups: Groups they belong to.
        map50: Mean AP50 of the classes that have boxes.
        map50_interval: 95 % bootstrap interval over groups.
        map50_95: Mean of their AP50-95.
        map50_people: Mean AP50 of those that people labelled.
        map50_teacher: Mean AP50 of those that a teacher labelled.
        classes: By class, in the model's order.
        false_boxes: Of all classes that people labelled together: a picture counts if one of them
            is known to be absent from it.
        parts: By light and by source.
        confusion: At the thresholds.
        speed: None if not measured.
    """

    made_with: str
    model: str
    sha256: str
    runtime: str
    input_size: int
    data: str
    sources: tuple[SourceUse, ...]
    pictures: int
    groups: int
    map50: float | None
    map50_interval: Interval | None
    map50_95: float | None
    map50_people: float | None
    map50_teacher: float | None
    classes: dict[str, ClassResult]
    false_boxes: FalseBoxes
    parts: tuple[PartResult, ...]
    confusion: ConfusionResult
    speed: SpeedResult | None = None


def read_evaluation(path: Path) -> Evaluation:
    """Read ``evaluation.json``.

    Raises:
        InputError: It cannot be read or holds something else.
    """
    try:
        return Evaluation.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise InputError(f"{path}: no evaluation: {error}") from error
