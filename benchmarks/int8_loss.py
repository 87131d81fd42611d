"""What INT8 costs in accuracy, on validation pictures and on all pictures of a data set.

    python -m benchmarks.int8_loss MODEL DATA

A validation side has few boxes of some classes, and one box of two that INT8 sees less surely
moves the mean over all classes by points. Quantising sees no labels, so what it loses can be
measured on training pictures too: the scores are higher there, but there are ten times the boxes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from vision.detect import ultralytics_setup
from vision.detect.load import load_detector
from vision.detect.registry import ModelEntry, load_registry
from vision.learn.measure.scoring import FAINTEST, Examined, examine, score

WHOLE, INT8 = "openvino-fp16", "openvino-int8"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="name in the registry")
    parser.add_argument("data", type=Path, help="built data set")
    options = parser.parse_args()

    ultralytics_setup.prepare()
    entry = load_registry().model(options.model)
    whole, int8 = (examined(entry, runtime, options.data) for runtime in (WHOLE, INT8))
    sides = {"validation pictures": [one.picture.split == "val" for one in whole]}
    sides["all pictures"] = [True] * len(whole)
    table = Table("class", *(f"{what}: boxes, {WHOLE}, points lost" for what in sides))
    rows: dict[str, list[str]] = {name: [] for name in (*entry.classes, "mAP50")}
    for kept in sides.values():
        before = scores(entry, _kept(whole, kept))
        after = scores(entry, _kept(int8, kept))
        for name in entry.classes:
            boxes, ap50 = before.get(name, (0, float("nan")))
            lost = 100 * (ap50 - after[name][1]) if name in after else float("nan")
            rows[name].append(f"{boxes}, {ap50:.3f}, {lost:.1f}")
        means = [float(np.mean([ap50 for _, ap50 in one.values()])) for one in (before, after)]
        boxes = sum(boxes for boxes, _ in before.values())
        rows["mAP50"].append(f"{boxes}, {means[0]:.3f}, {100 * (means[0] - means[1]):.2f}")
    for name, cells in rows.items():
        table.add_row(name, *cells)
    Console().print(table)


def examined(entry: ModelEntry, runtime: str, data: Path) -> list[Examined]:
    """All pictures of a data set as a runtime sees them."""
    faint = dict.fromkeys(entry.classes, FAINTEST)
    detector = load_detector(entry, runtime=runtime, device="cpu", thresholds=faint)
    try:
        return examine(detector, data, keep=lambda _: True)
    finally:
        detector.close()


def scores(entry: ModelEntry, pictures: Sequence[Examined]) -> dict[str, tuple[int, float]]:
    """Boxes and AP50 of each class of which there are boxes."""
    measured = [score(pictures, name) for name in entry.classes]
    return {one.name: (one.boxes, one.ap50) for one in measured if one.ap50 is not None}


def _kept(pictures: Sequence[Examined], kept: Sequence[bool]) -> list[Examined]:
    return [one for one, wanted in zip(pictures, kept, strict=True) if wanted]


if __name__ == "__main__":
    main()
