"""A scene that can be looked at any time: picture and truth."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.frame import Image
from vision.learn.scenes.backdrop import draw_backdrop
from vision.learn.scenes.camera import Camera
from vision.learn.scenes.layout import plan_camera, plan_layout, plan_zones
from vision.learn.scenes.light import plan_light
from vision.learn.scenes.model import Array, Lamp, Model, placed
from vision.learn.scenes.plume import DENSE_ALPHA, SEEN_ALPHA
from vision.learn.scenes.preset import ScenePreset
from vision.learn.scenes.raster import Pose, Sprite, rasterise
from vision.learn.scenes.stage import Actor, Director
from vision.learn.scenes.texture import TILE, noise_patch, noise_tile
from vision.learn.scenes.truth import TruthBox, TruthEvent
from vision.observe.sighting import Box
from vision.zones import Zone

MIN_UNHIDDEN = 0.3
"""Things of whose part inside the frame less is seen get no box."""

MIN_VISIBLE = 0.1
"""Things of which less is seen, the frame's edge counted too, get no box, ..."""

LARGE_SHARE = 0.006
"""... unless what is seen of them fills this share of the frame."""

MIN_SIDE_PX = 6
"""Things that are narrower or lower get no box."""

_SOIL_ID = 30000
_BEAM_SCALE = 4


@dataclass(frozen=True, eq=False)
class _Shown:
    """An actor at a time, drawn."""

    actor: Actor
    pose: Pose
    sprite: Sprite
    model: Model | None


@dataclass(frozen=True)
class _Counted:
    """What was counted of one body: its place in the line, visible box and pixel counts."""

    place: int
    thing_id: int
    box: Box | None
    seen_px: int
    inside_px: int
    whole_px: float


