"""Several detectors beside each other: same pictures, same machine, same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from vision.detect.registry import ModelEntry
from vision.errors import InputError
from vision.learn.data.pictures import class_names, pictures_below, read_image, read_pictures
from vision.learn.measure.evaluate import SPEED_PICTURES, Progress
from vision.learn.measure.scoring import examine, faint_detector, score
from vision.learn.measure.speed import Speed, machine, measure_speed
from vision.learn.measure.tables import figure


@dataclass(frozen=True)
class Candidate:
    """A detector to compare.

    Attributes:
        label: How it is called in the table.
        entry: The model.
        runtime: Runtime, or ``None`` for the default.
    """

    label: str
    entry: ModelEntry
    runtime: str | None


@dataclass(frozen=True)
class Compared:
    """One detector's figures.

    Attributes:
        label: How it is called.
        runtime: Runtime that was used.
        ap50: AP50 of each class that the data set labels; ``None`` for those it does not have.
        map50: Mean over its classes.
        map50_shared: Mean over the classes that all detectors have; ``None`` if there are none.
        boxes_per_100: Boxes at default thresholds per 100 of the unlabelled pictures, by class.
        speed: Speed.
    """

    label: str
    runtime: str
    ap50: dict[str, float | None]
    map50: float | None
    map50_shared: float | None
    boxes_per_100: dict[str, float]
    speed: Speed


@dataclass(frozen=True)
class Comparison:
    """All figures.

    Attributes:
        machine: Processor and cores.
        data: Name of the labelled data set, if there is one.
        pictures: Validation pictures of it.
        boxes: Labelled boxes by class.
        unlabelled: Pictures without labels.
        models: By detector, in the order given.
    """

    machine: str
    data: str | None
    pictures: int
    boxes: dict[str, int]
    unlabelled: int
    models: tuple[Compared, ...]


def compare(
    candidates: Sequence[Candidate],
    *,
    data_dir: Path | None = None,
    pictures_dir: Path | None = None,
    device: str = "cpu",
    speed_pictures: int = SPEED_PICTURES,
    runs: int = 5,
    say: Callable[[str], None] = lambda *_: None,
    progress: Progress = lambda *_: None,
) -> Comparison:
    """Compare detectors.

    A detector is judged on the classes it has, by name, against the labels of the data set.

    Args:
        candidates: Detectors.
        data_dir: Built data set, of which the validation pictures are taken.
        pictures_dir: Pictures without labels on which boxes are counted.
        device: As for :func:`vision.detect.load.load_detector`.
        speed_pictures: Pictures on which speed is measured.
        runs: How often.
        say: Told which detector is being measured.
        progress: Told how many pictures of how many are done.

    Raises:
        InputError: There are no pictures.
        ModelError: A model cannot be opened.
    """
    labelled = class_names(data_dir) if data_dir else []
    plain = pictures_below(pictures_dir) if pictures_dir else []
    val = (
        [data_dir / p.file for p in read_pictures(data_dir) if p.split == "val"] if data_dir else []
    )
    files = val or plain
    if not files:
        raise InputError("no pictures to compare on: give a built data set or a folder of pictures")
    rows: list[Compared] = []
    boxes: dict[str, int] = {}
    with ExitStack() as open_ones:
        faint = {}
        for candidate in candidates:
            faint[candidate.label] = open_ones.enter_context(
                faint_detector(candidate.entry, candidate.runtime, device=device)
            )
        say("Speed")
        timed = [read_image(path) for path in files[:: -(-len(files) // speed_pictures)]]
        speeds = measure_speed(faint, timed, runs=runs)
        for candidate in candidates:
            detector = faint[candidate.label]
            entry = candidate.entry
            say(f"Accuracy of {candidate.label}")
            ap50: dict[str, float | None] = {}
            if data_dir:
                examined = examine(detector, data_dir, progress=progress)
                for name in labelled:
                    measured = score(examined, name)
                    if measured.boxes:
                        boxes[name] = measured.boxes
                        ap50[name] = measured.ap50 if name in entry.classes else None
            counts = dict.fromkeys(entry.classes, 0)
            for done, path in enumerate(plain, 1):
                for _, confidence, name in detector.detect([read_image(path)])[0].rows():
                    counts[name] += confidence >= entry.thresholds[name]
                progress(done, len(plain))
            per_100 = {name: 100 * count / len(plain) for name, count in counts.items() if plain}
            known = [value for value in ap50.values() if value is not None]
            rows.append(
                Compared(
                    label=candidate.label,
                    runtime=detector.runtime,
                    ap50=ap50,
                    map50=float(np.mean(known)) if known else None,
                    map50_shared=None,
                    boxes_per_100=per_100,
                    speed=speeds[candidate.label],
                )
            )
    return Comparison(
        machine=machine(),
        data=data_dir.resolve().name if data_dir else None,
        pictures=len(val),
        boxes=boxes,
        unlabelled=len(plain),
        models=tuple(_with_shared_mean(rows, boxes)),
    )


def _with_shared_mean(rows: Sequence[Compared], boxes: dict[str, int]) -> Iterator[Compared]:
    shared = [name for name in boxes if all(row.ap50[name] is not None for row in rows)]
    for row in rows:
        values = [value for name in shared if (value := row.ap50[name]) is not None]
        mean = float(np.mean(values)) if values else None
        yield Compared(**{**vars(row), "map50_shared": mean})


def comparison_table(result: Comparison) -> Table:
    """One table: a column for each detector."""
    table = Table(
        "",
        "boxes",
        *(f"{row.label}\n{row.runtime}" for row in result.models),
        title=_title(result),
        caption=f"{result.machine}; '–': the detector has no such class",
    )
    for name, count in result.boxes.items():
        table.add_row(name, str(count), *(figure(row.ap50[name]) for row in result.models))
    if result.boxes:
        table.add_section()
        table.add_row("mAP50, own classes", "", *(figure(row.map50) for row in result.models))
        shared = (figure(row.map50_shared) for row in result.models)
        table.add_row("mAP50, shared classes", "", *shared, style="bold")
    table.add_section()
    speeds = [row.speed for row in result.models]
    for label, values in (
        ("ms a picture, median", [speed.ms_a_picture.median for speed in speeds]),
        ("ms a picture, min", [speed.ms_a_picture.min for speed in speeds]),
        ("ms a picture, max", [speed.ms_a_picture.max for speed in speeds]),
        ("pictures/s together", [speed.pictures_per_s.median for speed in speeds]),
    ):
        table.add_row(label, "", *(figure(value, digits=1) for value in values))
    if result.unlabelled:
        table.add_section()
        names = dict.fromkeys(name for row in result.models for name in row.boxes_per_100)
        for name in names:
            counts = (figure(row.boxes_per_100.get(name), digits=1) for row in result.models)
            table.add_row(f"{name}, boxes/100", "", *counts)
    return table


def _title(result: Comparison) -> str:
    parts = []
    if result.data:
        parts.append(f"AP50 on {result.pictures} validation pictures of {result.data}")
    if result.unlabelled:
        parts.append(f"boxes on {result.unlabelled} pictures without labels")
    return "; ".join(parts)
