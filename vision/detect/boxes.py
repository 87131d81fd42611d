"""Turn what a YOLO network puts out into detections; the same for every runtime.

Two forms of output exist. ``raw`` (YOLOv8, YOLO11) holds one column ``cx, cy, w, h, score of each
class`` per anchor and needs non-maximum suppression. ``end2end`` (YOLO26) holds at most 300 rows
``x1, y1, x2, y2, score, class``, best first, and needs none. Both are in pixels of the canvas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.detect.detections import Detections
from vision.detect.letterbox import Placement

OutputForm = Literal["raw", "end2end"]

MAX_DETECTIONS = 300
"""Most detections kept of one picture, as in ultralytics."""

MAX_CANDIDATES = 30_000
"""Most boxes that enter non-maximum suppression, as in ultralytics."""


@dataclass(frozen=True, eq=False)
class Decoding:
    """How to read the output of one model.

    Attributes:
        names: Class names in the order of the class ids.
        output: Form of the output.
        thresholds: ``(classes,)`` float32; a score must be above that of its class.
        nms_iou: Of two boxes of one class that overlap by more than this, the weaker goes.
    """

    names: tuple[str, ...]
    output: OutputForm
    thresholds: NDArray[np.float32]
    nms_iou: float = 0.7

    def decode(self, output: NDArray[np.float32], place: Placement) -> Detections:
        """Read the output for one picture.

        Args:
            output: ``(1, 4 + classes, n)`` if raw, ``(1, n, 6)`` if end-to-end.
            place: Placement of the picture on the canvas.

        Returns:
            Detections in pixels of the source picture, best first, all with an area; they own
            their memory.

        Raises:
            ValueError: The output has another shape.
        """
        classes = len(self.names)
        if self.output == "raw":
            if output.ndim != 3 or output.shape[:2] != (1, 4 + classes):
                raise ValueError(f"raw output must be (1, {4 + classes}, n), not {output.shape}")
            xyxy, confidence, class_id = decode_raw(output[0], self.thresholds, self.nms_iou)
        else:
            if output.ndim != 3 or output.shape[0] != 1 or output.shape[2] != 6:
                raise ValueError(f"end-to-end output must be (1, n, 6), not {output.shape}")
            xyxy, confidence, class_id = decode_end2end(output[0], self.thresholds)
        found = Detections(place.to_source(xyxy), confidence, class_id, self.names)
        # A box wholly in the padding, or turned inside out, has no area in the picture.
        x1, y1, x2, y2 = found.xyxy.T
        return found[np.flatnonzero((x2 > x1) & (y2 > y1))]


Decoded = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]
"""Boxes ``(n, 4)`` in canvas pixels, confidences ``(n,)`` and class ids ``(n,)``."""


def decode_raw(
    output: NDArray[np.float32], thresholds: NDArray[np.float32], nms_iou: float
) -> Decoded:
    """Pick the best class of each anchor and suppress overlapping boxes class by class.

    A class below its own threshold does not hide another one that is above its own. With one
    threshold for all this is ultralytics' ``non_max_suppression(multi_label=False)``.

    Args:
        output: ``(4 + classes, n)``.
        thresholds: ``(classes,)``.
        nms_iou: Largest overlap that two boxes of one class may have.
    """
    scores = output[4:]
    above = scores > thresholds[:, np.newaxis]
    anchors = np.flatnonzero(above.any(axis=0))
    passing = np.where(above[:, anchors], scores[:, anchors], -np.inf)
    class_id = passing.argmax(axis=0).astype(np.int64)
    confidence = passing[class_id, np.arange(len(anchors))].astype(np.float32)
    if len(anchors) > MAX_CANDIDATES:
        best = np.argsort(-confidence, kind="stable")[:MAX_CANDIDATES]
        anchors, class_id, confidence = anchors[best], class_id[best], confidence[best]
    boxes = output[:4, anchors].T
    keep = suppress(boxes, confidence, class_id, nms_iou)[:MAX_DETECTIONS]
    centre, half = boxes[keep, :2], boxes[keep, 2:] / 2
    xyxy = np.concatenate([centre - half, centre + half], axis=1).astype(np.float32, copy=False)
    return xyxy, confidence[keep], class_id[keep]


def decode_end2end(output: NDArray[np.float32], thresholds: NDArray[np.float32]) -> Decoded:
    """Keep the rows above the threshold of their class.

    Args:
        output: ``(n, 6)``.
        thresholds: ``(classes,)``.
    """
    class_id = output[:, 5].astype(np.int64)
    keep = np.flatnonzero(output[:, 4] > thresholds[class_id])[:MAX_DETECTIONS]
    return output[keep, :4].copy(), output[keep, 4].copy(), class_id[keep]


def suppress(
    cxcywh: NDArray[np.float32],
    confidence: NDArray[np.float32],
    class_id: NDArray[np.int64],
    nms_iou: float,
) -> NDArray[np.int64]:
    """Suppress the weaker of two overlapping boxes of one class.

    Args:
        cxcywh: ``(n, 4)`` centre, width and height.
        confidence: ``(n,)``.
        class_id: ``(n,)``.
        nms_iou: Largest overlap that two kept boxes of one class may have.

    Returns:
        Indices of the kept boxes, best first.
    """
    if not len(cxcywh):
        return np.empty(0, np.int64)
    xywh = cxcywh.copy()
    xywh[:, :2] -= xywh[:, 2:] / 2
    nms: Any = cv2.dnn.NMSBoxesBatched  # its stub names lists only; arrays are converted faster
    keep = nms(xywh, confidence, class_id, score_threshold=0, nms_threshold=nms_iou)
    return np.asarray(keep, np.int64).reshape(-1)
