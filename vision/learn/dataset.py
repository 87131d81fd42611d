"""Turn folders of labelled pictures into one YOLO data set after a recipe.

A source is a folder with ``images/``, ``labels/`` (YOLO text: ``class cx cy w h`` in fractions) and
``classes.txt``. Sources label different classes, so three things are kept apart for every picture:
boxes, classes known to be absent, and classes that nobody looked for. The last are listed in
``pictures.json`` and are not taught as background (see :mod:`vision.learn.training`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, cast

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vision.detect.detections import Detections
from vision.errors import ConfigError, InputError
from vision.frames.frame import Image
from vision.learn.teacher import Teacher

PICTURES_FILE = "pictures.json"
"""Side file of a built data set: one :class:`Picture` a picture."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})

SAME_OBJECT_IOU = 0.5
"""A teacher's box that overlaps a person's box this much shows the same thing."""

INSIDE_SHARE = 0.7
"""A teacher's box of which this share lies in a person's box is a part of that thing."""

NEAR_DUPLICATE_BITS = 20
"""Difference hashes (256 bits) that differ in no more bits belong to near-duplicates."""

NOTES_SAVED_EVERY = 100
"""What teachers saw is written after this many pictures, so that a stopped build loses little."""

Fraction = Annotated[float, Field(ge=0, le=1)]
Split = Literal["train", "val"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TeacherRule(_Strict):
    """How a teacher's boxes are used.

    Attributes:
        confidence: A box counts from this confidence.
        floor: If the best box of a class lies between ``floor`` and ``confidence``, the class is
            unknown in that picture; below ``floor`` it is absent.
        classes: Classes that the teacher may label, by the data set's names.
        image_size: Longest side at which the teacher sees the pictures, in pixels.
        bfloat16: Let the teacher compute in bfloat16.
    """

    confidence: Fraction
    floor: Fraction
    classes: tuple[str, ...]
    image_size: Annotated[int, Field(ge=32)] = 640
    bfloat16: bool = False


class ByTeacher(_Strict):
    """Take the class of a person's box from the teacher's box on the same thing.

    Attributes:
        teacher: Name of the teacher.
        default: Class where the teacher has no box there.
    """

    teacher: str
    default: str


class Source(_Strict):
    """One labelled folder.

    Attributes:
        path: Folder relative to a root.
        labels: Class of the source to class of the data set.
        ignore: Class of the source whose boxes are left out; the data set's class becomes unknown.
        drop: Classes of the source that the data set is not about.
        absent: Classes known to be absent although the source does not label them.
        unknown: Classes that may be visible without a label.
        unknown_if_unlabelled: Classes that are unknown in pictures without a box of them.
        teachers: Teachers that look at this source; all of them if not given.
        group: Regular expression on the file stem; pictures whose first matching group agrees stay
            on one side of the split. Without it every picture is its own group.
        stretched: The pictures lost their aspect; training copies get a likely one back.
        repeat: How often a training picture is shown in one epoch.
        split: Put the whole source on this side.
        optional: The folder may be missing.
    """

    path: str
    labels: dict[str, str | ByTeacher]
    ignore: dict[str, str] = {}
    drop: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    unknown_if_unlabelled: tuple[str, ...] = ()
    teachers: tuple[str, ...] | None = None
    group: str | None = None
    stretched: bool = False
    repeat: Annotated[int, Field(ge=1)] = 1
    split: Split | None = None
    optional: bool = False


class Recipe(_Strict):
    """A data set recipe file.

    Attributes:
        name: Name of the data set.
        seed: Seed of the split and of the restored aspects.
        val_share: Share of every source's pictures that goes to validation.
        longest_side: Pictures are shrunk to this longest side, in pixels.
        classes: Class names in the order of their ids.
        teachers: Teachers by name.
        sources: Labelled folders.
    """

    name: str
    seed: int
    val_share: Fraction
    longest_side: Annotated[int, Field(ge=32)]
    classes: tuple[str, ...]
    teachers: dict[str, TeacherRule] = {}
    sources: tuple[Source, ...]

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        used: list[tuple[str, str]] = []
        for name, rule in self.teachers.items():
            used += [(f"teachers.{name}", c) for c in rule.classes]
        for source in self.sources:
            targets = [t if isinstance(t, str) else t.default for t in source.labels.values()]
            for c in (
                *targets,
                *source.ignore.values(),
                *source.absent,
                *source.unknown,
                *source.unknown_if_unlabelled,
            ):
                used.append((source.path, c))
            wanted = {t.teacher for t in source.labels.values() if isinstance(t, ByTeacher)}
            missing = (wanted | set(source.teachers or ())) - set(self.teachers)
            if missing:
                raise ValueError(f"{source.path}: no teacher named {', '.join(sorted(missing))}")
        for where, c in used:
            if c not in self.classes:
                raise ValueError(f"{where}: {c} is not in classes")
        return self


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


@dataclass(frozen=True)
class Box:
    """One labelled box.

    Attributes:
        name: Class.
        xyxy: Corners in fractions of the picture's width and height.
    """

    name: str
    xyxy: tuple[float, float, float, float]


@dataclass(frozen=True)
class _Raw:
    source: Source
    image_file: Path
    boxes: tuple[Box, ...]
    group: str

    @property
    def key(self) -> str:
        return f"{self.source.path}/{self.image_file.stem}"


def build_dataset(
    recipe: Recipe,
    roots: Sequence[Path],
    out_dir: Path,
    *,
    teachers: Mapping[str, Path] | None = None,
) -> dict[str, dict[str, int]]:
    """Build a YOLO data set.

    Args:
        recipe: What goes in.
        roots: Folders in which the sources are looked for, in this order.
        out_dir: Receives ``images/``, ``labels/``, ``train.txt``, ``val.txt``, ``data.yaml`` and
            ``pictures.json``. What teachers saw is kept in ``teachers.json`` for the next build.
        teachers: Weights of the recipe's teachers by name; a teacher without weights labels
            nothing, and its classes count as unknown where no person labelled them.

    Returns:
        Boxes a class on each side: ``{"train": {"car": 812, ...}, "val": {...}}``; the key
        ``pictures`` counts pictures.

    Raises:
        InputError: A source is missing, has a picture that cannot be read or a label line that is
            wrong; the text names it.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    raws = [raw for source in recipe.sources for raw in _read_source(source, roots)]
    hashes = np.stack([_difference_hash(_read_image(raw.image_file)) for raw in raws])
    groups = _merge_near_duplicates([raw.group for raw in raws], hashes)
    sides = _split(recipe, raws, groups)
    seen = _TeacherNotes(out_dir / "teachers.json", recipe, teachers or {})

    pictures: list[Picture] = []
    counts: dict[str, Counter[str]] = {"train": Counter(), "val": Counter()}
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for raw, group, side in zip(raws, groups, sides, strict=True):
        image = _read_image(raw.image_file)
        boxes, unknown = _label(recipe, raw, image, seen)
        image = _prepare(image, recipe, raw, restore_aspect=side == "train")
        name = raw.key.replace("/", "--")
        file = out_dir / "images" / side / f"{name}.jpg"
        label_file = out_dir / "labels" / side / f"{name}.txt"
        for path in (file, label_file):
            path.parent.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(file), image, [cv2.IMWRITE_JPEG_QUALITY, 92]):
            raise InputError(f"{file}: cannot be written")
        label_file.write_text(_label_text(boxes, recipe.classes), encoding="utf-8")
        relative = file.relative_to(out_dir).as_posix()
        pictures.append(Picture(relative, raw.source.path, side, group, unknown))
        counts[side].update(box.name for box in boxes)
        counts[side]["pictures"] += 1
        lists[side] += [f"./{relative}"] * (raw.source.repeat if side == "train" else 1)
    seen.save()

    for name, lines in lists.items():
        (out_dir / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = {
        "path": str(out_dir.resolve()),
        "train": "train.txt",
        "val": "val.txt",
        "names": dict(enumerate(recipe.classes)),
    }
    (out_dir / "data.yaml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    (out_dir / PICTURES_FILE).write_text(
        json.dumps([asdict(p) for p in pictures], indent=1), encoding="utf-8"
    )
    return {side: dict(counter) for side, counter in counts.items()}


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


def read_boxes(label_file: Path, names: Sequence[str]) -> tuple[Box, ...]:
    """Read a YOLO label file.

    Args:
        label_file: Lines ``class cx cy w h`` in fractions; a missing file holds no boxes.
        names: Class names by id.

    Raises:
        InputError: A line is no label or its numbers are out of range; the text names file and
            line.
    """
    if not label_file.is_file():
        return ()
    boxes = []
    for number, line in enumerate(label_file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            class_id, *numbers = line.split()
            name = names[int(class_id)]
            x, y, w, h = map(float, numbers)
        except (ValueError, IndexError) as error:
            raise InputError(f"{label_file}:{number}: no YOLO label: {line!r}") from error
        corners = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        if int(class_id) < 0 or w <= 0 or h <= 0 or min(corners) < -0.01 or max(corners) > 1.01:
            raise InputError(f"{label_file}:{number}: box outside the picture: {line!r}")
        x1, y1, x2, y2 = (min(1.0, max(0.0, c)) for c in corners)
        boxes.append(Box(name, (x1, y1, x2, y2)))
    return tuple(boxes)


def _read_source(source: Source, roots: Sequence[Path]) -> list[_Raw]:
    folder = next((r / source.path for r in roots if (r / source.path).is_dir()), None)
    if folder is None:
        if source.optional:
            return []
        looked = ", ".join(str(r) for r in roots)
        raise InputError(f"source {source.path}: no such folder in {looked}")
    names = (folder / "classes.txt").read_text(encoding="utf-8").split()
    images = sorted(p for p in (folder / "images").rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    raws = []
    for image_file in images:
        group = image_file.stem
        if source.group and (match := re.search(source.group, image_file.stem)):
            group = next(g for g in match.groups() if g is not None)
        label_file = folder / "labels" / image_file.relative_to(folder / "images")
        boxes = read_boxes(label_file.with_suffix(".txt"), names)
        raws.append(_Raw(source, image_file, boxes, group))
    return raws


def _read_image(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{path}: no picture that can be read")
    return cast("Image", image)


def _difference_hash(image: Image) -> NDArray[np.uint8]:
    """256-bit difference hash: is each cell of a 16 by 17 grid brighter than its left neighbour."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (17, 16), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.packbits(small[:, 1:] > small[:, :-1])


def _merge_near_duplicates(groups: Sequence[str], hashes: NDArray[np.uint8]) -> list[str]:
    """Give groups that share a near-duplicate one name (union-find over group names)."""
    parent = {group: group for group in groups}

    def root(group: str) -> str:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    for i in range(len(hashes) - 1):
        distance = np.bitwise_count(hashes[i + 1 :] ^ hashes[i]).sum(axis=1, dtype=np.int32)
        for j in np.flatnonzero(distance <= NEAR_DUPLICATE_BITS) + i + 1:
            parent[root(groups[int(j)])] = root(groups[i])
    return [root(group) for group in groups]


def _split(recipe: Recipe, raws: Sequence[_Raw], groups: Sequence[str]) -> list[Split]:
    """Fill the validation share of every source with whole groups in a seeded order."""
    sides: dict[str, Split] = {}
    for raw, group in zip(raws, groups, strict=True):
        if raw.source.split:
            sides[group] = raw.source.split
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


class _TeacherNotes:
    """What the teachers saw, kept in a file so that a second build does not ask again."""

    def __init__(self, path: Path, recipe: Recipe, weights: Mapping[str, Path]) -> None:
        self._path = path
        self._rules = recipe.teachers
        self._weights = weights
        self._marks = {n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in weights.items()}
        self._teachers: dict[str, Teacher] = {}
        self._notes: dict[str, list[list[float | str]]] = {}
        if path.is_file():
            self._notes = json.loads(path.read_text(encoding="utf-8"))

    def boxes(self, name: str, raw: _Raw, image: Image) -> list[tuple[Box, float]] | None:
        """Boxes from the floor up, of the rule's classes; None if the teacher has no weights."""
        if name not in self._weights:
            return None
        key = f"{self._marks[name][:12]}:{raw.key}"
        if key not in self._notes:
            if name not in self._teachers:
                rule = self._rules[name]
                self._teachers[name] = Teacher(
                    self._weights[name], image_size=rule.image_size, bfloat16=rule.bfloat16
                )
                missing = set(rule.classes) - set(self._teachers[name].names)
                if missing:
                    raise ConfigError(
                        f"teacher {name}: {self._weights[name]} has no class "
                        f"{', '.join(sorted(missing))}"
                    )
            found = self._teachers[name].detect(image, floor=self._rules[name].floor)
            self._notes[key] = _fractions(found, image)
            if len(self._notes) % NOTES_SAVED_EVERY == 0:
                self.save()
        wanted = self._rules[name].classes
        return [
            (Box(str(row[0]), (float(row[2]), float(row[3]), float(row[4]), float(row[5]))), c)
            for row in self._notes[key]
            if row[0] in wanted and (c := float(row[1])) >= self._rules[name].floor
        ]

    def save(self) -> None:
        if self._notes:
            draft = self._path.with_suffix(".part")
            draft.write_text(json.dumps(self._notes), encoding="utf-8")
            draft.replace(self._path)


def _fractions(found: Detections, image: Image) -> list[list[float | str]]:
    h, w = image.shape[:2]
    return [
        [name, round(c, 4), *(round(float(v), 5) for v in np.clip(box / (w, h, w, h), 0, 1))]
        for box, c, name in found.rows()
    ]


def _label(
    recipe: Recipe, raw: _Raw, image: Image, seen: _TeacherNotes
) -> tuple[list[Box], tuple[str, ...]]:
    """Boxes of one picture, and the classes unknown in it."""
    source = raw.source
    names = recipe.teachers if source.teachers is None else source.teachers
    labelled = {t for t in source.labels.values() if isinstance(t, str)} | set(source.absent)
    asked = [name for name in names if set(recipe.teachers[name].classes) - labelled]
    notes = {name: seen.boxes(name, raw, image) for name in asked}
    unknown = set(source.unknown)
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
                (iou, b.name)
                for b, c in notes.get(target.teacher) or []
                if c >= recipe.teachers[target.teacher].confidence
                and (iou := _iou(b, box)) >= SAME_OBJECT_IOU
            ]
            target = max(same)[1] if same else target.default
        human.append(Box(target, box.xyxy))

    boxes = list(human)
    for name in asked:
        rule = recipe.teachers[name]
        classes = set(rule.classes) - labelled
        found = notes[name]
        if found is None:
            unknown |= classes
            continue
        for box, confidence in found:
            if box.name not in classes or any(_covers(h, box) for h in human):
                continue
            if confidence >= rule.confidence:
                boxes.append(box)
            else:
                unknown.add(box.name)
    unknown |= set(source.unknown_if_unlabelled) - {b.name for b in boxes}
    return boxes, tuple(c for c in recipe.classes if c in unknown)


