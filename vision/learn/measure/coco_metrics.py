"""Average precision as COCO defines it, computed by ``faster-coco-eval``.

COCO takes every class for labelled in every picture. Here each class is evaluated by itself over
the pictures in which somebody looked for it, which says the same for partly labelled sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.learn.measure.scoring import RECALLS, Examined, of_class

SIZES = ("small", "medium", "large")
"""COCO's sizes: below 32 x 32 pixels, below 96 x 96, and above."""

SIZE_EDGES = (32.0**2, 96.0**2)
"""Box areas in square pixels at which they change."""

MOST_DETECTIONS = 300
"""Detections of a class counted in one picture: as many as a detector gives."""


@dataclass(frozen=True, eq=False)
class CocoScore:
    """How well one class is found, by COCO's measure.

    Attributes:
        pictures: Pictures in which somebody looked for the class.
        boxes: Labelled boxes in them.
        ap50: Average precision at IoU 0.5.
        ap50_95: Mean average precision at IoU 0.5, 0.55, ... 0.95.
        sizes: Labelled boxes and average precision at IoU 0.5 of each of :data:`SIZES` that has
            boxes, at the detector's input size.
        precision: ``(101,)`` best precision at :data:`~vision.learn.measure.scoring.RECALLS` or
            above.
        confidence: ``(101,)`` confidence from which each recall is reached; 0 where never.
    """

    pictures: int
    boxes: int
    ap50: float
    ap50_95: float
    sizes: dict[str, tuple[int, float]]
    precision: NDArray[np.float64]
    confidence: NDArray[np.float64]


def coco_score(examined: Sequence[Examined], name: str, input_size: int) -> CocoScore | None:
    """Measure one class; None where it has no labelled box.

    Args:
        examined: Pictures with their detections.
        name: Class.
        input_size: Pixels of the longer side as the detector sees it; sizes of boxes are measured
            there, so that a picture's own resolution does not matter.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    images: list[dict[str, Any]] = []
    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for image_id, e in enumerate((e for e in examined if e.knows(name)), 1):
        scale = input_size / max(e.size)
        images.append({"id": image_id, "width": e.size[0] * scale, "height": e.size[1] * scale})
        for box in e.truth.get(name, ()):
            xywh = _xywh(box, scale)
            truth.append(
                {
                    "id": len(truth) + 1,
                    "image_id": image_id,
                    "category_id": 1,
                    "bbox": xywh,
                    "area": xywh[2] * xywh[3],
                    "iscrowd": 0,
                }
            )
        found += [
            {"image_id": image_id, "category_id": 1, "bbox": _xywh(box, scale), "score": confidence}
            for box, confidence in of_class(e.found, name)
        ]
    if not truth:
        return None
    boxes = np.array([row["area"] for row in truth])
    counts = np.bincount(np.digitize(boxes, SIZE_EDGES), minlength=len(SIZES))
    if not found:
        sizes = {size: (int(n), 0.0) for size, n in zip(SIZES, counts, strict=True) if n}
        nothing = np.zeros(len(RECALLS))
        return CocoScore(len(images), len(truth), 0.0, 0.0, sizes, nothing, nothing)

    labelled = COCO(
        {
            "info": {},
            "images": images,
            "annotations": truth,
            "categories": [{"id": 1, "name": name}],
        }
    )
    evaluation = COCOeval_faster(
        labelled, labelled.loadRes(found), "bbox", print_function=lambda *_: None
    )
    evaluation.params.imgIds = [image["id"] for image in images]
    evaluation.params.maxDets = [MOST_DETECTIONS]
    evaluation.evaluate()
    evaluation.accumulate()
    # Axes: IoU threshold, recall, class, size (all first), most detections.
    precision = np.asarray(evaluation.eval["precision"])[:, :, 0, :, 0]
    confidence = np.asarray(evaluation.eval["scores"])[0, :, 0, 0, 0]
    return CocoScore(
        pictures=len(images),
        boxes=len(truth),
        ap50=float(precision[0, :, 0].mean()),
        ap50_95=float(precision[:, :, 0].mean()),
        sizes={
            size: (int(n), float(precision[0, :, 1 + i].mean()))
            for i, (size, n) in enumerate(zip(SIZES, counts, strict=True))
            if n
        },
        precision=precision[0, :, 0],
        confidence=np.clip(confidence, 0, None),
    )


def _xywh(box: NDArray[np.float32], scale: float) -> list[float]:
    x1, y1, x2, y2 = (float(v) * scale for v in box)
    return [x1, y1, x2 - x1, y2 - y1]
