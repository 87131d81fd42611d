"""What INT8 costs in accuracy, on validation pictures and on all pictures of a data set.

    python -m benchmarks.int8_loss MODEL DATA

A validation side has few boxes of some classes, and one box of two that INT8 sees less surely
moves the mean over all classes by points. Quantising sees no labels, so what it loses can be
measured on training pictures too: the scores are higher there, but there are ten times the boxes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from vision.detect import ultralytics_setup
from vision.detect.registry import ModelEntry, load_registry
from vision.learn.measure.scoring import Examined, examine, faint_detector, score

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
    sides: dict[str, Callable[[Examined], bool]] = {
        "validation pictures": lambda one: one.picture.split == "val",
        "all pictures": lambda _: True,
    }
    table = Table("class", *(f"{what}: boxes, {WHOLE}, points lost" for what in sides))
    rows: dict[str, list[str]] = {name: [] for name in (*entry.classes, "mAP50")}
    for keep in sides.values():
        before, after = (scores(entry, list(filter(keep, seen))) for seen in (whole, int8))
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
    with faint_detector(entry, runtime) as detector:
        return examine(detector, data, keep=lambda _: True)


def scores(entry: ModelEntry, pictures: Sequence[Examined]) -> dict[str, tuple[int, float]]:
    """Boxes and AP50 of each class of which there are boxes."""
    measured = [score(pictures, name) for name in entry.classes]
    return {one.name: (one.boxes, one.ap50) for one in measured if one.ap50 is not None}


if __name__ == "__main__":
    main()
