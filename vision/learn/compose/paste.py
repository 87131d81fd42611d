"""Put a thing into a picture: scale, light, sharpness, noise, shadow and soft edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.frame import Image
from vision.learn.compose.cutouts import Mask
from vision.learn.compose.ground import Rect

SEEN_ALPHA = 110
"""Alpha 0..255 from which a pixel counts as the thing's."""

_BLURS = (0.0, 0.45, 0.6, 0.8, 1.0, 1.3)


@dataclass(frozen=True, eq=False)
class Layer:
    """A thing ready to be pasted.

    Attributes:
        x: Left edge in the picture; it may lie outside.
        y: Top edge.
        image: ``(h, w, 3)`` uint8 BGR, not premultiplied.
        alpha: ``(h, w)`` uint8.
    """

    x: int
    y: int
    image: Image
    alpha: Mask


@dataclass(frozen=True)
class Look:
    """How a background looks.

    Attributes:
        mean: Mean in 8-bit CIE Lab.
        spread: Standard deviation of L.
        detail: Fine against coarse detail, see :func:`detail`.
        noise: Standard deviation of its noise in grey levels.
        sunny: Whether things cast hard shadows there.
        lean: Where shadows fall: sideways reach of a thing's height.
        flat: Length of shadows as a share of a thing's height.
    """

    mean: tuple[float, float, float]
    spread: float
    detail: float
    noise: float
    sunny: bool
    lean: float
    flat: float


def look_of(image: Image, rng: np.random.Generator) -> Look:
    """Measure a background; the direction of its light is drawn."""
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_BGR2LAB).reshape(-1, 3).astype(np.float32)
    mean = lab.mean(axis=0)
    spread = float(lab[:, 0].std())
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    rough = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1.0))
    # Median of the high-pass: most of a street is flat, so this is noise and not detail.
    noise = float(np.median(rough)) * 1.48
    return Look(
        (float(mean[0]), float(mean[1]), float(mean[2])), spread, detail(image, None), noise,
        spread > 52 and mean[0] > 95, float(rng.uniform(-1.1, 1.1)), float(rng.uniform(0.12, 0.4)),
    )  # fmt: skip


def detail(image: Image, alpha: Mask | None) -> float:
    """Mean absolute detail below 1 px against that of 1 to 2 px: high where sharp."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    one, two = cv2.GaussianBlur(grey, (0, 0), 0.8), cv2.GaussianBlur(grey, (0, 0), 1.8)
    fine, coarse = np.abs(grey - one), np.abs(one - two)
    if alpha is None:
        inside = coarse > np.percentile(coarse, 80)
    else:
        inside = cv2.erode(alpha, np.ones((3, 3), np.uint8)) > 200
        if inside.sum() < 30:
            return 0.5
    return float(fine[inside].mean() / max(float(coarse[inside].mean()), 1e-3))


def fit_light(
    image: Image, mean: NDArray[np.float32], spread: float, look: Look, strength: float
) -> Image:
    """Move a thing's light and tint from its own picture's towards the background's.

    Args:
        image: BGR of the thing.
        mean: Mean of its picture in 8-bit CIE Lab.
        spread: Standard deviation of its picture's L.
        look: The background.
        strength: 0 leaves it .. 1 moves it wholly.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB).astype(np.float32)
    gain = 1 + strength * (float(np.clip(look.spread / max(spread, 1.0), 0.6, 1.25)) - 1)
    # A dark thing on a bright street stays dark: far shifts would make it look like fog.
    shift = float(np.clip(look.mean[0] - mean[0], -45, 20))
    lab[..., 0] = (lab[..., 0] - mean[0]) * gain + mean[0] + strength * shift
    for channel in (1, 2):
        shift = float(np.clip(look.mean[channel] - mean[channel], -14, 14))
        lab[..., channel] += 0.7 * strength * shift
    return cast("Image", cv2.cvtColor(np.clip(lab, 0, 255).astype(np.uint8), cv2.COLOR_LAB2BGR))


def resize(image: Image, alpha: Mask, size: tuple[int, int]) -> tuple[Image, Mask]:
    """Scale a thing; colours are premultiplied so that its old surroundings do not bleed in."""
    shrinks = size[0] < image.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    share = alpha.astype(np.float32)[..., None] / 255
    thick = np.dstack([image.astype(np.float32) * share, share])
    small = cv2.resize(thick, size, interpolation=way)
    weight = small[..., 3]
    colour = small[..., :3] / np.maximum(weight, 1e-3)[..., None]
    # Outside of the thing its own mean colour, which blurring may pull in.
    inside = weight > 0.5
    middle = colour[inside].mean(axis=0) if inside.any() else colour.mean(axis=(0, 1))
    colour[weight < 0.02] = middle
    return (
        cast("Image", np.clip(colour, 0, 255).astype(np.uint8)),
        np.clip(weight * 255, 0, 255).astype(np.uint8),
    )


def soften(layer: Layer, look: Look, rng: np.random.Generator, *, feather: float) -> Layer:
    """Blur, noise and a feathered edge as the background has them."""
    image, alpha = layer.image, layer.alpha
    pad = 3
    image = cast("Image", cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE))
    alpha = np.asarray(cv2.copyMakeBorder(alpha, pad, pad, pad, pad, cv2.BORDER_CONSTANT), np.uint8)
    blurred = [image if s == 0 else cv2.GaussianBlur(image, (0, 0), s) for s in _BLURS]
    fits = [abs(detail(cast("Image", b), alpha) - look.detail) for b in blurred]
    chosen = blurred[int(np.argmin(fits))]
    noisy = chosen.astype(np.float32)
    noisy += rng.normal(0, 0.8 * look.noise + 0.3, image.shape[:2])[..., None]
    # Drawn in a little, then blurred: the fringe of the old surroundings goes.
    sigma = feather + 0.5 * _BLURS[int(np.argmin(fits))]
    edge = cv2.GaussianBlur(alpha, (0, 0), max(sigma, 0.35)).astype(np.float32)
    edge = np.clip((edge - 45) * (255 / 175), 0, 255).astype(np.uint8)
    return Layer(
        layer.x - pad, layer.y - pad,
        cast("Image", np.clip(noisy, 0, 255).astype(np.uint8)), edge,
    )  # fmt: skip


def blend(picture: Image, layer: Layer) -> NDArray[np.bool_]:
    """Lay a thing over a picture, in place.

    Returns:
        ``(h, w)`` whether a pixel of the picture is now the thing's.
    """
    height, width = picture.shape[:2]
    seen = np.zeros((height, width), bool)
    h, w = layer.alpha.shape
    x0, y0 = max(0, layer.x), max(0, layer.y)
    x1, y1 = min(width, layer.x + w), min(height, layer.y + h)
    if x1 <= x0 or y1 <= y0:
        return seen
    part = np.s_[y0 - layer.y : y1 - layer.y, x0 - layer.x : x1 - layer.x]
    share = layer.alpha[part].astype(np.float32)[..., None] / 255
    under = picture[y0:y1, x0:x1].astype(np.float32)
    mixed = under * (1 - share) + layer.image[part].astype(np.float32) * share
    picture[y0:y1, x0:x1] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
    seen[y0:y1, x0:x1] = layer.alpha[part] > SEEN_ALPHA
    return seen


def bounds(seen: NDArray[np.bool_]) -> Rect | None:
    """Box around what is seen of a thing, in pixels."""
    if int(seen.sum()) < 20:
        return None
    ys, xs = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return float(xs[0]), float(ys[0]), float(xs[-1] + 1), float(ys[-1] + 1)
