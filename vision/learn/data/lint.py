"""Find what is wrong with a labelled folder.

Errors are what a build refuses or what teaches something false; warnings are for a person to look
at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import PIL.Image

from vision.learn.data.folders import FolderPicture, LabelledFolder
from vision.learn.data.labels import Box, Label, LabelFault
from vision.learn.data.pictures import Progress
from vision.observe.boxes import area, intersection, iou

SAME_BOX_IOU = 0.9
"""Two boxes that overlap this much are one thing labelled twice."""

NESTED_SHARE = 0.9
"""A box of which this share lies in another box of its class is nested in it."""

TINY_PX = 8.0
"""A box with a shorter side, in pixels at the input size, shows a detector next to nothing."""

KINDS = {
    "unreadable": ("error", "the picture is empty or cannot be decoded"),
    "wrong_size": ("error", "the picture has another size than its COCO file says"),
    "malformed": ("error", "the line is no label"),
    "unknown_class": ("error", "the class id has no name"),
    "out_of_range": ("error", "the box is empty or lies outside the picture"),
    "duplicate": ("error", "two boxes of one class lie on one another"),
    "same_stem": ("error", "two pictures share one label file"),
    "both_splits": ("error", "a picture is listed for training and for validation"),
    "picture_missing": ("error", "a listed picture does not exist"),
    "label_without_picture": ("warning", "labels belong to no picture"),
    "picture_without_label": ("warning", "no label file: is the picture empty or unlabelled?"),
    "picture_unlisted": ("warning", "no COCO file lists the picture"),
    "missing_split": ("warning", "data.yaml names a folder that does not exist"),
    "duplicate_across_classes": ("warning", "boxes of two classes lie on one another"),
    "nested": ("warning", "a box lies within a box of its class"),
    "tiny": ("warning", "the box is too small at the input size"),
    "rotated": ("warning", "EXIF turns the picture; boxes count as drawn on the upright one"),
}
"""Every kind of finding, with its severity and what it means."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a labelled folder.

    Attributes:
        file: File at fault, relative to the folder.
        line: Line of the label file from 1, or id of a COCO annotation; 0 for the whole file.
        kind: A key of :data:`KINDS`.
        text: What is wrong.
    """

    file: str
    line: int
    kind: str
    text: str

    @property
    def severity(self) -> str:
        """``error`` or ``warning``."""
        return KINDS[self.kind][0]


def lint(
    folder: LabelledFolder,
    *,
    input_size: int = 640,
    tiny_px: float = TINY_PX,
    progress: Progress | None = None,
) -> list[Finding]:
    """Check every picture and label of a folder; all pictures are decoded.

    Args:
        folder: The folder.
        input_size: Longest side at which a model will see the pictures, in pixels.
        tiny_px: Boxes with a shorter side at that size are reported.
        progress: Told how far the check is.

    Returns:
        Errors first, then by kind, file and line.
    """
    findings = [
        Finding(folder.relative(fault.file), fault.line, fault.kind, fault.text)
        for fault in folder.faults
    ]
    for number, picture in enumerate(folder.pictures):
        if progress:
            progress(f"checking {folder.path.name}", number, len(folder.pictures))
        findings += _check_picture(folder, picture, input_size, tiny_px)
    order = list(KINDS)
    return sorted(findings, key=lambda f: (order.index(f.kind), f.file, f.line))


def counted(findings: list[Finding]) -> dict[str, int]:
    """Number of findings a kind, in the order of :data:`KINDS`."""
    counts = Counter(finding.kind for finding in findings)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def _check_picture(
    folder: LabelledFolder, picture: FolderPicture, input_size: int, tiny_px: float
) -> Iterator[Finding]:
    file = folder.relative(picture.file)
    label_file = folder.relative(picture.label_file)
    if not picture.labelled:
        yield Finding(file, 0, "picture_without_label", f"no label file {label_file}")
    labels = [label for label in picture.labels if isinstance(label, Label)]
    for fault in picture.labels:
        if isinstance(fault, LabelFault):
            yield Finding(label_file, fault.line, fault.kind, fault.text)
    yield from _check_pairs(label_file, labels)

    try:
        size, turned = _decoded_size(picture.file)
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        yield Finding(file, 0, "unreadable", f"cannot be decoded: {error}")
        return
    if turned:
        yield Finding(file, 0, "rotated", "carries an EXIF rotation")
    if picture.stated_size not in (None, size):
        text = f"is {_by(size)}, labelled as {_by(picture.stated_size)}"
        yield Finding(file, 0, "wrong_size", text)
    scale = input_size / max(size)
    for label in labels:
        x1, y1, x2, y2 = label.box.xyxy
        w, h = (x2 - x1) * size[0] * scale, (y2 - y1) * size[1] * scale
        if min(w, h) < tiny_px:
            text = f"{label.box.name} of {w:.1f} by {h:.1f} px at {input_size}"
            yield Finding(label_file, label.line, "tiny", text)


def _check_pairs(label_file: str, labels: list[Label]) -> Iterator[Finding]:
    for first, second in combinations(labels, 2):
        a, b = first.box, second.box
        overlap = iou(a.xyxy, b.xyxy)
        if overlap >= SAME_BOX_IOU:
            kind = "duplicate" if a.name == b.name else "duplicate_across_classes"
            text = f"{b.name} on the {a.name} of {first.line}, IoU {overlap:.2f}"
            yield Finding(label_file, second.line, kind, text)
        elif a.name == b.name and (share := _nested_share(a, b)) >= NESTED_SHARE:
            inner, outer = (first, second) if area(a.xyxy) <= area(b.xyxy) else (second, first)
            text = f"{a.name} lies {share:.0%} within that of {outer.line}"
            yield Finding(label_file, inner.line, "nested", text)


def _nested_share(a: Box, b: Box) -> float:
    return intersection(a.xyxy, b.xyxy) / max(min(area(a.xyxy), area(b.xyxy)), 1e-9)


def _decoded_size(file: Path) -> tuple[tuple[int, int], bool]:
    """Width and height of the upright picture, and whether EXIF turns it; decodes all of it."""
    # Pillow says that a file is cut off where OpenCV fills the rest with grey.
    with PIL.Image.open(file) as picture:
        picture.load()
        orientation = picture.getexif().get(0x0112, 1)
        w, h = picture.size
    return ((h, w) if orientation in (5, 6, 7, 8) else (w, h)), orientation not in (0, 1)


def _by(size: tuple[int, int] | None) -> str:
    return "x".join(map(str, size or ()))
