"""How far the runtimes of a model agree with each other on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vision.detect.detections import Detections
from vision.detect.load import load_detector
from vision.detect.registry import ModelEntry
from vision.frames.frame import Image
from vision.learn.data.pictures import read_image
from vision.observe.boxes import ious


@dataclass(frozen=True)
class Agreement:
    """How far two detectors agree on the same pictures.

    Attributes:
        pictures: Pictures compared.
        boxes: Boxes of the reference.
        matched: Boxes that have a partner of the same class with IoU of 0.5 or more.
        unmatched: Boxes of either side without a partner, those within ``margin`` of the
            confidence threshold left out: there a tiny difference in score decides.
        max_box_px: Largest difference of a coordinate between partners in source pixels.
        mean_box_px: Mean of the largest difference of each pair.
        max_score: Largest difference of confidence between partners.
        mean_score: Mean difference of confidence between partners.
    """

    pictures: int
    boxes: int
    matched: int
    unmatched: int
    max_box_px: float
    mean_box_px: float
    max_score: float
    mean_score: float


def compare_runtimes(
    entry: ModelEntry, pictures: Sequence[Path], *, margin: float = 0.01
) -> dict[str, Agreement]:
    """Compare every other runtime of a model with PyTorch on the same pictures.

    Args:
        entry: A model with files for PyTorch.
        pictures: Picture files.
        margin: See :attr:`Agreement.unmatched`.
    """
    images = [read_image(path) for path in pictures]
    reference = detect_with(entry, "pytorch", images)
    limit = entry.decoding().thresholds
    return {
        runtime: agreement(reference, detect_with(entry, runtime, images), limit, margin=margin)
        for runtime in entry.files
        if runtime != "pytorch"
    }


def agreement(
    reference: Sequence[Detections],
    other: Sequence[Detections],
    thresholds: np.ndarray[Any, np.dtype[np.float32]],
    *,
    margin: float = 0.01,
) -> Agreement:
    """Match the boxes of two detectors one to one and measure how far they differ.

    Args:
        reference: Detections of each picture.
        other: Detections of the same pictures by the other detector.
        thresholds: ``(classes,)`` smallest confidences of both.
        margin: See :attr:`Agreement.unmatched`.
    """
    box_px: list[float] = []
    score: list[float] = []
    unmatched = 0
    for one, two in zip(reference, other, strict=True):
        pairs = _pairs(one, two)
        for i, j in pairs:
            box_px.append(float(np.abs(one.xyxy[i] - two.xyxy[j]).max()))
            score.append(float(abs(one.confidence[i] - two.confidence[j])))
        for side, used in ((one, {i for i, _ in pairs}), (two, {j for _, j in pairs})):
            clear = side.confidence > thresholds[side.class_id] + margin
            unmatched += sum(1 for k in np.flatnonzero(clear) if int(k) not in used)
    return Agreement(
        pictures=len(reference),
        boxes=sum(len(one) for one in reference),
        matched=len(box_px),
        unmatched=unmatched,
        max_box_px=round(max(box_px, default=0.0), 4),
        mean_box_px=round(float(np.mean(box_px)) if box_px else 0.0, 4),
        max_score=round(max(score, default=0.0), 5),
        mean_score=round(float(np.mean(score)) if score else 0.0, 5),
    )


def _pairs(one: Detections, two: Detections) -> list[tuple[int, int]]:
    """Pair boxes of one class, those with the highest IoU first, each used once."""
    if not len(one) or not len(two):
        return []
    same_class = one.class_id[:, None] == two.class_id[None, :]
    iou = np.where(same_class, ious(one.xyxy, two.xyxy), 0.0)
    pairs: list[tuple[int, int]] = []
    while iou.max() >= 0.5:
        i, j = np.unravel_index(int(iou.argmax()), iou.shape)
        pairs.append((int(i), int(j)))
        iou[i, :] = 0
        iou[:, j] = 0
    return pairs


def detect_with(entry: ModelEntry, runtime: str, images: Sequence[Image]) -> list[Detections]:
    """Detect on the CPU with one runtime of a model."""
    detector = load_detector(entry, runtime=runtime, device="cpu")
    try:
        return detector.detect(images)
    finally:
        detector.close()
