"""A drawn street on real RTSP streams, on which things stand when a script says so."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.service.cameras.rtsp_clips import RATE, RtspServer, encode_units
from vision.frames.frame import Image
from vision.learn.scenes.clip import render_clip
from vision.learn.scenes.preset import load_preset

PRESET, SEED, DRAWN_S = "street_demo", 1, 28.0
LATER_S = 10.0
"""What sets up in the scene does so by so much later: until then the street is free."""

LOOP_S = 14
"""Seconds of each loop: looks less far apart never see one picture twice, as if it were frozen."""

EMPTY = "empty"
FREE_S = (0.5, 4.2)
"""Of the drawn clip, the seconds before anything sets up; no divisor of them is one of the loop."""

THINGS: dict[str, tuple[float, float]] = {
    "street_stall": (19.5, 23.5),
    "debris_pile": (25.0, 27.9),
}
"""What the scene shows, and the seconds of the drawn clip in which it stands."""


@dataclass(frozen=True)
class Form:
    """What the streams are like.

    Attributes:
        size: ``(width, height)`` in pixels.
        fps: Frames a second; the street is drawn at ``RATE`` of them, which are repeated.
        keyframe_s: Seconds between keyframes.
        bit_rate: Bits a second, ``None`` for whatever the quality takes.
    """

    size: tuple[int, int] = (640, 360)
    fps: int = RATE
    keyframe_s: int = 1
    bit_rate: int | None = None


@dataclass(frozen=True)
class Appearance:
    """One violation of the script.

    Attributes:
        camera_id: Where.
        kind: What stands there.
        from_s: Seconds from the beginning of the run.
        to_s: When it is gone again.
    """

    camera_id: str
    kind: str
    from_s: float
    to_s: float


@dataclass(frozen=True)
class Scene:
    """The drawn street.

    Attributes:
        clips: Files of access units by what they show.
        zones: Its zones, as a camera has them.
    """

    clips: dict[str, Path]
    zones: list[dict[str, Any]]


def draw_scene(folder: Path, form: Form | None = None) -> Scene:
    """Draw the street empty and with each thing, in loops for the RTSP server.

    Args:
        folder: Where they are kept; what lies there already is taken.
        form: What the streams are like.
    """
    form = form or Form()
    folder.mkdir(parents=True, exist_ok=True)
    clips = {what: folder / f"{what}.au" for what in (EMPTY, *THINGS)}
    known = folder / f"zones_{LOOP_S}s.json"
    if known.exists():
        return Scene(clips, json.loads(known.read_text()))
    street = draw_street(folder / "street.mp4", form.size)
    for what, frames in street.frames.items():
        _encode(clips[what], frames, form)
    known.write_text(json.dumps(street.zones))
    return Scene(clips, street.zones)


@dataclass(frozen=True, eq=False)
class Street:
    """The drawn street as pictures.

    Attributes:
        frames: By what they show, the same seconds of the street: ``(h, w, 3)`` uint8 BGR.
        zones: Its zones, as a camera has them.
    """

    frames: dict[str, list[Image]]
    zones: list[dict[str, Any]]


def draw_street(drawn: Path, size: tuple[int, int]) -> Street:
    """Draw the street, and set each thing into the seconds in which it is empty.

    Args:
        drawn: MP4 file that it is drawn into.
        size: ``(width, height)`` in pixels.
    """
    preset = load_preset(PRESET)
    later = [
        cue if cue.start_s is None else cue.model_copy(update={"start_s": cue.start_s + LATER_S})
        for cue in preset.script
    ]
    preset = preset.model_copy(update={"script": tuple(later)})
    truth = render_clip(preset, SEED, drawn, duration_s=DRAWN_S, fps=RATE, size=size)
    frames = list(_frames(drawn))
    free = frames[round(FREE_S[0] * RATE) : round(FREE_S[1] * RATE)]
    shown = {EMPTY: free}
    for kind, (from_s, to_s) in THINGS.items():
        event = next(one for one in truth.events if one.kind == kind)
        box = _wider(event.box, size)
        standing = frames[round(from_s * RATE) : round(to_s * RATE)]
        shown[kind] = []
        for frame, patch in zip(free, itertools.cycle(standing), strict=False):
            with_thing = frame.copy()
            with_thing[box] = patch[box]
            shown[kind].append(with_thing)
    return Street(shown, [zone.model_dump(mode="json") for zone in truth.zones])


def script_of(
    cameras: Sequence[str], *, seconds: float, stand_s: float | None, random_: random.Random
) -> list[Appearance]:
    """When what stands where.

    Args:
        cameras: Ids of the cameras.
        seconds: Length of the run.
        stand_s: Each camera shows each thing for so long, one after the other. ``None``: each
            shows one thing, from early on to the end.
        random_: Spreads the beginnings.

    Raises:
        ValueError: The run is too short for that.
    """
    kinds = list(THINGS)
    if stand_s is None:
        return [
            Appearance(camera_id, kinds[number % len(kinds)], 2.0 + 3.0 * number, float("inf"))
            for number, camera_id in enumerate(cameras)
        ]
    room_s = seconds - len(kinds) * stand_s
    if room_s <= 0:
        raise ValueError(f"{seconds:g} s are too short for {len(kinds)} things of {stand_s:g} s")
    script = []
    for camera_id in cameras:
        random_.shuffle(kinds)
        pauses = sorted(random_.uniform(0.05, 0.95) * room_s for _ in kinds)
        for number, (kind, pause_s) in enumerate(zip(kinds, pauses, strict=True)):
            from_s = pause_s + number * stand_s
            script.append(Appearance(camera_id, kind, from_s, from_s + stand_s))
    return sorted(script, key=lambda one: one.from_s)


class World:
    """The streams; what they show outlives the server that gives them.

    Args:
        scene: The drawn street.
        cameras: Ids of the cameras; each has a stream of that name.
        folder: Where the streams' files lie.
        also: Further files of access units, each given under its name.
        fps: Frames a second.
    """

    def __init__(
        self,
        scene: Scene,
        cameras: Sequence[str],
        folder: Path,
        *,
        also: Sequence[Path] = (),
        fps: int = RATE,
    ) -> None:
        self._shown = dict.fromkeys(cameras, EMPTY)
        streams = []
        for camera_id in cameras:
            link = folder / f"{camera_id}.au"
            link.unlink(missing_ok=True)
            link.symlink_to(scene.clips[EMPTY].resolve())
            streams.append(link)
        self._stalled: set[str] = set()
        self._server = RtspServer([*scene.clips.values(), *streams, *also], rate=fps)
        self.is_up = True

    def url(self, camera_id: str) -> str:
        """Address of a camera."""
        return self._server.url(camera_id)

    @property
    def pid(self) -> int:
        """Id of the server's process."""
        return self._server.pid

    def show(self, camera_id: str, what: str) -> None:
        """Let a camera show the empty street, or a thing on it."""
        self._shown[camera_id] = what
        self._say(f"show /{camera_id} /{what}")

    def stall(self, camera_id: str) -> None:
        """Let a stream give nothing; its connection stays."""
        self._stalled.add(camera_id)
        self._say(f"stall /{camera_id}")

    def go_on(self, camera_id: str) -> None:
        """Let a stream that was stalled go on."""
        self._stalled.discard(camera_id)
        self._say(f"go /{camera_id}")

    def kill(self) -> None:
        """Kill the server; nobody is told."""
        if self.is_up:
            self._server.kill()
        self.is_up = False

    def start(self) -> None:
        """Start the server again at its port; what is to be shown is shown."""
        if self.is_up:
            return
        self._server.start()
        self.is_up = True
        for camera_id, what in self._shown.items():
            self.show(camera_id, what)
        for camera_id in self._stalled:
            self._say(f"stall /{camera_id}")

    def _say(self, line: str) -> None:
        if self.is_up:
            self._server.say(line)


def _frames(clip: Path) -> Iterator[Image]:
    with av.open(str(clip)) as reader:
        for frame in reader.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def _wider(box: Sequence[float], size: tuple[int, int]) -> tuple[slice, slice]:
    """The pixels of a box and a little around it."""
    x1, y1, x2, y2 = box
    across, down = 0.15 * (x2 - x1), 0.15 * (y2 - y1)
    return (
        slice(max(0, round(y1 - down)), min(size[1], round(y2 + down))),
        slice(max(0, round(x1 - across)), min(size[0], round(x2 + across))),
    )


def _encode(path: Path, frames: Sequence[Image], form: Form) -> None:
    encode_units(
        path,
        lambda number: frames[number * RATE // form.fps % len(frames)],
        LOOP_S * form.fps,
        size=form.size,
        rate=form.fps,
        gop=form.fps * form.keyframe_s,
        bit_rate=form.bit_rate,
    )
