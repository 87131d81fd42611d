"""Scenes to H.264 recordings with the truth beside them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av

from vision.errors import InputError
from vision.learn.scenes.preset import ScenePreset
from vision.learn.scenes.scene import Scene
from vision.learn.scenes.truth import SceneTruth, TruthBox


def truth_path(clip: Path) -> Path:
    """Where the truth of a clip is written: ``<clip>.truth.json``."""
    return clip.with_name(clip.name + ".truth.json")


def render_clip(
    preset: ScenePreset,
    seed: int,
    out: Path,
    *,
    duration_s: float | None = None,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    keyframe_interval_s: float = 2.0,
    start_time: datetime | None = None,
    progress: Callable[[float], None] | None = None,
) -> SceneTruth:
    """Render a scene to an MP4 (H.264, yuv420p, fast start) and write its truth beside it.

    Args:
        preset: What to show.
        seed: Seed of the scene.
        out: MP4 file to write; its folder is made. A broken-off rendering leaves no such file.
        duration_s: Length in seconds; the preset's own when ``None``.
        fps: Frames a second; the preset's own when ``None``.
        size: ``(width, height)`` in pixels, both even; the preset's own when ``None``.
        keyframe_interval_s: Exact spacing of the keyframes in seconds.
        start_time: Aware time of the first frame, written as ``creation_time``.
        progress: Called with the share done, 0..1, after each frame.

    Returns:
        The truth, as written to :func:`truth_path`; boxes of every frame.

    Raises:
        InputError: Size, rate or start time cannot be used.
    """
    size = size or preset.size
    fps = fps or preset.fps
    duration_s = duration_s or preset.duration_s
    if size[0] % 2 or size[1] % 2 or min(size) < 32:
        raise InputError(f"size must be even and at least 32 px, not {size[0]}x{size[1]}")
    if not 0 < fps <= 120 or duration_s <= 0:
        raise InputError(f"fps ({fps}) and duration_s ({duration_s}) must be above 0")
    if start_time is not None and start_time.tzinfo is None:
        raise InputError("start_time needs a time zone")
    preset = preset.model_copy(update={"duration_s": duration_s})
    scene = Scene(preset, seed, size)
    rate = Fraction(fps).limit_denominator(1001)
    count = max(1, round(duration_s * rate))
    frames: list[tuple[float, tuple[TruthBox, ...]]] = []
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    try:
        with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            if start_time is not None:
                stamp = start_time.astimezone(UTC)
                container.metadata["creation_time"] = stamp.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            every = max(1, round(keyframe_interval_s * rate))
            stream = container.add_stream("libx264", rate=rate)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.gop_size = every
            stream.options = {
                "preset": "veryfast", "crf": "24", "sc_threshold": "0", "keyint_min": str(every)
            }  # fmt: skip
            for i in range(count):
                time_s = float(i / rate)
                image, boxes = scene.frame(time_s)
                frames.append((time_s, tuple(boxes)))
                picture = av.VideoFrame.from_ndarray(image, format="bgr24")
                picture.pts, picture.time_base = i, 1 / rate
                container.mux(stream.encode(picture))
                if progress is not None:
                    progress((i + 1) / count)
            container.mux(stream.encode(None))
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    truth = SceneTruth(
        file=out.name,
        preset=preset.name,
        seed=seed,
        size=size,
        fps=float(rate),
        duration_s=float(count / rate),
        frames=tuple(frames),
        events=tuple(scene.events()),
        zones=tuple(scene.zones),
    )
    truth.write(truth_path(out))
    return truth
