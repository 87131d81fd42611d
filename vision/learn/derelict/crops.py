"""Crops of vehicles from a built data set, brought to one size and one quality.

Derelict vehicles come from other origins than sound ones, and size, sharpness and compression tell
origins apart. So a crop is first shrunk to a side that is drawn without regard to its class, out of
crops that are large enough for it, and compressed anew; only then is it brought to the input.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from vision.detect.classifier import MARGIN, cut, fit
from vision.errors import InputError
from vision.frames.frame import Image
from vision.learn.data.labels import Box, read_boxes
from vision.learn.data.pictures import Picture, Split, read_image, read_pictures

CONTEXT = 0.3
"""Share of a box's sides that is kept around it, more than any crop shows."""

KEPT_SIDE = 256
"""Boxes with a longer side are kept shrunk to it, in pixels."""

EQUAL_QUALITY = 70
"""JPEG quality of crops that are compared."""

Fraction = Annotated[float, Field(ge=0, le=1)]


class CropRules(BaseModel):
    """Which boxes become crops.

    Attributes:
        positive: Class to be told from the others.
        negative: Classes of sound vehicles. Such boxes in a picture that also shows a positive are
            left out: in a scrapyard only one wreck is labelled.
        leave_out: Sources whose pictures are not used.
        least_side: Boxes whose longer side is shorter are left out, in pixels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    positive: str = "derelict_vehicle"
    negative: tuple[str, ...] = ("car", "bus", "truck")
    leave_out: tuple[str, ...] = ()
    least_side: Annotated[int, Field(ge=8)] = 48


class Wear(BaseModel):
    """How training crops are varied; each range holds the ends of a uniform distribution.

    Attributes:
        side: Longer side to which a crop is shrunk, in pixels; uniform in its logarithm.
        quality: JPEG quality.
        margin: What a crop shows around the box on each side, as share of it; below 0 it is cut.
        blur: Share of crops that are blurred, by up to 1.2 pixels.
        gain: Contrast.
        offset: Brightness added, in grey levels.
        saturation: Factor on colour; 0 is grey.
        grey: Share of crops without colour, as by night.
        turn_deg: Largest turn to either side, in degrees.
        hide: Share of crops in which a block of noise hides a part.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    side: tuple[int, int] = (40, 160)
    quality: tuple[int, int] = (30, 90)
    margin: tuple[float, float] = (-0.06, 0.2)
    blur: Fraction = 0.3
    gain: tuple[float, float] = (0.65, 1.35)
    offset: tuple[float, float] = (-30.0, 30.0)
    saturation: tuple[float, float] = (0.4, 1.4)
    grey: Fraction = 0.15
    turn_deg: float = 6.0
    hide: Fraction = 0.2


@dataclass(frozen=True, eq=False)
class Crop:
    """One vehicle with some of what is around it.

    Attributes:
        image: BGR uint8 ``(h, w, 3)``: the box and :data:`CONTEXT`.
        box: ``x1, y1, x2, y2`` of the vehicle in pixels of ``image``.
        positive: Whether it is of the class to be told from the others.
        source: Source in the data set.
        pair: Letters with which the picture's name begins. Crops of both classes with the same
            letters were made alike: among them nothing but the vehicle tells.
        group: Pictures of one group are on one side of the split.
        side: Longer side of the box in the data set's picture, in pixels.
    """

    image: Image
    box: tuple[float, float, float, float]
    positive: bool
    source: str
    pair: str
    group: str
    side: int

    @property
    def origin(self) -> tuple[str, str]:
        """Crops of one origin were made alike and are of one class."""
        return self.source, self.pair


