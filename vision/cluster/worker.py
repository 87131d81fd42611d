"""A worker: decodes looks, keeps their pictures, and inspects those that it is asked to.

Or it scans recordings whole, where there are enough of them to keep all workers busy.

Every method says all that it needs, so a worker that has just been started again, or another one,
answers as the lost one would have; what was kept only spares decoding again.
"""

from __future__ import annotations

import socket
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vision.cluster.at_work import this_node
from vision.cluster.listening import Heard, Listeners
from vision.cluster.parcels import AstrayError, Clip, Loaded, Model, Seen, Task, Wanted, seen
from vision.cluster.solo import Played, play
from vision.detect.detections import Detections
from vision.detect.detector import Detector
from vision.engine import inspect_blank
from vision.errors import InputError
from vision.frames.frame import Frame, Image, Luma
from vision.frames.recording import Recording
from vision.looking.frame_look import inspection
from vision.store import drop_copy

KEPT_FRAMES = 48
"""Frames kept for inspection: 150 MB of 1080p pictures."""

READ_THROUGH_S = 4.0
"""Up to so much is read through rather than passed over."""

OPEN_CLIPS = 4
"""Recordings kept open; the one not used for longest goes first."""


@dataclass
class _Open:
    """A recording open at some place, and how far it has been read."""

    path: Path
    recording: Recording
    from_s: float
    read_s: float

    def go_to(self, start_s: float) -> None:
        """Go on at a keyframe further on, past what others look at."""
        if start_s > self.read_s + READ_THROUGH_S:
            self.recording.pass_over(start_s)
            self.from_s = self.read_s = start_s


