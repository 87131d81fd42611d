"""What is done with one frame of one view: health → gate → detections → second stage.

The same for a recording, whose frames are begun ahead of judgement, and for a live camera.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.array_state import State, prefixed, under
from vision.detect.classifier import Classifier
from vision.detect.detections import Detections
from vision.detect.detector import Detector
from vision.frames.frame import Frame
from vision.frames.gate import ChangeGate
from vision.frames.health import HealthWatch
from vision.looking.second_stage import SecondStage, SecondStageSettings
from vision.looking.signing import Signing
from vision.looking.standing_watch import StandingWatch, StandingWatchSettings, own_detections
from vision.observe.look import Affine, Health, Look, carried_box, inverse
from vision.observe.sighting import Snapshot
from vision.rules import abandoned_vehicle, standing_object
from vision.site import Camera, RuleSettings

Inspect = Callable[[Frame], Future[Detections]]
"""Starts detection in a frame, wherever its picture lies."""


@dataclass(frozen=True, eq=False)
class BegunLook:
    """A look whose detections are under way.

    Attributes:
        frame: Its frame.
        health: State of the view in it.
        pose: Pose of the view.
        to_view: Where its pixels lie in the view.
        detections: What the detector will have seen; ``None`` where it was not asked.
        gate: State of the gate after it.
        watch: State of the health watch after it.
    """

    frame: Frame
    health: Health
    pose: int
    to_view: Affine | None
    detections: Future[Detections] | None
    gate: State
    watch: State


class FrameLooker:
    """Makes looks of the frames of one view, in order of time.

    Args:
        detector: What inspects them.
        gate: Skips inspection of frames in which nothing changed.
        watch: Keeps looks at a view that cannot be seen from being judged.
        second_stage: Scores the crops of what stands; nothing is scored without it.
        signing: Takes signatures of how things look; none are taken without it.
        standing_watch: Adds what the standing picture of the view tells; nothing is added without.
        inspect: Starts detection in a frame; by default as :func:`inspection` does.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        gate: ChangeGate,
        watch: HealthWatch,
        second_stage: SecondStage | None = None,
        signing: Signing | None = None,
        standing_watch: StandingWatch | None = None,
        inspect: Inspect | None = None,
    ) -> None:
        self._detector = detector
        self._inspect = inspect or partial(inspection, detector)
        self._gate = gate
        self._watch = watch
        self._second_stage = second_stage
        self._signing = signing
        self._standing_watch = standing_watch
        self._last: BegunLook | None = None
        self._last_detections = Detections.empty(detector.names)
        self._last_to_view: Affine | None = None

    def begin(self, frame: Frame) -> BegunLook:
        """Judge the health of a frame, and start its inspection if it needs one."""
        health = self._watch.check(frame.luma, frame.time_s)
        detections = None
        if health is Health.OK and self._gate.open(frame.luma, frame.time_s):
            detections = self._inspect(frame)
            self._gate.inspected(frame.luma, frame.time_s)
        return BegunLook(
            frame=frame,
            health=health,
            pose=self._watch.pose,
            to_view=_affine(self._watch.to_view, frame.width),
            detections=detections,
            gate=self._gate.state(),
            watch=self._watch.state(),
        )

    def finish(self, begun: BegunLook, sightings: Sequence[Snapshot]) -> Look:
        """Make the look, in the order in which looks were begun.

        Args:
            begun: From :meth:`begin`.
            sightings: What stands after the look before, for the second stage and for signatures.
        """
        found = self._detections(begun, sightings)
        if found is not None:
            self._last_detections, self._last_to_view = found, begun.to_view
        self._last = begun
        frame = begun.frame
        healthy = begun.health is Health.OK
        return Look(
            camera_id=frame.camera_id,
            time_s=frame.time_s,
            timestamp=frame.timestamp,
            frame_size=(frame.width, frame.height),
            health=begun.health,
            pose=begun.pose,
            inspected=found is not None,
            detections=self._last_detections if healthy else Detections.empty(self._detector.names),
            to_view=self._last_to_view if healthy else None,
        )

    @property
    def pending(self) -> bool:
        """Whether the look after the one finished last should come soon.

        The standing picture shows that something may just have been left.
        """
        return self._standing_watch is not None and self._standing_watch.pending

    def take_back(self) -> None:
        """Forget the looks begun since the one finished last."""
        if self._last is not None:
            self._gate.restore(self._last.gate)
            self._watch.restore(self._last.watch)

    def state(self) -> State:
        """What is needed to go on after the look finished last; see :meth:`restore`."""
        assert self._last is not None
        standing = self._standing_watch.state() if self._standing_watch is not None else {}
        return (
            prefixed("gate.", self._last.gate)
            | prefixed("watch.", self._last.watch)
            | prefixed("standing.", standing)
        )

    def restore(
        self,
        state: Mapping[str, NDArray[Any]],
        inspected: Detections,
        to_view: Affine | None = None,
    ) -> None:
        """Go on after a look of an earlier run.

        Args:
            state: From :meth:`state`.
            inspected: Detections of the last inspected look.
            to_view: Where its pixels lay in the view.
        """
        self._gate.restore(under("gate.", state))
        self._watch.restore(under("watch.", state))
        if self._standing_watch is not None:
            self._standing_watch.restore(under("standing.", state))
        self._last_detections, self._last_to_view = inspected, to_view

    def _detections(self, begun: BegunLook, sightings: Sequence[Snapshot]) -> Detections | None:
        """What is in the frame of a look; ``None`` where nothing changed since the look before."""
        frame, watch = begun.frame, self._standing_watch
        there = _in_frame(sightings, begun.to_view)
        found = None if begun.detections is None else begun.detections.result()
        if watch is not None and begun.health is Health.OK:
            known = found if found is not None else own_detections(self._last_detections)
            news = watch.take_in(frame, begun.pose, known, there, inspected=found is not None)
            if news and found is None:
                # The gate sees no change: what came earlier has by now stood long enough.
                found = self._inspect(frame).result()
            if found is not None:
                watch.show(frame, self._detector)
        if found is None:
            return None
        if self._second_stage is not None:
            found = self._second_stage.score(found, frame, there)
        if watch is not None:
            found = watch.evidence(frame, found)
        if self._signing is not None:
            found = self._signing.sign(found, frame, there)
        return found


def inspection(detector: Detector, frame: Frame) -> Future[Detections]:
    """Start detection in a frame, shown no larger than the detector makes use of."""
    picture = frame.fitted(detector.input_size)
    return detector.submit(picture, (frame.width, frame.height))


def second_stage_of(rules: RuleSettings, classifier: Classifier) -> SecondStage:
    """The second stage as the rules want it.

    Args:
        rules: Settings by kind; what is not named keeps its default.
        classifier: Scores the crops of vehicles that stand.
    """
    settings = abandoned_vehicle.Settings.model_validate(rules.get("abandoned_vehicle", {}))
    return SecondStage(classifier, SecondStageSettings(after_s=settings.second_stage_after_s))


def standing_watch_of(camera: Camera, rules: RuleSettings) -> StandingWatch | None:
    """The standing watch as camera and rules want it; ``None`` where neither needs one."""
    settings = standing_object.Settings.model_validate(rules.get("standing_object", {}))
    show = camera.standing_picture
    if not settings.enabled and not show:
        return None
    return StandingWatch(
        StandingWatchSettings(
            propose=settings.enabled,
            show_every_s=StandingWatchSettings().show_every_s if show else None,
        )
    )


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
