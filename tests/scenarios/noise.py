"""What a detector makes of a street: it misses, shakes, mistakes and invents. All from one seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision.detect.detections import SIGNATURE_BYTES, Detections
from vision.observe.appearance import Light
from vision.observe.look import Affine
from vision.observe.sighting import Box

from .signatures import signature
from .world import FRAME, SIZES, Thing, Visible, box_at

NAMES = tuple(SIZES)
"""Class names of the imagined model."""

_INVENTED = (
    "person", "car", "motorcycle", "derelict_vehicle", "street_stall", "debris_pile",
    "overflow_bin", "construction_dust", "hoarding", "traffic_cone", "umbrella", "suitcase",
)  # fmt: skip

_MISTAKEN: dict[str, tuple[str, ...]] = {
    "car": ("truck", "derelict_vehicle"),
    "truck": ("car", "bus"),
    "bus": ("truck",),
    "muck_truck": ("truck",),
    "derelict_vehicle": ("car",),
    "derelict_cycle": ("bicycle", "motorcycle"),
    "motorcycle": ("bicycle",),
    "bicycle": ("motorcycle",),
    "debris_pile": ("overflow_bin",),
    "overflow_bin": ("bin", "debris_pile"),
    "bin": ("overflow_bin",),
}


@dataclass(frozen=True)
class Noise:
    """How a detector errs.

    Attributes:
        missed: Chance that it misses a thing in plain sight in a look.
        spell_looks: Mean number of looks that a miss lasts; 1: every look is a chance of its own.
        jitter: Deviation of middle, foot, width and height of a box, as share of its size.
        shake_px: Deviation of the whole picture.
        confidence: Mean confidence of a detection.
        spread: Its deviation.
        mistaken: Chance of another class of the same look.
        doubled: Chance of a second box on the same thing.
        invented: Boxes of nothing a look, on average, at random places.
        light: Light in which signatures are taken.
    """

    missed: float = 0.3
    spell_looks: float = 1.0
    jitter: float = 0.05
    shake_px: float = 0.0
    confidence: float = 0.62
    spread: float = 0.12
    mistaken: float = 0.06
    doubled: float = 0.04
    invented: float = 0.3
    light: Light = Light.DAY


DAY = Noise()
NIGHT = Noise(
    missed=0.38, jitter=0.08, confidence=0.48, mistaken=0.1, invented=0.5, light=Light.DARK
)
RAIN = Noise(missed=0.36, jitter=0.06, confidence=0.5, invented=0.5)
SHAKE = Noise(shake_px=5.0)
FLICKER = Noise(missed=0.55, spell_looks=3.0)


_Row = tuple[Box, float, str, float, bytes]
"""Box, confidence, class, score of the second stage, signature."""


class NoisyDetector:
    """Turns what is visible into detections; one for each run of a scenario."""

    def __init__(self, noise: Noise, seed: int) -> None:
        """Start with a seed."""
        self._noise = noise
        self._rng = np.random.default_rng(seed)
        self._signing = np.random.default_rng((seed, 1))
        self._missing: dict[str, bool] = {}

    def shaken(self, shift: tuple[float, float]) -> tuple[float, float]:
        """How far the whole picture is off in this look, given how far it is meant to be."""
        dx, dy = self._rng.normal(0, self._noise.shake_px, 2) if self._noise.shake_px else (0, 0)
        return shift[0] + dx, shift[1] + dy

    def registered(self, shift: tuple[float, float]) -> Affine | None:
        """What registration to the view makes of a picture that is off: right to half a pixel."""
        if shift == (0.0, 0.0):
            return None
        dx, dy = self._signing.normal(0, 0.5, 2)
        return 1.0, 0.0, dx - shift[0], 0.0, 1.0, dy - shift[1]

    def detect(self, visible: list[Visible], shift: tuple[float, float] = (0.0, 0.0)) -> Detections:
        """Detections of a look.

        Args:
            visible: What can be seen.
            shift: How far the whole picture is off, in pixels.
        """
        noise, rng = self._noise, self._rng
        shift_x, shift_y = shift
        rows: list[_Row] = []
        for one in visible:
            thing = one.thing
            if self._misses(one):
                continue
            name = thing.class_name
            chance = rng.random()
            for other, share in thing.called:
                if chance < share:
                    name = other
                    break
                chance -= share
            else:
                if rng.random() < noise.mistaken and name in _MISTAKEN:
                    name = str(rng.choice(_MISTAKEN[name]))
            jitter = float(np.hypot(noise.jitter, thing.jitter))
            boxes = 2 if rng.random() < noise.doubled else 1
            for again in range(boxes):
                confidence = rng.normal(noise.confidence, noise.spread) * thing.confidence
                confidence *= (0.55 + 0.45 * one.share) * (0.6 if again else 1.0)
                score = np.nan if thing.derelict is None else thing.derelict + rng.normal(0, 0.1)
                box = self._jittered(one.box, jitter)
                rows.append((box, confidence, name, score, self._signature(thing, one.share)))
        for _ in range(rng.poisson(noise.invented) if noise.invented else 0):
            name = str(rng.choice(_INVENTED))
            width, depth, height = SIZES[name]
            depth_m = rng.uniform(11, 40)
            reach = FRAME[0] / 2 * depth_m / 900
            size = (width * rng.uniform(0.5, 1.4), depth, height * rng.uniform(0.5, 1.4))
            box = box_at(rng.uniform(-reach, reach), depth_m, size)
            rows.append((box, rng.uniform(0.1, 0.55), name, np.nan, self._signature(None, 1.0)))
        return self._as_detections(rows, shift_x, shift_y)

    def _signature(self, thing: Thing | None, share: float) -> bytes:
        look = "" if thing is None else thing.looks_like
        return signature(look, share, self._noise.light, self._signing)

    def _misses(self, one: Visible) -> bool:
        """Whether the detector misses a thing in this look."""
        if one.share < 0.3:
            return True
        seen = (1 - self._noise.missed) * one.thing.detected * (1.0 if one.share > 0.75 else 0.7)
        name = one.thing.name
        if self._noise.spell_looks <= 1.0:
            return bool(self._rng.random() >= seen)
        if name not in self._missing:
            self._missing[name] = bool(self._rng.random() >= seen)
        elif self._missing[name]:
            self._missing[name] = bool(self._rng.random() >= 1 / self._noise.spell_looks)
        else:
            leaves = (1 - seen) / max(seen, 1e-6) / self._noise.spell_looks
            self._missing[name] = bool(self._rng.random() < leaves)
        return self._missing[name]

    def _jittered(self, box: Box, share: float) -> Box:
        if share == 0.0:
            return box
        x1, y1, x2, y2 = box
        width, height = x2 - x1, y2 - y1
        dx, dy, dw, dh = np.clip(self._rng.normal(0, share, 4), -3 * share, 3 * share)
        middle, foot = (x1 + x2) / 2 + dx * width, y2 + dy * height
        half = width * (1 + dw) / 2
        return middle - half, foot - height * (1 + dh), middle + half, foot

    def _as_detections(self, rows: list[_Row], shift_x: float, shift_y: float) -> Detections:
        rows = [row for row in rows if row[1] >= 0.1]
        xyxy = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
        xyxy += np.array([shift_x, shift_y, shift_x, shift_y], np.float32)
        xyxy[:, 0::2] = xyxy[:, 0::2].clip(0, FRAME[0])
        xyxy[:, 1::2] = xyxy[:, 1::2].clip(0, FRAME[1])
        kept = (xyxy[:, 2] - xyxy[:, 0] > 3) & (xyxy[:, 3] - xyxy[:, 1] > 3)
        rows = [row for row, keep in zip(rows, kept, strict=True) if keep]
        return Detections(
            xyxy[kept],
            np.array([min(row[1], 0.97) for row in rows], np.float32),
            np.array([NAMES.index(row[2]) for row in rows], np.int64),
            NAMES,
            np.clip(np.array([row[3] for row in rows], np.float32), 0, 1),
            np.frombuffer(b"".join(row[4] for row in rows), np.uint8).reshape(-1, SIGNATURE_BYTES),
        )
