"""Pictures of a built data set, and how picture files are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import cv2
import yaml

from vision.errors import InputError
from vision.frames.frame import Image

PICTURES_FILE = "pictures.json"
"""Side file of a built data set: one :class:`Picture` a picture."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})

Split = Literal["train", "val"]

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many pictures are done, and of how many."""


@dataclass(frozen=True)
class Picture:
    """One picture of a built data set.

    Attributes:
        file: Path relative to the data set.
        source: The source's path.
        split: ``train`` or ``val``.
        group: Pictures of one group are on one side of the split.
        unknown: Classes that nobody looked for here.
    """

    file: str
    source: str
    split: Split
    group: str
    unknown: tuple[str, ...]


def read_pictures(data_dir: Path) -> list[Picture]:
    """Read the side file of a built data set.

    Raises:
        InputError: The folder holds no such file.
    """
    path = data_dir / PICTURES_FILE
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    return [Picture(**{**row, "unknown": tuple(row["unknown"])}) for row in rows]


def class_names(data_dir: Path) -> list[str]:
    """Class names of a built data set in the order of their ids.

    Raises:
        InputError: The folder holds no data set.
    """
    path = data_dir / "data.yaml"
    try:
        names = yaml.safe_load(path.read_text(encoding="utf-8"))["names"]
        return list(names.values())
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no built data set: {error}") from error


def read_image(path: Path) -> Image:
    """Read a picture as BGR uint8 ``(h, w, 3)``, upright (EXIF rotation applied).

    Raises:
        InputError: It cannot be read.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{path}: no picture that can be read")
    return cast("Image", image)


def pictures_below(folder: Path) -> list[Path]:
    """Picture files of a folder and its subfolders, sorted."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
