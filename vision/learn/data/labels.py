"""Labelled boxes: YOLO text in and out, overlap, and what can be wrong with a label."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vision.errors import InputError

OUTSIDE_TOLERANCE = 0.01
"""A box may stick out of the picture by this fraction of its side; it is cut there."""


@dataclass(frozen=True)
class Box:
    """One labelled box.

    Attributes:
        name: Class.
        xyxy: Corners in fractions of the picture's width and height.
    """

    name: str
    xyxy: tuple[float, float, float, float]


@dataclass(frozen=True)
class Label:
    """One box as it is written down, cut at the picture's edges.

    Attributes:
        line: Line of the label file, from 1; in a COCO file the annotation's id.
        box: The box.
    """

    line: int
    box: Box


@dataclass(frozen=True)
class LabelFault:
    """A label that is no box.

    Attributes:
        line: As in :class:`Label`.
        kind: ``malformed``, ``unknown_class`` or ``out_of_range``.
        text: What is wrong.
    """

    line: int
    kind: str
    text: str


def parse_labels(text: str, names: Sequence[str]) -> Iterator[Label | LabelFault]:
    """Read YOLO text line by line.

    A line is ``class cx cy w h`` or a polygon ``class x1 y1 x2 y2 x3 y3 ...``, in fractions of the
    picture; a polygon stands for the box around it. Empty lines are skipped.

    Args:
        text: Content of a label file.
        names: Class names by id.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield _parse_line(number, line, names)


def _parse_line(number: int, line: str, names: Sequence[str]) -> Label | LabelFault:
    try:
        first, *rest = line.split()
        class_id = int(first)
        values = [float(value) for value in rest]
    except ValueError:
        return LabelFault(number, "malformed", f"no YOLO label: {line!r}")
    polygon = len(values) >= 6 and len(values) % 2 == 0
    if not (len(values) == 4 or polygon) or not all(map(math.isfinite, values)):
        return LabelFault(number, "malformed", f"no YOLO label: {line!r}")
    if not 0 <= class_id < len(names):
        return LabelFault(
            number,
            "unknown_class",
            f"no YOLO label: class {class_id} of {len(names)} classes: {line!r}",
        )
    if polygon:
        xs, ys = values[0::2], values[1::2]
        corners = (min(xs), min(ys), max(xs), max(ys))
    else:
        x, y, w, h = values
        corners = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
    return checked_label(number, names[class_id], corners, repr(line))


def checked_label(
    line: int, name: str, corners: tuple[float, float, float, float], written: str
) -> Label | LabelFault:
    """Cut a box at the picture's edges, unless it is empty or lies outside.

    Args:
        line: As in :class:`Label`.
        name: Class.
        corners: ``x1, y1, x2, y2`` in fractions.
        written: The label as it stands in its file, for the fault's text.
    """
    low, high = -OUTSIDE_TOLERANCE, 1 + OUTSIDE_TOLERANCE
    outside = not all(low <= corner <= high for corner in corners)  # true of NaN as well
    x1, y1, x2, y2 = (min(1.0, max(0.0, c)) for c in corners)
    if outside or x2 <= x1 or y2 <= y1:
        return LabelFault(line, "out_of_range", f"box outside the picture: {written}")
    return Label(line, Box(name, (x1, y1, x2, y2)))


def read_boxes(label_file: Path, names: Sequence[str]) -> tuple[Box, ...]:
    """Read a YOLO label file.

    Args:
        label_file: Lines as in :func:`parse_labels`; a missing file holds no boxes.
        names: Class names by id.

    Raises:
        InputError: A line is no label or its numbers are out of range; the text names file and
            line.
    """
    return tuple(sound_box(label_file, label) for label in read_labels(label_file, names))


def read_labels(label_file: Path, names: Sequence[str]) -> tuple[Label | LabelFault, ...]:
    """Read a YOLO label file with its faults; a missing file holds no labels."""
    if not label_file.is_file():
        return ()
    # Bytes that are no text become signs that make their line malformed.
    text = label_file.read_text(encoding="utf-8-sig", errors="replace")
    return tuple(parse_labels(text, names))


def sound_box(label_file: Path, label: Label | LabelFault) -> Box:
    """The label's box.

    Raises:
        InputError: It is a fault; the text names file and line.
    """
    if isinstance(label, LabelFault):
        raise InputError(f"{label_file}:{label.line}: {label.text}")
    return label.box


def label_text(boxes: Sequence[Box], classes: Sequence[str]) -> str:
    """Write boxes as YOLO text; ``classes`` gives the ids."""
    lines = []
    for box in boxes:
        x1, y1, x2, y2 = box.xyxy
        lines.append(
            f"{classes.index(box.name)} {(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} "
            f"{x2 - x1:.6f} {y2 - y1:.6f}"
        )
    return "\n".join(lines) + ("\n" if lines else "")
