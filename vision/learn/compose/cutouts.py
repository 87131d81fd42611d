"""Cut labelled things out of pictures: masks by GrabCut, refused when they look wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.files import write_atomically
from vision.frames.frame import Image
from vision.learn.data.labels import Box
from vision.learn.data.pictures import read_image
from vision.learn.scenes.texture import noise_patch, noise_tile

Outline = Literal["compact", "loose", "white"]
Mask = NDArray[np.uint8]

CUT_SIDE = 220
"""Longer side in pixels to which a thing is shrunk before it is cut; none is pasted much larger."""

MARGIN = 0.12
"""Surroundings seen by GrabCut, as a share of the box's longer side."""


@dataclass(frozen=True, eq=False)
class Cutout:
    """A thing without its surroundings.

    Attributes:
        image: ``(h, w, 3)`` uint8 BGR, tight around the thing.
        alpha: ``(h, w)`` uint8, 0 outside of the thing.
        mean: ``(3,)`` mean of its whole picture in CIE Lab (OpenCV's 8-bit ranges).
        spread: Standard deviation of its picture's L.
        key: ``source/stem`` of its picture.
    """

    image: Image
    alpha: Mask
    mean: NDArray[np.float32]
    spread: float
    key: str


def lab_statistics(image: Image) -> tuple[NDArray[np.float32], float]:
    """``(3,)`` mean in 8-bit CIE Lab and the standard deviation of L."""
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_BGR2LAB).reshape(-1, 3).astype(np.float32)
    return lab.mean(axis=0), float(lab[:, 0].std())


def cut_out(image: Image, box: Box, outline: Outline) -> tuple[Image, Mask] | str:
    """Cut the thing in a box out of a picture.

    Args:
        image: BGR.
        box: Where it is.
        outline: What its outline is like.

    Returns:
        Picture and mask of the thing, or why the mask was refused.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = np.multiply(box.xyxy, (width, height, width, height))
    side = max(x2 - x1, y2 - y1)
    if min(x2 - x1, y2 - y1) < 14:
        return "too small"
    if outline != "white" and _cut_off(box):
        return "cut off by the picture's border"
    pad = MARGIN * side
    left, top = int(max(0, x1 - pad)), int(max(0, y1 - pad))
    right, bottom = int(min(width, x2 + pad)), int(min(height, y2 + pad))
    part = image[top:bottom, left:right]
    scale = min(1.0, CUT_SIDE / side)
    if scale < 1:
        part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.round((np.array([x1 - left, y1 - top, x2 - left, y2 - top])) * scale).astype(int)
    frame = np.clip(frame, 0, [part.shape[1], part.shape[0]] * 2)
    mask = _grab(part, frame, outline)
    if mask is None:
        return "no mask"
    if float((part[mask > 0].max(axis=1) < 8).mean()) > 0.06:
        return "black padding"
    fault = _fault(mask, frame, outline)
    if fault:
        return fault
    ys, xs = np.nonzero(mask)
    window = np.s_[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    return np.ascontiguousarray(part[window]), np.ascontiguousarray(mask[window])


def _cut_off(box: Box) -> bool:
    x1, y1, x2, y2 = box.xyxy
    return x1 < 0.006 or x2 > 0.994 or y1 < 0.006 or y2 > 0.997


def _grab(part: Image, frame: NDArray[np.int_], outline: Outline) -> Mask | None:
    x1, y1, x2, y2 = frame.tolist()
    guess = np.full(part.shape[:2], cv2.GC_BGD, np.uint8)
    guess[y1:y2, x1:x2] = cv2.GC_PR_FGD
    w, h = x2 - x1, y2 - y1
    if outline == "white":
        hsv = cv2.cvtColor(part, cv2.COLOR_BGR2HSV)
        plain = ((hsv[..., 1] < 26) & (hsv[..., 2] > 205)) | (part.max(axis=2) < 6)
        guess[plain] = cv2.GC_BGD
    else:
        # Corners of a box rarely belong to the thing, its middle nearly always.
        corner = (max(1, w // 9), max(1, h // 9))
        for xs in (slice(x1, x1 + corner[0]), slice(x2 - corner[0], x2)):
            guess[y1 : y1 + corner[1], xs] = cv2.GC_BGD
        core = np.s_[y1 + int(h * 0.42) : y1 + int(h * 0.75), x1 + int(w * 0.3) : x2 - int(w * 0.3)]
        guess[core] = cv2.GC_FGD
    if not (guess == cv2.GC_BGD).any() or not (guess != cv2.GC_BGD).any():
        return None
    cv2.setRNGSeed(7)
    try:
        cv2.grabCut(part, guess, None, np.zeros((1, 65)), np.zeros((1, 65)), 3,
                    cv2.GC_INIT_WITH_MASK)  # fmt: skip
    except cv2.error:
        return None
    mask = np.where((guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    if outline != "white":
        wide = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, wide)
    _, marks, stats, _ = cv2.connectedComponentsWithStats(mask)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if not len(areas):
        return None
    least = areas.max() * (0.9 if outline == "compact" else 0.05)
    mask = np.where(np.isin(marks, 1 + np.flatnonzero(areas >= least)), 255, 0).astype(np.uint8)
    if outline == "compact":
        edges, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(mask, edges, -1, 255, -1)
        _stand(mask, y1 + int(h * 0.6))
    elif outline == "loose":
        mask[_corners(mask.shape, frame) > 1] = 0
    return mask


def _stand(mask: Mask, row: int) -> None:
    """Fill between what reaches the ground, in place: tyres are lost to the shadow under a car."""
    lower = mask[row:]
    points = cv2.findNonZero(lower)
    if points is not None:
        cv2.fillConvexPoly(lower, cv2.convexHull(points), 255)


def _corners(shape: tuple[int, ...], frame: NDArray[np.int_]) -> NDArray[np.float32]:
    """Above 1 near the box's corners, unevenly: heaps have none, masks of their ground do."""
    x1, y1, x2, y2 = frame.tolist()
    x = (np.arange(shape[1]) - (x1 + x2) / 2) / max(1, (x2 - x1) / 2)
    # The foot of a heap is flatter than its top.
    y = (np.arange(shape[0]) - (y1 + 0.62 * (y2 - y1))) / max(1.0, 0.5 * (y2 - y1))
    y = np.where(y > 0, y / 0.76, y / 1.24)
    far = np.abs(x)[None, :] ** 2.6 + np.abs(y)[:, None] ** 2.6
    uneven = noise_patch(noise_tile(1.2, 7, 6), shape[0], shape[1], (x1 * 37, y1 * 53))
    return np.asarray(far * (1 + 0.16 * uneven), np.float32)


