"""Make composites after a recipe: choose a background, read its ground, paste, label, write."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.errors import InputError
from vision.files import write_atomically
from vision.frames.frame import Image
from vision.learn.compose import drawn, panels, plumes
from vision.learn.compose.cutouts import Cutout, CutoutShelf, Outline, lab_statistics
from vision.learn.compose.ground import (
    GroundView,
    Rect,
    fit_view,
    open_ground,
    whole_vehicles,
)
from vision.learn.compose.paste import (
    Layer,
    Look,
    blend,
    bounds,
    fit_light,
    look_of,
    resize,
    soften,
)
from vision.learn.compose.places import Site, find_spot, look_at
from vision.learn.compose.recipe import (
    Background,
    ComposeRecipe,
    CutoutSource,
    CutoutThing,
    DrawnThing,
    GroundThing,
    PanelsThing,
    PlumeThing,
    SceneKind,
    Thing,
)
from vision.learn.compose.shadow import cast_shadow
from vision.learn.data.labels import Box, label_text, read_boxes
from vision.learn.data.pictures import pictures_below, read_image
from vision.learn.scenes.camera import Camera

STATE_FILE = "composed.json"
"""Says from which recipe and seed a folder of composites was made."""

HIDDEN_SHARE = 0.6
"""A box of which pasted things cover more is dropped."""

BACKGROUND_TRIES = 12
"""Backgrounds tried for one composite until something could be pasted."""

CUTOUT_TRIES = 25
"""Cut-outs tried until one has a good mask."""

PLUME_TRIES = 5
"""Plumes tried until one can be seen and is no haze."""

Allowed = Callable[[str, str], bool] | Collection[str]
"""Pictures that may be used: a test of source path and stem, or keys ``source/stem``."""


@dataclass(frozen=True)
class Composed:
    """What was made.

    Attributes:
        pictures: Pictures in the folder.
        kept: How many of them were there already.
        boxes: Boxes by class.
        scenes: Pictures by kind of scene.
    """

    pictures: int
    kept: int
    boxes: dict[str, int]
    scenes: dict[str, int]


@dataclass(frozen=True)
class _Raw:
    source: str
    file: Path
    boxes: tuple[Box, ...]

    @property
    def key(self) -> str:
        return f"{self.source}/{self.file.stem}"


@dataclass(frozen=True)
class _Pasted:
    """A pasted thing: its class or ``None``, its box when pasted, the pixels it still owns."""

    name: str | None
    rect: Rect
    seen: NDArray[np.bool_]


def compose(
    recipe: ComposeRecipe,
    roots: Sequence[Path],
    out_dir: Path,
    *,
    seed: int,
    count: int | None = None,
    allowed: Allowed | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Composed:
    """Make labelled composites as a source folder: ``images/``, ``labels/``, ``classes.txt``.

    Picture number ``i`` depends on recipe, seed, ``i`` and the usable pictures alone. Files are
    named ``00012--<scene>--<background's source with -- for />--<background's stem>``;
    ``used/<stem>.txt`` lists the keys of all pictures that went in. A stopped run is resumed:
    finished pictures are kept, but for those that used a picture that is not allowed (any more).

    Args:
        recipe: What goes in.
        roots: Folders in which the sources are looked for, in this order.
        out_dir: Receives the pictures; ``.cutouts`` in it keeps masks.
        seed: Seed of all draws.
        count: How many pictures; the recipe says if not given.
        allowed: Pictures that may be used, as backgrounds or cut-outs; all if not given.
        progress: Called with the pictures done and wanted.

    Raises:
        InputError: A source is missing or cannot be read, nothing of it may be used, or the folder
            holds composites of another recipe or seed.
    """
    wanted = recipe.count if count is None else count
    for name in ("images", "labels", "used"):
        (out_dir / name).mkdir(parents=True, exist_ok=True)
    _claim(out_dir, recipe, seed)
    write_atomically(out_dir / "classes.txt", "\n".join(recipe.classes) + "\n")
    studio = _Studio(recipe, roots, out_dir / ".cutouts", _test(allowed))
    done = {p.name.split("--")[0]: p for p in pictures_below(out_dir / "images")}
    kept, boxes, scenes = 0, Counter[str](), Counter[str]()
    for number in range(wanted):
        file = done.get(f"{number:05d}")
        if file is not None and not _still_allowed(out_dir, file.stem, studio.allowed):
            for part, suffix in (("images", ".jpg"), ("labels", ".txt"), ("used", ".txt")):
                (out_dir / part / f"{file.stem}{suffix}").unlink(missing_ok=True)
            file = None
        if file is None:
            stem = _write_one(studio, out_dir, seed, number)
        else:
            kept += 1
            stem = file.stem
        scenes[stem.split("--")[1]] += 1
        boxes.update(b.name for b in read_boxes(out_dir / "labels" / f"{stem}.txt", recipe.classes))
        if progress is not None:
            progress(number + 1, wanted)
    return Composed(wanted, kept, dict(boxes), dict(scenes))


def _test(allowed: Allowed | None) -> Callable[[str, str], bool]:
    if allowed is None:
        return lambda _source, _stem: True
    if callable(allowed):
        return allowed
    keys = frozenset(allowed)
    return lambda source, stem: f"{source}/{stem}" in keys


def _claim(out_dir: Path, recipe: ComposeRecipe, seed: int) -> None:
    digest = hashlib.sha256(recipe.model_dump_json(exclude={"count"}).encode()).hexdigest()
    state = {"recipe": recipe.name, "sha256": digest, "seed": seed}
    path = out_dir / STATE_FILE
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != state:
        raise InputError(
            f"{out_dir}: holds composites of another recipe or seed; take a new folder"
        )
    write_atomically(path, json.dumps(state, indent=1) + "\n")


def _still_allowed(out_dir: Path, stem: str, allowed: Callable[[str, str], bool]) -> bool:
    used = out_dir / "used" / f"{stem}.txt"
    if not used.is_file() or not (out_dir / "labels" / f"{stem}.txt").is_file():
        return False
    keys = used.read_text(encoding="utf-8").split("\n")
    return all(allowed(*key.rsplit("/", 1)) for key in keys if key)


def _write_one(studio: _Studio, out_dir: Path, seed: int, number: int) -> str:
    made = studio.make(np.random.default_rng([seed, number]))
    background = made.used[0].replace("/", "--")
    stem = f"{number:05d}--{made.scene}--{background}"
    _, data = cv2.imencode(".jpg", made.image, [cv2.IMWRITE_JPEG_QUALITY, made.quality])
    text = label_text(made.boxes, studio.recipe.classes)
    write_atomically(out_dir / "labels" / f"{stem}.txt", text)
    write_atomically(out_dir / "used" / f"{stem}.txt", "\n".join(sorted(set(made.used))) + "\n")
    # Last, because a picture that exists counts as finished.
    write_atomically(out_dir / "images" / f"{stem}.jpg", data.tobytes())
    return stem


@dataclass(frozen=True)
class _Made:
    scene: str
    image: Image
    boxes: list[Box]
    used: list[str]
    quality: int


class _Studio:
    """All that is needed to make one composite after the other."""

    def __init__(
        self,
        recipe: ComposeRecipe,
        roots: Sequence[Path],
        shelf: Path,
        allowed: Callable[[str, str], bool],
    ) -> None:
        self.recipe = recipe
        self.allowed = allowed
        self._roots = roots
        self._shelf = CutoutShelf(shelf)
        self._folders: dict[str, list[_Raw]] = {}
        self._vehicles: dict[tuple[str, str], list[list[Box]]] = defaultdict(list)
        self._backgrounds = {b.path: b for b in recipe.backgrounds}
        for background in recipe.backgrounds:
            for raw in self._pool(background):
                self._vehicles[self._camera_of(background, raw)].append(
                    [box for box in raw.boxes if box.name in background.vehicles]
                )

    def make(self, rng: np.random.Generator) -> _Made:
        """One composite."""
        scene = _weighted(rng, {name: s.share for name, s in self.recipe.scenes.items()})
        kind = self.recipe.scenes[scene]
        for last in range(BACKGROUND_TRIES):
            work = self._set_out(kind, rng)
            if work is None:
                continue
            for name, (least, most) in kind.things.items():
                for _ in range(int(rng.integers(least, most + 1))):
                    self._add(work, self.recipe.things[name], rng)
            if work.pasted or work.changed or last == BACKGROUND_TRIES - 1:
                return _Made(scene, work.image, work.labels(), work.used, int(rng.integers(58, 94)))
        raise InputError(f"scene {scene}: no background has a known view of open ground")

    def _raws(self, path: str) -> list[_Raw]:
        if path not in self._folders:
            folder = next((r / path for r in self._roots if (r / path).is_dir()), None)
            if folder is None:
                looked = ", ".join(str(r) for r in self._roots)
                raise InputError(f"source {path}: no such folder in {looked}")
            names = (folder / "classes.txt").read_text(encoding="utf-8").split()
            self._folders[path] = [
                _Raw(path, file, read_boxes(
                    (folder / "labels" / file.relative_to(folder / "images")).with_suffix(".txt"),
                    names,
                ))
                for file in pictures_below(folder / "images")
                if self.allowed(path, file.stem)
            ]  # fmt: skip
        return self._folders[path]

    def _pool(self, background: Background) -> list[_Raw]:
        raws = self._raws(background.path)
        if background.stems:
            raws = [raw for raw in raws if re.search(background.stems, raw.file.stem)]
        if not raws:
            raise InputError(f"background {background.path}: no picture of it may be used")
        return raws

    def _camera_of(self, background: Background, raw: _Raw) -> tuple[str, str]:
        match = background.camera and re.search(background.camera, raw.file.stem)
        return background.path, match.group(1) if match else raw.file.stem

    def _set_out(self, kind: SceneKind, rng: np.random.Generator) -> _Work | None:
        """Choose, crop and mirror a background and read its ground."""
        paths = kind.backgrounds or tuple(self._backgrounds)
        path = _weighted(rng, {p: self._backgrounds[p].share for p in paths})
        background = self._backgrounds[path]
        pool = self._pool(background)
        raw = pool[int(rng.integers(len(pool)))]
        image = read_image(raw.file)
        height, width = image.shape[:2]
        view = self._view(background, raw, (width, height))
        if view is None:
            return None
        share = float(rng.uniform(0.74, 1.0))
        cw, ch = int(width * share), int(height * share)
        cx = int(rng.integers(0, width - cw + 1))
        cy = int((height - ch) * rng.uniform(0.4, 1.0))
        scale = self.recipe.longest_side / max(cw, ch)
        size = (round(cw * scale), round(ch * scale))
        image = cast("Image", cv2.resize(
            image[cy : cy + ch, cx : cx + cw], size,
            interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
        ))  # fmt: skip
        view = GroundView((view.horizon - cy) * scale, view.height_m)
        mirrored = rng.random() < 0.5
        if mirrored:
            image = cast("Image", np.ascontiguousarray(image[:, ::-1]))
        own: list[tuple[str, Rect]] = []
        vehicles: list[Rect] = []
        for box in raw.boxes:
            x1, y1, x2, y2 = _scaled(box.xyxy, width, height)
            whole = (x2 - x1) * (y2 - y1)
            x1, x2 = ((min(cw, max(0.0, v - cx))) * scale for v in (x1, x2))
            y1, y2 = ((min(ch, max(0.0, v - cy))) * scale for v in (y1, y2))
            if mirrored:
                x1, x2 = size[0] - x2, size[0] - x1
            if (x2 - x1) * (y2 - y1) < 0.3 * whole * scale * scale:
                continue
            if box.name in background.vehicles:
                vehicles.append((x1, y1, x2, y2))
            if box.name not in background.drop:
                own.append((box.name, (x1, y1, x2, y2)))
        ground = open_ground(image, vehicles, view.horizon)
        site = look_at(view, size, ground)
        return _Work(image, image.copy(), site, look_of(image, rng), own, vehicles, [raw.key])

    def _view(self, background: Background, raw: _Raw, size: tuple[int, int]) -> GroundView | None:
        """The camera's view, learnt from the whole vehicles in all of its pictures."""
        rects = [
            rect
            for boxes in self._vehicles[self._camera_of(background, raw)]
            for rect in whole_vehicles([_scaled(b.xyxy, *size) for b in boxes], size)
        ]
        view = fit_view(rects, size[1])
        if view is None and background.view is not None:
            given = background.view
            view = GroundView(given.horizon * size[1], given.camera_height_m)
        return view

    def _add(self, work: _Work, thing: Thing, rng: np.random.Generator) -> None:
        match thing:
            case CutoutThing():
                self._add_cutout(work, thing, rng)
            case DrawnThing():
                _add_drawn(work, thing, rng)
            case GroundThing():
                _add_ground(work, thing, rng)
            case PanelsThing():
                self._add_panels(work, thing, rng)
            case PlumeThing():
                _add_air(work, thing, rng)

    def _cutout(
        self, sources: Sequence[CutoutSource], outline: Outline, rng: np.random.Generator
    ) -> tuple[Cutout, CutoutSource] | None:
        for _ in range(CUTOUT_TRIES):
            shares = {str(i): s.share for i, s in enumerate(sources)}
            source = sources[int(_weighted(rng, shares))]
            raws = [
                r for r in self._raws(source.path) if any(b.name == source.label for b in r.boxes)
            ]
            if not raws:
                continue
            raw = raws[int(rng.integers(len(raws)))]
            numbers = [i for i, b in enumerate(raw.boxes) if b.name == source.label]
            number = numbers[int(rng.integers(len(numbers)))]
            box = raw.boxes[number]
            cut = self._shelf.get(raw.file, raw.key, number, box, outline)
            if cut is not None:
                return cut, source
        return None

    def _add_cutout(self, work: _Work, thing: CutoutThing, rng: np.random.Generator) -> None:
        found = self._cutout(thing.sources, thing.outline, rng)
        if found is None:
            return
        cut, source = found
        image, alpha = cut.image, cut.alpha
        aspect = image.shape[1] / image.shape[0]
        if source.stretched:
            aspect *= float(np.exp(rng.uniform(-1, 1) * np.log(4 / 3)))
        metres = float(rng.uniform(*thing.size_m))
        tall = {
            "height": metres, "width": metres / aspect, "extent": metres / np.sqrt(aspect)
        }[thing.measure]  # fmt: skip

        def extent_at(px_per_m: float) -> tuple[float, float]:
            return tall * aspect * px_per_m, tall * px_per_m

        spot = find_spot(
            work.site, rng, extent_at, work.taken, place=thing.place, side_px=thing.side_px
        )
        if spot is None:
            return
        w, h = extent_at(spot.px_per_m)
        if rng.random() < 0.5:
            image, alpha = image[:, ::-1], alpha[:, ::-1]
        image, alpha = _tilted(image, alpha, float(rng.normal(0, 1.2)))
        image, alpha = resize(image, alpha, (max(4, round(w)), max(4, round(h))))
        image = fit_light(image, cut.mean, cut.spread, work.look, float(rng.uniform(0.55, 0.9)))
        layer = Layer(round(spot.x - w / 2), round(spot.y - h), image, alpha)
        feather = 1.1 if thing.outline == "loose" else 0.65
        work.lay(layer, thing.label, rng, feather=feather, shadow=0.35 if thing.outline == "loose"
                 else 0.6)  # fmt: skip
        work.used.append(cut.key)

    def _add_panels(self, work: _Work, thing: PanelsThing, rng: np.random.Generator) -> None:
        row = panels.plan_row(work.site, work.camera, rng, thing.height_m, thing.gap_share)
        if row is None:
            return
        real: list[Image] = []
        if thing.textures and rng.random() < thing.real_share:
            source = thing.textures[int(rng.integers(len(thing.textures)))]
            raws = [
                r for r in self._raws(source.path) if any(b.name == source.label for b in r.boxes)
            ]
            raw = raws[int(rng.integers(len(raws)))] if raws else None
            if raw is not None:
                boxes = [b for b in raw.boxes if b.name == source.label]
                real = _surfaces(read_image(raw.file), boxes, work.look, row, rng)
                if real:
                    work.used.append(raw.key)
        for layer in panels.draw_row(row, work.camera, rng, real, work.site.size):
            work.lay(layer, thing.label, rng, feather=0.5, shadow=0.25)


