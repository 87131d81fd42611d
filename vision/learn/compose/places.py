"""Where in a background a thing of a size can stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.learn.compose.ground import SHRINK, GroundView, Rect, overlap

TRIES = 90
"""Places looked at for one thing."""


@dataclass(frozen=True)
class Spot:
    """Where a thing stands.

    Attributes:
        x: Column of its middle in pixels.
        y: Row of its foot in pixels.
        px_per_m: Scale there.
    """

    x: float
    y: float
    px_per_m: float


@dataclass(frozen=True, eq=False)
class Site:
    """A background as things find it.

    Attributes:
        view: Its camera.
        size: Width and height in pixels.
        ground: Open ground at a quarter of the resolution, 255 where open.
        depth: Distance of open ground from its border, in pixels of the picture.
    """

    view: GroundView
    size: tuple[int, int]
    ground: NDArray[np.uint8]
    depth: NDArray[np.float32]


def look_at(view: GroundView, size: tuple[int, int], ground: NDArray[np.uint8]) -> Site:
    """Prepare a background for :func:`find_spot`."""
    framed = cv2.copyMakeBorder(ground, 1, 0, 1, 1, cv2.BORDER_REPLICATE)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:, 1:-1] * SHRINK
    return Site(view, size, ground, depth.astype(np.float32))


def find_spot(
    site: Site,
    rng: np.random.Generator,
    extent_at: Callable[[float], tuple[float, float]],
    taken: Sequence[Rect],
    *,
    place: Literal["road", "kerb"],
    side_px: tuple[int, int],
) -> Spot | None:
    """Look for a place where a thing stands on open ground and hides little.

    Args:
        site: The background.
        rng: Draws the places looked at.
        extent_at: Width and height in pixels of the thing at a scale in pixels a metre.
        taken: Boxes of things that stand there already.
        place: ``road``: anywhere; ``kerb``: near the border of the open ground.
        side_px: Least and largest longer side.

    Returns:
        ``None`` if no place was found.
    """
    width, height = site.size
    rows, columns = np.nonzero(site.ground)
    if len(rows) < 40:
        return None
    best: tuple[float, Spot] | None = None
    for pick in rng.integers(len(rows), size=TRIES):
        x = float(columns[pick] + rng.random()) * SHRINK
        y = float(rows[pick] + rng.random()) * SHRINK
        scale = site.view.px_per_m(y)
        w, h = extent_at(scale)
        if not side_px[0] <= max(w, h) <= side_px[1] or w > 0.55 * width or h > 0.65 * height:
            continue
        box = (x - w / 2, y - h, x + w / 2, y)
        if box[0] < -0.1 * w or box[2] > width + 0.1 * w or box[1] < 0 or y > 0.99 * height:
            continue
        # A nearer thing must not be painted over; a farther one may be hidden in part.
        if any(overlap(box, o) > (0.08 if o[3] >= y else 0.35) or overlap(o, box) > (
            0.15 if o[3] >= y else 0.7) for o in taken):  # fmt: skip
            continue
        strip = site.ground[
            max(0, int((y - 0.22 * min(h, w)) / SHRINK)) : int(y / SHRINK) + 1,
            max(0, int(box[0] / SHRINK)) : int(box[2] / SHRINK) + 1,
        ]
        free = float(strip.mean()) / 255 if strip.size else 0.0
        off = float(site.depth[rows[pick], columns[pick]]) / max(scale, 1e-6)
        if place == "kerb":
            if free < 0.62 or off > 3.2:
                continue
            score = abs(off - 1.0) + rng.random()
        else:
            if free < 0.86:
                continue
            score = float(rng.random())
        # Far places outnumber near ones only in metres: prefer things that can be seen.
        score -= 0.004 * min(max(w, h), 120)
        if best is None or score < best[0]:
            best = (score, Spot(x, y, scale))
    return best[1] if best else None
