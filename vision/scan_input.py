"""The scan of one input: looks, judgement, evidence, and what is known when it is done."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from vision import __version__
from vision.archive import join_archives
from vision.checkpoint import Checkpoint, Position
from vision.detect.classifier import Classifier
from vision.detect.detections import Detections
from vision.detect.detector import Detector
from vision.detect.registry import ModelEntry
from vision.errors import InputError
from vision.evidence.collect import Material, collect_evidence
from vision.frames.frame import Frame
from vision.frames.gate import ChangeGate, GateSettings
from vision.frames.health import HealthWatch
from vision.frames.inputs import ScanInput
from vision.frames.looks import LookPolicy
from vision.frames.recording import open_recording
from vision.frames.source import FrameSource, RecordingSource
from vision.frames.stills import open_stills
from vision.frames.wallclock import StartTime
from vision.judging import effective_rules, judge_for
from vision.looking.frame_look import Inspect, second_stage_of, standing_watch_of
from vision.looking.second_stage import SecondStage
from vision.looking.signing import Signing
from vision.looking.standing_watch import StandingWatch
from vision.observe.families import STANDING_OBJECT
from vision.observe.look import NUDGED, Affine, Health, Look
from vision.pipeline import AHEAD_HERE, Ahead, Looker
from vision.record import SourceRecord
from vision.rules.judge import Judge
from vision.run_folder import RunFolder
from vision.schedule import SiteClock
from vision.site import Camera, RuleSettings

SAVE_EVERY_S = 10.0
SAME_FRAME_S = 0.001


class Progress(Protocol):
    """Hears how a scan goes on."""

    def input_started(self, name: str, number: int, of: int) -> None:
        """Scanning of an input begins, or goes on."""

    def opened(self, duration_s: float | None) -> None:
        """The current input can be read and is so long."""

    def looked(self, time_s: float, violations: int) -> None:
        """The scan of the current input has come to a stream time."""

    def input_ended(self, report: dict[str, Any]) -> None:
        """An input is finished, failed, or was finished before (``reused``)."""


@dataclass(frozen=True)
class Job:
    """One input with all that its result depends on.

    Attributes:
        input: Files to read.
        sha256: Hash of their content.
        camera: Camera that recorded them.
        model: Model to detect with.
        rules: Settings by kind; what is not named keeps its default.
        policy: How far apart looks are.
        forced_look_s: Inspect at least so often even if nothing changed.
        start: Wall-clock start, where it is known from outside the files.
        timezone: IANA name in which wall-clock times without offset are read.
        clip_s: Length of evidence clips.
        clock: The site's clock, by which schedules go; the looks' own time zone without it.
        notes: What the user must be told about the input.
    """

    input: ScanInput
    sha256: str
    camera: Camera
    model: ModelEntry
    rules: RuleSettings
    policy: LookPolicy
    forced_look_s: float
    start: StartTime | None
    timezone: str
    clip_s: float
    clock: SiteClock | None = None
    notes: tuple[str, ...] = ()

    def key(self, detector: Detector, classifier: Classifier | None = None) -> str:
        """Name of the result: it changes with content, settings, models and version."""
        text = json.dumps(
            [
                __version__,
                self.sha256,
                self.camera.model_dump(mode="json"),
                effective_rules(self.rules),
                asdict(self.policy),
                self.forced_look_s,
                self.start.value.isoformat() if self.start else None,
                self.timezone,
                self.clip_s,
                [str(self.clock.timezone), self.clock.calendar.model_dump(mode="json")]
                if self.clock
                else None,
                [
                    detector.runtime,
                    detector.model_sha256,
                    dict(self.model.thresholds),
                    self.model.experimental,
                ],
                [classifier.runtime, classifier.model_sha256] if classifier else None,
            ],
            sort_keys=True,
        )
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def open(self, *, decode_threads: int = 2) -> FrameSource:
        """Open the input for reading.

        Args:
            decode_threads: Pictures of a recording decoded at the same time.

        Raises:
            InputError: It cannot be read.
        """
        timezone = ZoneInfo(self.timezone)
        if self.input.kind == "video":
            return open_recording(
                self.input.path,
                camera_id=self.camera.id,
                start=self.start,
                timezone=timezone,
                decode_threads=decode_threads,
            )
        return open_stills(
            self.input.paths, camera_id=self.camera.id, start=self.start, timezone=timezone
        )


@dataclass(frozen=True)
class Reading:
    """How an input is read and inspected. None of it changes the result.

    Attributes:
        open: Opens the input.
        inspect: Starts detection in a frame; see
            :class:`~vision.looking.frame_look.FrameLooker`.
        ahead: How far work runs ahead of judgement.
    """

    open: Callable[[Job], FrameSource] = Job.open
    inspect: Inspect | None = None
    ahead: Ahead = AHEAD_HERE


@dataclass
class _Tally:
    """What has been counted so far; kept in the checkpoint."""

    counts: Counter[str] = field(default_factory=Counter)
    healthy_s: list[float] = field(default_factory=list)
    last: Look | None = None
    inspected: Detections = field(default_factory=Detections.empty)
    to_view: Affine | None = None

    def add(self, look: Look) -> None:
        self.counts["looks"] += 1
        if look.health is not Health.OK:
            self.counts["unhealthy"] += 1
        else:
            self.healthy_s.append(look.time_s)
            self.counts["inspected" if look.inspected else "gated"] += 1
        if look.inspected:
            self.inspected, self.to_view = look.detections, look.to_view
        self.last = look


def scan_input(
    job: Job,
    key: str,
    detector: Detector,
    folder: RunFolder,
    progress: Progress,
    *,
    classifier: Classifier | None = None,
    reading: Reading = Reading(),
) -> dict[str, Any]:
    """Bring one input to its end, from where an earlier run left it.

    Args:
        job: The input and its settings.
        key: Its key for these models.
        detector: The model.
        folder: Where results go.
        progress: Hears how it goes on.
        classifier: Scores the crops of vehicles that stand; nothing is scored without it.
        reading: How the input is read and inspected.

    Returns:
        The result, also stored in ``folder``: ``input`` is its entry of ``run.json``,
        ``violations`` its violations, JSON-able.

    Raises:
        InputError: The input cannot be read.
    """
    zones = job.camera.judged_zones
    judge = judge_for(job.camera, job.rules, job.model.thresholds, job.clock)
    watch = HealthWatch(adopt_new_pose=not job.camera.has_drawn_places)
    checkpoint = Checkpoint(
        folder.input(key),
        input_name=job.input.name,
        names=(*detector.names, STANDING_OBJECT),
        timezone=job.timezone,
    )
    began = time.perf_counter()
    second_stage = second_stage_of(job.rules, classifier) if classifier else None
    standing_watch = standing_watch_of(job.camera, job.rules)
    looking = _Looking(
        job, detector, second_stage, standing_watch, judge, watch, checkpoint, progress, reading
    )
    with reading.open(job) as source:
        progress.opened(source.info.duration_s)
        tally, spent_s = looking.through(source)
        end_s = tally.last.time_s if tally.last else 0.0
        watch.finish(end_s)
        records = collect_evidence(
            judge.finish(),
            material_of(job, source, tally.healthy_s),
            detector,
            zones=zones,
            camera_name=job.camera.name,
            folder=folder.evidence,
            run_root=folder.root,
            clip_s=job.clip_s,
            experimental=job.model.experimental,
        )
        decoded, info, notes = source.counts(), source.info, [*job.notes, *source.notes]
    duration_s = info.duration_s if info.duration_s is not None else end_s
    wall_s = spent_s + time.perf_counter() - began
    result = {
        "input": {
            "name": job.input.name,
            "camera_id": job.camera.id,
            "camera_name": job.camera.name,
            "model": job.model.name,
            "kind": job.input.kind,
            "path": str(job.input.path),
            "sha256": job.sha256,
            "status": "done",
            "error": None,
            "duration_s": round(duration_s, 3),
            "width": info.width,
            "height": info.height,
            "codec": info.codec,
            "container": info.container,
            "rotation": info.rotation,
            "start": {"value": info.start.value.isoformat(), "origin": info.start.origin},
            **{name: tally.counts[name] for name in ("looks", "inspected", "gated", "unhealthy")},
            "standing_picture_shown": standing_watch.shown if standing_watch else 0,
            "look_policy": asdict(job.policy),
            "decoded": decoded,
            "notes": notes,
            "health_events": _health_events(watch),
            "rules": effective_rules(job.rules),
            "violations": len(records),
            "wall_s": round(wall_s, 3),
            "times_real": round(duration_s / wall_s, 2),
        },
        "violations": [record.model_dump(mode="json") for record in records],
    }
    join_archives(checkpoint.part_paths(), folder.looks(key))
    folder.write_result(key, result)
    checkpoint.clear()
    return result


def _health_events(watch: HealthWatch) -> list[dict[str, Any]]:
    """What happened to the view, in order of time: faults, and nudges that were judged on."""
    events = [asdict(event) for event in watch.events]
    events += [{"kind": NUDGED} | asdict(nudge) for nudge in watch.nudges]
    return sorted(events, key=lambda event: float(event["start_s"]))


def material_of(job: Job, source: FrameSource, healthy_s: Sequence[float]) -> Material:
    """Where the evidence of an input comes from once it has been looked through.

    Args:
        job: The input.
        source: The same, open.
        healthy_s: Stream times of all looks that could see, rising.
    """
    recording = source if isinstance(source, RecordingSource) else None

    def frame_at(time_s: float) -> Frame:
        if recording is not None:
            frame = next(recording.stretch(time_s, time_s), None)
        else:
            with job.open() as again:
                frame = again.submit(time_s, SAME_FRAME_S).result()
        if frame is None:
            raise InputError(f"{job.input.name}: the frame at {time_s:.3f} s cannot be read again")
        return frame

    return Material(
        source=SourceRecord(name=job.input.name, sha256=job.sha256),
        path=job.input.path if recording else None,
        frame_at=frame_at,
        stretch=recording.stretch if recording else None,
        start=source.info.start.value,
        healthy_s=healthy_s,
    )


@dataclass(frozen=True)
class _Looking:
    """The part of a scan that can be interrupted and gone on with."""

    job: Job
    detector: Detector
    second_stage: SecondStage | None
    standing_watch: StandingWatch | None
    judge: Judge
    watch: HealthWatch
    checkpoint: Checkpoint
    progress: Progress
    reading: Reading

    def through(self, source: FrameSource) -> tuple[_Tally, float]:
        """Look from the checkpoint to the end, leaving all looks in the checkpoint's parts.

        Returns:
            The tally and the seconds that earlier runs spent on this input.
        """
        began = time.perf_counter()
        gate = ChangeGate(GateSettings(forced_look_s=self.job.forced_look_s))
        looker = Looker(
            source,
            self.detector,
            gate=gate,
            watch=self.watch,
            policy=self.job.policy,
            second_stage=self.second_stage,
            signing=Signing(),
            standing_watch=self.standing_watch,
            inspect=self.reading.inspect,
            ahead=self.reading.ahead,
        )
        tally = _Tally(inspected=Detections.empty(self.detector.names))
        active, parts, earlier_s = False, 0, 0.0
        position = self.checkpoint.load()
        if position is not None:
            parts, earlier_s, active = position.parts, position.spent_s, position.active
            self.judge.restore(position.judge)
            for earlier in self.checkpoint.looks(parts):
                tally.add(earlier)
            assert tally.last is not None
            looker.restore(
                position.state, tally.last, position.base_s, tally.inspected, tally.to_view
            )
        unsaved: list[Look] = []
        saved = began

        def save() -> None:
            nonlocal parts, saved
            parts += 1
            saved = time.perf_counter()
            spent_s = earlier_s + saved - began
            self.checkpoint.save(
                unsaved,
                Position(
                    parts,
                    looker.base_s,
                    spent_s,
                    active,
                    self.judge.state(),
                    looker.state(),
                ),
            )
            unsaved.clear()

        try:
            while (look := looker.next(active, self.judge.open_sightings())) is not None:
                self.judge.look(look)
                active = self.judge.wants_closer_look()
                tally.add(look)
                unsaved.append(look)
                self.progress.looked(look.time_s, self.judge.violation_count)
                if time.perf_counter() - saved > SAVE_EVERY_S:
                    save()
        finally:
            # An interruption may fall between a look and its place in the list: leave it out.
            if unsaved and unsaved[-1].time_s == looker.last_s:
                save()
        return tally, earlier_s