def _covers(human: Box, other: Box) -> bool:
    """Whether a teacher's box shows the thing that a person labelled, or a part of it."""
    part = _intersection(human, other) / max(_area(other), 1e-9)
    people = {"person", "bicycle"}
    return _iou(human, other) >= SAME_OBJECT_IOU or (
        part >= INSIDE_SHARE and other.name not in people
    )


def _area(box: Box) -> float:
    x1, y1, x2, y2 = box.xyxy
    return (x2 - x1) * (y2 - y1)


def _intersection(a: Box, b: Box) -> float:
    w = min(a.xyxy[2], b.xyxy[2]) - max(a.xyxy[0], b.xyxy[0])
    h = min(a.xyxy[3], b.xyxy[3]) - max(a.xyxy[1], b.xyxy[1])
    return max(0.0, w) * max(0.0, h)


def _iou(a: Box, b: Box) -> float:
    shared = _intersection(a, b)
    return shared / max(_area(a) + _area(b) - shared, 1e-9)


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


def _label_text(boxes: Sequence[Box], classes: Sequence[str]) -> str:
    lines = []
    for box in boxes:
        x1, y1, x2, y2 = box.xyxy
        lines.append(
            f"{classes.index(box.name)} {(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} "
            f"{x2 - x1:.6f} {y2 - y1:.6f}"
        )
    return "\n".join(lines) + ("\n" if lines else "")