def _surfaces(
    image: Image, boxes: Sequence[Box], look: Look, row: panels.Row, rng: np.random.Generator
) -> list[Image]:
    """Panels cut from the middle of a real hoarding's boxes."""
    height, width = image.shape[:2]
    mean, spread = lab_statistics(image)
    image = fit_light(image, mean, spread, look, 0.7)
    found = []
    for box in boxes:
        x1, y1, x2, y2 = _scaled(box.xyxy, width, height)
        tall = y2 - y1
        if tall < 40 or x2 - x1 < tall:
            continue
        y1, y2 = y1 + 0.12 * tall, y2 - 0.08 * tall
        wide = (y2 - y1) * row.panel_m / row.height_m
        for _ in range(3):
            x = float(rng.uniform(x1, max(x1 + 1, x2 - wide)))
            part = image[int(y1) : int(y2), int(x) : int(min(x + wide, x2))]
            if part.shape[1] > 12:
                found.append(np.ascontiguousarray(part))
    return found


@dataclass(eq=False)
class _Work:
    """A picture in the making.

    Attributes:
        image: BGR, changed by every paste.
        clean: The background before any paste.
        site: Its view and ground.
        look: Its light and sharpness.
        own: The background's boxes in pixels.
        vehicles: Those of them that are vehicles.
        used: Keys of the pictures that went in, the background first.
        pasted: Things, the later above the earlier.
        plumes: Boxes of dust.
        changed: Whether anything was done to the background.
    """

    image: Image
    clean: Image
    site: Site
    look: Look
    own: list[tuple[str, Rect]]
    vehicles: list[Rect]
    used: list[str]
    pasted: list[_Pasted] = field(default_factory=list)
    plumes: list[tuple[str, Rect]] = field(default_factory=list)
    changed: bool = False

    @cached_property
    def camera(self) -> Camera:
        return self.site.view.camera(self.site.size)

    @property
    def taken(self) -> list[Rect]:
        return [
            *self.vehicles, *(r for _, r in self.own), *(p.rect for p in self.pasted),

        ]  # fmt: skip

    def lay(
        self, layer: Layer, label: str | None, rng: np.random.Generator, *, feather: float,
        shadow: float,
    ) -> None:  # fmt: skip
        """Paste one layer with shadow; a label makes a box of what is seen of it."""
        layer = soften(layer, self.look, rng, feather=feather)
        if shadow:
            cast_shadow(self.image, layer, self.look, shadow * float(rng.uniform(0.75, 1.15)))
        seen = blend(self.image, layer)
        self.changed = True
        for i, below in enumerate(self.pasted):
            self.pasted[i] = replace(below, seen=below.seen & ~seen)
        rect = bounds(seen)
        if rect is None:
            return
        self.pasted.append(_Pasted(label, rect, seen))

    def labels(self) -> list[Box]:
        """Boxes of the background that are still seen, and those of pasted things."""
        width, height = self.site.size
        covered = np.zeros((height, width), bool)
        for item in self.pasted:
            covered |= item.seen
        boxes = []
        for name, rect in self.own:
            x1, y1, x2, y2 = (int(v) for v in rect)
            part = covered[y1 : y2 + 1, x1 : x2 + 1]
            if part.size and float(part.mean()) <= HIDDEN_SHARE:
                boxes.append((name, rect))
        for item in self.pasted:
            x1, y1, x2, y2 = (int(v) for v in item.rect)
            whole = (x2 - x1) * (y2 - y1)
            now = bounds(item.seen)
            if (
                item.name is not None
                and now is not None
                and (now[2] - now[0]) * (now[3] - now[1]) > ((1 - HIDDEN_SHARE) * whole)
            ):
                boxes.append((item.name, now))
        boxes += self.plumes
        return [
            Box(name, (
                max(0.0, r[0] / width), max(0.0, r[1] / height),
                min(1.0, r[2] / width), min(1.0, r[3] / height),
            ))
            for name, r in boxes
        ]  # fmt: skip


