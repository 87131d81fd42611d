"""Small labelled folders in the layouts that exports have, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml


def picture(seed: int, size: tuple[int, int] = (80, 100)) -> np.ndarray:
    """A picture ``(h, w, 3)`` that is like no other seed's."""
    coarse = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def write_picture(file: Path, seed: int, size: tuple[int, int] = (80, 100)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), picture(seed, size))


def roboflow(root: Path, names: Any = ("heap", "bin")) -> Path:
    """Two training copies of one picture, one more, and one of validation (a polygon)."""
    texts = {
        "train/a_jpg.rf.1": "0 0.5 0.5 0.4 0.2\n",
        "train/a_jpg.rf.2": "0 0.5 0.5 0.4 0.2\n1 0.2 0.2 0.1 0.1\n",
        "train/b_jpg.rf.3": "",
        "valid/c_jpg.rf.4": "1 0.1 0.2 0.5 0.2 0.3 0.6\n",
    }
    for seed, (name, text) in enumerate(texts.items()):
        side, stem = name.split("/")
        write_picture(root / side / "images" / f"{stem}.jpg", seed)
        label_file = root / side / "labels" / f"{stem}.txt"
        label_file.parent.mkdir(parents=True, exist_ok=True)
        label_file.write_text(text)
    data = {
        "train": "../train/images",
        "val": "../valid/images",
        "test": "../test/images",
        "nc": 2,
        "names": list(names) if isinstance(names, tuple) else names,
    }
    (root / "data.yaml").write_text(yaml.safe_dump(data))
    return root


def coco_document(**changes: Any) -> dict[str, Any]:
    """Two pictures of 100 by 80 px: a heap and a crowd of people; a bin."""
    return {
        "images": [
            {"id": 7, "file_name": "one.jpg", "width": 100, "height": 80},
            {"id": 9, "file_name": "two.jpg", "width": 100, "height": 80},
        ],
        "categories": [
            {"id": 0, "name": "all", "supercategory": "none"},
            {"id": 1, "name": "heap"},
            {"id": 3, "name": "bin"},
            {"id": 4, "name": "person"},
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "bbox": [10, 20, 50, 40], "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 4, "bbox": [0, 0, 30, 30], "iscrowd": 1},
            {"id": 3, "image_id": 9, "category_id": 3, "bbox": [50, 40, 50, 40]},
        ],
        **changes,
    }


def coco(root: Path, **changes: Any) -> Path:
    """COCO's own arrangement: annotations/instances_train2017.json beside train2017/."""
    for seed, name in enumerate(("one", "two")):
        write_picture(root / "train2017" / f"{name}.jpg", seed)
    (root / "annotations").mkdir()
    text = json.dumps(coco_document(**changes))
    (root / "annotations" / "instances_train2017.json").write_text(text)
    return root


def jiexu(root: Path, labels: dict[str, str], names: tuple[str, ...] = ("heap", "bin")) -> Path:
    """``images/``, ``labels/`` and ``classes.txt``."""
    (root / "labels").mkdir(parents=True)
    (root / "classes.txt").write_text("\n".join(names))
    for seed, (stem, text) in enumerate(labels.items()):
        write_picture(root / "images" / f"{stem}.jpg", seed)
        (root / "labels" / f"{stem}.txt").write_text(text)
    return root
