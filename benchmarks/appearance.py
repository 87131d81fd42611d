"""How well signatures tell the same thing from another one, on real street cameras.

    JIEXU_SHARED_DATA=... python -m benchmarks.appearance

The pictures (``pictures/vehicles/cctv_street``) show fixed cameras at several times. A vehicle that
one box after another shows at one place is the same one unless ``SWAPPED`` says that another came
(seen by eye); vehicles at different places of one camera are different ones, often of one colour.
The second picture of each pair is altered: other light, shadow, rain, infra-red, a part covered.
Boxes wobble by up to 5 % as places do, and by up to 15 % as detections do.

Prints, for each alteration, the area under the ROC curve, how often the same thing is called
another one and another one is not noticed at the thresholds in use, and how long a signature takes.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.frame import Image, Luma
from vision.looking.signing import signature
from vision.observe.appearance import OTHER_DISTANCE, SAME_DISTANCE, Light, distance
from vision.observe.boxes import iou
from vision.observe.sighting import Box

LEAST_SIDE = 40
SAME_PLACE_IOU = 0.7
SWAPPED = frozenset(
    {"acc_5", "acc_test11", "acc_test28", "acc_test29", "acc_test3", "acc_test7", "acc_test8"}
)
"""Cameras at a crossing or in a queue, where other cars come to the same places: no pairs of the
same thing are taken from them."""

Pair = tuple[Image, Box, Image, Box, bool]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=os.environ.get("JIEXU_SHARED_DATA"))
    options = parser.parse_args()
    pairs = list(_pairs(Path(options.data) / "pictures/vehicles/cctv_street"))
    same = sum(pair[-1] for pair in pairs)
    print(f"{same} pairs of one vehicle, {len(pairs) - same} of two")
    print(
        f"{'alteration':12s} {'wobble':>6s} {'AUC':>6s} {'same: other':>12s} {'other: same':>12s}"
    )
    rng = np.random.default_rng(0)
    began, taken = time.process_time(), 0
    for wobble in (0.05, 0.15):
        for name, alter in ALTERATIONS.items():
            apart: dict[bool, list[float]] = {True: [], False: []}
            for first, box, second, other, one in pairs:
                light = Light.GREY if name == "infra-red" else Light.DAY
                a = signature(
                    *_cut(first, box, rng, wobble, _grey if light is Light.GREY else None), light
                )
                b = signature(*_cut(second, other, rng, wobble, alter), light)
                taken += 2
                if a and b:
                    apart[one].append(distance(a, b) or 0.0)
            same_d, other_d = np.array(apart[True]), np.array(apart[False])
            false, missed = (same_d >= OTHER_DISTANCE).mean(), (other_d <= SAME_DISTANCE).mean()
            print(
                f"{name:12s} {wobble:6.0%} {_auc(same_d, other_d):6.3f} "
                f"{false:13.1%} {missed:12.1%}"
                f"   same q50 {np.median(same_d):.3f} q95 {np.quantile(same_d, 0.95):.3f}"
                f"   other q05 {np.quantile(other_d, 0.05):.3f} q50 {np.median(other_d):.3f}"
            )
    print(f"at most {1e6 * (time.process_time() - began) / taken:.0f} us of CPU a signature")


def _pairs(folder: Path) -> Iterator[Pair]:
    cameras: dict[str, list[Path]] = defaultdict(list)
    for path in sorted((folder / "images").glob("*.webp")):
        cameras[path.stem.rsplit("_", 1)[0]].append(path)
    for camera, paths in cameras.items():
        places: list[list[tuple[Image, Box]]] = []
        for path in paths:
            image = cv2.imread(str(path))
            for box in _boxes(folder / "labels" / f"{path.stem}.txt", image):
                known = next((p for p in places if iou(p[0][1], box) > SAME_PLACE_IOU), None)
                if known is None:
                    places.append([(image, box)])
                elif known[-1][0] is not image:
                    known.append((image, box))
        if camera not in SWAPPED:
            for place in places:
                for (a, box), (b, other) in itertools.islice(itertools.combinations(place, 2), 4):
                    yield a, box, b, other, True
        apart = itertools.combinations([place[0] for place in places], 2)
        for (a, box), (b, other) in itertools.islice(apart, 12):
            if iou(box, other) < 0.1:
                yield a, box, b, other, False


def _boxes(path: Path, image: Image) -> Iterator[Box]:
    height, width = image.shape[:2]
    for line in path.read_text().splitlines():
        x, y, w, h = (float(value) for value in line.split()[1:5])
        if max(w * width, h * height) >= LEAST_SIDE:
            yield (
                (x - w / 2) * width,
                (y - h / 2) * height,
                (x + w / 2) * width,
                (y + h / 2) * height,
            )


def _cut(
    image: Image,
    box: Box,
    rng: np.random.Generator,
    wobble: float,
    alter: Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]] | None,
) -> tuple[Luma, Box]:
    """The box, wobbled, with the brightness of its picture, altered."""
    size = np.array([box[2] - box[0], box[3] - box[1]] * 2)
    edges = np.array(box) + rng.uniform(-wobble, wobble, 4) * size / 2
    x1, y1, x2, y2 = np.rint(edges).astype(int).clip(0).tolist()
    crop = image[y1 : max(y2, y1 + 9), x1 : max(x2, x1 + 9)].astype(np.float32)
    if alter is not None:
        crop = alter(crop, rng)
    crop = crop + rng.normal(0, 3, crop.shape).astype(np.float32)
    height, width = crop.shape[:2]
    picture = np.clip(crop, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8), (0, 0, width, height)


def _auc(same: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float((same[:, None] < other).mean() + 0.5 * (same[:, None] == other).mean())


Crop = NDArray[np.float32]


def _dim(crop: Crop, rng: np.random.Generator) -> Crop:
    return (
        255 * (crop / 255) ** np.float32(rng.uniform(1.2, 1.8)) * np.float32(rng.uniform(0.5, 0.8))
    )


def _shadow(crop: Crop, rng: np.random.Generator) -> Crop:
    """A shadow with a soft edge across the thing."""
    height, width = crop.shape[:2]
    y, x = np.mgrid[:height, :width]
    angle = rng.uniform(0, 2 * np.pi)
    side = (x - width / 2) * np.cos(angle) + (y - height / 2) * np.sin(angle) > 0
    dark = cv2.GaussianBlur(side.astype(np.float32), (0, 0), 2.0)
    return crop * (1 - 0.5 * dark)[..., None]


def _rain(crop: Crop, rng: np.random.Generator) -> Crop:
    soft = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.8, 1.5))
    return soft * np.float32(rng.uniform(0.55, 0.75)) + np.float32(rng.uniform(40, 70))


def _grey(crop: Crop, rng: np.random.Generator) -> Crop:
    """Infra-red: no colour, other tones, noise."""
    grey = cv2.cvtColor(crop.astype(np.uint8), cv2.COLOR_BGR2GRAY).astype(np.float32)
    grey = 255 * (grey / 255) ** rng.uniform(0.8, 1.4) * rng.uniform(0.5, 0.9)
    grey += rng.normal(0, 7, grey.shape)
    return np.repeat(np.clip(grey, 0, 255)[..., None], 3, axis=2).astype(np.float32)


def _covered(crop: Crop, rng: np.random.Generator) -> Crop:
    crop = crop.copy()
    height, width = crop.shape[:2]
    extent = int(width * rng.uniform(0.2, 0.3))
    left = int(rng.uniform(0, width - extent))
    crop[height // 4 :, left : left + extent] = rng.integers(20, 200, 3)
    return crop


ALTERATIONS = {
    "none": None,
    "dim": _dim,
    "shadow": _shadow,
    "rain": _rain,
    "infra-red": _grey,
    "30 % covered": _covered,
}


if __name__ == "__main__":
    main()
