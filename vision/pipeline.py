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

from numpy.typing import NDArray

from vision.array_state import State
from vision.detect.detections import Detections
from vision.detect.detector import Detector
from vision.frames.frame import Frame
from vision.frames.gate import ChangeGate
from vision.frames.health import HealthWatch
from vision.frames.looks import LookPolicy
from vision.frames.source import FrameSource
from vision.looking.frame_look import BegunLook, FrameLooker, Inspect
from vision.looking.second_stage import SecondStage
from vision.looking.signing import Signing
from vision.looking.standing_watch import StandingWatch
from vision.observe.look import Affine, Look
from vision.observe.sighting import Snapshot


@dataclass(frozen=True)
class Ahead:
    """How far work runs ahead of judgement.

    Attributes:
        frames: Frames asked for.
        looks: Looks begun, so that their detections are under way.
    """

    frames: int = 4
    looks: int = 3


AHEAD_HERE = Ahead()
"""Enough to keep the threads of one process busy."""


@dataclass(frozen=True, eq=False)
class _Pending:
    """A look that was begun, and the time from which the one after it is counted."""

    begun: BegunLook
    base_s: float


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
        inspect: Starts detection in a frame; see
            :class:`~vision.looking.frame_look.FrameLooker`.
        ahead: How far work runs ahead of judgement.
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
        inspect: Inspect | None = None,
        ahead: Ahead = AHEAD_HERE,
    ) -> None:
        self._ahead = ahead
        self._source = source
        self._policy = policy
        self._looker = FrameLooker(
            detector,
            gate=gate,
            watch=watch,
            second_stage=second_stage,
            signing=signing,
            standing_watch=standing_watch,
            inspect=inspect,
        )
        self._base_s: float | None = None
        self._active = False
        self._frames: dict[float, Future[Frame | None]] = {}
        self._pending: deque[_Pending] = deque()
        self._last: _Pending | None = None
        self._over = False

    def next(self, active: bool, sightings: Sequence[Snapshot] = ()) -> Look | None:
        """The next look, or ``None`` at the end of the source.

        Args:
            active: Look at the active pace: something new stands or is suspected. It is looked at
                that pace also while the standing picture has something pending.
            sightings: What stands after the look before, for the second stage and for signatures.
        """
        active = active or self._looker.pending
        if self._policy.interval_s(active) != self._policy.interval_s(self._active):
            self._take_back()
        self._active = active
        while len(self._pending) < self._ahead.looks and not self._over:
            self._begin_look()
        if not self._pending:
            return None
        pending = self._pending.popleft()
        look = self._looker.finish(pending.begun, sightings)
        self._last = pending
        self._source.release(look.time_s)
        return look

    def state(self) -> State:
        """What is needed to go on after the look returned last; see :meth:`restore`."""
        return self._looker.state()

    @property
    def base_s(self) -> float:
        """Stream time from which the look after the one returned last is counted on."""
        assert self._last is not None
        return self._last.base_s

    @property
    def last_s(self) -> float | None:
        """Stream time of the look returned last by this looker."""
        return self._last.begun.frame.time_s if self._last else None

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
        self._looker.restore(state, inspected, to_view)
        self._base_s = base_s
        self._source.release(last.time_s)

    def _begin_look(self) -> None:
        """Fetch the next frame and begin its look."""
        frame = self._fetch()
        if frame is None:
            self._over = True
            return
        self._pending.append(_Pending(self._looker.begin(frame), self._base_s or 0.0))

    def _fetch(self) -> Frame | None:
        """The frame of the next look; asks for some more that are likely to be wanted next."""
        policy, active = self._policy, self._active
        tolerance_s = policy.tolerance_s(active)
        wanted_s = 0.0 if self._base_s is None else policy.next_s(self._base_s, active)
        time_s = wanted_s
        for _ in range(self._ahead.frames):
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
        self._looker.take_back()
        if self._last is not None:
            self._base_s = self._last.base_s

    def _drop_frames(self) -> None:
        for future in self._frames.values():
            future.cancel()
        self._frames.clear()
