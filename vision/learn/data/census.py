"""Count what a labelled folder shows: classes, sizes, shapes, day and night."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np

from vision.learn.data.folders import FolderPicture, LabelledFolder
from vision.learn.data.labels import Label
from vision.learn.data.pictures import Progress, read_image

SMALL_PX, MEDIUM_PX = 32.0, 96.0
"""COCO's bounds: a small box has less than 32 by 32 pixels, a large one 96 by 96 or more."""

NIGHT_LUMA = 60.0
"""A picture whose mean luma (0 to 255) is below counts as night."""


@dataclass(frozen=True)
class ClassCount:
    """One class on one side of the split.

    Attributes:
        name: Class.
        split: ``train``, ``val``, or an empty text for a folder without sides.
        boxes: Boxes.
        pictures: Pictures with at least one of them.
        unknown_pictures: Pictures in which nobody looked for the class.
        small: Share of boxes below 32 by 32 pixels at the input size.
        medium: Share of boxes between.
        large: Share of boxes from 96 by 96 pixels.
        aspect: Median of width by height in pixels; None without boxes.
    """

    name: str
    split: str
    boxes: int
    pictures: int
    unknown_pictures: int
    small: float
    medium: float
    large: float
    aspect: float | None


@dataclass(frozen=True)
class SplitCount:
    """One side of the split.

    Attributes:
        split: As in :class:`ClassCount`.
        pictures: Pictures.
        boxes: Boxes of all classes.
        boxes_a_picture: Their mean.
        most_boxes: Most boxes in one picture.
        without_box: Pictures without any box.
        night: Share of pictures with a mean luma below :data:`NIGHT_LUMA`.
    """

    split: str
    pictures: int
    boxes: int
    boxes_a_picture: float
    most_boxes: int
    without_box: int
    night: float


@dataclass(frozen=True)
class Census:
    """Statistics of a labelled folder.

    Attributes:
        input_size: Longest side in pixels at which boxes were measured.
        splits: One row a side.
        classes: One row a class and side, in the order of the folder's classes.
    """

    input_size: int
    splits: tuple[SplitCount, ...]
    classes: tuple[ClassCount, ...]


def take_census(
    folder: LabelledFolder, *, input_size: int = 640, progress: Progress | None = None
) -> Census:
    """Count a folder; all pictures are decoded. Labels that are no boxes are not counted.

    Args:
        folder: The folder.
        input_size: Longest side at which a model will see the pictures, in pixels.
        progress: Told how far the count is.

    Raises:
        InputError: A picture cannot be read.
    """
    sides: dict[str, list[FolderPicture]] = {}
    for picture in folder.pictures:
        sides.setdefault(picture.split or "", []).append(picture)
    splits: list[SplitCount] = []
    classes: list[ClassCount] = []
    done = 0
    for split in sorted(sides):
        areas: dict[str, list[float]] = defaultdict(list)
        aspects: dict[str, list[float]] = defaultdict(list)
        shown: Counter[str] = Counter()
        unknown: Counter[str] = Counter()
        boxes_in: list[int] = []
        night = 0
        for picture in sides[split]:
            if progress:
                progress(f"counting {folder.path.name}", done, len(folder.pictures))
            done += 1
            image = read_image(picture.file)
            height, width = image.shape[:2]
            night += float(np.mean(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))) < NIGHT_LUMA
            scale = input_size / max(height, width)
            boxes = [label.box for label in picture.labels if isinstance(label, Label)]
            for box in boxes:
                x1, y1, x2, y2 = box.xyxy
                w, h = (x2 - x1) * width * scale, (y2 - y1) * height * scale
                areas[box.name].append(w * h)
                aspects[box.name].append(w / h)
            shown.update({box.name for box in boxes})
            unknown.update(picture.unknown)
            boxes_in.append(len(boxes))
        count = len(boxes_in)
        splits.append(
            SplitCount(
                split,
                count,
                sum(boxes_in),
                round(sum(boxes_in) / count, 2),
                max(boxes_in),
                boxes_in.count(0),
                round(night / count, 3),
            )
        )
        for name in folder.names:
            of = np.array(areas[name])
            total = max(len(of), 1)
            small = int((of < SMALL_PX**2).sum())
            large = int((of >= MEDIUM_PX**2).sum())
            classes.append(
                ClassCount(
                    name,
                    split,
                    len(of),
                    shown[name],
                    unknown[name],
                    round(small / total, 3),
                    round((len(of) - small - large) / total, 3),
                    round(large / total, 3),
                    round(median(aspects[name]), 2) if len(of) else None,
                )
            )
    order = {name: i for i, name in enumerate(folder.names)}
    return Census(
        input_size, tuple(splits), tuple(sorted(classes, key=lambda c: (order[c.name], c.split)))
    )