class Scene:
    """A seeded scene; the same preset, seed, size and time give the same picture.

    Args:
        preset: What to show.
        seed: Draws everything that the preset leaves open.
        size: ``(width, height)`` in pixels; the preset's own when ``None``.

    Attributes:
        preset: What is shown.
        seed: Seed.
        size: ``(width, height)`` in pixels.
        zones: Zones of the view.
    """

    def __init__(self, preset: ScenePreset, seed: int, size: tuple[int, int] | None = None) -> None:
        self.preset = preset
        self.seed = seed
        self.size = size or preset.size
        rng = np.random.default_rng([seed, 20])
        self._layout = plan_layout(preset, rng)
        self._camera = plan_camera(preset, self._layout, rng, self.size)
        self._light = plan_light(preset.light, rng)
        self._noise = float(rng.uniform(*preset.light.noise))
        self._soft = float(rng.uniform(*preset.light.soft_px)) * self.size[0] / 1280
        self._shake = float(rng.uniform(*preset.light.shake_px)) * self.size[0] / 1280
        self._cast = Director(preset, self._layout, np.random.default_rng([seed, 21])).cast()
        self._backdrop = draw_backdrop(
            preset, self._layout, self._camera, self._light, np.random.default_rng([seed, 22])
        )
        self.zones: list[Zone] = plan_zones(preset, self._layout, self._camera)
        self._kept: dict[int, tuple[Hashable, Sprite | None, Model]] = {}
        self._still_shade: tuple[tuple[tuple[int, Pose], ...], NDArray[np.uint8], NDArray[np.uint8]]
        self._still_shade = ((), np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8))
        self._lamp_map: NDArray[np.float32] | None = None

    @property
    def camera(self) -> Camera:
        """The camera, for placing things in tests and tools."""
        return self._camera

    def frame(
        self, time_s: float, *, without: frozenset[int] = frozenset()
    ) -> tuple[Image, list[TruthBox]]:
        """Look at the scene.

        Args:
            time_s: Seconds from its start.
            without: Things whose bodies are left out (their shadows stay), to see what of the
                picture is theirs.

        Returns:
            BGR uint8 picture and the truth, in order of thing ids.
        """
        shown = self._shown(time_s)
        picture = self._shaded_ground(shown, time_s)
        owner = np.zeros((self.size[1], self.size[0]), np.int16)
        if self._backdrop.soil is not None:
            owner[self._backdrop.soil] = _SOIL_ID
        ordered = [shown[i] for i in paint_order(shown, self._camera)]
        for item in ordered:
            if item.actor.id not in without:
                _blend(picture, item.sprite)
            _claim(owner, item)
        boxes = self._truth(ordered, owner)
        picture = self._lit(picture, ordered, owner, time_s)
        return self._seen_by_camera(picture, boxes, time_s)

    def events(self) -> list[TruthEvent]:
        """Violations that the scene shows; those never inside the frame are left out."""
        actors = {a.id: a for a in self._cast.actors}
        found = []
        for event in self._cast.events:
            boxes = []
            end = event.end_s if event.end_s is not None else self.preset.duration_s
            for actor_id in event.actor_ids:
                actor = actors[actor_id]
                if actor.plume is not None:
                    times = np.linspace(event.start_s, end, 8)[1:-1]
                elif actor.panel is not None:
                    times = np.array([-1.0 if event.start_s <= 0 else event.start_s - 0.01])
                else:
                    times = np.array([(event.start_s + end) / 2])
                for time_s in times:
                    box = self._whole_box(actor, float(time_s))
                    if box is not None:
                        boxes.append(box)
            if boxes:
                low, high = np.min(boxes, axis=0), np.max(boxes, axis=0)
                whole = (float(low[0]), float(low[1]), float(high[2]), float(high[3]))
                found.append(
                    TruthEvent(event.kind, event.actor_ids[0], whole, event.start_s, event.end_s)
                )
        return found

    def _whole_box(self, actor: Actor, time_s: float) -> Box | None:
        if actor.plume is not None:
            sprite = actor.plume.sprite(time_s, self._camera)
            return None if sprite is None else _bounds(sprite.alpha > SEEN_ALPHA, sprite)
        pose = actor.pose(time_s)
        if pose is None or actor.model is None:
            return None
        sprite = rasterise(actor.model(time_s), pose, self._camera, self._light.sun, actor.id)
        return None if sprite is None else _bounds(sprite.alpha > 127, sprite)

    def _shown(self, time_s: float) -> list[_Shown]:
        shown = []
        for actor in self._cast.actors:
            pose = actor.pose(time_s)
            if pose is None:
                continue
            if actor.plume is not None:
                sprite = actor.plume.sprite(time_s, self._camera)
                if sprite is not None:
                    shown.append(_Shown(actor, pose, sprite, None))
                continue
            if not self._may_be_seen(pose, actor.extent):
                continue
            key = (actor.state(time_s), pose) if actor.state else time_s
            kept = self._kept.get(actor.id)
            if kept is None or kept[0] != key:
                assert actor.model is not None
                model = actor.model(time_s)
                sprite = rasterise(model, pose, self._camera, self._light.sun, actor.id)
                kept = (key, sprite, model)
                self._kept[actor.id] = kept
            if kept[1] is not None:
                shown.append(_Shown(actor, pose, kept[1], kept[2]))
        return shown

    def _may_be_seen(self, pose: Pose, extent: tuple[float, float]) -> bool:
        reach = 6.0 + max(extent)
        spot = np.array([pose.x, pose.y, 1.5]) - self._camera.place
        right, _, depth = self._camera.axes @ spot
        if depth < -reach:
            return False
        slope = self.size[0] / 2 / self._camera.focal_px
        return bool(
            abs(right) < slope * max(depth, 0.0) + reach * 1.6 or (max(extent) > 1.1 and depth < 90)
        )

    def _shaded_ground(self, shown: Sequence[_Shown], time_s: float) -> Image:
        still = [s for s in shown if s.actor.stands]
        key = tuple((s.actor.id, s.pose) for s in still)
        if key != self._still_shade[0] or self._still_shade[1].shape != (
            self.size[1],
            self.size[0],
        ):
            cast = np.zeros((self.size[1], self.size[0]), np.uint8)
            contact = np.zeros_like(cast)
            for item in still:
                self._shade(cast, contact, item)
            sigma = 1.6 * self.size[0] / 1280
            cast = cv2.GaussianBlur(cast, (0, 0), sigma)
            contact = cv2.GaussianBlur(contact, (0, 0), sigma * 2.5)
            self._still_shade = (key, cast, contact)
        cast, contact = self._still_shade[1].copy(), self._still_shade[2].copy()
        standing = {s.actor.id for s in still}
        for item in shown:
            if item.actor.id not in standing and item.model is not None:
                self._shade(cast, contact, item)
        sun = self._light.sunshine(time_s)
        levels = np.arange(256, dtype=np.float32)
        dim_cast = (255 * (1 - 0.52 * sun * levels / 255)).astype(np.uint8)
        dim_contact = (255 * (1 - 0.5 * levels / 255)).astype(np.uint8)
        gain = cv2.multiply(cv2.LUT(cast, dim_cast), cv2.LUT(contact, dim_contact), scale=1 / 255)
        return np.asarray(
            cv2.multiply(self._backdrop.image, cv2.merge([gain, gain, gain]), scale=1 / 255),
            np.uint8,
        )

    def _shade(self, cast: NDArray[np.uint8], contact: NDArray[np.uint8], item: _Shown) -> None:
        """Draw the ground shadow and the dark underneath of one thing."""
        assert item.model is not None
        direction = self._light.sun.direction
        tall = 0.0
        for hull in item.model.hulls:
            points = placed(hull, item.pose.x, item.pose.y, item.pose.heading, item.pose.z)
            tall = max(tall, float(points[:, 2].max()))
            if self._light.dark or points[:, 2].max() < 0.12:
                continue
            flat = points[:, :2] - direction[:2] / direction[2] * points[:, 2:]
            ring = cv2.convexHull(flat.astype(np.float32))[:, 0].astype(float)
            self._fill(cast, np.concatenate([ring, np.zeros((len(ring), 1))], axis=1), 255)
        hx, hy = item.actor.extent
        if item.actor.class_name is None or item.actor.class_name == "hoarding":
            return
        pad = 1.04
        base = np.array([[-hx, -hy, 0], [hx, -hy, 0], [hx, hy, 0], [-hx, hy, 0]]) * pad
        strength = 235 if item.actor.class_name in ("car", "bus", "truck", "muck_truck",
                                                    "derelict_vehicle") else 110  # fmt: skip
        self._fill(contact, placed(base, item.pose.x, item.pose.y, item.pose.heading), strength)

    def _fill(self, mask: NDArray[np.uint8], corners: Array, value: int) -> None:
        outline = self._camera.outline(corners)
        if len(outline) >= 3:
            points = np.round(outline.clip(-8000, 8000) * 16).astype(np.int32)
            cv2.fillPoly(mask, [points], value, cv2.LINE_AA, 4)

    def _truth(self, ordered: Sequence[_Shown], owner: NDArray[np.int16]) -> list[TruthBox]:
        boxes: list[TruthBox] = []
        rank = np.full(_SOIL_ID + 1, -1, np.int32)
        for i, item in enumerate(ordered):
            rank[item.actor.id] = i
        panels: list[_Counted] = []
        for i, item in enumerate(ordered):
            actor, sprite = item.actor, item.sprite
            if actor.class_name is None:
                continue
            if actor.plume is not None and sprite.alpha.max() < DENSE_ALPHA:
                continue
            h, w = sprite.alpha.shape
            part = owner[sprite.y : sprite.y + h, sprite.x : sprite.x + w]
            if actor.plume is not None:
                body = sprite.alpha > SEEN_ALPHA
                seen = body & (rank[part] <= i)
            else:
                body = sprite.alpha > 127
                seen = part == actor.id
            total = int(np.count_nonzero(body))
            count = int(np.count_nonzero(seen))
            box = _bounds(seen, sprite)
            if actor.panel is not None:
                panels.append(
                    _Counted(actor.panel, actor.id, box, count, total, total / sprite.inside)
                )
                continue
            self._keep(boxes, actor.class_name,
                  _Counted(0, actor.id, box, count, total, total / sprite.inside))  # fmt: skip
        for run in _runs(panels):
            self._keep(boxes, "hoarding", run)
        if self._backdrop.soil is not None:
            seen = owner == _SOIL_ID
            rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
            if len(rows):
                box = (
                    float(columns[0]),
                    float(rows[0]),
                    float(columns[-1] + 1),
                    float(rows[-1] + 1),
                )
                count = int(np.count_nonzero(seen))
                if count > 0.004 * seen.size:
                    whole = max(count, int(np.count_nonzero(self._backdrop.soil)))
                    boxes.append(TruthBox("bare_soil", box, _SOIL_ID, count / whole))
        return sorted(boxes, key=lambda b: b.thing_id)

    def _keep(self, boxes: list[TruthBox], name: str, body: _Counted) -> None:
        """Add the box of a body of which enough is seen."""
        box = body.box
        if box is None or min(box[2] - box[0], box[3] - box[1]) < MIN_SIDE_PX:
            return
        visible = min(1.0, body.seen_px / max(body.whole_px, 1.0))
        large = body.seen_px >= LARGE_SHARE * self.size[0] * self.size[1]
        if body.seen_px >= MIN_UNHIDDEN * body.inside_px and (visible >= MIN_VISIBLE or large):
            boxes.append(TruthBox(name, box, body.thing_id, visible))

    def _lit(
        self, picture: Image, ordered: Sequence[_Shown], owner: NDArray[np.int16], time_s: float
    ) -> Image:
        gain = self._light.gain(time_s)
        if not self._light.dark:
            channels = [np.clip(np.arange(256) * g, 0, 255).astype(np.uint8) for g in gain]
            return np.asarray(
                cv2.LUT(picture, np.stack(channels, axis=1)[:, None, :].reshape(1, 256, 3))
            )
        if self._lamp_map is None:
            self._lamp_map = self._street_lamps()
        scale = _BEAM_SCALE
        height, width = self.size[1], self.size[0]
        beams = np.zeros((height // scale + 1, width // scale + 1), np.float32)
        glows: list[tuple[Array, float, Lamp]] = []
        for item in ordered:
            if item.model is None:
                continue
            for lamp in item.model.lamps:
                self._shine(lamp, item, beams, glows, owner)
        beams = cv2.GaussianBlur(beams, (0, 0), 3.0)
        beams = cv2.resize(beams, (width, height))[..., None]
        warm = np.array([0.75, 0.95, 1.0], np.float32)
        lit = picture * (self._lamp_map + beams * warm) * gain.astype(np.float32)
        windows = self._backdrop.lit_windows * (owner <= 0)
        lit += windows[..., None] * np.array([0.35, 0.5, 0.6], np.float32)
        bare = (owner <= 0) | (owner == _SOIL_ID)
        for place, radius, lamp in glows:
            _glow(lit, place, radius, lamp.colour, streak_on=bare if self._light.wet else None)
        return np.asarray(np.clip(lit, 0, 255), np.uint8)

    def _street_lamps(self) -> NDArray[np.float32]:
        """``(h, w, 3)`` light on every pixel from the street lamps, at night."""
        height, width = self.size[1], self.size[0]
        step = 4
        xs, ys = np.meshgrid(np.arange(0, width, step), np.arange(0, height, step))
        ground = self._camera.ground(np.stack([xs.ravel(), ys.ravel()], axis=1).astype(float))
        far = np.nan_to_num(ground, nan=400.0)
        level = np.full(len(far), 0.2)
        for actor in self._cast.actors:
            pose = actor.pose(0.0)
            if not actor.lights_street or pose is None or actor.model is None:
                continue
            model = actor.model(0.0)
            for lamp in model.lamps:
                spot = placed(lamp.place[None], pose.x, pose.y, pose.heading)[0]
                distance2 = ((far - spot[:2]) ** 2).sum(axis=1) + (spot[2] * 0.75) ** 2
                level += 24.0 / distance2
        field = level.reshape(xs.shape).astype(np.float32)
        field = np.minimum(cv2.GaussianBlur(field, (0, 0), 2.0), 1.0)
        field = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
        warm = np.array([0.78, 0.95, 1.08], np.float32)
        return np.asarray(field[..., None] * warm, np.float32)

    def _shine(
        self,
        lamp: Lamp,
        item: _Shown,
        beams: NDArray[np.float32],
        glows: list[tuple[Array, float, Lamp]],
        owner: NDArray[np.int16],
    ) -> None:
        pose = item.pose
        if lamp.beam is not None and item.actor.stands:
            return
        spot = placed(lamp.place[None], pose.x, pose.y, pose.heading)[0]
        pixels, depth = self._camera.project(spot[None])
        if lamp.beam is not None:
            ahead = placed(lamp.beam[None], 0, 0, pose.heading)[0]
            if lamp.colour[0] > 150 and depth[0] > -15:
                side = np.array([-ahead[1], ahead[0], 0])
                ground = spot * [1, 1, 0]
                near, far = ground + ahead, ground + ahead * 13
                fan = np.array(
                    [near + side * 0.3, far + side * 2.6, far - side * 2.6, near - side * 0.3]
                )
                outline = self._camera.outline(fan)
                if len(outline) >= 3:
                    layer = np.zeros_like(beams)
                    cv2.fillPoly(
                        layer,
                        [np.round(outline.clip(-8000, 8000) / _BEAM_SCALE).astype(np.int32)],
                        0.3,
                    )
                    beams += layer
            if float(ahead @ (self._camera.place - spot)) < 0:
                return
        if depth[0] < 1:
            return
        x, y = int(pixels[0, 0]), int(pixels[0, 1])
        if not (0 <= x < self.size[0] and 0 <= y < self.size[1]):
            return
        if owner[y, x] not in (0, item.actor.id, _SOIL_ID) and item.actor.class_name is not None:
            return
        glows.append((pixels[0], lamp.radius_m * self._camera.focal_px / depth[0], lamp))

    def _seen_by_camera(
        self, picture: Image, boxes: list[TruthBox], time_s: float
    ) -> tuple[Image, list[TruthBox]]:
        """Rain, shake, softness and sensor noise."""
        width, height = self.size
        tick = np.random.default_rng([self.seed, 23, round(time_s * 1000)])
        if self._light.wet:
            drift = (int(tick.integers(TILE)), int(tick.integers(TILE)))
            streaks = noise_patch(_rain(), height, width, drift)
            add = (np.clip(streaks - 1.6, 0, 1) * 70 * self._light.wet).astype(np.uint8)
            picture = cv2.add(picture, cv2.merge([add, add, add]))
        dx = self._shake * (np.sin(time_s * 2.1) + 0.6 * np.sin(time_s * 5.3 + 1))
        dy = self._shake * (np.cos(time_s * 1.7) + 0.5 * np.sin(time_s * 6.1))
        if self._shake > 0.05:
            move = np.array([[1, 0, dx], [0, 1, dy]])
            picture = cv2.warpAffine(picture, move, self.size, borderMode=cv2.BORDER_REPLICATE)
            boxes = [_moved(b, dx, dy, self.size) for b in boxes]
        if self._soft > 0.3:
            picture = cv2.GaussianBlur(picture, (0, 0), self._soft)
        x, y = int(tick.integers(TILE)), int(tick.integers(TILE))
        grain = self._grain[y : y + height, x : x + width]
        return np.asarray(cv2.addWeighted(picture, 1.0, grain, 1.0, -128.0), np.uint8), boxes

    @cached_property
    def _grain(self) -> Image:
        """Sensor noise about 128, a tile larger than the picture on both axes."""
        strength = self._noise * (2.0 if self._light.dark else 1.0)
        tile = noise_patch(noise_tile(0.0, 9), self.size[1] + TILE, self.size[0] + TILE, (0, 0))
        grey = np.clip(128.5 + tile * np.float32(strength), 0, 255).astype(np.uint8)
        return np.asarray(cv2.merge([grey, grey, grey]), np.uint8)


def paint_order(shown: Sequence[_Shown], camera: Camera) -> list[int]:
    """Order in which things are painted so that nearer ones hide farther ones.

    Two footprints that an axis-aligned plane parts cannot hide each other the wrong way round:
    the one on the camera's side is painted later. Newell, Newell, Sancha: A solution to the
    hidden surface problem, ACM 1972.
    """
    n = len(shown)
    if not n:
        return []
    low, high = np.empty((n, 2)), np.empty((n, 2))
    for i, item in enumerate(shown):
        c, s = abs(np.cos(item.pose.heading)), abs(np.sin(item.pose.heading))
        hx, hy = item.actor.extent
        half = np.array([hx * c + hy * s, hx * s + hy * c]) * 0.96
        centre = np.array([item.pose.x, item.pose.y])
        low[i], high[i] = centre - half, centre + half
    eye = camera.place[:2]
    cannot_hide = np.zeros((n, n), bool)
    for axis in (0, 1):
        beyond = (low[:, None, axis] >= high[None, :, axis]) & (low[:, None, axis] >= eye[axis])
        before = (high[:, None, axis] <= low[None, :, axis]) & (high[:, None, axis] <= eye[axis])
        cannot_hide |= beyond | before
    distance = np.linalg.norm((low + high) / 2 - eye, axis=1) - 1e-4 * np.arange(n)
    both = cannot_hide == cannot_hide.T
    first = np.where(both, False, cannot_hide)
    first |= ~cannot_hide & ~cannot_hide.T & (distance[:, None] > distance[None, :])
    x0 = np.array([s.sprite.x for s in shown])
    y0 = np.array([s.sprite.y for s in shown])
    x1 = x0 + [s.sprite.alpha.shape[1] for s in shown]
    y1 = y0 + [s.sprite.alpha.shape[0] for s in shown]
    meet = (x0[:, None] < x1) & (x0 < x1[:, None]) & (y0[:, None] < y1) & (y0 < y1[:, None])
    first &= meet
    np.fill_diagonal(first, False)
    waiting = first.sum(axis=0)
    left = np.ones(n, bool)
    order: list[int] = []
    while len(order) < n:
        free = left & (waiting == 0)
        pool = np.flatnonzero(free if free.any() else left)
        i = int(pool[np.argmax(distance[pool])])
        order.append(i)
        left[i] = False
        waiting -= first[i]
    return order


def _blend(picture: Image, sprite: Sprite) -> None:
    h, w = sprite.alpha.shape
    part = picture[sprite.y : sprite.y + h, sprite.x : sprite.x + w]
    rest = cv2.bitwise_not(sprite.alpha)
    np.copyto(
        part,
        cv2.add(cv2.multiply(part, cv2.merge([rest, rest, rest]), scale=1 / 255), sprite.colour),
    )


def _claim(owner: NDArray[np.int16], item: _Shown) -> None:
    sprite = item.sprite
    h, w = sprite.alpha.shape
    part = owner[sprite.y : sprite.y + h, sprite.x : sprite.x + w]
    solid = sprite.alpha > (200 if item.actor.plume is not None else 127)
    part[solid] = _SOIL_ID if item.actor.soil else item.actor.id


def _bounds(mask: NDArray[np.bool_], sprite: Sprite) -> Box | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return (
        float(sprite.x + columns[0]),
        float(sprite.y + rows[0]),
        float(sprite.x + columns[-1] + 1),
        float(sprite.y + rows[-1] + 1),
    )


def _runs(panels: Sequence[_Counted]) -> list[_Counted]:
    """Join neighbouring hoarding panels to runs."""
    runs: list[_Counted] = []
    for panel in sorted(panels, key=lambda p: p.place):
        if not runs or panel.place != runs[-1].place + 1:
            runs.append(panel)
            continue
        run = runs[-1]
        box = run.box or panel.box
        if run.box is not None and panel.box is not None:
            a, b = run.box, panel.box
            box = (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
        runs[-1] = _Counted(
            panel.place,
            run.thing_id,
            box,
            run.seen_px + panel.seen_px,
            run.inside_px + panel.inside_px,
            run.whole_px + panel.whole_px,
        )
    return runs


def _moved(box: TruthBox, dx: float, dy: float, size: tuple[int, int]) -> TruthBox:
    x1, y1, x2, y2 = box.box
    moved = (
        min(max(x1 + dx, 0.0), size[0]),
        min(max(y1 + dy, 0.0), size[1]),
        min(max(x2 + dx, 0.0), size[0]),
        min(max(y2 + dy, 0.0), size[1]),
    )
    return TruthBox(box.class_name, moved, box.thing_id, box.visible)


def _glow(
    lit: NDArray[np.float32],
    place: Array,
    radius: float,
    colour: tuple[float, float, float],
    *,
    streak_on: NDArray[np.bool_] | None,
) -> None:
    """Add the halo of a lamp, and its streak on wet ground where ``streak_on`` is true."""
    core = max(1.0, min(radius, 14.0))
    reach = int(core * 5) + 2
    x, y = int(place[0]), int(place[1])
    down = reach * 5 if streak_on is not None else reach
    x0, x1 = max(0, x - reach), min(lit.shape[1], x + reach + 1)
    y0, y1 = max(0, y - reach), min(lit.shape[0], y + down + 1)
    if x1 <= x0 or y1 <= y0:
        return
    ys, xs = np.mgrid[y0:y1, x0:x1]
    d2 = (xs - place[0]) ** 2 + (ys - place[1]) ** 2
    halo = 1.3 * np.exp(-d2 / (2 * core**2)) + 0.22 * np.exp(-d2 / (2 * (core * 2.4) ** 2))
    if streak_on is not None:
        below = np.clip((ys - place[1]) / max(down, 1), 0, 1)
        halo += (
            0.3
            * streak_on[y0:y1, x0:x1]
            * np.exp(-((xs - place[0]) ** 2) / (2 * (core * 1.3) ** 2))
            * (np.sin(below * np.pi))
        )
    lit[y0:y1, x0:x1] += halo[..., None].astype(np.float32) * np.array(colour, np.float32)


_rain_tile: list[NDArray[np.float32]] = []


def _rain() -> NDArray[np.float32]:
    """Tile of slanted rain streaks, deviation 1."""
    if not _rain_tile:
        kernel = np.zeros((25, 25), np.float32)
        cv2.line(kernel, (14, 0), (10, 24), 1.0, 1)
        streaks = cv2.filter2D(
            noise_tile(0.0, 11), -1, kernel / kernel.sum(), borderType=cv2.BORDER_WRAP
        )
        _rain_tile.append(np.asarray(streaks / streaks.std(), np.float32))
    return _rain_tile[0]
