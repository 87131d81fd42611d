"""Scenarios at the level of pictures: drawn clips, scanned with the models that ship."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vision.detect.registry import load_registry
from vision.learn.scenes import ScenePreset, load_preset, render_clip, truth_path
from vision.scan import ScanOptions, run_scan
from vision.score.run import RunScore, score_run
from vision.score.truth import read_truth
from vision.site import Site

SECONDS = 60.0
FPS = 2.0

RULES: dict[str, dict[str, Any]] = {
    "abandoned_vehicle": {"derelict_dwell_s": 20.0},
    "street_stall": {"dwell_s": 15.0},
    "debris_pile": {"dwell_s": 15.0},
    "construction_dust": {"window_s": 20.0},
    "hoarding_missing": {"dwell_s": 15.0, "max_gap_share": 0.06},
}
"""A clip lasts a minute: its dwells are seconds where a city's are minutes and days."""


@dataclass(frozen=True)
class Drawn:
    """A clip to be drawn and scanned.

    Attributes:
        name: Name, unique.
        shows: One sentence for the table.
        preset: Name of the scene preset.
        seed: Seed of the scene.
        changes: What differs from the preset: values by part, such as ``light``.
        script: Script in place of the preset's; the preset's own when ``None``.
        limits: Kinds that the shipped models are known to get wrong here, with the reason.
    """

    name: str
    shows: str
    preset: str
    seed: int = 1
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    script: tuple[Mapping[str, Any], ...] | None = None
    limits: Mapping[str, str] = field(default_factory=dict)

    def scene(self) -> ScenePreset:
        """The scene to be drawn."""
        content = load_preset(self.preset).model_dump(mode="json")
        for part, values in self.changes.items():
            content[part].update(values)
        if self.script is not None:
            content["script"] = [dict(cue) for cue in self.script]
        return ScenePreset.model_validate(content)


DRAWN = [
    Drawn("street by day", "A derelict car, a tricycle stall, a dumped heap", "street_demo"),
    Drawn(
        "street with a shaken camera",
        "The same with a camera that shakes by 3 px",
        "street_demo",
        changes={"light": {"shake_px": [2.5, 3.5]}},
    ),
    Drawn(
        "street in a crowd",
        "The same with three times the people and more traffic",
        "street_demo",
        changes={"traffic": {"people": [22, 26], "vehicles_per_min": [30, 36]}},
    ),
    Drawn(
        "street behind buses",
        "The same with half of the traffic buses and lorries",
        "street_demo",
        changes={"traffic": {"bus_share": 0.35, "truck_share": 0.25}},
    ),
    Drawn(
        "street in rain",
        "The same on a rainy day",
        "street_demo",
        changes={"light": {"rain": 0.7, "cloud": [0.9, 1.0]}},
        limits={"street_stall": "in rain the model boxes the stall now whole, now a part of it"},
    ),
    Drawn(
        "rainy night",
        "A cart stall and bags in a rainy night",
        "night_rain",
        limits={"abandoned_vehicle": "at night in rain the model calls sound cars derelict"},
    ),
    Drawn(
        "quiet street",
        "Parked cars, a queue at a red light, people: nothing",
        "street_quiet",
    ),
    Drawn(
        "quiet rainy night",
        "The same street in a rainy night: nothing",
        "street_quiet",
        changes={"light": {"time": "night", "rain": 0.8, "cloud": [1.0, 1.0]}},
    ),
    Drawn(
        "building site",
        "Two panels fall, dust rises, a muck truck drives out",
        "site_demo",
        limits={"construction_dust": "the model sees this plume in too few looks"},
    ),
    Drawn(
        "site in order",
        "A closed hoarding, a machine at work, no dust: nothing",
        "site_demo",
        script=(
            {"what": "excavator", "along_m": [30, 34], "depth_m": [10, 13]},
            {"what": "crane", "along_m": [60, 75], "depth_m": [30, 40]},
        ),
    ),
]


class _Silent:
    """Hears how a scan goes on, and says nothing."""

    def input_started(self, name: str, number: int, of: int) -> None:
        pass

    def opened(self, duration_s: float | None) -> None:
        pass

    def looked(self, time_s: float, violations: int) -> None:
        pass

    def input_ended(self, report: dict[str, Any]) -> None:
        pass


def scan_drawn(drawn: Drawn, folder: Path) -> RunScore:
    """Draw a clip, scan it, and score what was raised.

    Args:
        drawn: The clip.
        folder: Empty folder for the clip and the run.
    """
    clip = folder / "cam.mp4"
    truth = render_clip(
        drawn.scene(),
        drawn.seed,
        clip,
        duration_s=SECONDS,
        fps=FPS,
        size=(1280, 720),
        keyframe_interval_s=1 / FPS,
    )
    zones = [zone.model_dump(mode="json", exclude_unset=True) for zone in truth.zones]
    site = Site.model_validate(
        {"timezone": "Asia/Shanghai", "cameras": [{"id": "cam", "zones": zones}], "rules": RULES}
    )
    run_scan(
        [str(clip)],
        folder / "run",
        ScanOptions(site=site, every_s=1.0),
        load_registry(),
        _Silent(),
    )
    return score_run(folder / "run", read_truth(truth_path(clip)))
