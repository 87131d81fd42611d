"""Models to small pictures with alpha, shaded and anti-aliased."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.learn.scenes.camera import NEAR_M, Camera
from vision.learn.scenes.model import Array, Finish, Model, face_normals, placed
from vision.learn.scenes.texture import TILE, noise_patch, noise_tile

_SHIFT = 3


@dataclass(frozen=True, eq=False)
class Sun:
    """Light that models are shaded with.

    Attributes:
        direction: ``(3,)`` unit vector towards the sun.
        strength: ``(3,)`` BGR gain of the direct light.
        ambient: ``(3,)`` BGR gain of the sky light.
        sky: ``(3,)`` BGR 0..255 colour that glossy faces mirror.
    """

    direction: Array
    strength: Array
    ambient: Array
    sky: Array


@dataclass(frozen=True)
class Pose:
    """Where a thing stands: world metres and heading in radians (0 along +y, right positive)."""

    x: float
    y: float
    heading: float = 0.0
    z: float = 0.0


@dataclass(frozen=True, eq=False)
class Sprite:
    """Picture of one thing, cut to the frame.

    Attributes:
        x: Left edge in the frame.
        y: Top edge in the frame.
        colour: ``(h, w, 3)`` uint8 BGR, premultiplied with alpha.
        alpha: ``(h, w)`` uint8.
        inside: Share of the thing's box that lies in the frame.
    """

    x: int
    y: int
    colour: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    inside: float


def rasterise(model: Model, pose: Pose, camera: Camera, sun: Sun, seed: int) -> Sprite | None:
    """Draw a model where it stands.

    Args:
        model: What to draw.
        pose: Where.
        camera: Who looks.
        sun: Light.
        seed: Offsets of the surface noise.

    Returns:
        ``None`` when nothing of it falls into the frame.
    """
    corners = placed(model.corners, pose.x, pose.y, pose.heading, pose.z)
    ends = placed(model.ends, pose.x, pose.y, pose.heading, pose.z)
    face_px, face_depth = _project(corners, camera)
    end_px, end_depth = _project(ends, camera)
    near_faces = face_depth.min(axis=1, initial=np.inf) > NEAR_M
    near_ends = end_depth.min(axis=1, initial=np.inf) > NEAR_M
    radius_px = model.stroke_radius * camera.focal_px / np.maximum(end_depth.mean(axis=1), NEAR_M)

    low = [face_px[near_faces].reshape(-1, 2), end_px[near_ends].reshape(-1, 2)]
    spread = np.repeat(radius_px[near_ends], 2)[:, None]
    stack_low = np.concatenate([low[0], low[1] - spread])
    stack_high = np.concatenate([low[0], low[1] + spread])
    if not len(stack_low):
        return None
    full_low, full_high = stack_low.min(axis=0), stack_high.max(axis=0)
    width, height = camera.size
    x0, y0 = int(max(0, np.floor(full_low[0]) - 1)), int(max(0, np.floor(full_low[1]) - 1))
    x1 = int(min(width, np.ceil(full_high[0]) + 1))
    y1 = int(min(height, np.ceil(full_high[1]) + 1))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    span = np.maximum(full_high - full_low, 1e-6)
    seen = np.minimum(full_high, [width, height]) - np.maximum(full_low, 0)
    inside = float(np.prod(np.clip(seen / span, 0, 1)))

    scale = 3 if max(x1 - x0, y1 - y0) < 90 else 2 if max(x1 - x0, y1 - y0) < 520 else 1
    canvas = np.zeros(((y1 - y0) * scale, (x1 - x0) * scale, 4), np.uint8)

    faces = np.flatnonzero(near_faces)
    colours, depth_key, front = _shade(model, corners, faces, camera, sun)
    faces, colours, depth_key = faces[front], colours[front], depth_key[front]
    strokes = np.flatnonzero(near_ends)
    stroke_colours = model.stroke_colours[strokes] * (
        0.5 * sun.strength * max(float(sun.direction[2]), 0.2) + 0.85 * sun.ambient
    )
    stroke_key = (
        np.linalg.norm(ends[strokes].mean(axis=1) - camera.place, axis=1)
        - model.stroke_bias[strokes]
    )
    unit = scale * (1 << _SHIFT)
    face_points = _fixed(face_px[faces] - [x0, y0], unit)
    end_points = _fixed(end_px[strokes] - [x0, y0], unit)
    thickness = np.maximum(1, np.round(radius_px[strokes] * 2 * scale)).astype(int).tolist()
    balls = (model.ends[strokes, 0] == model.ends[strokes, 1]).all(axis=1).tolist()
    ball_radius = np.maximum(1, np.round(radius_px[strokes] * unit)).astype(int).tolist()
    paint = [
        (float(b), float(g), float(r), 255.0)
        for b, g, r in np.clip(np.concatenate([colours, stroke_colours]), 0, 255)
    ]
    for i in np.argsort(-np.concatenate([depth_key, stroke_key])).tolist():
        if i < len(faces):
            cv2.fillConvexPoly(canvas, face_points[i], paint[i], cv2.LINE_8, _SHIFT)
            continue
        j = i - len(faces)
        start, end = end_points[j].tolist()
        if balls[j]:
            cv2.circle(canvas, start, ball_radius[j], paint[i], -1, cv2.LINE_8, _SHIFT)
        else:
            cv2.line(canvas, start, end, paint[i], min(thickness[j], 255), cv2.LINE_8, _SHIFT)
    offset = (seed * 131 % TILE, seed * 197 % TILE)
    if model.finish.fray > 0:
        _fray(canvas, model.finish.fray, offset)
    if scale > 1:
        canvas = cv2.resize(canvas, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    _finish(canvas, model.finish, offset)
    alpha = np.ascontiguousarray(canvas[..., 3])
    if not alpha.any():
        return None
    return Sprite(x0, y0, np.ascontiguousarray(canvas[..., :3]), alpha, inside)


def _project(points: Array, camera: Camera) -> tuple[Array, Array]:
    pixels, depth = camera.project(points.reshape(-1, 3))
    return pixels.reshape(*points.shape[:2], 2), depth.reshape(points.shape[:2])


def _fixed(pixels: Array, unit: int) -> NDArray[np.int32]:
    return np.round((pixels * unit).clip(-120000, 120000)).astype(np.int32)


def _shade(
    model: Model, corners: Array, index: NDArray[np.intp], camera: Camera, sun: Sun
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Colours, sorting distance and visibility of the faces ``index``."""
    quads = corners[index]
    middle = quads.mean(axis=1)
    normal = face_normals(quads)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    view = middle - camera.place
    distance = np.linalg.norm(view, axis=1)
    view /= np.maximum(distance, 1e-9)[:, None]
    slant = np.einsum("ij,ij->i", normal, view)
    front = (slant < 0) | ~model.one_sided[index]
    normal = np.where((slant > 0)[:, None], -normal, normal)
    slant = -np.abs(slant)

    direct = np.maximum(normal @ sun.direction, 0)[:, None] * sun.strength
    skylight = (0.66 + 0.34 * normal[:, 2:]) * sun.ambient
    lit = model.colours[index] * (direct + skylight)
    mirrored = view - 2 * slant[:, None] * normal
    gloss = model.gloss[index]
    share = np.clip(mirrored[:, 2] * 1.6 + 0.25, 0.06, 1.0) * gloss
    share = (share * (0.12 + 0.88 * (1 + slant) ** 4))[:, None]
    glint = (np.maximum(mirrored @ sun.direction, 0) ** 24 * gloss * 90)[:, None]
    lit = lit * (1 - share) + sun.sky * share + glint * sun.strength
    return lit, distance - model.bias[index], front


