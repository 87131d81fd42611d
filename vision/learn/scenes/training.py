"""Labelled training pictures from many random scenes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vision.files import write_atomically
from vision.frames.frame import Image
from vision.learn.scenes.preset import ScenePreset
from vision.learn.scenes.scene import Scene
from vision.learn.scenes.truth import CLASS_NAMES, TruthBox, yolo_lines

FRAMES_PER_SCENE = 3
_DURATION_S = 20.0


def random_preset(rng: np.random.Generator) -> ScenePreset:
    """Make up a scene: street or site, any camera, light, weather, density and script."""
    site = rng.random() < 0.4
    site_left = site and rng.random() < 0.5
    height = float(rng.uniform(3.5, 9.0))
    yaw = float(rng.normal(0, 10))
    across = float(rng.uniform(-0.8, 0.8))
    if site:
        side = -1 if site_left else 1
        yaw = side * float(rng.uniform(8, 45))
        across = -side * float(rng.uniform(-0.2, 0.9))
    backs = ["buildings", "buildings", "trees", "wall"]
    left, right = (str(rng.choice(backs)) for _ in range(2))
    time = str(rng.choice(["day", "day", "day", "day", "dusk", "night"]))
    content: dict[str, Any] = {
        "name": "random",
        "duration_s": _DURATION_S,
        "camera": {
            "height_m": height,
            "pitch_deg": float(np.clip(rng.normal(10 + height * 1.2, 4), 5, 32)),
            "yaw_deg": yaw,
            "fov_deg": float(rng.uniform(42, 85)),
            "across": across,
        },
        "street": {
            "lanes": int(rng.choice([1, 1, 2])),
            "cycle_lane_m": float(rng.choice([0.0, 1.5, 2.2])),
            "bays": str(rng.choice(["left", "right", "both", "none"])),
            "footway_m": float(rng.uniform(2.2, 5.5)),
            "left": "site" if site_left else left,
            "right": "site" if site and not site_left else right,
            "trees": float(rng.choice([0.0, 0.3, 0.7])),
            "crossing_m": float(rng.uniform(12, 30)) if rng.random() < 0.25 else None,
            "red_s": [[0, 12]] if rng.random() < 0.3 else [],
        },
        "light": {
            "time": time,
            "cloud": float(rng.random()),
            "rain": float(rng.uniform(0.3, 1)) if rng.random() < 0.12 else 0.0,
            "noise": [1, 6],
            "soft_px": [0.3, 1.5],
            "shake_px": 0.0,
        },
        "traffic": {
            "vehicles_per_min": float(rng.uniform(0, 40)),
            "cycles_per_min": float(rng.uniform(0, 16)),
            "people": [1, 12],
            "parked_share": float(rng.uniform(0.1, 0.95)),
            "bus_share": 0.1,
            "truck_share": 0.14,
        },
        "script": _random_script(rng, site=site),
    }
    return ScenePreset.model_validate(content)


def _random_script(rng: np.random.Generator, *, site: bool) -> list[dict[str, Any]]:
    script: list[dict[str, Any]] = []

    def add(what: str, chance: float, most: int, low: float, high: float, **more: Any) -> None:
        for _ in range(most):
            if rng.random() < chance:
                along = float(low + (high - low) * rng.beta(1.2, 2.0))
                side = str(rng.choice(["left", "right"]))
                script.append({"what": what, "side": side, "along_m": along, **more})

    street = 0.55 if site else 1.0
    for place in ("footway", "footway", "bay", "carriageway"):
        add("stall", 0.5 * street, 1, 7, 38, place=place)
    for place in ("kerb", "footway", "bay"):
        add("heap", 0.45 * street, 1, 7, 34, place=place, size=float(rng.uniform(0.6, 1.6)))
    add("derelict", 0.45 * street, 3, 7, 40, place=str(rng.choice(["bay", "bay", "footway"])))
    add("bin", 0.55 * street, 1, 7, 30, overflowing=True, count=int(rng.integers(1, 4)))
    add("bin", 0.4 * street, 1, 7, 30, count=int(rng.integers(1, 5)))
    add("cones", 0.35, 1, 7, 26, count=int(rng.integers(1, 8)))
    add("muck_truck", 0.2, 1, 7, 30, start_s=float(rng.uniform(-2, 12)))
    add("smoke", 0.1, 1, 14, 50, start_s=0.0)
    add("dust", 0.08, 1, 14, 40, start_s=0.0)
    if site:
        add("hoarding_gap", 0.4, 2, 8, 45, panels=int(rng.integers(1, 4)))
        add("excavator", 0.7, 2, 12, 45, depth_m=[5, 18])
        add("loader", 0.4, 1, 12, 45, depth_m=[5, 18])
        add("muck_truck", 0.5, 2, 12, 45, standing=True, depth_m=[6, 20])
        add(
            "dust",
            0.5,
            1,
            12,
            40,
            start_s=float(rng.uniform(0, 6)),
            strength=float(rng.uniform(0.5, 1.4)),
        )
        add("smoke", 0.1, 1, 12, 40, start_s=0.0)
        add("crane", 0.45, 1, 45, 110, depth_m=[15, 70])
    return script


def degrade(image: Image, rng: np.random.Generator) -> Image:
    """Faults of cheap cameras: few pixels scaled up, grey night picture, weak contrast."""
    height, width = image.shape[:2]
    if rng.random() < 0.25:
        share = rng.uniform(0.5, 0.85)
        small = cv2.resize(
            image, (int(width * share), int(height * share)), interpolation=cv2.INTER_AREA
        )
        image = np.asarray(
            cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8
        )
    if rng.random() < 0.05:
        image = np.asarray(
            cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        )
    gain, lift = rng.uniform(0.75, 1.25), rng.uniform(-8, 22)
    gamma = rng.uniform(0.75, 1.3)
    levels = (np.arange(256) / 255) ** gamma * 255 * gain + lift
    return np.asarray(cv2.LUT(image, np.clip(levels, 0, 255).astype(np.uint8)), np.uint8)


def _one_scene(out_dir: Path, seed: int, widths: tuple[int, int], job: tuple[int, int]) -> int:
    """Write the frames ``job[1]`` of scene number ``job[0]``."""
    number, count = job
    rng = np.random.default_rng([seed, number, 31])
    width = int(rng.integers(widths[0] // 32, widths[1] // 32 + 1)) * 32
    height = round(width * float(rng.choice([9 / 16, 9 / 16, 3 / 4])) / 32) * 32
    scene = Scene(random_preset(rng), int(rng.integers(2**31)), (width, height))
    for k, time_s in enumerate(np.sort(rng.uniform(1, _DURATION_S, count))):
        image, boxes = scene.frame(float(time_s))
        write_example(out_dir, _stem(seed, number, k), degrade(image, rng), boxes,
                      quality=int(rng.integers(55, 93)))  # fmt: skip
    return count


def _stem(seed: int, scene: int, frame: int) -> str:
    return f"s{seed}_{scene:05d}_{frame}"


def _is_drawn(out_dir: Path, seed: int, job: tuple[int, int]) -> bool:
    number, count = job
    return all(
        (out_dir / "labels" / f"{_stem(seed, number, k)}.txt").is_file() for k in range(count)
    )


def write_example(
    out_dir: Path, name: str, image: Image, boxes: list[TruthBox], *, quality: int = 85
) -> None:
    """Write one picture and its label file in YOLO's layout."""
    height, width = image.shape[:2]
    path = out_dir / "images" / f"{name}.jpg"
    if not cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, quality]):
        raise OSError(f"{path}: cannot be written")
    # The label comes last: where it is, the picture is whole.
    write_atomically(out_dir / "labels" / f"{name}.txt", yolo_lines(boxes, (width, height)))


