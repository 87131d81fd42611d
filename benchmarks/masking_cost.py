"""What masking takes away from pictures that a model is to learn from.

    python benchmarks/masking_cost.py LABELLED_FOLDER... [--class debris_pile] [--every 1]

Each picture is masked as evidence is, by the street model. Told are the labelled boxes of the
class; how much of them is averaged away; and in how many of them the model finds the class, at its
threshold, in the picture as it was and in the masked one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from service.detecting import Detectors, OnDemand
from service.evidence.masking import mask_people
from vision.detect.detections import Detections
from vision.detect.registry import load_registry
from vision.frames.frame import Image
from vision.learn.data.folders import read_folder
from vision.learn.data.labels import Label
from vision.learn.data.pictures import read_image
from vision.observe.boxes import iou

SAME_IOU = 0.5

Box = tuple[float, float, float, float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--class", dest="name", default="debris_pile")
    parser.add_argument("--every", type=int, default=1)
    asked = parser.parse_args()
    registry = load_registry(None)
    least = registry.model(None).thresholds[asked.name]
    detectors = Detectors(registry)
    street = OnDemand(detectors)
    hidden: list[float] = []
    found_before = found_after = touched = pictures = 0
    for folder in asked.folders:
        for picture in read_folder(folder).pictures[:: asked.every]:
            image = read_image(picture.file)
            seen = street.inspect_faintly(image)
            masked = mask_people(image, seen)
            again = street.inspect_faintly(masked)
            pictures += 1
            touched += masked is not image
            for label in picture.labels:
                if isinstance(label, Label) and label.box.name == asked.name:
                    box = in_pixels(label.box.xyxy, image)
                    hidden.append(changed_share(image, masked, box))
                    found_before += is_found(seen, asked.name, box, least)
                    found_after += is_found(again, asked.name, box, least)
    detectors.close()
    shares = np.array(hidden)
    print(f"{pictures} pictures, {touched} of them masked somewhere; {len(hidden)} {asked.name}")
    for share in (0.1, 0.25, 0.5):
        print(f"  more than {share:.0%} averaged away: {np.mean(shares > share):.1%} of the boxes")
    print(f"  found at {least}: {found_before} as they were, {found_after} masked")


def in_pixels(xyxy: Box, image: Image) -> Box:
    """A box in fractions, in pixels of a picture."""
    height, width = image.shape[:2]
    return xyxy[0] * width, xyxy[1] * height, xyxy[2] * width, xyxy[3] * height


def changed_share(image: Image, masked: Image, box: Box) -> float:
    """Share of a box's pixels that masking changed."""
    x1, y1, x2, y2 = (max(0, round(edge)) for edge in box)
    part = np.s_[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
    return float((image[part] != masked[part]).any(axis=2).mean())


def is_found(seen: Detections, name: str, box: Box, least: float) -> bool:
    """Whether the class was detected there."""
    return any(
        confidence >= least and iou(found, box) >= SAME_IOU
        for found, confidence, _ in seen.of((name,))
    )


if __name__ == "__main__":
    main()