def _add_drawn(work: _Work, thing: DrawnThing, rng: np.random.Generator) -> None:
    wide, tall = drawn.SIZES_M[thing.make]
    spot = find_spot(
        work.site, rng, lambda s: (wide * s, tall * s), work.taken, place=thing.place,
        side_px=thing.side_px,
    )  # fmt: skip
    if spot is None:
        return
    for name, layer in drawn.draw(thing.make, spot, work.camera, rng, sunny=work.look.sunny):
        image = fit_light(
            layer.image, np.array([128.0, 127, 130], np.float32), 50.0, work.look, 0.55
        )
        work.lay(replace(layer, image=image), name or thing.label, rng, feather=0.5, shadow=0.5)


def _add_ground(work: _Work, thing: GroundThing, rng: np.random.Generator) -> None:
    """Move a blob of ground of the same picture, as a paste that means nothing."""
    wide = float(rng.uniform(*thing.size_m))
    tall = wide * float(rng.uniform(0.25, 0.7))

    def extent(px_per_m: float) -> tuple[float, float]:
        return wide * px_per_m, tall * px_per_m

    spot = find_spot(work.site, rng, extent, work.taken, place="road", side_px=thing.side_px)
    origin = find_spot(work.site, rng, extent, work.taken, place="kerb", side_px=thing.side_px)
    if spot is None or origin is None:
        return
    w, h = (max(6, round(v)) for v in extent(spot.px_per_m))
    ow, oh = (max(6, round(v)) for v in extent(origin.px_per_m))
    x, y = int(np.clip(origin.x - ow / 2, 0, work.site.size[0] - ow)), int(max(0, origin.y - oh))
    part = work.clean[y : y + oh, x : x + ow]
    if part.shape[0] < 4 or part.shape[1] < 4:
        return
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = 1 + 0.22 * rng.normal(size=24)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None].clip(0.5, 1.4) * 0.36 + 0.5
    alpha = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(alpha, [np.round(ring * [part.shape[1], part.shape[0]]).astype(np.int32)], 255)
    image, alpha = resize(part, alpha, (w, h))
    work.lay(
        Layer(round(spot.x - w / 2), round(spot.y - h), image, alpha), None, rng, feather=1.1,
        shadow=0.35 if rng.random() < 0.5 else 0.0,
    )  # fmt: skip


