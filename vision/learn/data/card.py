"""Write the card of a built data set: what is in it, from where, and what to beware of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from vision.errors import InputError
from vision.frames.frame import Image
from vision.learn.data.census import Census, take_census
from vision.learn.data.dataset import BUILD_FILE, own_group, picture_name
from vision.learn.data.folders import LabelledFolder, read_folder
from vision.learn.data.near_duplicates import NEAR_DUPLICATE_BITS, find_near_duplicates
from vision.learn.data.pictures import Picture, Progress, read_image, read_pictures
from vision.learn.data.recipe import Recipe, Source

NOT_STATED = "not stated"


def write_card(
    recipe: Recipe, built_dir: Path, *, input_size: int = 640, progress: Progress | None = None
) -> str:
    """Write a card as Markdown; the same recipe and build give the same text.

    Args:
        recipe: What the data set was built after.
        built_dir: The built data set.
        input_size: Longest side at which boxes are measured, in pixels.
        progress: Told how far the count is.

    Raises:
        InputError: The folder was not built, or after another recipe.
    """
    pictures = read_pictures(built_dir)
    folder = read_folder(built_dir)
    strange = {p.source for p in pictures} - {s.path for s in recipe.sources}
    if strange or folder.names != recipe.classes:
        raise InputError(f"{built_dir}: was not built after the recipe {recipe.name}")
    census = take_census(folder, input_size=input_size, progress=progress)
    record = _record(built_dir)
    parts = [
        f"# Data set {recipe.name}",
        "Written by `jiexu dataset card` from the recipe and the built folder. The pictures are "
        "not part of the repository.",
        _overview(census),
        "## Sources",
        "*Shown* is how often a training picture is shown in one epoch. *Left open* are classes "
        "that may be visible without a label.",
        _table(
            ("source", "train", "val", "shown", "labelled for", "left open"),
            [_source_row(source, pictures) for source in recipe.sources],
        ),
        "## Origins, licences and known faults",
        "\n".join(_origin(source) for source in recipe.sources),
        "## Classes",
        _classes(census, record),
        f"Sizes after COCO at a longest side of {input_size} px: small below 32² px, large from "
        "96² px. *Aspect* is the median of width by height.",
        _sizes(census),
        "## Split",
        _split(recipe, folder, pictures, progress),
        "## What is unknown",
        "A source labels only some classes, so that a picture has three kinds of classes: boxed, "
        "absent, and unknown. An unknown class is not taught as background there, and a "
        "measurement of the class leaves the picture out. Unknown are: the source's classes left "
        "open, classes of boxes that the recipe ignores, classes that a teacher saw but not "
        "surely, and all classes of a teacher without weights.",
        "## Teachers",
        _teachers(recipe, record),
    ]
    return "\n\n".join(parts) + "\n"


def _record(built_dir: Path) -> dict[str, Any] | None:
    path = built_dir / BUILD_FILE
    if not path.is_file():
        return None
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    return record


def _overview(census: Census) -> str:
    return _table(
        ("side", "pictures", "boxes", "boxes a picture", "most", "without a box", "night"),
        [
            (
                s.split,
                s.pictures,
                s.boxes,
                s.boxes_a_picture,
                s.most_boxes,
                s.without_box,
                _percent(s.night),
            )
            for s in census.splits
        ],
    )


def _source_row(source: Source, pictures: Sequence[Picture]) -> tuple[object, ...]:
    sides = Counter(p.split for p in pictures if p.source == source.path)
    if not sides:
        return (f"`{source.path}`", "not in this build", "", "", "", "")
    targets = [t if isinstance(t, str) else f"{t.default} and kin" for t in source.labels.values()]
    absent = [f"{name} (absent)" for name in source.absent]
    left_open = [
        *source.unknown,
        *(f"{name} (where {old} is)" for old, name in source.ignore.items()),
        *(f"{name} (where not boxed)" for name in source.unknown_if_unlabelled),
    ]
    labelled = ", ".join([*dict.fromkeys(targets), *absent]) or "nothing"
    return (
        f"`{source.path}`",
        sides["train"],
        sides["val"],
        f"{source.repeat}×",
        labelled,
        ", ".join(left_open),
    )


def _origin(source: Source) -> str:
    lines = [
        f"- **{source.path}**",
        f"  - Origin: {source.origin or NOT_STATED}",
        f"  - Licence: {source.licence or NOT_STATED}",
    ]
    faults = [source.faults] if source.faults else []
    if source.stretched:
        faults.append("pictures lost their aspect, training copies get a likely one back")
    if faults:
        lines.append(f"  - Known faults: {'; '.join(faults)}")
    return "\n".join(lines)


def _classes(census: Census, record: dict[str, Any] | None) -> str:
    rows = []
    for name in dict.fromkeys(c.name for c in census.classes):
        row: list[object] = [name]
        for split in ("train", "val"):
            count = next((c for c in census.classes if (c.name, c.split) == (name, split)), None)
            if count is None:
                row += [0, "", 0, 0]
                continue
            taught = "?" if record is None else record["boxes_by_teachers"][split].get(name, 0)
            row += [count.boxes, taught, count.pictures, count.unknown_pictures]
        rows.append(row)
    head = ("boxes", "by teachers", "pictures", "left open")
    return _table(("class", *(f"{side} {h}" for side in ("train", "val") for h in head)), rows)


def _sizes(census: Census) -> str:
    return _table(
        ("class", "side", "small", "medium", "large", "aspect"),
        [
            (c.name, c.split, _percent(c.small), _percent(c.medium), _percent(c.large), c.aspect)
            for c in census.classes
            if c.boxes
        ],
    )


def _split(
    recipe: Recipe,
    folder: LabelledFolder,
    pictures: Sequence[Picture],
    progress: Progress | None,
) -> str:
    sources = {source.path: source for source in recipe.sources}
    own = {own_group(sources[p.source], picture_name(p)) for p in pictures}
    merged = len(own) - len({p.group for p in pictures})

    def opened() -> Iterator[tuple[str, str | None, Image]]:
        for number, picture in enumerate(folder.pictures):
            if progress:
                progress("looking for leaks", number, len(folder.pictures))
            yield folder.relative(picture.file), picture.split, read_image(picture.file)

    pairs = find_near_duplicates(opened())
    leaks = sum(pair.leak for pair in pairs)
    fixed = [f"`{s.path}` ({s.split})" for s in recipe.sources if s.split]
    lines = [
        f"- {_percent(recipe.val_share)} of every source's pictures go to validation, in whole "
        f"groups, in an order drawn with seed {recipe.seed}.",
        f"- Sides given by the recipe: {', '.join(fixed) or 'none'}.",
        "- A group is what the recipe's regular expression finds in a file name (camera, city, "
        "clip), else the picture alone. Groups that share a near-duplicate are one: 256-bit "
        f"difference hashes that differ in at most {NEAR_DUPLICATE_BITS} bits. {len(own)} groups "
        f"became {len(own) - merged}.",
        f"- Near-duplicates in the built pictures: {len(pairs)} pairs, {leaks} of them across the "
        "split.",
    ]
    learnt = [f"`{s.path}`" for s in recipe.sources if s.trained_on]
    if learnt:
        lines.append(
            "- Pictures that the weights which training starts from have learnt stay in training: "
            f"{', '.join(learnt)}."
        )
    grouped = [s for s in recipe.sources if s.group]
    if grouped:
        lines.append("- Regular expressions:")
        lines += [f"  - `{s.path}`: `{s.group}`" for s in grouped]
    return "\n".join(lines)


def _teachers(recipe: Recipe, record: dict[str, Any] | None) -> str:
    if not recipe.teachers:
        return "None: every box was drawn by the people who made the sources."
    rows = []
    for name, rule in recipe.teachers.items():
        weights = "not recorded" if record is None else "none given: its classes are unknown"
        if record is not None and (given := record["teachers"].get(name)):
            weights = f"`{given['file']}`, sha256 `{given['sha256'][:12]}…`"
        rows.append(
            (name, weights, ", ".join(rule.classes), rule.confidence, rule.floor, rule.image_size)
        )
    head = ("teacher", "weights", "classes", "box from", "absent below", "input px")
    return (
        "Trained detectors that box what a source's people left out. Between the two confidences "
        "the class is unknown in the picture.\n\n" + _table(head, rows)
    )


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(c) for c in line) + " |" for line in lines)


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
