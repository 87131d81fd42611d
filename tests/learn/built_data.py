"""A tiny data set as the builder leaves it, and pictures with detections made by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import yaml
from untrained import NAMES, draw_picture

from vision.detect.detections import Detections
from vision.learn.data.pictures import Picture
from vision.learn.measure.scoring import Examined

Rows = Sequence[tuple[str, list[float], float]]
"""Class, box and confidence."""


def write_built(folder: Path, pictures: int = 8, names: Sequence[str] = NAMES) -> Path:
    """Write pictures of two groups a source, half for training, with a box in every second one."""
    rows = []
    for i in range(pictures):
        split = "train" if i < pictures // 2 else "val"
        file = f"images/{split}/{i}.jpg"
        label = folder / "labels" / split / f"{i}.txt"
        for path in (folder / file, label):
            path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / file), draw_picture(160, 120, i))
        label.write_text("0 0.5 0.5 0.4 0.4\n1 0.2 0.2 0.2 0.2\n" if i % 2 else "")
        unknown = ["line"] if i % 4 == 0 else []
        rows.append(
            {
                "file": file,
                "source": ("real/a", "scenes")[i % 2],
                "split": split,
                "group": f"g{i // 2}",
                "unknown": unknown,
            }
        )
    (folder / "pictures.json").write_text(json.dumps(rows))
    data = {"path": str(folder), "names": dict(enumerate(names))}
    (folder / "data.yaml").write_text(yaml.safe_dump(data))
    return folder


def picture(
    truth: Sequence[tuple[str, list[float]]],
    found: Rows,
    *,
    unknown: Sequence[str] = (),
    group: str = "g",
    source: str = "s",
    luma: float = 120.0,
    names: tuple[str, ...] = ("debris_pile", "car", "bin"),
) -> Examined:
    """A picture of 640 x 480 with labelled boxes and detections."""
    labelled = {name for name, _ in truth}
    return Examined(
        Picture("images/val/a.jpg", source, "val", group, tuple(unknown)),
        {n: np.array([b for m, b in truth if m == n], np.float32) for n in labelled},
        Detections(
            np.array([b for _, b, _ in found], np.float32).reshape(-1, 4),
            np.array([c for _, _, c in found], np.float32),
            np.array([names.index(n) for n, _, _ in found], np.int64),
            names,
        ),
        (640, 480),
        luma,
    )