def _add_air(work: _Work, thing: PlumeThing, rng: np.random.Generator) -> None:
    for _ in range(PLUME_TRIES):
        foot = _foot(work, thing, rng)
        made = None if foot is None else plumes.air(work.image, thing.make, work.camera, foot, rng)
        if made is not None:
            work.image, rect = made
            work.changed = True
            if rect is not None and thing.label is not None:
                work.plumes.append((thing.label, rect))
            return


def _foot(work: _Work, thing: PlumeThing, rng: np.random.Generator) -> tuple[float, float] | None:
    """Where something in the air starts: glare at a vehicle's lamps, the rest on open ground."""
    if thing.make == "haze":
        return 0.0, 0.0
    if thing.make == "glare":
        if not work.vehicles:
            return None
        x1, y1, x2, y2 = work.vehicles[int(rng.integers(len(work.vehicles)))]
        return (x1 + x2) / 2, y1 + 0.7 * (y2 - y1)
    spot = find_spot(
        work.site, rng, lambda s: (2.0 * s, 1.5 * s), [], place="road", side_px=(14, 150)
    )
    return (spot.x, spot.y) if spot else None


def _tilted(
    image: NDArray[np.uint8], alpha: NDArray[np.uint8], degrees: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    h, w = alpha.shape
    turn = cv2.getRotationMatrix2D((w / 2, h), degrees, 1.0)
    image = np.ascontiguousarray(image)
    return (
        np.asarray(cv2.warpAffine(image, turn, (w, h), borderMode=cv2.BORDER_REPLICATE), np.uint8),
        np.asarray(cv2.warpAffine(np.ascontiguousarray(alpha), turn, (w, h)), np.uint8),
    )


def _scaled(box: tuple[float, float, float, float], width: float, height: float) -> Rect:
    return box[0] * width, box[1] * height, box[2] * width, box[3] * height


def _weighted(rng: np.random.Generator, shares: dict[str, float]) -> str:
    total = sum(shares.values())
    return str(rng.choice(list(shares), p=[s / total for s in shares.values()]))
