"""Do the traces of pasting give derelict vehicles away?

    python -m benchmarks.paste_traces COMPOSITES [--model NAME] --out FILE

``COMPOSITES`` were made by ``jiexu dataset compose datasets/compose-street.yaml`` with a seed that
was not trained with. In them ordinary cars (``car``) are pasted just as wrecks
(``derelict_vehicle``) are, beside the cars of the photograph (``normal_vehicle``). A detector that
had learnt the paste would call the pasted ordinary cars derelict far more often than those of the
photographs. Cars of like size are compared; wrecks that it finds tell that it is not merely blind.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np

from vision.detect.detector import Detector
from vision.detect.load import load_detector
from vision.detect.registry import load_registry
from vision.learn.data.folders import read_folder
from vision.learn.data.labels import Label
from vision.learn.data.pictures import read_image
from vision.learn.measure.speed import machine
from vision.observe.boxes import as_array, ious

WRONG = "derelict_vehicle"
KINDS = {"car": "pasted ordinary", "normal_vehicle": "of the photograph", WRONG: "pasted wreck"}
SIDES_PX = ((24, 48), (48, 96), (96, 200))
SAME_IOU = 0.5


@dataclass(frozen=True)
class Vehicle:
    """A vehicle of a composite.

    Attributes:
        kind: Label.
        side_px: Longer side of its box.
        confidence: Highest confidence with which it is called derelict; 0 if never.
    """

    kind: str
    side_px: float
    confidence: float


def main() -> None:
    """Measure, print a table, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("composites", type=Path)
    parser.add_argument("--model", help="model of the registry; the default one if not given")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the figures")
    options = parser.parse_args()
    entry = load_registry().model(options.model)
    vehicles = look_at(options.composites, load_detector(entry, thresholds={WRONG: 0.05}))
    threshold = entry.thresholds[WRONG]
    rows = []
    for low, high in SIDES_PX:
        for kind, words in KINDS.items():
            mine = [v for v in vehicles if v.kind == kind and low <= v.side_px < high]
            called = sum(v.confidence >= threshold for v in mine)
            rows.append(
                {
                    "side_px": [low, high],
                    "vehicles": words,
                    "count": len(mine),
                    "called_derelict": called,
                    "share": round(called / len(mine), 3) if mine else None,
                    "ci95": wilson(called, len(mine)),
                }
            )
    result = {"model": entry.name, "threshold": threshold, "machine": machine(), "rows": rows}
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{entry.name}: vehicles called {WRONG} from {threshold} up")
    for row in rows:
        low, high = row["side_px"]
        print(
            f"{low:4}-{high:<4} px  {row['vehicles']:18} {row['called_derelict']:4} of "
            f"{row['count']:4}  {row['share']}  {row['ci95']}"
        )


def look_at(folder: Path, detector: Detector) -> list[Vehicle]:
    """What a detector says of every vehicle of a folder of composites."""
    vehicles: list[Vehicle] = []
    for picture in read_folder(folder).pictures:
        image = read_image(picture.file)
        size = np.tile([image.shape[1], image.shape[0]], 2)
        labels = [x.box for x in picture.labels if isinstance(x, Label) and x.box.name in KINDS]
        found = detector.detect([image])[0]
        wrong = found[found.class_id == found.names.index(WRONG)]
        truth = as_array([tuple(np.array(box.xyxy) * size) for box in labels])
        overlaps = ious(truth, wrong.xyxy.astype(np.float64))
        for row, box in enumerate(labels):
            same = overlaps[row] >= SAME_IOU
            side = float(max(truth[row, 2:] - truth[row, :2]))
            best = float(wrong.confidence[same].max()) if same.any() else 0.0
            vehicles.append(Vehicle(box.name, side, best))
    return vehicles


def wilson(hits: int, of: int, z: float = 1.96) -> Sequence[float] | None:
    """Interval of a share (Wilson 1927, doi:10.2307/2276774)."""
    if not of:
        return None
    share = hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    reach = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return [round(max(0.0, middle - reach), 3), round(min(1.0, middle + reach), 3)]


if __name__ == "__main__":
    main()
