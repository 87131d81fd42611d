"""Rows of hoarding panels with gaps, in perspective along a street."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.frame import Image
from vision.learn.compose.cutouts import Mask
from vision.learn.compose.paste import Layer
from vision.learn.compose.places import Site
from vision.learn.scenes.camera import Camera
from vision.learn.scenes.model import Colour
from vision.learn.scenes.texture import noise_patch, noise_tile

_TEXTURE_PX_PER_M = 60

_PAINTS: tuple[Colour, ...] = (
    (150, 95, 40), (165, 110, 60), (80, 120, 60), (95, 130, 75), (165, 165, 160), (140, 142, 142),
    (205, 205, 200), (110, 80, 45),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Where a row of panels stands in the world of the background's camera, metres.

    Attributes:
        start: Ground point of its first panel.
        end: Ground point behind its last panel.
        panel_m: Length of a panel.
        height_m: Height of the panels.
        gaps: Numbers of the panels that are missing.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    panel_m: float
    height_m: float
    gaps: frozenset[int]

    @property
    def count(self) -> int:
        """Panels and gaps."""
        length = np.hypot(self.end[0] - self.start[0], self.end[1] - self.start[1])
        return max(1, round(float(length) / self.panel_m))

    def runs(self) -> list[tuple[int, int]]:
        """First and last panel of every stretch between gaps."""
        runs: list[tuple[int, int]] = []
        for i in range(self.count):
            if i in self.gaps:
                continue
            if runs and runs[-1][1] == i - 1:
                runs[-1] = (runs[-1][0], i)
            else:
                runs.append((i, i))
        return runs


def plan_row(
    site: Site,
    camera: Camera,
    rng: np.random.Generator,
    height_m: tuple[float, float],
    gap_share: float,
) -> Row | None:
    """Find a line on the ground for a row: along the street's side or across the view.

    Returns:
        ``None`` if no line was found that stands on the border of open ground and can be seen.
    """
    width, height = site.size
    for _ in range(40):
        panel_m, tall = float(rng.choice([1.0, 2.0, 2.0, 2.4])), float(rng.uniform(*height_m))
        if rng.random() < 0.6:
            # Cars look along the street: its sides run towards the vanishing point.
            side = float(rng.choice([-1, 1]) * rng.uniform(3.2, 9.5))
            near, length = float(rng.uniform(7, 22)), float(rng.uniform(8, 40))
            start, end = (side, near), (side + rng.normal(0, 0.3), near + length)
        else:
            left, length = float(rng.uniform(-14, 6)), float(rng.uniform(6, 22))
            far = float(rng.uniform(11, 32))
            start, end = (left, far), (left + length, far + rng.normal(0, 0.8))
        feet = np.linspace((*start, 0.0), (*end, 0.0), 24)
        pixels, depth = camera.project(feet)
        inside = (depth > 2) & (pixels[:, 0] > 0) & (pixels[:, 0] < width) & (pixels[:, 1] < height)
        if inside.mean() < 0.75:
            continue
        # Ground in front of the feet, something else behind them: that is a street's side.
        front = _ground_share(site, pixels[inside] + [0.0, 6.0])
        tops = camera.project(np.linspace((*start, tall), (*end, tall), 24))[0][inside]
        behind = _ground_share(site, 0.6 * pixels[inside] + 0.4 * tops)
        tallest = float((pixels[inside, 1] - tops[:, 1]).max())
        if front < 0.55 or behind > 0.45 or not 24 < tallest < 0.55 * height:
            continue
        count = max(1, round(float(np.hypot(end[0] - start[0], end[1] - start[1])) / panel_m))
        gaps: set[int] = set()
        if rng.random() < 0.7:
            for i in range(count):
                if rng.random() < gap_share:
                    gaps.update(range(i, min(count, i + int(rng.integers(1, 3)))))
        if len(gaps) > 0.6 * count:
            continue
        return Row(
            (float(start[0]), float(start[1])), (float(end[0]), float(end[1])), panel_m, tall,
            frozenset(gaps),
        )  # fmt: skip
    return None


def _ground_share(site: Site, pixels: NDArray[np.float64]) -> float:
    height, width = site.ground.shape
    x = np.clip(pixels[:, 0] * width / site.size[0], 0, width - 1).astype(int)
    y = np.clip(pixels[:, 1] * height / site.size[1], 0, height - 1).astype(int)
    return float((site.ground[y, x] > 0).mean())


def sheet(rng: np.random.Generator, length_m: float, height_m: float) -> Image:
    """Draw the surface of one painted, corrugated panel with frame, wear and dirt."""
    w, h = max(8, int(length_m * _TEXTURE_PX_PER_M)), max(8, int(height_m * _TEXTURE_PX_PER_M))
    paint = np.array(_PAINTS[int(rng.integers(len(_PAINTS)))]) * rng.uniform(0.75, 1.15)
    return _sheet(rng, paint, (w, h), rng.uniform(0.1, 0.35))


def _sheet(
    rng: np.random.Generator, paint: NDArray[np.float64], size: tuple[int, int], pitch_m: float
) -> Image:
    w, h = size
    x = np.arange(w) / _TEXTURE_PX_PER_M
    wave = np.clip(np.sin(x * 2 * np.pi / pitch_m) * 2.2, -1, 1)
    surface = np.empty((h, w, 3), np.float32)
    surface[:] = paint
    surface *= (1 + 0.1 * wave)[None, :, None]
    offset = (int(rng.integers(512)), int(rng.integers(512)))
    cloud = noise_patch(noise_tile(1.6, 4, 2), h, w, offset)
    surface *= (1 + 0.05 * cloud)[..., None]
    dust = np.clip(np.linspace(-0.7, 0.45, h)[:, None] + 0.12 * cloud, 0, 0.5)[..., None]
    surface += (np.array([135.0, 150, 160]) - surface) * dust
    for edge in (np.s_[: max(2, h // 40)], np.s_[-max(2, h // 30) :]):
        surface[edge] *= 0.72
    surface[:, : max(1, w // 60)] *= 0.6
    surface[:, -max(1, w // 60) :] *= 0.7
    return cast("Image", np.clip(surface, 0, 255).astype(np.uint8))


def draw_row(
    row: Row, camera: Camera, rng: np.random.Generator, real: list[Image], size: tuple[int, int]
) -> list[Layer]:
    """Draw a row: one layer a run between gaps, the far ones first.

    Args:
        row: Where.
        camera: The background's camera.
        rng: Draws surfaces.
        real: Real surfaces to take panels from; none draws them.
        size: Width and height of the picture.
    """
    start, end = np.array(row.start), np.array(row.end)
    step = (end - start) / row.count
    paint = np.array(_PAINTS[int(rng.integers(len(_PAINTS)))]) * rng.uniform(0.75, 1.15)
    pitch = float(rng.uniform(0.12, 0.4))
    texture = (max(8, int(row.panel_m * _TEXTURE_PX_PER_M)),
               max(8, int(row.height_m * _TEXTURE_PX_PER_M)))  # fmt: skip
    surfaces = real or [_sheet(rng, paint, texture, pitch) for _ in range(3)]
    light = rng.uniform(0.85, 1.1)
    layers: list[tuple[float, Layer]] = []
    for first, last in row.runs():
        canvas, mask = np.zeros((size[1], size[0], 3), np.uint8), np.zeros(size[::-1], np.uint8)
        nearest = np.inf
        for i in sorted(range(first, last + 1), key=lambda i: -float((start + step * i)[1])):
            a, b = start + step * i, start + step * (i + 0.985)
            lean, sag = rng.normal(0, 0.03, 2), rng.normal(0, 0.02)
            corners = np.array(
                [
                    [a[0] + lean[0], a[1], row.height_m + sag],
                    [b[0] + lean[1], b[1], row.height_m],
                    [*b, 0.03],
                    [*a, 0.03],
                ]
            )
            pixels, depth = camera.project(corners)
            if depth.min() < 2 or np.abs(pixels).max() > 8000:
                continue
            nearest = min(nearest, float(depth.min()))
            surface = surfaces[int(rng.integers(len(surfaces)))]
            _lay(canvas, mask, surface, pixels, light * rng.uniform(0.94, 1.05))
        if mask.any():
            ys, xs = np.nonzero(mask)
            window = np.s_[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
            image, alpha = canvas[window].copy(), mask[window].copy()
            layers.append((nearest, Layer(int(xs.min()), int(ys.min()), image, alpha)))
    return [layer for _, layer in sorted(layers, key=lambda pair: -pair[0])]


def _lay(
    canvas: NDArray[np.uint8],
    mask: Mask,
    surface: Image,
    pixels: NDArray[np.float64],
    gain: float,
) -> None:
    h, w = surface.shape[:2]
    wide = float(np.linalg.norm(pixels[1] - pixels[0]))
    # Shrunk first: warping alone would alias the corrugation.
    scale = float(np.clip(wide / w, 0.08, 1.0))
    if scale < 0.9:
        surface = cast("Image", cv2.resize(surface, None, fx=scale, fy=max(scale, 0.3),
                                           interpolation=cv2.INTER_AREA))  # fmt: skip
        h, w = surface.shape[:2]
    square = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    turn = cv2.getPerspectiveTransform(square, pixels.astype(np.float32))
    size = (mask.shape[1], mask.shape[0])
    cover = cv2.warpPerspective(np.full((h, w), 255, np.uint8), turn, size)
    laid = cv2.warpPerspective(surface, turn, size, borderMode=cv2.BORDER_REPLICATE)
    share = cover.astype(np.float32)[..., None] / 255
    canvas[:] = np.clip(canvas * (1 - share) + laid * (gain * share), 0, 255).astype(np.uint8)
    np.maximum(mask, cover, out=mask)