def training_frames(
    out_dir: Path,
    count: int,
    seed: int,
    widths: tuple[int, int] = (640, 960),
    *,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write a YOLO data set of random scenes: ``images/*.jpg``, ``labels/*.txt``, ``classes.txt``.

    The pictures are the same whatever ``workers`` is. A stopped run goes on: scenes all of whose
    pictures are there are not drawn again.

    Args:
        out_dir: Folder to write to; made when missing.
        count: Number of pictures; :data:`FRAMES_PER_SCENE` are taken of each scene.
        seed: Seed of the whole set.
        widths: Least and largest picture width in pixels; rounded to multiples of 32. To
            go on with a folder, give those it was begun with.
        workers: Processes that render.
        progress: Called with the number of pictures that are there so far.

    Returns:
        Number of pictures that were there already.

    Raises:
        OSError: A picture cannot be written.
    """
    for folder in ("images", "labels"):
        (out_dir / folder).mkdir(parents=True, exist_ok=True)
    (out_dir / "classes.txt").write_text("\n".join(CLASS_NAMES) + "\n", encoding="utf-8")
    jobs = [
        (i, min(FRAMES_PER_SCENE, count - i * FRAMES_PER_SCENE))
        for i in range(-(-count // FRAMES_PER_SCENE))
    ]
    jobs = [job for job in jobs if not _is_drawn(out_dir, seed, job)]
    kept = done = count - sum(frames for _, frames in jobs)
    write = partial(_one_scene, out_dir, seed, widths)
    if workers <= 1:
        for job in jobs:
            done += write(job)
            if progress is not None:
                progress(done)
        return kept
    with ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=signal.signal,  # Ctrl-C ends this process, and that ends the others
        initargs=(signal.SIGINT, signal.SIG_IGN),
    ) as pool:
        for made in pool.map(write, jobs, chunksize=4):
            done += made
            if progress is not None:
                progress(done)
    return kept
