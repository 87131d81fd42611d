"""Write a recipe to start from for a user's own labelled folders."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml

from vision.errors import InputError
from vision.learn.data.folders import LabelledFolder
from vision.learn.data.labels import Label

ROBOFLOW_COPY = r"^(.+)_(?:jpe?g|png|webp|bmp)\.rf\."
"""Roboflow gives augmented copies of one picture names that differ after ``.rf.`` only."""


def starting_recipe(folders: Sequence[LabelledFolder], *, name: str) -> str:
    """Write a recipe that takes all classes as they are.

    A class that one folder labels and another does not is unknown in the other. The sides of an
    export are kept, and Roboflow's copies of one picture stay on one side.

    Args:
        folders: The folders.
        name: Name of the data set.

    Returns:
        YAML text of a :class:`vision.learn.data.recipe.Recipe`, with counts as comments.

    Raises:
        InputError: A folder holds no boxes at all, so that no recipe follows from it.
    """
    counts = [_boxes(folder) for folder in folders]
    total = sum(counts, Counter())
    if not total:
        raise InputError(f"{', '.join(str(f.path) for f in folders)}: no box in any picture")
    classes = [c for c in dict.fromkeys(n for f in folders for n in f.names) if total[c]]
    root = Path(os.path.commonpath([folder.path.resolve().parent for folder in folders]))
    lines = [
        "# A recipe to start from. Build it with",
        f"#   jiexu dataset build RECIPE --root {root} --out FOLDER",
        f"name: {_text(name)}",
        "seed: 1",
        "val_share: 0.15",
        "longest_side: 640",
        "",
        "classes:",
        *(f"  - {_text(c)} # {total[c]} boxes" for c in classes),
        "",
        "# labels: class of the folder to class of the data set; rename or merge on the right.",
        "# unknown: classes that may be visible without a label; not taught as background.",
        "# group: pictures whose first regular-expression group agrees stay on one side.",
        "sources:",
    ]
    for folder, boxes in zip(folders, counts, strict=True):
        path = folder.path.resolve().relative_to(root).as_posix()
        lines.append(
            f"  - path: {_text(path)} # {folder.layout} layout, {len(folder.pictures)} pictures"
        )
        mine = [c for c in classes if c in folder.names]
        if mine:
            lines.append("    labels:")
            lines += [f"      {_text(c)}: {_text(c)} # {boxes[c]} boxes" for c in mine]
        else:
            lines.append("    labels: {}")
        others = [c for c in classes if c not in mine]
        if others:
            lines.append(f"    unknown: [{', '.join(map(_text, others))}]")
        if any(re.search(ROBOFLOW_COPY, p.file.stem) for p in folder.pictures):
            lines.append(f"    group: '{ROBOFLOW_COPY}' # copies of one picture")
        if {p.split for p in folder.pictures} >= {"train", "val"}:
            lines.append(
                "    split: folder # the folder's own sides; without it they are drawn anew"
            )
    return "\n".join(lines) + "\n"


def _boxes(folder: LabelledFolder) -> Counter[str]:
    return Counter(x.box.name for p in folder.pictures for x in p.labels if isinstance(x, Label))


def _text(value: str) -> str:
    """A YAML scalar that reads back as this text, fit for a flow sequence and a key."""
    if re.fullmatch(r"[A-Za-z][\w/.-]*", value) and yaml.safe_load(value) == value:
        return value
    return "'" + value.replace("'", "''") + "'"
