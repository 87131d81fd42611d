"""Labelled folders in the layouts that people have, read into one form.

======== ===========================================================================================
layout   how it is recognised
======== ===========================================================================================
built    ``pictures.json``: a data set that :func:`vision.learn.data.dataset.build_dataset` built
jiexu    ``classes.txt`` beside ``images/`` and ``labels/``
yolo     ``data.yaml`` of an ultralytics or Roboflow export; boxes or polygons
coco     COCO JSON: ``annotations/*.json``, or ``_annotations.coco.json`` beside the pictures
======== ===========================================================================================

Reading a folder opens label files only; the pictures are left to the caller.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import yaml

from vision.errors import InputError
from vision.learn.data.labels import Label, LabelFault, checked_label, read_labels
from vision.learn.data.pictures import PICTURES_FILE, Split, pictures_below, read_pictures

Layout = Literal["built", "jiexu", "yolo", "coco"]

DATA_FILES = ("data.yaml", "data.yml", "dataset.yaml")
"""Names under which exports keep classes and sides, the first that exists counts."""

_SIDES: dict[str, Split] = {"train": "train", "val": "val", "valid": "val", "test": "val"}


@dataclass(frozen=True)
class FolderPicture:
    """One picture as its folder labels it.

    Attributes:
        file: The picture.
        label_file: File with its labels; it is missing where ``labelled`` is false.
        source: The folder's name; in a built data set the source's path.
        split: Side on which the folder has it, if it has sides; test pictures are ``val``.
        labelled: Whether a label file (in COCO: an entry) exists.
        labels: Its boxes, and the labels that are none.
        unknown: Classes that are not labelled box by box here: COCO's crowds, and what a built data
            set says.
        stated_size: Width and height in pixels that the labels were drawn on, where stated.
    """

    file: Path
    label_file: Path
    source: str
    split: Split | None
    labelled: bool
    labels: tuple[Label | LabelFault, ...]
    unknown: tuple[str, ...] = ()
    stated_size: tuple[int, int] | None = None


@dataclass(frozen=True)
class FolderFault:
    """What is wrong with a folder apart from single labels.

    Attributes:
        file: The file at fault.
        line: Line or COCO annotation id in it, 0 for the whole file.
        kind: ``label_without_picture``, ``picture_missing``, ``picture_unlisted``,
            ``both_splits``, ``missing_split`` or ``same_stem``.
        text: What is wrong.
    """

    file: Path
    line: int
    kind: str
    text: str


@dataclass(frozen=True)
class LabelledFolder:
    """A folder of labelled pictures.

    Attributes:
        path: The folder.
        layout: How it was recognised.
        names: Class names, in YOLO layouts by id.
        pictures: Its pictures, sorted by side and path.
        faults: What is wrong with it.
    """

    path: Path
    layout: Layout
    names: tuple[str, ...]
    pictures: tuple[FolderPicture, ...]
    faults: tuple[FolderFault, ...]

    def relative(self, file: Path) -> str:
        """Path of one of its files for people to read."""
        return (
            file.relative_to(self.path).as_posix() if file.is_relative_to(self.path) else str(file)
        )


def read_folder(path: Path) -> LabelledFolder:
    """Read a labelled folder in any known layout.

    Raises:
        InputError: The folder is missing, its layout is unknown, or the file that names classes or
            pictures cannot be understood; the text names it.
    """
    if not path.is_dir():
        raise InputError(f"{path}: no such folder")
    if (path / PICTURES_FILE).is_file():
        return _read_built(path)
    if (path / "classes.txt").is_file() and (path / "images").is_dir():
        return _read_jiexu(path)
    for name in DATA_FILES:
        if (path / name).is_file():
            return _read_yolo(path, path / name)
    documents = list(_coco_documents(path))
    if documents:
        return _read_coco(path, documents)
    raise InputError(
        f"{path}: no labelled folder: neither classes.txt beside images/ and labels/, nor a "
        "data.yaml, nor a COCO file (annotations/*.json, _annotations.coco.json)"
    )


def _read_built(path: Path) -> LabelledFolder:
    names = _class_names(path / "data.yaml", _load_yaml(path / "data.yaml"))
    pictures = []
    for picture in read_pictures(path):
        label_file = path / "labels" / Path(picture.file).relative_to("images").with_suffix(".txt")
        pictures.append(
            FolderPicture(
                path / picture.file,
                label_file,
                picture.source,
                picture.split,
                label_file.is_file(),
                read_labels(label_file, names),
                picture.unknown,
            )
        )
    return LabelledFolder(path, "built", names, tuple(pictures), ())


def _read_jiexu(path: Path) -> LabelledFolder:
    text = (path / "classes.txt").read_text(encoding="utf-8-sig")
    names = tuple(line.strip() for line in text.splitlines() if line.strip())
    files = pictures_below(path / "images")
    pictures = [_yolo_picture(path, file, names, None) for file in files]
    faults = _yolo_faults(pictures, [path / "labels"])
    return LabelledFolder(path, "jiexu", names, tuple(pictures), tuple(faults))


def _read_yolo(path: Path, data_file: Path) -> LabelledFolder:
    data = _load_yaml(data_file)
    names = _class_names(data_file, data)
    entries = [
        (key, side, str(entry)) for key, side in _SIDES.items() for entry in _listed(data.get(key))
    ]
    if not entries:
        raise InputError(f"{data_file}: names no pictures: no key train, val or test")
    pictures: dict[Path, FolderPicture] = {}
    faults: list[FolderFault] = []
    label_folders: set[Path] = set()
    for key, side, entry in entries:
        place = _yolo_place(data_file, data.get("path"), entry)
        if place is None:
            fault = f"{key}: {entry}: no such folder or list"
            faults.append(FolderFault(data_file, 0, "missing_split", fault))
            continue
        files = _listed_pictures(place) if place.is_file() else pictures_below(place)
        if place.is_dir():
            label_folders.add(_labels_of(place))
        for file in files:
            if not file.is_file():
                faults.append(FolderFault(place, 0, "picture_missing", f"no picture {file}"))
                continue
            before = pictures.get(file)
            if before is None:
                pictures[file] = _yolo_picture(path, file, names, side)
            elif before.split != side:
                text = "listed for training and for validation"
                faults.append(FolderFault(file, 0, "both_splits", text))
    if not pictures:
        named = ", ".join(f"{key}: {entry}" for key, _, entry in entries)
        raise InputError(f"{data_file}: no pictures at {named}")
    found = list(pictures.values())
    faults += _yolo_faults(found, sorted(label_folders))
    return LabelledFolder(path, "yolo", names, tuple(found), tuple(faults))


def _load_yaml(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: no mapping of keys to values")
    return data


def _class_names(path: Path, data: dict[str, Any]) -> tuple[str, ...]:
    """Class names by id; a list, or a dictionary whose keys are the ids from 0."""
    names = data.get("names")
    if isinstance(names, dict):
        try:
            by_id = {int(key): str(name) for key, name in names.items()}
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: names: the keys must be class ids") from error
        if sorted(by_id) != list(range(len(by_id))):
            raise InputError(f"{path}: names: the class ids must run from 0 without a gap")
        return tuple(by_id[i] for i in range(len(by_id)))
    if isinstance(names, list):
        return tuple(map(str, names))
    raise InputError(f"{path}: names: a list or a dictionary of class names is needed")


def _listed(value: object) -> list[object]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _yolo_place(data_file: Path, base: object, entry: str) -> Path | None:
    """Folder or list that an entry of a data file means, wherever the export was made.

    Roboflow writes ``../train/images`` for a folder beside the data file, and notebooks leave their
    absolute paths, so that the ends of the path are tried beside the data file as well.
    """
    here = data_file.parent
    tried = [here / str(base) / entry] if base else []
    tried.append(here / entry)
    parts = [part for part in PurePosixPath(entry).parts if part not in ("..", ".", "/")]
    tried.append(here.joinpath(*parts))
    # One part alone, such as images, would mean every side's pictures.
    tried += [here.joinpath(*parts[i:]) for i in range(1, len(parts) - 1)]
    return next((place for place in tried if place.exists()), None)


def _listed_pictures(list_file: Path) -> list[Path]:
    lines = list_file.read_text(encoding="utf-8-sig").splitlines()
    files = (Path(line.strip()) for line in lines if line.strip())
    return sorted({file if file.is_absolute() else list_file.parent / file for file in files})


def _labels_of(path: Path) -> Path:
    """Ultralytics' rule: the last ``images`` of a path becomes ``labels``."""
    parts = list(path.parts)
    for i in range(len(parts) - 1, -1, -1):
        if parts[i] == "images":
            parts[i] = "labels"
            break
    return Path(*parts)


