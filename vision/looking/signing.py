"""Signatures of how things look, taken seldom from the pictures of a scan.

Judgement never sees a picture: the signatures travel with the detections into the archive, and the
memory compares them (:mod:`vision.observe.appearance`).

A signature is made of the directions of edges in a grid of cells, each cell against its own
contrast (after Dalal and Triggs, *Histograms of Oriented Gradients*, CVPR 2005), so that light,
shadow, rain and infra-red alter little. It is taken of the place where a thing stands, not of the
detector's box, which wobbles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.detect.detections import Detections
from vision.frames.frame import Frame, Image, Luma
from vision.observe.appearance import BINS, CELLS, Light, packed
from vision.observe.boxes import as_array, ious
from vision.observe.families import FLAT, family_of
from vision.observe.sighting import Box, Sighting

_SIDE = 64
_GREY_CHROMA = 4.0
_DARK_LEVEL = 60.0
_UNSIGNED = frozenset({"person"})


@dataclass(frozen=True)
class SigningSettings:
    """Which things get a signature.

    Attributes:
        same_iou: A detection shows a standing thing from this overlap with its box.
        least_side_px: A box whose longer side is shorter shows too little, in pixels.
        away_s: Seconds since the last sight from which a thing is looked at closely.
    """

    same_iou: float = 0.5
    least_side_px: float = 24.0
    away_s: float = 60.0


class Signing:
    """Takes signatures of things that stand or may be about to."""

    def __init__(self, settings: SigningSettings = SigningSettings()) -> None:
        """Use these settings."""
        self._settings = settings

    def sign(
        self,
        detections: Detections,
        frame: Frame,
        sightings: Sequence[Sighting],
    ) -> Detections:
        """Take signatures of what is due, and of what was not there before.

        Args:
            detections: Of one look that was inspected.
            frame: Its frame.
            sightings: What was there after the look before, in pixels of the frame.

        Returns:
            The detections, with :attr:`~vision.detect.detections.Detections.appearance` of those
            that were signed.
        """
        settings, time_s = self._settings, frame.time_s
        families = [family_of(name) for name in detections.names]
        extent = detections.xyxy[:, 2:] - detections.xyxy[:, :2]
        large = extent.max(axis=1, initial=0.0) >= settings.least_side_px
        rows = [
            row
            for row, class_id in enumerate(detections.class_id.tolist())
            if large[row]
            and detections.names[class_id] not in FLAT
            and detections.names[class_id] not in _UNSIGNED
        ]
        if not rows:
            return detections
        boxes = {row: _box(detections.xyxy[row].tolist()) for row in rows}
        known = [one for one in sightings if one.ended_s is None]
        if known:
            places = as_array([one.box for one in known])
            found = detections.xyxy[rows].astype(np.float64)
            overlap = ious(found, places)
            for i, row in enumerate(rows):
                family = families[int(detections.class_id[row])]
                kin = np.array([family_of(one.class_name) == family for one in known])
                best = int(np.where(kin, overlap[i], -1.0).argmax())
                if not kin[best] or overlap[i, best] < settings.same_iou:
                    continue
                one = known[best]
                if time_s >= one.sign_from_s or time_s - one.last_seen_s > settings.away_s:
                    boxes[row] = _box(places[best].tolist()) if one.standing else boxes[row]
                else:
                    del boxes[row]
        if not boxes:
            return detections
        light = light_of(frame.small)
        appearance = detections.appearance.copy()
        for row, box in boxes.items():
            given = signature(frame.grey, box, light)
            if given is not None:
                appearance[row] = np.frombuffer(given, np.uint8)
        return replace(detections, appearance=appearance)


def light_of(image: Image) -> Light:
    """The light in which a picture was taken: by day, in the dark, or without colour.

    Args:
        image: BGR uint8 ``(h, w, 3)``, of any size.
    """
    # A sample of the pixels will do: it is the light of the whole picture.
    sample = cv2.resize(image, (256, 144), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(sample, (64, 36), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_BGR2LAB)
    chroma = cv2.absdiff(lab, np.full_like(lab, 128))[..., 1:].sum(axis=2, dtype=np.uint16)
    if np.count_nonzero(chroma < _GREY_CHROMA) > 0.9 * chroma.size:
        return Light.GREY
    brightest = small.max(axis=2)
    dark = np.count_nonzero(brightest < _DARK_LEVEL) > 0.5 * brightest.size
    return Light.DARK if dark else Light.DAY


def signature(grey: Luma, box: Box, light: Light) -> bytes | None:
    """Signature of what is in a box.

    Args:
        grey: ``(h, w)`` uint8 brightness.
        box: In pixels of it; what lies outside is left out.
        light: From :func:`light_of`.

    Returns:
        ``SIGNATURE_BYTES`` bytes, or ``None`` when too little of the box is in the picture.
    """
    height, width = grey.shape
    x1, y1 = max(round(box[0]), 0), max(round(box[1]), 0)
    x2, y2 = min(round(box[2]), width), min(round(box[3]), height)
    if x2 - x1 < 8 or y2 - y1 < 8:
        return None
    crop = cv2.resize(grey[y1:y2, x1:x2], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(crop.astype(np.float32), (0, 0), 1.2)
    x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0)
    y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    angle = np.arctan2(y, x)
    # Cheaper than the remainder by pi.
    direction = np.where(angle < 0, angle + np.float32(np.pi), angle)
    cells = _cells(np.sqrt(x * x + y * y), direction * np.float32(BINS / np.pi))
    return packed(cells, light)


def _cells(strength: NDArray[np.float32], place: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(rows, columns, BINS)`` histograms of edge directions, each cell against its contrast."""
    lower = np.floor(place)
    to_upper = strength * (place - lower)
    to_lower = strength - to_upper
    lower[lower >= BINS] = 0
    upper = np.where(lower == BINS - 1, 0, lower + 1)
    weights = cv2.merge([(lower == k) * to_lower + (upper == k) * to_upper for k in range(BINS)])
    cells = cv2.resize(weights, CELLS, interpolation=cv2.INTER_AREA)
    length = np.sqrt((cells * cells).sum(axis=2, keepdims=True))
    return np.asarray(cells / (length + 0.5 * length.mean() + 1e-3))


def _box(edges: list[float]) -> Box:
    x1, y1, x2, y2 = edges
    return x1, y1, x2, y2
