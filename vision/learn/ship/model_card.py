"""Model cards: measured sections from the records, the rest from notes that a person wrote.

``notes.md`` in the model's folder is written by hand (intended use, what was seen when looking at
the pictures, limits) and never touched; ``README.md`` beside it is put together anew from the
notes, the registry entry and ``evaluation.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vision.detect.registry import ModelEntry
from vision.errors import InputError
from vision.learn.measure.record import FEW_BOXES, ClassResult, Evaluation
from vision.learn.measure.tables import figure, interval

CARD_FILE = "README.md"
NOTES_FILE = "notes.md"


def read_notes(folder: Path) -> str:
    """Hand-written notes of a model; empty if there are none.

    Raises:
        InputError: They cannot be read.
    """
    path = folder / NOTES_FILE
    if not path.is_file():
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def model_card(entry: ModelEntry, record: Evaluation, notes: str) -> str:
    """Write a card in Markdown.

    Args:
        entry: The model as registered.
        record: What was measured with it.
        notes: Hand-written Markdown, with headings of the second level.
    """
    parts = [
        f"# {entry.name}",
        f"<!-- Put together by jiexu from the registry, evaluation.json and {NOTES_FILE}; "
        f"write into {NOTES_FILE}. -->",
        _summary(entry, record),
        notes or f"No notes were written yet; they belong into `{NOTES_FILE}` beside this file.",
        _training_data(record),
        _scores(entry, record),
        _mistakes(record),
        _runtimes(entry, record),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(entry: ModelEntry, record: Evaluation) -> str:
    classes = ", ".join(
        f"{name} (experimental)" if name in entry.experimental else name for name in entry.classes
    )
    lines = [
        f"* Classes: {classes}.",
        f"* Input: {entry.input_size} px on the longer side; output {entry.output}.",
        f"* Files: {', '.join(entry.files)}; SHA-256 in `../registry.yaml`.",
        f"* Licence: {entry.licence}.",
        f"* Measured with `jiexu evaluate` ({record.made_with}).",
    ]
    if entry.experimental:
        lines.append(
            "* Experimental classes were trained without real pictures: they propose, and are not "
            "to be relied upon."
        )
    return "\n".join(lines)


def _training_data(record: Evaluation) -> str:
    if not record.sources:
        return ""
    train, val = sum(s.train for s in record.sources), sum(s.val for s in record.sources)
    rows = [
        (s.path, s.origin or "–", str(s.train), str(s.val), s.licence or "not stated")
        for s in record.sources
    ]
    text = [
        "## Data",
        f"Data set `{record.data}`: {train} pictures for training, {val} for validation, split by "
        "groups (camera, city, video, near-duplicates). None of them is part of this repository. "
        "Licences are given as the sources state them.",
        _table(("source", "origin", "training", "validation", "licence as stated"), rows),
    ]
    faults = [f"* {s.path}: {s.faults}" for s in record.sources if s.faults]
    if faults:
        text += ["Known faults:", "\n".join(faults)]
    return "\n\n".join(text)


def _scores(entry: ModelEntry, record: Evaluation) -> str:
    rows = [_score_row(name, row, entry) for name, row in record.classes.items()]
    sizes = [
        (
            name,
            *(
                f"{figure(row.sizes[size].ap50, digits=2)} ({row.sizes[size].boxes})"
                if size in row.sizes
                else "–"
                for size in ("small", "medium", "large")
            ),
        )
        for name, row in record.classes.items()
        if row.boxes
    ]
    parts = [
        (
            part.kind,
            part.name,
            str(part.pictures),
            str(sum(row.boxes for row in part.classes.values())),
            figure(part.map50, digits=2),
        )
        for part in record.parts
    ]
    return "\n\n".join(
        [
            "## How it does",
            f"{record.runtime} on {record.pictures} validation pictures of {record.groups} groups. "
            "AP50 is average precision at IoU 0.5 after COCO, with a 95 % bootstrap interval over "
            "groups; a class is measured only on pictures in which it was looked for. Precision "
            "and recall are those at the default threshold, which was chosen on the same pictures "
            "and so is a little flattered. *false/100*: boxes at that threshold per 100 pictures "
            f"in which the class is known to be absent. Classes with fewer than {FEW_BOXES} boxes "
            "(in brackets) say little. Classes marked *teacher* are compared with the boxes of a "
            "COCO detector, not of a person.",
            _table(
                (
                    "class",
                    "labels",
                    "boxes",
                    "AP50",
                    "interval",
                    "AP50-95",
                    "threshold",
                    "precision",
                    "recall",
                    "false/100",
                ),
                rows,
            ),
            f"mAP50 **{figure(record.map50)}** ({interval(record.map50_interval)}); classes "
            f"labelled by people {figure(record.map50_people)}, by a teacher "
            f"{figure(record.map50_teacher)}. mAP50-95 {figure(record.map50_95)}.",
            "AP50 by size of the box at input size (boxes), COCO's limits of 32² and 96² pixels:",
            _table(("class", "small", "medium", "large"), sizes),
            "mAP50 by light (mean brightness of the picture, a coarse stand-in for a clock) and by "
            "source, over the classes that have boxes there:",
            _table(("split", "part", "pictures", "boxes", "mAP50"), parts),
        ]
    )


def _score_row(name: str, row: ClassResult, entry: ModelEntry) -> tuple[str, ...]:
    few = row.boxes < FEW_BOXES
    return (
        name + (" (experimental)" if name in entry.experimental else ""),
        row.labels,
        f"({row.boxes})" if few else str(row.boxes),
        figure(row.ap50, digits=2),
        interval(row.ap50_interval),
        figure(row.ap50_95, digits=2),
        figure(row.threshold, digits=2),
        figure(row.precision, digits=2),
        figure(row.recall, digits=2),
        figure(row.false_boxes.per_100, digits=1),
    )


def _mistakes(record: Evaluation) -> str:
    names = record.confusion.names
    confused = sorted(
        (
            (count, labelled, found)
            for labelled, row in zip(names, record.confusion.counts, strict=True)
            for found, count in zip(names, row, strict=True)
            if count and labelled != found and names[-1] not in {labelled, found}
        ),
        reverse=True,
    )
    false = record.false_boxes
    lines = [
        f"* {false.boxes} boxes of classes that are known to be absent in {false.pictures} "
        f"pictures ({figure(false.per_100, digits=1)} per 100), all classes labelled by people "
        "together, at default thresholds."
    ]
    if confused:
        pairs = ", ".join(f"{a} → {b} ({n})" for n, a, b in confused[:8])
        lines.append(f"* Most often confused (labelled → found): {pairs}.")
    return "## Mistakes\n\n" + "\n".join(lines)


def _runtimes(entry: ModelEntry, record: Evaluation) -> str:
    text = ["## Runtimes"]
    lines = []
    if record.speed:
        ms, per_s = record.speed.ms_a_picture, record.speed.pictures_per_s
        lines.append(
            f"* {record.runtime} on {record.speed.machine}: {ms.median:.0f} ms a picture "
            f"({ms.min:.0f}–{ms.max:.0f} over {record.speed.runs} runs), {per_s.median:.1f} "
            "pictures a second together; other work on the machine slows this down."
        )
    int8 = entry.metrics.get("int8")
    if int8:
        lines.append(
            f"* INT8 ({int8['made_by']}, {int8['calibration_pictures']} calibration pictures): "
            f"mAP50 {figure(int8['map50'])}, FP32 {figure(int8['map50_fp32'])}; "
            f"loss {figure(int8['loss_points'], digits=2)} points, largest of a class: "
            f"{int8['worst_class']} {figure(int8['worst_loss_points'], digits=2)}."
        )
    if lines:
        text.append("\n".join(lines))
    parity = entry.metrics.get("parity")
    if parity:
        rows = [
            (
                runtime,
                str(row["boxes"]),
                str(row["unmatched"]),
                f"{row['max_box_px']:.2f}",
                f"{row['mean_box_px']:.3f}",
                f"{row['mean_score']:.4f}",
            )
            for runtime, row in parity.items()
        ]
        pictures = next(iter(parity.values()))["pictures"]
        text += [
            f"Against PyTorch FP32 on {pictures} pictures, at a threshold of 0.25:",
            _table(
                (
                    "runtime",
                    "boxes",
                    "without partner",
                    "largest shift, px",
                    "mean shift, px",
                    "mean difference of confidence",
                ),
                rows,
            ),
        ]
    return "\n\n".join(text) if len(text) > 1 else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in lines
    )
