"""How often do the shipped models box a violation where there is none?

    python -m benchmarks.false_alarms [--clips CLIPS] [--pictures FOLDER ...] --out FILE

``CLIPS`` holds recordings and their ``GROUND_TRUTH.json``; those that it calls free of violations
and of things to detect are looked at every 2 s, and boxes on what it says to ignore do not count.
``FOLDER`` holds pictures that are all free of them. Boxes count from the default thresholds of the
registry: one box is one box, before zones, dwell and reviewer.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

from vision.detect.detector import Detector
from vision.detect.load import load_detector
from vision.detect.registry import load_registry
from vision.frames.frame import Image
from vision.frames.recording import open_recording
from vision.learn.data.pictures import pictures_below, read_image
from vision.learn.measure.speed import machine
from vision.observe.boxes import iou
from vision.observe.sighting import Box

WRONG = {
    "jiexu-street": ("debris_pile", "street_stall", "derelict_vehicle"),
    "jiexu-site": ("construction_dust",),
}
EVERY_S = 2.0
SAME_IOU = 0.3

Frames = Iterator[tuple[str, Image, list[Box]]]
"""Name of a frame, BGR picture, boxes that are to be ignored in it."""


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--pictures", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the figures")
    options = parser.parse_args()
    registry = load_registry()
    detectors = {name: load_detector(registry.model(name)) for name in WRONG}
    sets: dict[str, Frames] = {str(folder): stills(folder) for folder in options.pictures}
    if options.clips:
        sets[str(options.clips)] = clips(options.clips)
    result: dict[str, Any] = {"machine": machine(), "sets": {}}
    for name, frames in sets.items():
        result["sets"][name] = counted = count(frames, detectors)
        print(
            f"{name}: {counted['frames']} frames, {counted['boxes']} wrong boxes "
            f"({counted['per_100']} in 100), {counted['by_class']}"
        )
        for where in counted["where"]:
            print(f"    {where}")
    options.out.write_text(json.dumps(result, indent=2) + "\n")


def count(frames: Frames, detectors: dict[str, Detector]) -> dict[str, Any]:
    """Count wrong boxes in frames."""
    by_class: Counter[str] = Counter()
    where = []
    seen = 0
    for name, image, ignored in frames:
        seen += 1
        for model, detector in detectors.items():
            for row, confidence, label in detector.detect([image])[0].rows():
                x1, y1, x2, y2 = row.tolist()
                box = (x1, y1, x2, y2)
                if label not in WRONG[model] or any(iou(box, i) >= SAME_IOU for i in ignored):
                    continue
                by_class[label] += 1
                where.append(f"{name}: {label} {confidence:.2f} {[round(v) for v in box]}")
    total = sum(by_class.values())
    return {
        "frames": seen,
        "boxes": total,
        "per_100": round(100 * total / seen, 2) if seen else None,
        "by_class": dict(by_class),
        "where": where,
    }


def stills(folder: Path) -> Frames:
    """All pictures below a folder."""
    for path in pictures_below(folder):
        yield path.name, read_image(path), []


def clips(folder: Path) -> Frames:
    """A frame every 2 s of the clips that are free of violations."""
    for clip in json.loads((folder / "GROUND_TRUTH.json").read_text()):
        expected = {event["expected"] for event in clip["events"]}
        if clip["violation"] or "detect" in expected:
            continue
        boxes = [tuple(e["box_xyxy"]) for e in clip["events"] if e["expected"] == "ignore"]
        path = folder / Path(clip["file"]).name
        with open_recording(path, camera_id="clip", timezone=UTC) as recording:
            wanted_s = 0.0
            while (frame := recording.submit(wanted_s, EVERY_S / 2).result()) is not None:
                yield f"{path.name} {frame.time_s:.1f} s", frame.image, list(boxes)
                recording.release(frame.time_s)
                wanted_s = max(wanted_s, frame.time_s) + EVERY_S


if __name__ == "__main__":
    main()
