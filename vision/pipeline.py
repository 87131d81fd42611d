"""One source, look by look: frames → health → gate → detections → second stage.

The order of work is free (frames are decoded and detected ahead of judgement, on the guess that
the pace of looking stays as it is), the result is not: a wrong guess is thrown away, so looks
depend on the source, the settings and the judgement alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.array_state import State, prefixed, under
from vision.detect.detections import Detections
from vision.detect.detector import Detector
from vision.frames.frame import Frame
from vision.frames.gate import ChangeGate
from vision.frames.health import HealthWatch
from vision.frames.looks import LookPolicy
from vision.frames.source import FrameSource
from vision.observe.look import Affine, Health, Look, carried_box, inverse
from vision.observe.sighting import Snapshot
from vision.second_stage import SecondStage
from vision.signing import Signing
from vision.standing_watch import StandingWatch, own_detections

FRAMES_AHEAD = 4
LOOKS_AHEAD = 3


@dataclass(frozen=True, eq=False)
class _Pending:
    """A look whose frame is there and whose detections are under way."""

    frame: Frame
    health: Health
    pose: int
    to_view: Affine | None
    detections: Future[Detections] | None
    base_s: float
    gate: State
    watch: State


class Looker:
    """Looks at one source in order of time.

    Args:
        source: Where frames come from; the caller closes it.
        detector: What inspects them.
        gate: Skips inspection of frames in which nothing changed.
        watch: Keeps looks at a view that cannot be seen from being judged.
        policy: How far apart looks are.
        second_stage: Scores the crops of what stands; nothing is scored without it.
        signing: Takes signatures of how things look; none are taken without it.
        standing_watch: Adds what the standing picture of the view tells; nothing is added without.
    """

    def __init__(
        self,
        source: FrameSource,
        detector: Detector,
        *,
        gate: ChangeGate,
        watch: HealthWatch,
        policy: LookPolicy,
        second_stage: SecondStage | None = None,
        signing: Signing | None = None,
        standing_watch: StandingWatch | None = None,
    ) -> None:
        self._source = source
        self._detector = detector
        self._gate = gate
        self._watch = watch
        self._policy = policy
        self._second_stage = second_stage
        self._signing = signing
        self._standing_watch = standing_watch
        self._base_s: float | None = None
        self._active = False
        self._frames: dict[float, Future[Frame | None]] = {}
        self._pending: deque[_Pending] = deque()
        self._last: _Pending | None = None
        self._last_detections = Detections.empty(detector.names)
        self._last_to_view: Affine | None = None
        self._over = False

    def next(self, active: bool, sightings: Sequence[Snapshot] = ()) -> Look | None:
        """The next look, or ``None`` at the end of the source.

        Args:
            active: Look at the active pace: something new stands or is suspected.
            sightings: What stands after the look before, for the second stage and for signatures.
        """
        if self._policy.interval_s(active) != self._policy.interval_s(self._active):
            self._take_back()
        self._active = active
        while len(self._pending) < LOOKS_AHEAD and not self._over:
            self._begin_look()
        if not self._pending:
            return None
        pending = self._pending.popleft()
        found = self._detections(pending, sightings)
        if found is not None:
            self._last_detections, self._last_to_view = found, pending.to_view
        self._last = pending
        frame = pending.frame
        self._source.release(frame.time_s)
        healthy = pending.health is Health.OK
        return Look(
            camera_id=frame.camera_id,
            time_s=frame.time_s,
            timestamp=frame.timestamp,
            frame_size=(frame.width, frame.height),
            health=pending.health,
            pose=pending.pose,
            inspected=found is not None,
            detections=self._last_detections if healthy else Detections.empty(self._detector.names),
            to_view=self._last_to_view if healthy else None,
        )

    def state(self) -> State:
        """What is needed to go on after the look returned last; see :meth:`restore`."""
        assert self._last is not None
        standing = self._standing_watch.state() if self._standing_watch is not None else {}
        return (
            prefixed("gate.", self._last.gate)
            | prefixed("watch.", self._last.watch)
            | prefixed("standing.", standing)
        )

    @property
    def base_s(self) -> float:
        """Stream time from which the look after the one returned last is counted on."""
        assert self._last is not None
        return self._last.base_s

    @property
    def last_s(self) -> float | None:
        """Stream time of the look returned last by this looker."""
        return self._last.frame.time_s if self._last else None

    def restore(
        self,
        state: Mapping[str, NDArray[Any]],
        last: Look,
        base_s: float,
        inspected: Detections,
        to_view: Affine | None = None,
    ) -> None:
        """Go on after a look of an earlier run.

        Args:
            state: From :meth:`state`.
            last: The look returned last.
            base_s: From :attr:`base_s`.
            inspected: Detections of the last inspected look.
            to_view: Where its pixels lay in the view.
        """
        self._gate.restore(under("gate.", state))
        self._watch.restore(under("watch.", state))
        if self._standing_watch is not None:
            self._standing_watch.restore(under("standing.", state))
        self._base_s = base_s
        self._last_detections, self._last_to_view = inspected, to_view
        self._source.release(last.time_s)

    def _detections(self, pending: _Pending, sightings: Sequence[Snapshot]) -> Detections | None:
        """What is in the frame of a look; ``None`` where nothing changed since the look before."""
        frame, watch = pending.frame, self._standing_watch
        there = _in_frame(sightings, pending.to_view)
        found = None if pending.detections is None else pending.detections.result()
        if watch is not None and pending.health is Health.OK:
            known = found if found is not None else own_detections(self._last_detections)
            news = watch.take_in(frame, pending.pose, known, there, inspected=found is not None)
            if news and found is None:
                # The gate sees no change: what came earlier has by now stood long enough.
                found = self._detector.submit(frame.image).result()
            if found is not None:
                watch.show(frame, self._detector)
        if found is None:
            return None
        if self._second_stage is not None:
            found = self._second_stage.score(found, frame.image, there)
        if watch is not None:
            found = watch.evidence(frame, found)
        if self._signing is not None:
            found = self._signing.sign(found, frame.image, there, frame.time_s)
        return found

    def _begin_look(self) -> None:
        """Fetch the next frame, judge its health, and start its inspection if it needs one."""
        frame = self._fetch()
        if frame is None:
            self._over = True
            return
        health = self._watch.check(frame.luma, frame.time_s)
        detections = None
        if health is Health.OK and self._gate.open(frame.luma, frame.time_s):
            detections = self._detector.submit(frame.image)
            self._gate.inspected(frame.luma, frame.time_s)
        self._pending.append(
            _Pending(
                frame=frame,
                health=health,
                pose=self._watch.pose,
                to_view=_affine(self._watch.to_view, frame.width),
                detections=detections,
                base_s=self._base_s or 0.0,
                gate=self._gate.state(),
                watch=self._watch.state(),
            )
        )

    def _fetch(self) -> Frame | None:
        """The frame of the next look; asks for some more that are likely to be wanted next."""
        policy, active = self._policy, self._active
        tolerance_s = policy.tolerance_s(active)
        wanted_s = 0.0 if self._base_s is None else policy.next_s(self._base_s, active)
        time_s = wanted_s
        for _ in range(FRAMES_AHEAD):
            if time_s not in self._frames:
                self._frames[time_s] = self._source.submit(time_s, tolerance_s)
            time_s = policy.next_s(self._source.anchor_s(time_s, tolerance_s), active)
        frame = self._frames.pop(wanted_s).result()
        if frame is None:
            return None
        self._base_s = self._source.anchor_s(wanted_s, tolerance_s)
        if frame.time_s > wanted_s + tolerance_s:
            self._base_s = frame.time_s
            self._drop_frames()
        return frame

    def _take_back(self) -> None:
        """Forget the looks begun on the guess that the pace would stay."""
        self._drop_frames()
        self._pending.clear()
        self._over = False
        if self._last is not None:
            self._gate.restore(self._last.gate)
            self._watch.restore(self._last.watch)
            self._base_s = self._last.base_s

    def _drop_frames(self) -> None:
        for future in self._frames.values():
            future.cancel()
        self._frames.clear()


def _affine(to_view: NDArray[np.float64] | None, width: int) -> Affine | None:
    """A transform of pictures of width 1 as one in pixels of a frame."""
    if to_view is None:
        return None
    (a, b, c), (d, e, f) = to_view.tolist()
    return a, b, c * width, d, e, f * width


def _in_frame(sightings: Sequence[Snapshot], to_view: Affine | None) -> Sequence[Snapshot]:
    """Sightings with boxes in the frame as it is."""
    if to_view is None:
        return sightings
    back = inverse(to_view)
    return [one._replace(box=carried_box(one.box, back)) for one in sightings]