class Worker:
    """Lives in a process of its own; its methods may run in several threads at once."""

    def __init__(self) -> None:
        self._detectors: dict[tuple[str, str | None], Detector] = {}
        self._open: OrderedDict[Clip, _Open] = OrderedDict()
        self._frames: OrderedDict[tuple[Clip, Wanted], Frame] = OrderedDict()
        self._kept_lock = threading.Lock()
        self._reading = threading.Lock()
        self._loading = threading.Lock()
        self._listeners = Listeners()

    def is_up(self) -> bool:
        """Answers as long as the worker lives."""
        return True

    def load(self, model: Model) -> Loaded:
        """Load a model if it is not loaded, and say what it is.

        Raises:
            ModelError: It cannot be loaded.
        """
        detector = self._detector(model)
        return Loaded(
            detector.names,
            detector.runtime,
            detector.model_name,
            detector.model_sha256,
            detector.input_size,
            socket.gethostname(),
        )

    def warm(self, model: Model, size: tuple[int, int]) -> None:
        """Get a model ready for frames of this width and height.

        Raises:
            ModelError: It fails.
        """
        inspect_blank(self._detector(model), size).result()

    def looks(self, clip: Clip, wanted: Sequence[Wanted]) -> list[Seen | None]:
        """Decode a stretch of looks.

        Args:
            clip: The recording.
            wanted: Looks in order of time.

        Returns:
            What was seen, look by look; ``None`` past the end of the recording.

        Raises:
            InputError: The recording cannot be read.
            AstrayError: It reads otherwise than for the conductor.
        """
        answer: list[Seen | None] = []
        for one in wanted:
            frame = self._frame(clip, one)
            answer.append(None if frame is None else seen(frame))
        return answer

    def detect(self, model: Model, clip: Clip, wanted: Wanted) -> tuple[Detections, Luma]:
        """Inspect a look.

        Returns:
            The detections, and the full brightness picture, which judgement nearly always needs.

        Raises:
            InputError: The recording cannot be read.
            ModelError: The model fails.
        """
        frame = self._there(clip, wanted)
        found = inspection(self._detector(model), frame).result()
        return found, np.ascontiguousarray(frame.grey)

    def grey(self, clip: Clip, wanted: Wanted) -> Luma:
        """The full brightness picture of a look, ``(h, w)`` uint8.

        Raises:
            InputError: The recording cannot be read.
        """
        return np.ascontiguousarray(self._there(clip, wanted).grey)

    def image(self, clip: Clip, wanted: Wanted) -> Image:
        """The full picture of a look, ``(h, w, 3)`` BGR uint8.

        Raises:
            InputError: The recording cannot be read.
        """
        return self._there(clip, wanted).image

    def inspect(self, model: Model, image: Image, size: tuple[int, int] | None) -> Detections:
        """Inspect a picture that is no look.

        Args:
            model: The model.
            image: See :meth:`vision.detect.detector.Detector.submit`.
            size: The same.

        Raises:
            ModelError: The model fails.
        """
        return self._detector(model).submit(image, size).result()

    def scan(self, task: Task, home: str, kept: bytes) -> Played:
        """Scan a recording whole, from where an earlier run left it.

        Args:
            task: The recording.
            home: Id of the node on whose machine the run folder lies.
            kept: What an earlier run left of it there, see :func:`~vision.cluster.solo.packed`.

        Raises:
            InputError: The recording cannot be read.
            ModelError: A model fails.
        """
        at_home = this_node() == home
        with self._listeners.to(task.key) as listener:
            return play(task, self._detector(task.model), listener, at_home=at_home, kept=kept)

    def heard(self, key: str) -> Heard | None:
        """How far a recording that is scanned whole has come; ``None`` if it is not under way."""
        return self._listeners.heard(key)

    def stop(self) -> None:
        """Leave recordings that are scanned whole at their next look."""
        self._listeners.stop()

    def forget(self, path: Path) -> None:
        """Close a recording that is done, and drop this machine's copy of it."""
        with self._reading, self._kept_lock:
            for clip in [clip for clip in self._open if clip.path == path]:
                opened = self._open.pop(clip)
                opened.recording.close()
                if clip.url:
                    drop_copy(opened.path)
            for key in [key for key in self._frames if key[0].path == path]:
                del self._frames[key]

    def _there(self, clip: Clip, wanted: Wanted) -> Frame:
        frame = self._frame(clip, wanted)
        if frame is None:
            raise InputError(f"{clip.path}: the picture at {wanted.time_s:.3f} s is gone")
        return frame

    def _frame(self, clip: Clip, wanted: Wanted) -> Frame | None:
        frame = self._kept(clip, wanted)
        if frame is not None:
            return frame
        with self._reading:
            opened = self._opened(clip, wanted.start_s)
            recording = opened.recording
            if recording.starts_at_s(wanted.time_s, wanted.tolerance_s) != wanted.start_s:
                raise AstrayError(f"{clip.path}: no keyframe at {wanted.start_s:.3f} s")
            recording.release(wanted.start_s)
            frame = recording.submit(wanted.time_s, wanted.tolerance_s).result()
            opened.from_s = wanted.start_s
            opened.read_s = max(opened.read_s, wanted.time_s + wanted.tolerance_s)
        if frame is not None:
            with self._kept_lock:
                self._frames[clip, wanted] = frame
                while len(self._frames) > KEPT_FRAMES:
                    self._frames.popitem(last=False)
        return frame

    def _kept(self, clip: Clip, wanted: Wanted) -> Frame | None:
        with self._kept_lock:
            return self._frames.get((clip, wanted))

    def _opened(self, clip: Clip, start_s: float) -> _Open:
        opened = self._open.pop(clip, None)
        if opened is None or opened.from_s > start_s:
            if opened is not None:
                opened.recording.close()
            path = clip.local()
            opened = _Open(path, clip.open(path, start_s), start_s, start_s)
        self._open[clip] = opened
        if clip.seek:
            opened.go_to(start_s)
        while len(self._open) > OPEN_CLIPS:
            self._open.popitem(last=False)[1].recording.close()
        return opened

    def _detector(self, model: Model) -> Detector:
        with self._loading:
            if model.key not in self._detectors:
                self._detectors[model.key] = model.load()
            return self._detectors[model.key]
