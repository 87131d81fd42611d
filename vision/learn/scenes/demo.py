"""The demo: drawn clips and the site file that belongs to them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import yaml

from vision.files import write_atomically
from vision.learn.scenes.clip import render_clip, truth_path
from vision.learn.scenes.preset import load_preset

TIMEZONE = "Asia/Shanghai"
SIZE = (1280, 720)
FPS = 10
START = datetime(2026, 5, 18, 1, 0, tzinfo=UTC)

RULES: dict[str, dict[str, Any]] = {
    "abandoned_vehicle": {"derelict_dwell_s": 20.0},
    "street_stall": {"dwell_s": 15.0},
    "debris_pile": {"dwell_s": 15.0},
    "construction_dust": {"window_s": 20.0},
    "hoarding_missing": {"dwell_s": 15.0, "max_gap_share": 0.06},
}
"""A demo lasts a minute: its dwells are seconds where a city's are minutes and days."""


class DrawingProgress(Protocol):
    """Hears how drawing goes on."""

    def drawing(self, name: str, duration_s: float) -> None:
        """A clip of so many seconds is being drawn."""

    def looked(self, time_s: float, violations: int) -> None:
        """It is drawn up to a stream time."""


def make_demo(
    out: Path, names: Sequence[str], *, seconds: float, seed: int, progress: DrawingProgress
) -> Path:
    """Draw a clip of each scene into ``out/clips``; write ``out/site.yaml``, ``out/truth.json``.

    Clips that are there already, of the same scene, length and seed, are kept.

    Args:
        out: Folder of the demo.
        names: Scene presets.
        seconds: Length of each clip.
        seed: Seed of the scenes.
        progress: Hears how it goes on.

    Returns:
        The site file.
    """
    clips = out / "clips"
    clips.mkdir(parents=True, exist_ok=True)
    cameras, truths = [], []
    for name in names:
        preset = load_preset(name)
        camera_id = f"{name}-{seed}-{seconds:.0f}s"
        clip = clips / f"{camera_id}.mp4"
        if not _is_drawn(clip):
            progress.drawing(name, seconds)
            render_clip(
                preset,
                seed,
                clip,
                duration_s=seconds,
                fps=FPS,
                size=SIZE,
                start_time=START,
                progress=lambda share: progress.looked(share * seconds, 0),
            )
        truth = json.loads(truth_path(clip).read_text(encoding="utf-8"))
        truths.append({key: truth[key] for key in ("file", "duration_s", "events")})
        cameras.append({"id": camera_id, "name": name.replace("_", " "), "zones": truth["zones"]})
    site = {"timezone": TIMEZONE, "cameras": cameras, "rules": RULES}
    path = out / "site.yaml"
    write_atomically(out / "truth.json", json.dumps(truths, indent=1) + "\n")
    write_atomically(path, yaml.safe_dump(site, allow_unicode=True, sort_keys=False))
    return path


def _is_drawn(clip: Path) -> bool:
    """Whether a clip is there with a truth that can be scored."""
    path = truth_path(clip)
    return clip.exists() and path.exists() and "file" in json.loads(path.read_text("utf-8"))
