"""Pictures of decided cases as a data set: written by the service, read to learn from.

The folder is a built data set of :mod:`vision.learn.data` (YOLO labels, ``data.yaml``,
``pictures.json``) with COCO files beside it. ``decided.jsonl`` says what people said of each
picture; all else is written from it. Nobody looked through whole pictures: a class that was not
rejected may be there without a box. ``pictures.json`` calls such classes ``unknown``, the COCO
files ``not_exhaustive_category_ids``; rejected ones are ``neg_category_ids``, both as in LVIS
(Gupta, Dollár and Girshick, LVIS: A Dataset for Large Vocabulary Instance Segmentation, CVPR 2019).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from vision.errors import InputError
from vision.files import write_atomically
from vision.learn.data.labels import Box, checked_label, label_text, sound_box
from vision.learn.data.pictures import PICTURES_FILE, Picture, Split
from vision.learn.feedback.looks import CLASSES

DECIDED_FILE = "decided.jsonl"
"""One :class:`DecidedPicture` a line; a folder that has it was exported from decided cases."""

SOURCE = "decided cases"
VAL_SHARE = 0.2

Pixel = Annotated[float, Field(allow_inf_nan=False)]

Progress = Callable[[str, int, int], None]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DecidedBox(_Part):
    """Something that people confirmed; ``box`` is ``x1, y1, x2, y2`` in pixels of the picture."""

    name: str
    box: tuple[Pixel, Pixel, Pixel, Pixel]


class DecidedPicture(_Part):
    """One picture and what people said of it.

    Attributes:
        case_id: Case that the picture was taken for.
        camera_id: Camera.
        taken_at: When.
        width: Width in pixels.
        height: Height in pixels.
        variant: ``masked`` (heads and plates are averaged away) or ``sealed`` (as it was).
        boxes: What was confirmed.
        absent: Classes that were rejected here.
        open: Classes of which nothing is known: of undecided violations, and of what masking has
            made unlike itself.
        group: Pictures of one group are on one side: of one camera, or of several that may see the
            same.
        file: Path of the picture relative to the folder.
        split: ``train`` or ``val``.
    """

    case_id: Annotated[str, Field(pattern=r"^[\w-]+$")]
    camera_id: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    taken_at: AwareDatetime
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    variant: Literal["masked", "sealed"]
    boxes: tuple[DecidedBox, ...]
    absent: tuple[str, ...]
    open: tuple[str, ...]
    group: str = ""
    file: str = ""
    split: Split = "train"

    @property
    def unknown(self) -> tuple[str, ...]:
        """Classes that may be there without a box."""
        return tuple(name for name in CLASSES if name not in self.absent or name in self.open)

    def labels(self) -> list[Box]:
        """Its boxes in fractions of the picture, cut at its edges.

        Raises:
            InputError: A box lies outside the picture.
        """
        w, h = self.width, self.height
        found = []
        for one in self.boxes:
            x1, y1, x2, y2 = one.box
            inside = (max(x1, 0) / w, max(y1, 0) / h, min(x2, w) / w, min(y2, h) / h)
            label = checked_label(1, one.name, inside, f"case {self.case_id} {one.box}")
            found.append(sound_box(Path(DECIDED_FILE), label))
        return found


@dataclass(frozen=True)
class DecidedData:
    """What was written.

    Attributes:
        pictures: The pictures, with file and side.
        counts: By side: ``pictures``, ``cameras``, boxes and ``no <class>`` rejections by class.
    """

    pictures: Sequence[DecidedPicture]
    counts: Mapping[Split, Mapping[str, int]]


def write_decided(
    pictures: Sequence[DecidedPicture],
    read: Callable[[DecidedPicture], bytes],
    out_dir: Path,
    *,
    together: Iterable[tuple[str, str]] = (),
    progress: Progress = lambda step, done, of: None,  # noqa: ARG005
) -> DecidedData:
    """Write pictures of decided cases as YOLO and COCO data.

    Args:
        pictures: The pictures; file and side are given here.
        read: Gives the JPEG of a picture.
        out_dir: Folder that is not there yet, or empty.
        together: Cameras that may see the same: they are kept on one side.
        progress: Told how many pictures are written.

    Raises:
        InputError: The folder is not empty, there is no picture, or a box lies outside its picture.
    """
    if out_dir.exists() and any(out_dir.iterdir()):
        raise InputError(f"{out_dir}: is not empty")
    if not pictures:
        raise InputError("no picture of a decided case to learn from")
    groups = camera_groups({picture.camera_id for picture in pictures}, together)
    sides = sides_of(pictures, groups)
    counts: dict[Split, Counter[str]] = {"train": Counter(), "val": Counter()}
    placed = []
    for number, picture in enumerate(pictures):
        progress("writing pictures", number, len(pictures))
        side = sides[picture.camera_id]
        file = f"images/{side}/{picture.camera_id}_{picture.case_id}.jpg"
        group = min(groups[picture.camera_id])
        one = picture.model_copy(update={"group": group, "file": file, "split": side})
        label = Path("labels") / Path(file).relative_to("images").with_suffix(".txt")
        _write(out_dir / label, label_text(one.labels(), CLASSES).encode())
        _write(out_dir / file, read(picture))
        placed.append(one)
        counts[side].update(box.name for box in one.boxes)
        counts[side].update(f"no {name}" for name in one.absent)
        counts[side]["pictures"] += 1
    for side, count in counts.items():
        there = [one for one in placed if one.split == side]
        count["cameras"] = len({one.camera_id for one in there})
        _write(out_dir / f"annotations/instances_{side}.json", json.dumps(coco(there)).encode())
    _write_side_files(placed, out_dir)
    return DecidedData(placed, counts)


def read_decided(folder: Path) -> list[DecidedPicture]:
    """Read ``decided.jsonl``.

    Raises:
        InputError: The file cannot be read or a line is no such picture; file, line and field are
            named.
    """
    path = folder / DECIDED_FILE
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    pictures = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            picture = DecidedPicture.model_validate_json(line)
        except ValidationError as error:
            fault = error.errors()[0]
            field = ".".join(str(part) for part in fault["loc"])
            raise InputError(f"{path}:{number}: {field}: {fault['msg']}") from error
        if not (folder / picture.file).resolve().is_relative_to((folder / "images").resolve()):
            raise InputError(f"{path}:{number}: file: lies outside images/")
        pictures.append(picture)
    return pictures


def camera_groups(
    cameras: Iterable[str], together: Iterable[tuple[str, str]]
) -> dict[str, frozenset[str]]:
    """Cameras that belong together, by camera."""
    groups = {camera: {camera} for camera in cameras}
    for one, other in together:
        if one in groups and other in groups and groups[one] is not groups[other]:
            joined = groups[one] | groups[other]
            groups.update(dict.fromkeys(joined, joined))
    return {camera: frozenset(group) for camera, group in groups.items()}


def sides_of(
    pictures: Sequence[DecidedPicture], groups: Mapping[str, frozenset[str]]
) -> dict[str, Split]:
    """Side of each camera: whole cameras are held out, about a fifth of the pictures.

    Cameras come in an order that their names alone give, so that an export of more cases leaves
    most of them where they were. A camera or group that would overshoot the share by more than it
    helps stays in training; so does a single one.

    Args:
        pictures: The pictures.
        groups: Cameras that are kept on one side, by camera.
    """
    count = Counter(picture.camera_id for picture in pictures)
    wanted, have = VAL_SHARE * len(pictures), 0
    sides: dict[str, Split] = {}
    for group in sorted({groups[camera] for camera in count}, key=_drawn):
        size = sum(count[camera] for camera in group)
        fits = have + size / 2 <= wanted
        sides.update(dict.fromkeys(group, "val" if fits else "train"))
        have += size if fits else 0
    return sides


def coco(pictures: Sequence[DecidedPicture]) -> dict[str, Any]:
    """A COCO document of pictures; its boxes are left, top, width, height in pixels."""
    ids = {name: number for number, name in enumerate(CLASSES, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, picture in enumerate(pictures, start=1):
        unknown, boxes = picture.unknown, picture.labels()
        sure = {*picture.absent} - {*unknown} - {box.name for box in boxes}
        images.append(
            {
                "id": image_id,
                "file_name": picture.file,
                "width": picture.width,
                "height": picture.height,
                "date_captured": picture.taken_at.isoformat(timespec="seconds"),
                "neg_category_ids": [ids[name] for name in CLASSES if name in sure],
                "not_exhaustive_category_ids": [ids[name] for name in unknown],
            }
        )
        for box in boxes:
            x1, y1, x2, y2 = box.xyxy
            left, top = x1 * picture.width, y1 * picture.height
            width, height = x2 * picture.width - left, y2 * picture.height - top
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": ids[box.name],
                    "bbox": [round(value, 2) for value in (left, top, width, height)],
                    "area": round(width * height, 2),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def _drawn(group: frozenset[str]) -> tuple[str, list[str]]:
    names = sorted(group)
    return hashlib.sha256(names[0].encode()).hexdigest(), names


def _write_side_files(pictures: Sequence[DecidedPicture], out_dir: Path) -> None:
    """What makes the folder a data set, last of all: a folder that was cut short is none."""
    data = {"train": "images/train", "val": "images/val", "names": dict(enumerate(CLASSES))}
    for side in ("train", "val"):
        (out_dir / "images" / side).mkdir(parents=True, exist_ok=True)
    _write(out_dir / "data.yaml", yaml.safe_dump(data, sort_keys=False).encode())
    rows = [
        asdict(Picture(one.file, SOURCE, one.split, one.group, one.unknown)) for one in pictures
    ]
    write_atomically(out_dir / PICTURES_FILE, json.dumps(rows, indent=1))
    lines = [one.model_dump_json() + "\n" for one in pictures]
    write_atomically(out_dir / DECIDED_FILE, "".join(lines))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