def _fault(mask: Mask, frame: NDArray[np.int_], outline: Outline) -> str | None:
    """Why a mask looks wrong, if it does."""
    x1, y1, x2, y2 = frame.tolist()
    inside = mask[y1:y2, x1:x2] > 0
    share = float(inside.mean())
    low, high = {"compact": (0.42, 0.93), "loose": (0.3, 0.88), "white": (0.12, 0.97)}[outline]
    if not low < share < high:
        return f"covers {share:.2f} of the box"
    ys, xs = np.nonzero(inside)
    if np.ptp(xs) < 0.75 * (x2 - x1) or np.ptp(ys) < 0.72 * (y2 - y1):
        return "much smaller than the box"
    if outline == "white":
        return None
    top, bottom, left, right = (
        float(line.mean()) for line in (inside[1], inside[-2], inside[:, 1], inside[:, -2])
    )
    limit = 0.6 if outline == "compact" else 0.72
    if max(left, right) > limit or top > limit or bottom > 0.9:
        return "runs along the box's border"
    edges, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    edge = max(edges, key=cv2.contourArea)
    hull = cv2.convexHull(edge)
    solidity = cv2.contourArea(edge) / max(1.0, cv2.contourArea(hull))
    rough = cv2.arcLength(edge, True) / max(1.0, cv2.arcLength(hull, True))
    if outline == "compact" and (solidity < 0.86 or rough > 1.32):
        return f"ragged (solidity {solidity:.2f}, roughness {rough:.2f})"
    if outline == "loose" and (solidity < 0.7 or rough > 1.9):
        return f"ragged (solidity {solidity:.2f}, roughness {rough:.2f})"
    return None


class CutoutShelf:
    """Cut-outs made once and kept as PNG files with an alpha channel, refusals as well."""

    def __init__(self, folder: Path) -> None:
        """Args: folder: Where they are kept."""
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)

    def get(self, file: Path, key: str, number: int, box: Box, outline: Outline) -> Cutout | None:
        """The cut-out of box ``number`` of a picture, ``None`` if its mask was refused.

        Args:
            file: The picture.
            key: ``source/stem``.
            number: Which box of the picture.
            box: The box.
            outline: What its outline is like.

        Raises:
            InputError: The picture cannot be read.
        """
        stem = f"{key.replace('/', '--')}--{number}-{outline}"
        note_file, png = self._folder / f"{stem}.json", self._folder / f"{stem}.png"
        if not note_file.is_file():
            self._make(file, box, outline, note_file, png)
        note = json.loads(note_file.read_text(encoding="utf-8"))
        if note["refused"] is not None:
            return None
        both = cv2.imread(str(png), cv2.IMREAD_UNCHANGED)
        if both is None:
            note_file.unlink()
            return self.get(file, key, number, box, outline)
        image = cast("Image", np.ascontiguousarray(both[..., :3]))
        alpha = cast("Mask", np.ascontiguousarray(both[..., 3]))
        return Cutout(image, alpha, np.array(note["mean"], np.float32), note["spread"], key)

    def _make(self, file: Path, box: Box, outline: Outline, note_file: Path, png: Path) -> None:
        note: dict[str, object] = {"refused": "cut off by the picture's border"}
        if outline == "white" or not _cut_off(box):
            image = read_image(file)
            found = cut_out(image, box, outline)
            if isinstance(found, str):
                note = {"refused": found}
            else:
                mean, spread = lab_statistics(image)
                note = {"refused": None, "mean": mean.tolist(), "spread": spread}
                _, data = cv2.imencode(".png", np.dstack(found))
                write_atomically(png, data.tobytes())
        write_atomically(note_file, json.dumps(note))
