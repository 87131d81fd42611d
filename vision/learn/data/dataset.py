"""Turn folders of labelled pictures into one YOLO data set after a recipe.

Sources are folders in any layout of :mod:`vision.learn.data.folders`. They label different
classes, so three things are kept apart for every picture: boxes, classes known to be absent, and
classes that nobody looked for. The last are listed in ``pictures.json`` and are not taught as
background (see :mod:`vision.learn.train.training`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import yaml

from vision.errors import InputError
from vision.files import write_atomically
from vision.frames.frame import Image
from vision.learn.data.folders import FolderPicture, LabelledFolder, read_folder
from vision.learn.data.labels import Box, label_text, read_boxes, sound_box
from vision.learn.data.near_duplicates import difference_hash, merge_groups
from vision.learn.data.pictures import (
    PICTURES_FILE,
    Picture,
    Progress,
    Split,
    read_image,
    read_pictures,
)
from vision.learn.data.recipe import ByTeacher, Recipe, Source
from vision.learn.data.teacher_notes import TeacherNotes
from vision.observe.boxes import area, intersection, iou

__all__ = [
    "BUILD_FILE",
    "Box",
    "Picture",
    "Recipe",
    "build_dataset",
    "own_group",
    "picture_name",
    "read_boxes",
    "read_pictures",
]

BUILD_FILE = "build.json"
"""Side file of a built data set: its recipe's name, the teachers' weights and their boxes."""

SAME_OBJECT_IOU = 0.5
"""A teacher's box that overlaps a person's box this much shows the same thing."""

ONE_OBJECT_IOU = 0.7
"""Boxes of two classes by one teacher that overlap this much show one thing, of the surer class."""

INSIDE_SHARE = 0.7
"""A teacher's box of which this share lies in a person's box is a part of that thing."""


@dataclass(frozen=True)
class _Raw:
    source: Source
    image_file: Path
    boxes: tuple[Box, ...]
    unknown: tuple[str, ...]
    group: str
    side: Split | None
    key: str


def build_dataset(
    recipe: Recipe,
    roots: Sequence[Path],
    out_dir: Path,
    *,
    teachers: Mapping[str, Path] | None = None,
    progress: Progress | None = None,
) -> dict[str, dict[str, int]]:
    """Build a YOLO data set.

    Args:
        recipe: What goes in.
        roots: Folders in which the sources are looked for, in this order.
        out_dir: Receives ``images/``, ``labels/``, ``train.txt``, ``val.txt``, ``data.yaml``,
            ``pictures.json`` and ``build.json``. What teachers saw is kept in ``teachers.json`` for
            the next build, also if this one is stopped.
        teachers: Weights of the recipe's teachers by name; a teacher without weights labels
            nothing, and its classes count as unknown where no person labelled them.
        progress: Told how far the build is.

    Returns:
        Boxes a class on each side: ``{"train": {"car": 812, ...}, "val": {...}}``; the key
        ``pictures`` counts pictures.

    Raises:
        ConfigError: A teacher is unknown, or lacks its weights or a class.
        InputError: A source is missing or holds ``out_dir``, has a picture that cannot be read or a
            label line that is wrong; the text names it.
    """
    raws = [raw for source in recipe.sources for raw in _read_source(source, roots, out_dir)]
    if not raws:
        raise InputError(f"recipe {recipe.name}: its sources hold no pictures")
    out_dir.mkdir(parents=True, exist_ok=True)
    seen = TeacherNotes(out_dir / "teachers.json", recipe.teachers, teachers or {})
    hashes = []
    for number, raw in enumerate(raws):
        if progress:
            progress("looking for near-duplicates", number, len(raws))
        hashes.append(difference_hash(read_image(raw.image_file)))
    groups = merge_groups([raw.group for raw in raws], np.stack(hashes))
    sides = _split(recipe, raws, groups)
    stale = _take_back(out_dir)

    pictures: list[Picture] = []
    counts: dict[str, Counter[str]] = {"train": Counter(), "val": Counter()}
    taught: dict[str, Counter[str]] = {"train": Counter(), "val": Counter()}
    lists: dict[str, list[str]] = {"train": [], "val": []}
    try:
        for raw, group, side in zip(raws, groups, sides, strict=True):
            if progress:
                progress("labelling", len(pictures), len(raws))
            image = read_image(raw.image_file)
            human, by_teacher, unknown = _label(recipe, raw, image, seen)
            image = _prepare(image, recipe, raw, restore_aspect=side == "train")
            name = raw.key.replace("/", "--")
            file = out_dir / "images" / side / f"{name}.jpg"
            label_file = out_dir / "labels" / side / f"{name}.txt"
            for path in (file, label_file):
                path.parent.mkdir(parents=True, exist_ok=True)
            if not cv2.imwrite(str(file), image, [cv2.IMWRITE_JPEG_QUALITY, 92]):
                raise InputError(f"{file}: cannot be written")
            text = label_text([*human, *by_teacher], recipe.classes)
            label_file.write_text(text, encoding="utf-8")
            stale -= {file, label_file}
            relative = file.relative_to(out_dir).as_posix()
            pictures.append(Picture(relative, raw.source.path, side, group, unknown))
            counts[side].update(box.name for box in (*human, *by_teacher))
            counts[side]["pictures"] += 1
            taught[side].update(box.name for box in by_teacher)
            lists[side] += [f"./{relative}"] * (raw.source.repeat if side == "train" else 1)
    finally:
        seen.save()

    for path in stale:
        path.unlink(missing_ok=True)
    for name, lines in lists.items():
        (out_dir / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = {
        "path": str(out_dir.resolve()),
        "train": "train.txt",
        "val": "val.txt",
        "names": dict(enumerate(recipe.classes)),
    }
    (out_dir / "data.yaml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    built = {
        "recipe": recipe.name,
        "teachers": {
            name: {"file": file.name, "sha256": seen.sha256[name]}
            for name, file in (teachers or {}).items()
        },
        "boxes_by_teachers": {side: dict(sorted(c.items())) for side, c in taught.items()},
    }
    write_atomically(out_dir / BUILD_FILE, json.dumps(built, indent=1))
    write_atomically(out_dir / PICTURES_FILE, json.dumps([asdict(p) for p in pictures], indent=1))
    return {side: dict(counter) for side, counter in counts.items()}


def own_group(source: Source, stem: str) -> str:
    """Group of a picture before near-duplicates are merged.

    Args:
        source: Its source.
        stem: Its file name without suffix.
    """
    if source.group and (match := re.search(source.group, stem)):
        return next(g for g in match.groups() if g is not None)
    return stem


def picture_name(picture: Picture) -> str:
    """Name, without suffix, that a picture of a built data set had in its source."""
    prefix = f"{picture.source}/".replace("/", "--")
    return Path(picture.file).stem.removeprefix(prefix)


def _read_source(source: Source, roots: Sequence[Path], out_dir: Path) -> list[_Raw]:
    path = next((r / source.path for r in roots if (r / source.path).is_dir()), None)
    if path is None:
        if source.optional:
            return []
        looked = ", ".join(str(r) for r in roots)
        raise InputError(f"source {source.path}: no such folder in {looked}")
    if out_dir.resolve() == path.resolve():
        raise InputError(f"{out_dir}: is the source {source.path}; build into another folder")
    folder = read_folder(path)
    for fault in folder.faults:
        if fault.kind in ("picture_missing", "same_stem"):
            raise InputError(f"{fault.file}: {fault.text}")
    stems = Counter(picture.file.stem for picture in folder.pictures)
    return [
        _Raw(
            source,
            picture.file,
            tuple(sound_box(picture.label_file, label) for label in picture.labels),
            picture.unknown,
            own_group(source, picture.file.stem),
            picture.split,
            _key(source, folder, picture, alone=stems[picture.file.stem] == 1),
        )
        for picture in folder.pictures
    ]


def _key(source: Source, folder: LabelledFolder, picture: FolderPicture, *, alone: bool) -> str:
    """Name of a picture in the data set; its path tells apart files of one name."""
    if alone:
        return f"{source.path}/{picture.file.stem}"
    return f"{source.path}/{Path(folder.relative(picture.file)).with_suffix('').as_posix()}"


def _split(recipe: Recipe, raws: Sequence[_Raw], groups: Sequence[str]) -> list[Split]:
    """Fill the validation share of every source with whole groups in a seeded order."""
    sides: dict[str, Split] = {}
    for raw, group in zip(raws, groups, strict=True):
        if raw.source.split == "folder":
            # A group that the folder has on both sides is no fair question: it goes to training.
            if raw.side and sides.get(group) != "train":
                sides[group] = raw.side
        elif raw.source.split:
            sides[group] = raw.source.split
    for raw, group in zip(raws, groups, strict=True):
        if raw.source.trained_on and re.search(raw.source.trained_on, raw.image_file.stem):
            sides[group] = "train"
    for source in recipe.sources:
        sizes = Counter(g for raw, g in zip(raws, groups, strict=True) if raw.source == source)
        wanted = recipe.val_share * sum(sizes.values())
        have = sum(n for g, n in sizes.items() if sides.get(g) == "val")
        for group in sorted(sizes, key=lambda g: _seeded(recipe.seed, g)):
            if group in sides:
                continue
            # A group that would overshoot the share by more than it helps stays in training.
            fits = have + sizes[group] / 2 <= wanted
            sides[group] = "val" if fits else "train"
            have += sizes[group] if fits else 0
    return [sides[group] for group in groups]


def _seeded(seed: int, text: str) -> float:
    digest = hashlib.sha256(f"{seed}:{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _take_back(out_dir: Path) -> set[Path]:
    """Mark an earlier build of the folder as unfinished; its picture and label files."""
    if not (out_dir / PICTURES_FILE).is_file():
        return set()
    files = {out_dir / picture.file for picture in read_pictures(out_dir)}
    labels = {
        out_dir / "labels" / file.relative_to(out_dir / "images").with_suffix(".txt")
        for file in files
    }
    (out_dir / PICTURES_FILE).unlink()
    return files | labels


def _label(
    recipe: Recipe, raw: _Raw, image: Image, seen: TeacherNotes
) -> tuple[list[Box], list[Box], tuple[str, ...]]:
    """Boxes of one picture by people and by teachers, and the classes unknown in it."""
    source = raw.source
    names = recipe.teachers if source.teachers is None else source.teachers
    labelled = {t for t in source.labels.values() if isinstance(t, str)} | set(source.absent)
    asked = [name for name in names if set(recipe.teachers[name].classes) - labelled]
    notes = {name: seen.boxes(name, raw.key, image) for name in asked}
    unknown = set(source.unknown)
    for name in raw.unknown:
        meant = source.labels.get(name, source.ignore.get(name))
        if meant is not None:
            unknown.add(meant if isinstance(meant, str) else meant.default)
    human: list[Box] = []
    for box in raw.boxes:
        if box.name in source.ignore:
            unknown.add(source.ignore[box.name])
            continue
        if box.name in source.drop:
            continue
        target = source.labels.get(box.name)
        if target is None:
            raise InputError(f"{raw.image_file}: recipe maps no class {box.name} of {source.path}")
        if isinstance(target, ByTeacher):
            same = [
                (overlap, b.name)
                for b, c in notes.get(target.teacher) or []
                if c >= recipe.teachers[target.teacher].confidence
                and (overlap := iou(b.xyxy, box.xyxy)) >= SAME_OBJECT_IOU
            ]
            target = max(same)[1] if same else target.default
        human.append(Box(target, box.xyxy))

    taught: list[Box] = []
    things = [box for box in human if box.name not in recipe.around]
    misled = _misled(source, raw.image_file.stem)
    unknown |= misled - labelled
    for name in asked:
        rule = recipe.teachers[name]
        classes = set(rule.classes) - labelled
        found = notes[name]
        if found is None:
            unknown |= classes
            continue
        for box, confidence in found:
            if box.name not in classes - misled or any(_covers(h, box) for h in things):
                continue
            if confidence >= rule.confidence and not _is_surer_of_another(found, box, confidence):
                taught.append(box)
            else:
                unknown.add(box.name)
    unknown |= set(source.unknown_if_unlabelled) - {b.name for b in (*human, *taught)}
    return human, taught, tuple(c for c in recipe.classes if c in unknown)


def _misled(source: Source, stem: str) -> set[str]:
    """Classes that teachers see in something else in a picture."""
    return {c for stems, names in source.misleads.items() if re.search(stems, stem) for c in names}


def _is_surer_of_another(found: Sequence[tuple[Box, float]], box: Box, confidence: float) -> bool:
    """Whether a teacher takes the thing in a box for one of another class, and is surer of it."""
    return any(
        other.name != box.name
        and surer > confidence
        and iou(other.xyxy, box.xyxy) >= ONE_OBJECT_IOU
        for other, surer in found
    )


def _covers(human: Box, other: Box) -> bool:
    """Whether a teacher's box shows the thing that a person labelled, or a part of it."""
    part = intersection(human.xyxy, other.xyxy) / max(area(other.xyxy), 1e-9)
    people = {"person", "bicycle"}
    return iou(human.xyxy, other.xyxy) >= SAME_OBJECT_IOU or (
        part >= INSIDE_SHARE and other.name not in people
    )


def _prepare(image: Image, recipe: Recipe, raw: _Raw, *, restore_aspect: bool) -> Image:
    """Shrink to the longest side; undo a stretch with an aspect between 3:4 and 4:3."""
    h, w = image.shape[:2]
    if raw.source.stretched and restore_aspect:
        aspect = float(np.exp((2 * _seeded(recipe.seed, raw.key) - 1) * np.log(4 / 3)))
        w, h = (w, round(w / aspect)) if aspect >= 1 else (round(h * aspect), h)
    scale = min(1.0, recipe.longest_side / max(h, w))
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    if size == (image.shape[1], image.shape[0]):
        return image
    return cast("Image", cv2.resize(image, size, interpolation=cv2.INTER_AREA))