def read_crops(data_dir: Path, rules: CropRules, split: Split) -> list[Crop]:
    """Cut the crops of one side of a data set.

    Args:
        data_dir: Built by :func:`vision.learn.data.dataset.build_dataset`.
        rules: Which boxes to take.
        split: ``train`` or ``val``.

    Raises:
        InputError: The data set or one of its pictures cannot be read.
    """
    try:
        data = yaml.safe_load((data_dir / "data.yaml").read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{data_dir / 'data.yaml'}: cannot be read: {error}") from error
    names = tuple(data["names"].values())
    crops: list[Crop] = []
    for picture in read_pictures(data_dir):
        if picture.split != split or picture.source in rules.leave_out:
            continue
        label = data_dir / "labels" / Path(picture.file).relative_to("images").with_suffix(".txt")
        boxes = read_boxes(label, names)
        wanted = _wanted(boxes, rules, picture)
        if wanted:
            image = read_image(data_dir / picture.file)
            crops += [crop for box in wanted if (crop := _crop(image, box, rules, picture))]
    return crops


def _wanted(boxes: Sequence[Box], rules: CropRules, picture: Picture) -> list[Box]:
    positive = [box for box in boxes if box.name == rules.positive]
    if positive or rules.positive in picture.unknown:
        return positive
    return [box for box in boxes if box.name in rules.negative]


def _crop(image: Image, box: Box, rules: CropRules, picture: Picture) -> Crop | None:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (edge * size for edge, size in zip(box.xyxy, (width, height) * 2, strict=True))
    side = round(max(x2 - x1, y2 - y1))
    if side < rules.least_side:
        return None
    left, top = (max(0, round(low - CONTEXT * (high - low))) for low, high in ((x1, x2), (y1, y2)))
    window = cut(image, (x1, y1, x2, y2), (CONTEXT,) * 4)
    scale = min(1.0, KEPT_SIDE / side)
    if scale < 1:
        window = resized(window, scale)
    stem = Path(picture.file).stem.split("--")[-1]
    letters = re.match(r"[A-Za-z]*", stem)
    return Crop(
        image=window.copy(),
        box=(
            (x1 - left) * scale,
            (y1 - top) * scale,
            (x2 - left) * scale,
            (y2 - top) * scale,
        ),
        positive=box.name == rules.positive,
        source=picture.source,
        pair=letters.group() if letters else "",
        group=picture.group,
        side=side,
    )


def equalised(crop: Crop, side: int) -> Image | None:
    """A crop as it is compared: shrunk to one size, compressed to one quality.

    Args:
        crop: The crop.
        side: Longer side of the vehicle's box, in pixels.

    Returns:
        BGR uint8, or ``None`` if the vehicle is smaller.
    """
    if crop.side < side:
        return None
    view = cut(crop.image, crop.box, (MARGIN,) * 4)
    x1, y1, x2, y2 = crop.box
    return compressed(resized(view, side / max(x2 - x1, y2 - y1)), EQUAL_QUALITY)


def compressed(image: Image, quality: int) -> Image:
    """A picture after JPEG compression, BGR uint8 of the same size."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cast("Image", cv2.imdecode(data, cv2.IMREAD_COLOR))


class Drawer:
    """Draws training crops: as many of one class as of the other, at every size.

    Origins of a class are drawn by the root of their size, so that a small one is not lost.
    """

    def __init__(self, crops: Sequence[Crop], wear: Wear, input_size: int) -> None:
        """Sort the crops.

        Args:
            crops: Of both classes.
            wear: How they are varied.
            input_size: Side of the classifier's input in pixels.

        Raises:
            InputError: A class has no crop.
        """
        self._wear = wear
        self._input_size = input_size
        self._classes: list[tuple[list[Crop], NDArray[np.float64], NDArray[np.int64]]] = []
        for positive in (False, True):
            mine = sorted(
                (crop for crop in crops if crop.positive == positive), key=lambda crop: -crop.side
            )
            if not mine:
                raise InputError(
                    f"the data set has no crop of a {'derelict' if positive else 'sound'} vehicle"
                )
            sizes = Counter(crop.origin for crop in mine)
            weights = np.array([sizes[crop.origin] ** -0.5 for crop in mine])
            self._classes.append((mine, weights, np.array([crop.side for crop in mine])))

    def batch(
        self, count: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Draw crops of both classes in turn.

        Returns:
            ``(count, size, size, 3)`` BGR uint8 and ``(count,)`` float32, 1 for a positive.
        """
        low, high = self._wear.side
        images, truth = [], []
        for i in range(count):
            mine, weights, sides = self._classes[i % 2]
            side = round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))
            # The side is drawn first: it must say nothing about the class.
            enough = max(int((sides >= side).sum()), 1)
            share = weights[:enough] / weights[:enough].sum()
            crop = mine[int(rng.choice(enough, p=share))]
            images.append(fit(worn(crop, side, self._wear, rng), self._input_size))
            truth.append(float(i % 2))
        return np.stack(images), np.array(truth, np.float32)


def worn(crop: Crop, side: int, wear: Wear, rng: np.random.Generator) -> Image:
    """A variant of a crop: framing, size, sharpness, light, colour, compression.

    Args:
        crop: The crop.
        side: Longer side of the vehicle's box in pixels; a smaller vehicle is left as it is.
        wear: How much is varied.
        rng: Source of chance.
    """
    image = _turned(crop, float(rng.uniform(-wear.turn_deg, wear.turn_deg)))
    x1, y1, x2, y2 = crop.box
    view = cut(image, crop.box, rng.uniform(*wear.margin, 4).tolist())
    view = resized(view, min(side / max(x2 - x1, y2 - y1), 1.0))
    if rng.random() < 0.5:
        view = view[:, ::-1]
    if rng.random() < wear.blur:
        view = cast("Image", cv2.GaussianBlur(view, (0, 0), float(rng.uniform(0.3, 1.2))))
    level = view.astype(np.float32)
    saturation = 0.0 if rng.random() < wear.grey else float(rng.uniform(*wear.saturation))
    luma = level.mean(axis=2, keepdims=True)
    level = luma + (level - luma) * saturation
    level = (level - 128) * rng.uniform(*wear.gain) + 128 + rng.uniform(*wear.offset)
    view = np.clip(level, 0, 255).astype(np.uint8)
    if rng.random() < wear.hide:
        h, w = view.shape[:2]
        part_w, part_h = (max(1, int(s * rng.uniform(0.15, 0.45))) for s in (w, h))
        x, y = int(rng.integers(0, w - part_w + 1)), int(rng.integers(0, h - part_h + 1))
        view[y : y + part_h, x : x + part_w] = rng.integers(0, 256, (part_h, part_w, 3))
    return compressed(view, int(rng.integers(wear.quality[0], wear.quality[1] + 1)))


def _turned(crop: Crop, degrees: float) -> Image:
    h, w = crop.image.shape[:2]
    x1, y1, x2, y2 = crop.box
    matrix = cv2.getRotationMatrix2D(((x1 + x2) / 2, (y1 + y2) / 2), degrees, 1.0)
    turned = cv2.warpAffine(
        crop.image, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return cast("Image", turned)


def resized(image: Image, scale: float) -> Image:
    """A picture scaled by the mean over each pixel's area, at least one pixel wide and high."""
    h, w = image.shape[:2]
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    return cast("Image", cv2.resize(image, size, interpolation=cv2.INTER_AREA))
