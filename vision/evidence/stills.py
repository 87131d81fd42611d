"""Pictures that prove a violation: scene, crop, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageColor, ImageDraw

from vision.evidence.manifest import Evidence, EvidenceFile, describe
from vision.evidence.privacy import mask_privacy
from vision.evidence.text import drawable, font_of, shows_chinese
from vision.files import write_atomically
from vision.frames.frame import Frame, Image
from vision.observe.sighting import Box
from vision.rules.kinds import KINDS, Kind
from vision.zones import Purpose, Zone

MAX_SIDE = 1920
JPEG_QUALITY = 88
CROP_MARGIN = 0.25
_MIN_CROP_SIDE = 64
_STRIP_BACKGROUND = (24, 26, 29)
_STRIP_TEXT = (240, 242, 245)
_STRIP_FAINT = (160, 167, 176)
_UNKNOWN_KIND_COLOUR = "#868e96"
_ROLES = {"scene": ("", ""), "before": ("before", "此前"), "after": ("after", "此后")}


@dataclass(frozen=True)
class _Place:
    """What is drawn over every view of one violation; ``box`` in fractions of the frame."""

    kind: str
    box: Box
    zone: Zone | None
    privacy: tuple[Zone, ...]
    camera_name: str
    dwell_s: float | None


def write_evidence(
    folder: Path,
    run_root: Path,
    *,
    stem: str,
    kind: str,
    box: Box,
    zone: Zone | None,
    scene: Frame,
    before: Frame | None = None,
    after: Frame | None = None,
    privacy: Sequence[Zone] = (),
    camera_name: str = "",
    dwell_s: float | None = None,
    keep_frame: bool = False,
) -> Evidence:
    """Write the pictures of one violation as ``STEM_scene.jpg``, ``STEM_crop.jpg`` and so on.

    The same input gives the same bytes on the same system. Pictures carry no EXIF.

    Args:
        folder: Where to write, inside ``run_root``; made where it is missing.
        run_root: The run's folder; paths in the result are relative to it.
        stem: Start of the file names, unique in ``folder``.
        kind: Violation kind; gives the colour of the box.
        box: Where the thing is, ``x1, y1, x2, y2`` in pixels of ``scene``.
        zone: Zone to outline; ``None`` or the whole frame outlines nothing.
        scene: Frame that shows the thing best.
        before: Frame from before it appeared.
        after: Frame from after it was gone.
        privacy: Zones of the view; those with purpose ``privacy`` are masked in every picture.
        camera_name: What people call the camera; its id is written where the name cannot be
            drawn on this system.
        dwell_s: How long it has stood at the time of ``scene``.
        keep_frame: Keep ``scene`` without drawings too, in its own size, so that ``box`` fits it.

    Returns:
        Description of the files, without a clip.

    Raises:
        ValueError: ``folder`` lies outside ``run_root`` or a frame's timestamp has no offset.
    """
    if not folder.resolve().is_relative_to(run_root.resolve()):
        raise ValueError(f"{folder} lies outside the run folder {run_root}")

    place = _Place(
        kind,
        (
            box[0] / scene.width,
            box[1] / scene.height,
            box[2] / scene.width,
            box[3] / scene.height,
        ),
        zone,
        tuple(privacy),
        camera_name,
        dwell_s,
    )

    def view(role: str, frame: Frame) -> EvidenceFile:
        return _store(folder / f"{stem}_{role}.jpg", run_root, _view(frame, role, place), frame)

    plain = mask_privacy(scene.image, privacy)
    return Evidence(
        scene=view("scene", scene),
        crop=_store(folder / f"{stem}_crop.jpg", run_root, crop_of(plain, box), scene),
        before=view("before", before) if before is not None else None,
        after=view("after", after) if after is not None else None,
        frame=_store(folder / f"{stem}_frame.jpg", run_root, plain, scene) if keep_frame else None,
    )


def drawn_view(
    frame: Frame,
    role: Literal["scene", "before", "after"],
    *,
    kind: str,
    box: Box,
    zone: Zone | None,
    privacy: Sequence[Zone] = (),
    camera_name: str = "",
    dwell_s: float | None = None,
) -> Image:
    """A whole frame with box, zone and caption, as evidence shows it.

    Args:
        frame: The frame.
        role: What it shows: the thing, or its place before or after it.
        kind: Violation kind; gives the colour of the box.
        box: Where the thing is, ``x1, y1, x2, y2`` in fractions of the frame.
        zone: Zone to outline.
        privacy: Zones of the view; those with purpose ``privacy`` are masked.
        camera_name: What people call the camera.
        dwell_s: How long it has stood at the time of the frame.

    Returns:
        ``(h, w, 3)`` uint8 BGR, longest side at most 1920.
    """
    return _view(frame, role, _Place(kind, box, zone, tuple(privacy), camera_name, dwell_s))


def crop_of(image: Image, box: Box) -> Image:
    """Cut the box with a margin of a quarter of its size, at least 64 px a side where possible.

    Args:
        image: ``(height, width, 3)`` uint8 BGR.
        box: ``x1, y1, x2, y2`` in pixels; may reach over the edge.

    Returns:
        ``(h, w, 3)`` uint8 BGR, never empty, inside the picture, longest side at most 1920.
    """
    height, width = image.shape[:2]
    spans = []
    for low, high, limit in ((box[0], box[2], width), (box[1], box[3], height)):
        centre = min(max((low + high) / 2, 0.0), float(limit))
        half = max((high - low) * (0.5 + CROP_MARGIN), _MIN_CROP_SIDE / 2)
        first = min(max(int(np.floor(centre - half)), 0), limit - 1)
        last = max(min(int(np.ceil(centre + half)), limit), first + 1)
        spans.append((first, last))
    (x1, x2), (y1, y2) = spans
    return _fit(np.ascontiguousarray(image[y1:y2, x1:x2]), MAX_SIDE, MAX_SIDE)


def _view(frame: Frame, role: str, place: _Place) -> Image:
    """The whole frame with box, zone and caption strip."""
    image = mask_privacy(frame.image, place.privacy)
    strip = _strip_height(image.shape[1], image.shape[0])
    picture = _fit(image, MAX_SIDE, MAX_SIDE - strip).copy()
    height, width = picture.shape[:2]
    stroke = max(2, round(width / 480))
    if place.zone is not None and place.zone.purpose is not Purpose.WHOLE_FRAME:
        _draw_zone(picture, place.zone, max(1, stroke // 2))
    x1, y1, x2, y2 = place.box
    box = (x1 * width, y1 * height, x2 * width, y2 * height)
    # The place in before and after is dashed: nothing is claimed to stand there.
    _draw_box(picture, box, _colour(place.kind), stroke, dashed=role != "scene")
    caption = _caption((width, _strip_height(width, height)), frame, role, place)
    return np.concatenate([picture, caption])


def _strip_height(width: int, height: int) -> int:
    scale = min(1.0, MAX_SIDE / max(width, height))
    return max(24, round(width * scale / 32))


def _fit(image: Image, max_width: int, max_height: int) -> Image:
    height, width = image.shape[:2]
    scale = min(1.0, max_width / width, max_height / height)
    if scale == 1.0:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _colour(kind: str) -> tuple[int, int, int]:
    known = KINDS.get(kind)
    red, green, blue = ImageColor.getrgb(known.colour if known else _UNKNOWN_KIND_COLOUR)[:3]
    return blue, green, red


def _draw_zone(picture: Image, zone: Zone, stroke: int) -> None:
    height, width = picture.shape[:2]
    corners = np.round(zone.pixels((width - 1, height - 1))).astype(np.int32)
    closed = zone.purpose is not Purpose.HOARDING_LINE
    for colour, thickness in (((0, 0, 0), stroke + 2), ((255, 255, 255), stroke)):
        cv2.polylines(picture, [corners], closed, colour, thickness, cv2.LINE_AA)


def _draw_box(
    picture: Image, box: Box, colour: tuple[int, int, int], stroke: int, *, dashed: bool
) -> None:
    height, width = picture.shape[:2]
    x1, x2 = (round(min(max(x, 0), width - 1)) for x in (box[0], box[2]))
    y1, y2 = (round(min(max(y, 0), height - 1)) for y in (box[1], box[3]))
    if not dashed:
        cv2.rectangle(picture, (x1, y1), (x2, y2), (255, 255, 255), stroke + 2, cv2.LINE_AA)
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, stroke, cv2.LINE_AA)
        return
    thin = max(2, round(stroke * 0.6))
    for backing, thickness in (((255, 255, 255), thin + 2), (colour, thin)):
        for start, end in (
            ((x1, y1), (x2, y1)),
            ((x2, y1), (x2, y2)),
            ((x2, y2), (x1, y2)),
            ((x1, y2), (x1, y1)),
        ):
            _dashes(picture, start, end, backing, thickness, dash=stroke * 4)


def _dashes(
    picture: Image,
    start: tuple[int, int],
    end: tuple[int, int],
    colour: tuple[int, int, int],
    thickness: int,
    *,
    dash: int,
) -> None:
    length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    count = max(1, round(length / dash) | 1)
    for index in range(0, count, 2):
        ends = [
            (
                round(start[0] + (end[0] - start[0]) * share),
                round(start[1] + (end[1] - start[1]) * share),
            )
            for share in (index / count, (index + 1) / count)
        ]
        cv2.line(picture, ends[0], ends[1], colour, thickness, cv2.LINE_AA)


def _caption(size: tuple[int, int], frame: Frame, role: str, place: _Place) -> Image:
    """Strip with kind, camera and dwell on the left and the time on the right."""
    width, height = size
    kind, dwell_s = place.kind, place.dwell_s
    chinese = shows_chinese()
    names = KINDS.get(kind, Kind(kind, kind, kind, _UNKNOWN_KIND_COLOUR))
    chip = drawable([f"{names.zh} {names.en}", names.en] if chinese else [names.en, kind])
    time = _time_text(frame.timestamp)
    parts = [drawable([place.camera_name, frame.camera_id])]
    word = _ROLES[role][1 if chinese else 0]
    if word:
        parts.insert(0, word)
    elif dwell_s is not None:
        parts.append(("停留 " if chinese else "stood ") + _dwell_text(dwell_s))

    strip = PillowImage.new("RGB", (width, height), _STRIP_BACKGROUND)
    pen = ImageDraw.Draw(strip)
    pad = round(height * 0.35)
    middle = height / 2
    # Narrow pictures get smaller letters rather than a cut caption.
    for letter in range(round(height * 0.56), 6, -1):
        font = font_of(letter)
        needed = sum(pen.textlength(text, font) for text in (chip, "  ".join(parts), time))
        if needed + 5 * pad <= width:
            break
    colour = _colour(kind)[::-1]
    chip_end = pad + pen.textlength(chip, font) + pad
    pen.rectangle((0, 0, chip_end, height), fill=colour)
    pen.text((pad, middle), chip, fill=(255, 255, 255), font=font, anchor="lm")
    pen.text((chip_end + pad, middle), "  ".join(parts), fill=_STRIP_TEXT, font=font, anchor="lm")
    pen.text((width - pad, middle), time, fill=_STRIP_FAINT, font=font, anchor="rm")
    return np.ascontiguousarray(np.asarray(strip, np.uint8)[..., ::-1])


def _time_text(timestamp: datetime) -> str:
    offset = timestamp.strftime("%z")
    return f"{timestamp:%Y-%m-%d %H:%M:%S} UTC{offset[:3]}:{offset[3:5]}"


def _dwell_text(dwell_s: float) -> str:
    whole = round(dwell_s)
    hours, rest = divmod(whole, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


def _store(path: Path, run_root: Path, picture: Image, frame: Frame) -> EvidenceFile:
    buffer = BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(picture[..., ::-1])).save(
        buffer, "JPEG", quality=JPEG_QUALITY, optimize=True
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue())
    return describe(
        path,
        run_root,
        time_s=frame.time_s,
        timestamp=frame.timestamp,
        width=picture.shape[1],
        height=picture.shape[0],
        media_type="image/jpeg",
    )