def _yolo_picture(
    folder: Path, file: Path, names: Sequence[str], split: Split | None
) -> FolderPicture:
    label_file = _labels_of(file).with_suffix(".txt")
    labels = read_labels(label_file, names)
    return FolderPicture(file, label_file, folder.name, split, label_file.is_file(), labels)


def _yolo_faults(
    pictures: Sequence[FolderPicture], label_folders: Sequence[Path]
) -> Iterator[FolderFault]:
    """Label files without a picture, and those that two pictures share."""
    owners = Counter(picture.label_file for picture in pictures)
    for picture in pictures:
        if owners[picture.label_file] > 1:
            text = "shares its label file with a picture of the same name"
            yield FolderFault(picture.file, 0, "same_stem", text)
    written = {file for folder in label_folders for file in folder.rglob("*.txt")}
    for file in sorted(written):
        if file not in owners and file.name != "classes.txt":
            yield FolderFault(file, 0, "label_without_picture", "no picture belongs to it")


def _coco_documents(path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """COCO files of a folder; where there are ``instances_*.json``, only these."""
    files = [
        *path.glob("annotations/*.json"),
        *path.glob("*.json"),
        *path.glob("*/_annotations*.json"),
    ]
    instances = [file for file in files if file.name.startswith("instances_")]
    for file in sorted(set(instances or files)):
        try:
            document = json.loads(file.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise InputError(f"{file}: no JSON that can be read: {error}") from error
        if isinstance(document, dict) and {"images", "annotations", "categories"} <= set(document):
            yield file, document


def _read_coco(path: Path, documents: Sequence[tuple[Path, dict[str, Any]]]) -> LabelledFolder:
    files = pictures_below(path)
    by_name: dict[str, list[Path]] = defaultdict(list)
    for found in files:
        by_name[found.name].append(found)
    names: dict[str, None] = {}
    pictures: dict[Path, FolderPicture] = {}
    faults: list[FolderFault] = []
    for json_file, document in documents:
        try:
            categories = {c["id"]: str(c["name"]) for c in document["categories"]}
            images = {i["id"]: i for i in document["images"]}
            of_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
            for annotation in document["annotations"]:
                if annotation["image_id"] not in images:
                    text = f"annotation {annotation['id']}: no image {annotation['image_id']}"
                    faults.append(
                        FolderFault(json_file, int(annotation["id"]), "label_without_picture", text)
                    )
                of_image[annotation["image_id"]].append(annotation)
            names.update(dict.fromkeys(categories.values()))
            split = _coco_side(path, json_file)
            for image_id, image in images.items():
                file = _coco_picture_file(path, json_file, str(image["file_name"]), by_name)
                if file is None:
                    text = f"image {image_id}: no picture {image['file_name']}"
                    faults.append(FolderFault(json_file, 0, "picture_missing", text))
                    continue
                size = (int(image["width"]), int(image["height"]))
                if min(size) < 1:
                    raise InputError(f"{json_file}: image {image_id}: width and height are {size}")
                if file in pictures:
                    raise InputError(f"{json_file}: image {image_id}: {file} is listed twice")
                mine = of_image[image_id]
                crowds = {categories.get(a["category_id"]) for a in mine if a.get("iscrowd")}
                labels = [_coco_label(a, categories, size) for a in mine if not a.get("iscrowd")]
                pictures[file] = FolderPicture(
                    file,
                    json_file,
                    path.name,
                    split,
                    True,
                    tuple(labels),
                    tuple(sorted(name for name in crowds if name is not None)),
                    size,
                )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{json_file}: no COCO file: {type(error).__name__} {error}"
            ) from error
    faults += [
        FolderFault(file, 0, "picture_unlisted", "no COCO file lists it")
        for file in files
        if file not in pictures
    ]
    return LabelledFolder(path, "coco", tuple(names), tuple(pictures.values()), tuple(faults))


def _coco_side(folder: Path, json_file: Path) -> Split | None:
    """Side named by the file (``instances_val2017.json``) or by its subfolder (``valid/``)."""
    words = json_file.relative_to(folder).as_posix()
    found = re.search(r"(?<![a-z])(train|val|test)", words.lower())
    return _SIDES[found[1]] if found else None


def _coco_picture_file(
    folder: Path, json_file: Path, name: str, by_name: dict[str, list[Path]]
) -> Path | None:
    """Where the picture lies: beside the file, in the folder, in images/, or by its name alone."""
    for base in (json_file.parent, folder, folder / "images"):
        if (base / name).is_file():
            return base / name
    same = by_name.get(PurePosixPath(name).name, [])
    if len(same) > 1:
        # COCO keeps train2017/ and val2017/ beside annotations/instances_train2017.json.
        same = [file for file in same if file.parent.name in json_file.stem]
    if len(same) > 1:
        raise InputError(f"{json_file}: {name} may be {same[0]} or {same[1]}")
    return same[0] if same else None


def _coco_label(
    annotation: dict[str, Any], categories: dict[Any, str], size: tuple[int, int]
) -> Label | LabelFault:
    """Box of an annotation; COCO's is left, top, width, height in pixels."""
    number = int(annotation["id"])
    name = categories.get(annotation["category_id"])
    if name is None:
        text = f"no category {annotation['category_id']}"
        return LabelFault(number, "unknown_class", text)
    box = annotation.get("bbox")
    try:
        x, y, w, h = map(float, box)  # type: ignore[arg-type]  # what is no box fails here
    except (TypeError, ValueError):
        return LabelFault(number, "malformed", f"no COCO box: {box!r}")
    width, height = size
    corners = (x / width, y / height, (x + w) / width, (y + h) / height)
    return checked_label(number, name, corners, f"{box!r}")
