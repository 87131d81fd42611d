"""What is truly in a scene: boxes of a frame, events of a clip."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vision.observe.sighting import Box
from vision.zones import Zone

CLASS_NAMES: tuple[str, ...] = (
    "person", "bicycle", "motorcycle", "car", "bus", "truck", "derelict_vehicle", "street_stall",
    "debris_pile", "overflow_bin", "bin", "hoarding", "bare_soil", "construction_machine",
    "muck_truck", "construction_dust", "smoke", "crane", "traffic_cone",
)  # fmt: skip
"""Classes that the scene maker draws, in the order of the class ids of its data sets."""


@dataclass(frozen=True)
class TruthBox:
    """A thing in one frame.

    Attributes:
        class_name: One of :data:`CLASS_NAMES`.
        box: Tight box of the visible part, pixels ``x1, y1, x2, y2``.
        thing_id: The same thing keeps its number through the scene.
        visible: Share 0..1 of the thing that is neither hidden nor outside the frame.
    """

    class_name: str
    box: Box
    thing_id: int
    visible: float


@dataclass(frozen=True)
class TruthEvent:
    """A violation that the scene shows.

    Attributes:
        kind: Violation kind, as in ``vision.rules.kinds``.
        thing_id: Thing that it is about; for ``hoarding_missing`` the first panel that is gone.
        box: Its box, unhidden, in pixels (largest over the time for dust).
        start_s: From when, seconds of the scene.
        end_s: Until when; ``None`` when it lasts to the end.
    """

    kind: str
    thing_id: int
    box: Box
    start_s: float
    end_s: float | None

    def as_json(self) -> dict[str, Any]:
        """Entry of a truth file, see docs/scoring.md."""
        return {
            "type": self.kind,
            "box_xyxy": [round(edge, 1) for edge in self.box],
            "start_s": self.start_s,
            "end_s": self.end_s,
            "expected": "alert",
            "thing_id": self.thing_id,
        }


@dataclass(frozen=True)
class SceneTruth:
    """All that is known of a rendered clip.

    Attributes:
        file: Name of the clip.
        preset: Name of the preset.
        seed: Seed of the scene.
        size: ``(width, height)`` in pixels.
        fps: Frames a second.
        duration_s: Length in seconds.
        frames: ``(time_s, boxes)`` of the recorded frames.
        events: Violations shown.
        zones: Zones of the view, in fractions.
    """

    file: str
    preset: str
    seed: int
    size: tuple[int, int]
    fps: float
    duration_s: float
    frames: tuple[tuple[float, tuple[TruthBox, ...]], ...]
    events: tuple[TruthEvent, ...]
    zones: tuple[Zone, ...]

    def as_json(self) -> dict[str, Any]:
        """JSON-able form, as written beside the clip; ``jiexu score`` reads it."""
        return {
            "file": self.file,
            "preset": self.preset,
            "seed": self.seed,
            "size": list(self.size),
            "fps": self.fps,
            "duration_s": self.duration_s,
            "class_names": list(CLASS_NAMES),
            "events": [event.as_json() for event in self.events],
            "zones": [zone.model_dump(mode="json") for zone in self.zones],
            "frames": [
                {
                    "time_s": round(time_s, 4),
                    "boxes": [
                        {
                            "class_name": b.class_name,
                            "box": [round(v, 1) for v in b.box],
                            "thing_id": b.thing_id,
                            "visible": round(b.visible, 3),
                        }
                        for b in boxes
                    ],
                }
                for time_s, boxes in self.frames
            ],
        }

    def write(self, path: Path) -> None:
        """Write the JSON form."""
        path.write_text(json.dumps(self.as_json(), ensure_ascii=False), encoding="utf-8")


def yolo_lines(boxes: Sequence[TruthBox], size: tuple[int, int]) -> str:
    """Boxes as lines of a YOLO label file: class, centre and size in fractions."""
    width, height = size
    lines = []
    for b in boxes:
        x1, y1, x2, y2 = b.box
        numbers = (
            (x1 + x2) / 2 / width,
            (y1 + y2) / 2 / height,
            (x2 - x1) / width,
            (y2 - y1) / height,
        )
        lines.append(f"{CLASS_NAMES.index(b.class_name)} " + " ".join(f"{v:.6f}" for v in numbers))
    return "".join(line + "\n" for line in lines)