def _finish(canvas: NDArray[np.uint8], finish: Finish, offset: tuple[int, int]) -> None:
    """Lay dirt and grain over a premultiplied picture, in place."""
    height, width = canvas.shape[:2]
    colour, alpha = canvas[..., :3], canvas[..., 3:]
    if finish.dirt_share > 0:
        cloud = noise_patch(noise_tile(1.5, 2, 4), height, width, offset)
        swing = 0.17 * min(1.0, finish.dirt_share * 3)
        share = np.clip(finish.dirt_share + swing * cloud, 0, 0.92)[..., None]
        dust = np.array(finish.dirt, np.float32) * (alpha * np.float32(1 / 255))
        np.copyto(colour, (colour + (dust - colour) * share).astype(np.uint8))
    if finish.grain > 0:
        grain = noise_patch(noise_tile(0.6, 1, 4), height, width, offset)
        gain = cv2.convertScaleAbs(grain, alpha=128 * finish.grain, beta=128)
        worn = cv2.multiply(colour, cv2.merge([gain, gain, gain]), scale=1 / 128)
        np.copyto(colour, cv2.min(worn, cv2.merge([alpha, alpha, alpha])))


def _fray(canvas: NDArray[np.uint8], fray: float, offset: tuple[int, int]) -> None:
    """Tear the outline of a crown of leaves, in place; the stem below stays whole."""
    wide = np.count_nonzero(canvas[..., 3], axis=1)
    rows = np.flatnonzero(wide > 0.3 * wide.max())
    if not len(rows):
        return
    crown = canvas[: rows[-1] + 1]
    height, width = crown.shape[:2]
    if height < 4:
        return
    leaf = noise_patch(noise_tile(0.9, 3, 14), height, width, offset)
    side = max(3, int(min(canvas.shape[:2]) * 0.12)) | 1
    core = cv2.blur(crown[..., 3], (side, side))
    crown[core < 255 * (0.45 + fray * 0.35 * leaf)] = 0
