"""Draw the worst mistakes of a detector, so that a person can look at them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.errors import InputError
from vision.frames.frame import Image
from vision.learn.data.pictures import read_image
from vision.learn.measure.confusion import pair_boxes
from vision.learn.measure.scoring import Examined

LABELLED = (0, 200, 0)
MISTAKEN = (0, 0, 255)
OTHER = (255, 160, 0)
"""BGR colours of labelled boxes, of the mistake, and of the other detections."""


@dataclass(frozen=True, eq=False)
class Failure:
    """One mistake.

    Attributes:
        kind: ``missed``: a labelled box without a detection; ``false``: a detection on nothing.
        name: Class.
        box: ``(4,)`` corners in pixels.
        weight: How bad: share of the picture that was missed, or confidence of the false box.
        examined: The picture.
    """

    kind: str
    name: str
    box: NDArray[np.float32]
    weight: float
    examined: Examined


def worst_failures(
    examined: Sequence[Examined], thresholds: Mapping[str, float], *, most: int
) -> list[Failure]:
    """Find the largest missed things and the most confident false boxes.

    Args:
        examined: Pictures with their detections.
        thresholds: The classes to look at and their smallest confidence.
        most: Mistakes of each kind; classes take turns, so that none hides the others.
    """
    failures: list[Failure] = []
    for e in examined:
        known = {name: limit for name, limit in thresholds.items() if e.knows(name)}
        _, missed, false = pair_boxes(e.truth, e.found, known)
        area = e.size[0] * e.size[1]
        for name, box in missed:
            share = float((box[2:] - box[:2]).prod()) / area
            failures.append(Failure("missed", name, box, share, e))
        failures += [Failure("false", name, box, c, e) for name, box, c in false]
    chosen: list[Failure] = []
    for kind in ("missed", "false"):
        ranked: list[tuple[int, float, Failure]] = []
        for name in thresholds:
            mine = [f for f in failures if (f.kind, f.name) == (kind, name)]
            mine.sort(key=lambda f: -f.weight)
            ranked += [(rank, -f.weight, f) for rank, f in enumerate(mine)]
        chosen += [f for _, _, f in sorted(ranked, key=lambda row: row[:2])[:most]]
    return chosen


def draw_failures(
    failures: Sequence[Failure], data_dir: Path, out: Path, thresholds: Mapping[str, float]
) -> list[Path]:
    """Draw each mistake into a picture of its own; an older set of pictures there is replaced.

    Args:
        failures: Mistakes.
        data_dir: The built data set.
        out: Folder for the pictures.
        thresholds: Smallest confidence of the other detections that are drawn.

    Raises:
        InputError: A picture cannot be read or written.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    paths = []
    for number, failure in enumerate(failures, 1):
        e = failure.examined
        image = read_image(data_dir / e.picture.file)
        for name, boxes in e.truth.items():
            for box in boxes:
                draw_box(image, box, name, LABELLED)
        for box, confidence, name in e.found.rows():
            if confidence >= thresholds.get(name, 1.0):
                draw_box(image, box, f"{name} {confidence:.2f}", OTHER)
        text = "missed" if failure.kind == "missed" else f"false {failure.weight:.2f}"
        draw_box(image, failure.box, f"{failure.name} {text}", MISTAKEN)
        path = out / f"{failure.kind}-{number:02d}-{failure.name}-{Path(e.picture.file).stem}.jpg"
        if not cv2.imwrite(str(path), image):
            raise InputError(f"{path}: cannot be written")
        paths.append(path)
    return paths


def draw_box(
    image: Image, box: NDArray[np.float32], text: str, colour: tuple[int, int, int]
) -> None:
    """Draw a box and its text into a picture."""
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    scale = max(image.shape[:2]) / 1280
    cv2.rectangle(image, (x1, y1), (x2, y2), colour, max(2, round(3 * scale)))
    size, below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, max(0.45, scale), 1)
    x = min(max(0, x1), max(0, image.shape[1] - size[0]))
    y = max(y1 - below, size[1] + below)
    cv2.rectangle(image, (x, y - size[1] - below), (x + size[0], y + below), colour, -1)
    cv2.putText(
        image,
        text,
        (x, y),
        cv2.FONT_HERSHEY_SIMPLEX,
        max(0.45, scale),
        (255, 255, 255),
        1,
        cv2.LINE_AA,
    )
