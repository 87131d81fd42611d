"""Contact sheets: many labelled pictures with their boxes on one, for looking at a data set."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import cv2
import numpy as np

from vision.errors import InputError
from vision.frames.frame import Image
from vision.learn.data.folders import FolderPicture, LabelledFolder
from vision.learn.data.labels import Label
from vision.learn.data.pictures import Progress, read_image

NO_BOX = "no_box"
"""Name of the sheet with pictures that have no box."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAPTION_ROW_PX = 13
_CAPTION_ROWS = 3
_PAPER = 32
_INK = (220, 220, 220)
_CAUTION = (120, 190, 255)


@dataclass(frozen=True)
class Sheet:
    """What a contact sheet shows.

    Attributes:
        name: Class or source.
        of: Pictures that would fit its title.
        pictures: Those that are shown.
    """

    name: str
    of: int
    pictures: tuple[FolderPicture, ...]


def choose_sheets(
    folder: LabelledFolder, *, by: Literal["class", "source"], count: int, seed: int = 1
) -> list[Sheet]:
    """Choose pictures for the sheets of a folder.

    Args:
        folder: The folder.
        by: One sheet a class, and one for pictures without a box; or one a source.
        count: Pictures a sheet at most, drawn at random where there are more.
        seed: Seed of that draw.
    """
    of: dict[str, list[FolderPicture]] = {name: [] for name in folder.names if by == "class"}
    for picture in folder.pictures:
        if by == "source":
            names = {picture.source}
        else:
            names = {x.box.name for x in picture.labels if isinstance(x, Label)} or {NO_BOX}
        for name in names:
            of.setdefault(name, []).append(picture)
    sheets = []
    for name, pictures in of.items():
        if pictures:
            # A seed of its own a sheet: a class that is added leaves the others as they are.
            drawn = random.Random(f"{seed}:{name}").sample(pictures, min(count, len(pictures)))  # noqa: S311
            drawn.sort(key=lambda p: (p.source, p.file))
            sheets.append(Sheet(name, len(pictures), tuple(drawn)))
    return sheets


def write_sheets(
    folder: LabelledFolder,
    sheets: Sequence[Sheet],
    out_dir: Path,
    *,
    columns: int = 6,
    tile_px: int = 240,
    progress: Progress | None = None,
) -> list[Path]:
    """Draw sheets as JPEG files named after their class or source.

    Args:
        folder: The folder; its classes give the colours.
        sheets: From :func:`choose_sheets`.
        out_dir: Receives the files.
        columns: Pictures side by side.
        tile_px: Side of the square in which each picture is fitted.
        progress: Told how many sheets are done.

    Returns:
        The files.

    Raises:
        InputError: A picture cannot be read, or a sheet cannot be written.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    files = []
    for number, sheet in enumerate(sheets):
        if progress:
            progress(f"drawing {sheet.name}", number, len(sheets))
        file = out_dir / (re.sub(r"[^\w.-]+", "-", sheet.name) + ".jpg")
        if not cv2.imwrite(str(file), draw_sheet(folder, sheet, columns=columns, tile_px=tile_px)):
            raise InputError(f"{file}: cannot be written")
        files.append(file)
    return files


def draw_sheet(folder: LabelledFolder, sheet: Sheet, *, columns: int, tile_px: int) -> Image:
    """Draw one sheet.

    Each tile has the picture's name, its side, and the classes that are unknown in it below. OpenCV
    draws ASCII only: other letters of a class name become question marks.

    Returns:
        BGR uint8 ``(h, w, 3)``.
    """
    colours = class_colours(folder.names)
    tiles = [_draw_tile(folder, picture, colours, tile_px) for picture in sheet.pictures]
    blank = np.full_like(tiles[0], _PAPER)
    columns = min(columns, len(tiles))
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    title = np.full((28, rows[0].shape[1], 3), _PAPER, np.uint8)
    text = f"{sheet.name}: {len(sheet.pictures)} of {sheet.of} pictures"
    cv2.putText(title, text, (6, 20), _FONT, 0.6, _INK, 1, cv2.LINE_AA)
    return np.vstack([title, *rows])


def class_colours(names: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """A BGR colour a class, as far apart in hue as their number allows."""
    colours = {}
    for i, name in enumerate(names):
        hue = round(180 * i / max(len(names), 1))
        hsv = np.array([[[hue, 230, 255 if i % 2 == 0 else 200]]], np.uint8)
        b, g, r = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0]
        colours[name] = (int(b), int(g), int(r))
    return colours


def _draw_tile(
    folder: LabelledFolder,
    picture: FolderPicture,
    colours: dict[str, tuple[int, int, int]],
    side: int,
) -> Image:
    image = read_image(picture.file)
    scale = side / max(image.shape[:2])
    w, h = (max(1, round(image.shape[i] * scale)) for i in (1, 0))
    image = cast("Image", cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA))
    boxes = [label.box for label in picture.labels if isinstance(label, Label)]
    corners = [
        (round(x1 * w), round(y1 * h), round(x2 * w), round(y2 * h))
        for x1, y1, x2, y2 in (box.xyxy for box in boxes)
    ]
    for box, (x1, y1, x2, y2) in zip(boxes, corners, strict=True):
        cv2.rectangle(image, (x1, y1), (x2, y2), colours[box.name], 1)
    # Names after all boxes, so that no box is drawn through a name.
    for box, (x1, y1, _, _) in zip(boxes, corners, strict=True):
        (width, _), _ = cv2.getTextSize(box.name, _FONT, 0.32, 1)
        left, base = max(0, min(x1, w - width - 2)), max(10, y1)
        colour = colours[box.name]
        cv2.rectangle(image, (left, base - 10), (left + width + 2, base), colour, cv2.FILLED)
        b, g, r = colour
        ink = (0, 0, 0) if 0.11 * b + 0.59 * g + 0.3 * r > 110 else (255, 255, 255)
        cv2.putText(image, box.name, (left + 1, base - 2), _FONT, 0.32, ink, 1, cv2.LINE_AA)

    tile = np.full((side + _CAPTION_ROW_PX * _CAPTION_ROWS + 4, side, 3), _PAPER, np.uint8)
    top, left = (side - h) // 2, (side - w) // 2
    tile[top : top + h, left : left + w] = image
    fits = side // 6
    name = picture.file.stem if folder.layout == "built" else folder.relative(picture.file)
    lines = [(f"{picture.split or ''} {name[-(fits - 6) :]}".strip(), _INK)]
    if picture.unknown:
        lines += [(line, _CAUTION) for line in _wrapped("unknown: ", picture.unknown, fits)]
    for row, (text, colour) in enumerate(lines[:_CAPTION_ROWS]):
        place = (3, side + _CAPTION_ROW_PX * (row + 1))
        cv2.putText(tile, text, place, _FONT, 0.32, colour, 1, cv2.LINE_AA)
    return tile


def _wrapped(start: str, words: Sequence[str], width: int) -> list[str]:
    """Words over two lines; what does not fit is counted."""
    lines = [start]
    for i, word in enumerate(words):
        rest = f" +{len(words) - i}"
        if len(lines[-1]) + len(word) + len(rest) > width:
            if len(lines) == 2:
                lines[-1] += rest
                break
            lines.append("")
        lines[-1] += f"{word} "
    return lines
