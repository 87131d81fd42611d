"""The still background: sky, ground with markings and wear, facades."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.frame import Image
from vision.learn.scenes.camera import Camera
from vision.learn.scenes.layout import BAY_LENGTH_M, FAR_M, Layout, strip
from vision.learn.scenes.light import Light
from vision.learn.scenes.model import Array, Colour, mix, shade
from vision.learn.scenes.preset import ScenePreset, Side
from vision.learn.scenes.texture import TILE, noise_patch, noise_tile

_SS = 2
_SHIFT = 4


@dataclass(frozen=True, eq=False)
class Backdrop:
    """The empty view.

    Attributes:
        image: BGR uint8, evenly lit.
        soil: ``(h, w)`` bool, where bare soil is drawn, or ``None``.
        lit_windows: ``(h, w)`` uint8, windows with light in them.
    """

    image: Image
    soil: NDArray[np.bool_] | None
    lit_windows: NDArray[np.uint8]


def draw_backdrop(
    preset: ScenePreset, layout: Layout, camera: Camera, light: Light, rng: np.random.Generator
) -> Backdrop:
    """Draw the empty view."""
    width, height = camera.size
    canvas = _sky(camera, light, rng)
    canvas = cv2.resize(canvas, (width * _SS, height * _SS), interpolation=cv2.INTER_LINEAR)
    soil = _ground(canvas, preset, layout, camera, rng)
    image = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    image = _roughen(image, layout, camera, light, soil, rng=rng)
    windows = np.zeros((height, width), np.uint8)
    sides: tuple[Side, Side] = ("left", "right")
    for side in sides:
        backing = preset.street.left if side == "left" else preset.street.right
        if backing in ("buildings", "wall"):
            _row(
                image,
                windows,
                layout,
                camera,
                light=light,
                rng=rng,
                side=side,
                wall=backing == "wall",
            )
    return Backdrop(image, soil, windows)


def _horizon(camera: Camera) -> float:
    return camera.size[1] / 2 - camera.focal_px * float(np.tan(camera.pitch_rad))


def _sky(camera: Camera, light: Light, rng: np.random.Generator) -> Image:
    width, height = camera.size
    top: Colour = mix((215, 170, 120), (205, 203, 200), min(1.0, light.cloud * 1.1))
    low: Colour = mix((235, 225, 210), (215, 215, 214), light.cloud)
    if light.time == "dusk":
        top, low = (170, 130, 110), (150, 180, 225)
    if light.dark:
        top, low = (38, 30, 26), (60, 55, 58)
    horizon = max(1.0, _horizon(camera))
    share = np.clip(np.arange(height) / horizon, 0, 1)[:, None, None]
    sky = np.array(top) * (1 - share) + np.array(low) * share
    sky = np.broadcast_to(sky, (height, width, 3)).astype(np.float32)
    offset = (int(rng.integers(TILE)), int(rng.integers(TILE)))
    cloud = noise_patch(noise_tile(1.8, 4, 2), height // 2 + 1, width // 4 + 1, offset)
    cloud = cv2.resize(cloud, (width, height))
    image = np.ascontiguousarray((sky * (1 + 0.05 * cloud[..., None])).clip(0, 255), np.uint8)
    x = -20.0
    base = int(horizon) + 4
    while x < width:
        wide, tall = rng.uniform(25, 110) * width / 1280, rng.uniform(10, 75) * height / 720
        tone: Colour = mix(low, (130, 125, 120), float(rng.uniform(0.25, 0.6)))
        cv2.rectangle(image, (int(x), int(base - tall)), (int(x + wide), base + 30), tone, -1)
        for wy in range(int(base - tall) + 3, base, 5):
            line = shade(tone, 0.93)
            cv2.line(image, (int(x) + 2, wy), (int(x + wide) - 2, wy), line, 1)
        x += wide * rng.uniform(0.6, 1.6)
    return image


def _fill(canvas: Image, camera: Camera, corners: Array, colour: Colour) -> None:
    outline = camera.outline(corners)
    if len(outline) < 3:
        return
    points = ((outline + 0.5) * _SS - 0.5).clip(-60000, 60000) * (1 << _SHIFT)
    cv2.fillPoly(canvas, [np.round(points).astype(np.int32)], colour, cv2.LINE_8, _SHIFT)


def _ground(
    canvas: Image, preset: ScenePreset, layout: Layout, camera: Camera, rng: np.random.Generator
) -> NDArray[np.bool_] | None:
    y0, y1 = -5.0, FAR_M
    tar = rng.uniform(82, 128)
    asphalt: Colour = (tar * rng.uniform(0.98, 1.04), tar, tar * rng.uniform(0.97, 1.02))
    slabs: list[Colour] = [(150, 158, 165), (135, 140, 145), (120, 135, 165), (165, 170, 170)]
    paving = slabs[int(rng.integers(4))]
    paving = shade(paving, rng.uniform(0.85, 1.1))
    grass: Colour = mix((60, 105, 85), (95, 120, 120), float(rng.random()))
    _fill(canvas, camera, strip(-300, 300, y0, 900), mix(grass, asphalt, 0.4))
    soil_corners: Array | None = None
    for side, sign in (("left", -1), ("right", 1)):
        backing = preset.street.left if side == "left" else preset.street.right
        edge = layout.facade("left" if side == "left" else "right")
        if backing == "trees":
            _fill(canvas, camera, strip(edge, edge + sign * 60, y0, y1), grass)
        elif backing == "site":
            tone: Colour = mix((95, 128, 155), (75, 105, 135), float(rng.random()))
            soil_corners = strip(edge, edge + sign * 55, 1.0, 90.0)
            _fill(canvas, camera, soil_corners, tone)
            for _ in range(14):
                cx, cy = edge + sign * rng.uniform(2, 45), rng.uniform(8, 80)
                blot = np.array(
                    [[cx + rng.uniform(1, 5) * np.cos(a), cy + rng.uniform(1, 7) * np.sin(a), 0]
                     for a in np.linspace(0, 6.28, 12, endpoint=False)])  # fmt: skip
                _fill(canvas, camera, blot, shade(tone, rng.uniform(0.82, 1.12)))
        kerb = layout.kerb("left" if side == "left" else "right")
        _fill(canvas, camera, strip(kerb, edge, y0, y1), paving)
        joint = rng.choice([0.6, 1.0, 1.5])
        for y in np.arange(2, 45, joint):
            _fill(canvas, camera, strip(kerb, edge, y, y + 0.03), shade(paving, 0.86))
        for x in np.arange(kerb + sign * joint, edge, sign * joint):
            _fill(canvas, camera, strip(x, x + 0.03, y0, 60), shade(paving, 0.88))
        tactile = kerb + sign * layout.footway_m * 0.45
        if rng.random() < 0.6:
            _fill(canvas, camera, strip(tactile, tactile + 0.35, y0, y1), (95, 180, 205))
    left, right = layout.kerb("left"), layout.kerb("right")
    _fill(canvas, camera, strip(left, right, y0, y1), asphalt)
    for x, sign in ((left, -1), (right, 1)):
        _fill(canvas, camera, strip(x, x + sign * 0.18, y0, y1), shade(paving, 1.18))
        _fill(canvas, camera, strip(x - sign * 0.4, x, y0, y1), shade(asphalt, 0.9))
    for _ in range(int(rng.integers(3, 12))):
        x, y = rng.uniform(left, right), rng.uniform(4, 60)
        patch = strip(x, x + rng.uniform(0.6, 2.4), y, y + rng.uniform(1, 8))
        _fill(canvas, camera, patch, shade(asphalt, rng.uniform(0.82, 1.1)))
    for _ in range(int(rng.integers(4, 14))):
        _crack(canvas, camera, rng, (left, right), shade(asphalt, 0.75))
    _marks(canvas, layout, camera, rng, asphalt)
    for _ in range(int(rng.integers(1, 5))):
        cx, cy = rng.uniform(left, right), rng.uniform(5, 40)
        angle = np.linspace(0, 6.28, 18, endpoint=False)
        ring = np.stack([cx + 0.36 * np.cos(angle), cy + 0.36 * np.sin(angle), 0 * angle], axis=1)
        _fill(canvas, camera, ring, shade(asphalt, 0.62))
    if soil_corners is None:
        return None
    mask = np.zeros((camera.size[1], camera.size[0]), np.uint8)
    outline = camera.outline(soil_corners)
    if len(outline) >= 3:
        cv2.fillPoly(mask, [np.round(outline.clip(-20000, 20000)).astype(np.int32)], 1)
    return mask.astype(bool)


def _crack(
    canvas: Image,
    camera: Camera,
    rng: np.random.Generator,
    across: tuple[float, float],
    colour: Colour,
) -> None:
    left, right = across
    x, y = rng.uniform(left, right), rng.uniform(4, 40)
    heading = rng.uniform(0, 6.28)
    for _ in range(int(rng.integers(6, 20))):
        heading += rng.normal(0, 0.5)
        nx, ny = x + 0.5 * np.cos(heading), y + 0.5 * np.sin(heading)
        if not left < nx < right:
            return
        w = 0.02
        quad = np.array([[x - w, y, 0], [x + w, y, 0], [nx + w, ny, 0], [nx - w, ny, 0]])
        _fill(canvas, camera, quad, colour)
        x, y = nx, ny


def _marks(
    canvas: Image, layout: Layout, camera: Camera, rng: np.random.Generator, asphalt: Colour
) -> None:
    worn = float(rng.uniform(0.05, 0.5))
    white: Colour = mix((225, 228, 228), asphalt, worn)
    yellow: Colour = mix((60, 185, 225), asphalt, worn)
    y0, y1 = -3.0, 130.0
    stop = layout.crossing_m
    middle = yellow if rng.random() < 0.7 else white
    if layout.lanes > 1:
        for x in (-0.15, 0.15):
            _fill(canvas, camera, strip(x - 0.07, x + 0.07, y0, y1), middle)
        for k in range(1, layout.lanes):
            for sign in (-1, 1):
                x = sign * k * layout.lane_m
                for y in np.arange(-2, y1, 6.0):
                    _fill(canvas, camera, strip(x - 0.07, x + 0.07, y, y + 2.5), white)
    else:
        for y in np.arange(-2, y1, 6.0):
            _fill(canvas, camera, strip(-0.07, 0.07, y, y + 3.5), middle)
    for sign in (-1, 1):
        if layout.cycle_m > 0.5:
            x = sign * layout.lanes * layout.lane_m
            _fill(canvas, camera, strip(x - 0.07, x + 0.07, y0, y1), white)
        side: Side = "left" if sign < 0 else "right"
        if layout.has_bays(side):
            a, b = sign * layout.half, layout.kerb(side)
            _fill(canvas, camera, strip(a - 0.06, a + 0.06, y0, 90), white)
            for k in range(16):
                y = k * BAY_LENGTH_M
                _fill(canvas, camera, strip(a, b, y - 0.06, y + 0.06), white)
        elif rng.random() < 0.5:
            x = layout.kerb(side) - sign * 0.3
            _fill(canvas, camera, strip(x - 0.06, x + 0.06, y0, y1), yellow)
    if stop is not None:
        _fill(canvas, camera, strip(-layout.half, layout.half, stop, stop + 4), asphalt)
        for x in np.arange(-layout.half + 0.3, layout.half - 0.4, 1.0):
            _fill(canvas, camera, strip(x, x + 0.5, stop, stop + 4), white)
        _fill(canvas, camera, strip(0.2, layout.half, stop - 1.6, stop - 1.2), white)
        _fill(canvas, camera, strip(-layout.half, -0.2, stop + 5.2, stop + 5.6), white)


def _roughen(
    image: Image,
    layout: Layout,
    camera: Camera,
    light: Light,
    soil: NDArray[np.bool_] | None,
    *,
    rng: np.random.Generator,
) -> Image:
    """Lay grain, stains and wheel tracks over the ground, finer with nearness."""
    _width, height = camera.size
    top = max(0, int(_horizon(camera)) + 2)
    if top >= height:
        return image
    x, y = camera.ground_rows(top)
    away = np.hypot(x - camera.x_m, y)
    footprint = away**2 / (camera.height_m * camera.focal_px)

    def sample(tile: NDArray[np.float32], per_metre: float) -> NDArray[np.float32]:
        shift = rng.uniform(0, TILE, 2)
        mx = np.mod(x * per_metre + shift[0], TILE - 1).astype(np.float32)
        my = np.mod(y * per_metre + shift[1], TILE - 1).astype(np.float32)
        return np.asarray(cv2.remap(tile, mx, my, cv2.INTER_LINEAR))

    fade = 1 / (1 + footprint * 14)
    rough = 0.07 * sample(noise_tile(0.45, 5, 8), 42) * fade
    rough += 0.05 * sample(noise_tile(1.3, 6, 2), 9) * (0.3 + 0.7 * fade)
    rough += 0.05 * sample(noise_tile(1.9, 7, 1), 2.1)
    on_road = np.abs(x) < layout.half
    wheel = np.cos((np.abs(x) - layout.lane_m / 2) / layout.lane_m * 4 * np.pi)
    rough -= np.where(on_road, 0.025 * (1 + wheel), 0)
    if soil is not None:
        rough *= np.where(soil[top:], 2.0, 1.0)
    gain = 1 + rough
    if light.wet:
        gain *= np.where(on_road, 1 - 0.3 * light.wet, 1 - 0.2 * light.wet)
    part = image[top:].astype(np.float32) * gain[..., None]
    haze = np.clip((away - 40) / 400, 0, 0.35)[..., None] if not light.dark else 0.0
    part = part * (1 - haze) + np.array([222, 218, 214], np.float32) * haze
    image[top:] = part.clip(0, 255).astype(np.uint8)
    return image


def _row(
    image: Image,
    windows: NDArray[np.uint8],
    layout: Layout,
    camera: Camera,
    *,
    light: Light,
    rng: np.random.Generator,
    side: Side,
    wall: bool,
) -> None:
    """Buildings (or a wall) along one side, far ones first."""
    x = layout.facade(side)
    sign = 1 if side == "right" else -1
    y, blocks = -10.0, []
    while y < 130:
        long = rng.uniform(9, 26)
        blocks.append((y, y + long, rng.uniform(7, 34) if not wall else rng.uniform(2.2, 3.2)))
        y += long + (rng.uniform(0, 5) if rng.random() < 0.35 and not wall else 0.0)
    for start, end, tall in reversed(blocks):
        tone = _wall_colour(rng)
        begin = max(start, 0.8)
        if end - begin < 2:
            continue
        fresh = np.random.default_rng(rng.integers(2**32))
        front, lit = _facade(fresh, end - begin, tall, tone, shops=not wall)
        bright = 0.62 + 0.45 * max(0.0, float(light.sun.direction[0]) * -sign) * (1 - light.cloud)
        if not wall:
            gable, gable_lit = _facade(fresh, 11, tall, shade(tone, 0.95), shops=False)
            corners = np.array([[x, start, tall], [x + sign * 11, start, tall],
                                [x + sign * 11, start, 0], [x, start, 0]])  # fmt: skip
            shine = 0.62 + 0.45 * max(0.0, -float(light.sun.direction[1])) * (1 - light.cloud)
            _stick(image, windows, camera, corners, (gable, gable_lit), bright=shine)
        corners = np.array([[x, begin, tall], [x, end, tall], [x, end, 0], [x, begin, 0]])
        if side == "left":
            corners = corners[[1, 0, 3, 2]]
        _stick(image, windows, camera, corners, (front, lit), bright=bright)


def _wall_colour(rng: np.random.Generator) -> Colour:
    tones: list[Colour] = [
        (175, 195, 210), (200, 205, 208), (150, 165, 185), (110, 130, 170), (165, 165, 165),
        (185, 205, 205), (130, 150, 150), (95, 110, 140),
    ]  # fmt: skip
    return shade(tones[int(rng.integers(len(tones)))], rng.uniform(0.8, 1.1))


def _facade(
    rng: np.random.Generator, long: float, tall: float, tone: Colour, *, shops: bool
) -> tuple[Image, NDArray[np.uint8]]:
    """Flat picture of a facade and a mask of its lit windows, 14 pixels a metre."""
    scale = 14
    w, h = max(20, int(long * scale)), max(20, int(tall * scale))
    image = np.empty((h, w, 3), np.uint8)
    image[:] = np.array(tone, np.uint8)
    lit = np.zeros((h, w), np.uint8)
    ground = int(3.6 * scale) if shops else 0
    storey, bay = int(rng.uniform(2.9, 3.3) * scale), int(rng.uniform(2.2, 3.6) * scale)
    ww, wh = bay * rng.uniform(0.4, 0.7), storey * rng.uniform(0.4, 0.58)
    frame = shade(tone, rng.choice([0.8, 1.15]))
    for top in range(h - ground - storey, -storey // 3, -storey):
        if tall < 4:
            break
        if rng.random() < 0.3:
            cv2.line(image, (0, top + storey), (w, top + storey), shade(tone, 0.85), 2)
        for left in range(int(bay * 0.2), w - int(ww), bay):
            y, x2, y2 = top + int(storey * 0.22), left + int(ww), top + int(storey * 0.22 + wh)
            glass = rng.uniform(45, 120)
            cv2.rectangle(image, (left - 2, y - 2), (x2 + 2, y2 + 2), frame, -1)
            cv2.rectangle(image, (left, y), (x2, y2), (glass * 1.05, glass, glass * 0.92), -1)
            if rng.random() < 0.4:
                cv2.rectangle(image, (left, y), (left + int(ww * rng.uniform(0.2, 0.6)), y2),
                              (glass + 60, glass + 65, glass + 65), -1)  # fmt: skip
            cv2.line(image, ((left + x2) // 2, y), ((left + x2) // 2, y2), frame, 1)
            if rng.random() < 0.22:
                ax, ay = x2 - int(0.7 * scale), y2 + 4
                cv2.rectangle(image, (ax, ay), (ax + int(0.8 * scale), ay + int(0.55 * scale)),
                              (200, 202, 202), -1)  # fmt: skip
                cv2.circle(image, (ax + 6, ay + 4), 3, (120, 120, 120), -1)
            if rng.random() < 0.35:
                cv2.rectangle(lit, (left, y), (x2, y2), int(rng.integers(120, 255)), -1)
    if shops:
        _shops(image, lit, rng, h - ground, scale)
    stain = cv2.resize(noise_patch(noise_tile(1.4, 8, 2), h // 2 + 1, w // 2 + 1,
                       (int(rng.integers(TILE)), int(rng.integers(TILE)))), (w, h))  # fmt: skip
    image = (image * (1 + 0.06 * stain[..., None])).clip(0, 255).astype(np.uint8)
    return image, lit


def _shops(
    image: Image, lit: NDArray[np.uint8], rng: np.random.Generator, top: int, scale: int
) -> None:
    h, w = image.shape[:2]
    x = 0
    while x < w - scale:
        wide = int(rng.uniform(3, 6) * scale)
        inner: Colour = shade((90, 95, 100), rng.uniform(0.5, 1.5))
        cv2.rectangle(image, (x + 4, top + scale), (x + wide - 4, h), inner, -1)
        if rng.random() < 0.35:
            for y in range(top + scale, h, 3):
                cv2.line(image, (x + 4, y), (x + wide - 4, y), (150, 150, 150), 1)
        else:
            cv2.rectangle(lit, (x + 4, top + scale), (x + wide - 4, h), 200, -1)
            for _ in range(10):
                a, b = rng.integers(x + 5, x + wide - 8), rng.integers(top + scale, h - 6)
                goods = tuple(float(v) for v in rng.uniform(40, 220, 3))
                cv2.rectangle(image, (int(a), int(b)), (int(a) + 6, int(b) + 8), goods, -1)
        sign = tuple(float(v) for v in rng.uniform(20, 220, 3))
        if rng.random() < 0.5:
            sign = ((40, 40, 190), (150, 80, 30), (60, 130, 50), (40, 160, 225))[
                int(rng.integers(4))
            ]
        cv2.rectangle(image, (x + 2, top + 2), (x + wide - 2, top + scale), sign, -1)
        cv2.rectangle(lit, (x + 2, top + 2), (x + wide - 2, top + scale), 230, -1)
        glyph = (240.0, 240.0, 240.0) if rng.random() < 0.7 else (60.0, 220.0, 245.0)
        for gx in range(x + 8, x + wide - 12, 12):
            for _ in range(5):
                start = (gx + int(rng.integers(0, 8)), top + 4 + int(rng.integers(0, scale - 7)))
                end = (gx + int(rng.integers(0, 8)), start[1])
                if rng.random() < 0.5:
                    end = (start[0], top + 4 + int(rng.integers(0, scale - 7)))
                cv2.line(image, start, end, glyph, 1)
        x += wide


def _stick(
    image: Image,
    windows: NDArray[np.uint8],
    camera: Camera,
    corners: Array,
    facade: tuple[Image, NDArray[np.uint8]],
    *,
    bright: float,
) -> None:
    """Lay a flat picture on a rectangle in space; corners from its top left, clockwise."""
    texture, lit = facade
    pixels, depth = camera.project(corners)
    if depth.min() < 0.3:
        return
    width, height = camera.size
    low = np.floor(pixels.min(axis=0)).astype(int)
    high = np.ceil(pixels.max(axis=0)).astype(int)
    x0, y0, x1, y1 = max(0, low[0]), max(0, low[1]), min(width, high[0]), min(height, high[1])
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    span = np.abs(pixels[1] - pixels[0]).max()
    while texture.shape[1] > 2.5 * span and min(texture.shape[:2]) > 8:
        half = (max(1, texture.shape[1] // 2), max(1, texture.shape[0] // 2))
        texture = cv2.resize(texture, half, interpolation=cv2.INTER_AREA)
        lit = cv2.resize(lit, half, interpolation=cv2.INTER_AREA)
    h, w = texture.shape[:2]
    source = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    target = (pixels - [x0, y0]).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    size = (x1 - x0, y1 - y0)
    flat = cv2.warpPerspective(np.ascontiguousarray(texture), matrix, size, flags=cv2.INTER_LINEAR,
                               borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    glow = cv2.warpPerspective(np.ascontiguousarray(lit), matrix, size)
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    shape = np.round(target.clip(-30000, 30000) * 16).astype(np.int32)
    cv2.fillConvexPoly(mask, shape, 255, cv2.LINE_AA, 4)
    part = image[y0:y1, x0:x1]
    share = mask[..., None].astype(np.float32) / 255
    part[:] = (
        part * (1 - share) + np.minimum(flat * np.float32(bright * 1.25), 255) * share
    ).astype(np.uint8)
    hit = mask > 127
    windows[y0:y1, x0:x1][hit] = glow[hit]
