"""One live camera: its pictures become looks, looks are judged, violations go to the sink.

What is done with a picture is what a scan does (:mod:`vision.looking.frame_look`). What is
different is that time does not wait: pictures may be missing, and what was judged must survive a
crash.

A violation is told in three steps: its evidence is written, the memory is saved with the record
among those to be told, the record is told. Whatever fails or dies between them is made up for after
a later look or a restart, under the same id.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np

from service.cameras.checkpoint import (
    FolderView,
    Memory,
    ViewStore,
    packed,
    packed_view,
    unpacked,
    unpacked_view,
)
from service.cameras.history import PictureHistory, masked_jpeg
from service.cameras.recorder import Recorded
from service.cameras.sink import Role, Sink
from service.cameras.standings import Standings
from service.cameras.supervisor import Taken
from vision.detect.classifier import Classifier
from vision.detect.detections import Detections
from vision.detect.detector import Detector
from vision.detect.registry import ModelEntry
from vision.errors import InputError
from vision.evidence.collect import BEFORE_S
from vision.evidence.manifest import Evidence, EvidenceFile, describe
from vision.evidence.stills import write_evidence
from vision.evidence.timelapse import write_timelapse
from vision.frames.frame import Frame, Rung
from vision.frames.gate import ChangeGate, GateSettings
from vision.frames.health import HealthWatch
from vision.judging import judge_for
from vision.looking.frame_look import FrameLooker, second_stage_of, standing_watch_of
from vision.looking.signing import Signing
from vision.observe.look import Health, Look
from vision.record import (
    EvidenceRecord,
    FileRecord,
    ModelRecord,
    SourceRecord,
    ViolationRecord,
    record_of,
)
from vision.rules.finding import Earlier, Violation
from vision.rules.lifecycle import LifeEvent, Step
from vision.schedule import SiteClock
from vision.site import Camera, RuleSettings

log = logging.getLogger(__name__)

SAVE_EVERY_S = 50.0
"""Between two saves of what is judged; looks are at most 10 s apart, so a minute covers both."""

VIEW_EVERY_S = 300.0
"""Between two saves of how the view looks."""

CLIP_PICTURES = 12
"""So many pictures make a clip at most ..."""
CLIP_EARLIER = 3
"""... so many of them from before the thing came ..."""
CLIP_LEAST = 3
"""... and of fewer in all none is made."""

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://jiexu.invalid/live-violation")


@dataclass(frozen=True)
class WatchSettings:
    """What a camera is judged by.

    Attributes:
        camera: The camera.
        model: Model to detect with.
        rules: Settings by kind; what is not named keeps its default.
        clock: How the site tells the time.
        forced_look_s: Inspect at least so often even if nothing changed.
        folder: Where this camera's evidence, earlier pictures and view lie.
        views: Keeps how its view looks; ``folder`` does without it.
    """

    camera: Camera
    model: ModelEntry
    rules: RuleSettings
    clock: SiteClock
    folder: Path
    forced_look_s: float = 60.0
    views: ViewStore | None = None


class CameraWatch:
    """Watches one camera; methods may be called from any thread, one at a time gets through.

    Args:
        settings: What it is judged by.
        detector: The detector.
        sink: What is told.
        classifier: Scores the crops of vehicles that stand; nothing is scored without it.
        want_main: Called with the id of a violation whose evidence should be taken from the main
            stream; :meth:`refresh` is called with the picture later, or never.
        want_clip: Called with the id of a violation that was raised; :meth:`make_clip` or
            :meth:`take_clip` is called for it later, or never.
    """

    def __init__(
        self,
        settings: WatchSettings,
        detector: Detector,
        sink: Sink,
        *,
        classifier: Classifier | None = None,
        want_main: Callable[[str], None] = lambda _: None,
        want_clip: Callable[[str], None] = lambda _: None,
    ) -> None:
        camera = settings.camera
        self._settings = settings
        self._sink = sink
        self._want_main = want_main
        self._want_clip = want_clip
        self._lock = threading.RLock()
        self._telling = threading.Lock()
        self._model = ModelRecord(name=detector.model_name, sha256=detector.model_sha256)
        self._names = detector.names
        self._zones = camera.judged_zones
        self._judge = judge_for(camera, settings.rules, settings.model.thresholds, settings.clock)
        self._gate = ChangeGate(GateSettings(forced_look_s=settings.forced_look_s))
        self._view = HealthWatch(adopt_new_pose=not camera.has_drawn_places)
        self._looker = FrameLooker(
            detector,
            gate=self._gate,
            watch=self._view,
            second_stage=second_stage_of(settings.rules, classifier) if classifier else None,
            signing=Signing(),
            standing_watch=standing_watch_of(camera, settings.rules),
        )
        self._views = settings.views or FolderView(settings.folder)
        self._history = PictureHistory(settings.folder / "earlier", camera.id)
        self._began_at: datetime | None = None
        self._anchor: tuple[float, float] | None = None
        self._last: Look | None = None
        self._newest: tuple[bytes, datetime] | None = None
        self._standings: Standings | None = None
        self._told: dict[str, ViolationRecord] = {}
        self._pending: list[ViolationRecord] = []
        self._scenes: dict[str, Violation] = {}
        self._without_scene: set[str] = set()
        self._saved_s = self._view_saved_s = -np.inf
        self._restore()

    @property
    def last(self) -> Look | None:
        """The look made last."""
        return self._last

    @property
    def newest(self) -> tuple[bytes, datetime] | None:
        """The picture looked at last, a JPEG with privacy zones masked, and its aware time."""
        return self._newest

    @property
    def standings(self) -> Standings | None:
        """What the look made last says of the violations; ``None`` if it could not see."""
        return self._standings

    def look(self, taken: Taken) -> bool:
        """Look at a picture and judge it.

        Returns:
            Whether closer looks are wanted.

        Raises:
            ModelError: The detector failed; the picture counts as not looked at.
        """
        with self._lock:
            frame = self._frame(taken)
            jpeg = masked_jpeg(frame.image, self._zones)
            self._newest = jpeg, taken.arrived_at
            look = self._looked(frame)
            self._judge.look(look)
            moved = self._last is None or self._last.pose != look.pose
            self._last = look
            events = self._judge.take_events()
            self._judge.take_over()
            self._standings = self._stand(look, taken.arrived_at)
            for event in events:
                self._enter(event, frame)
            taken_anew = self._without_scene and look.health is Health.OK
            if taken_anew:
                self._take_scenes_anew(frame)
            if look.health is Health.OK:
                self._history.add(frame.time_s, frame.timestamp, jpeg)
            at_once = bool(events or taken_anew) or moved
            self._save(look.time_s, at_once=at_once, view=moved)
            self._tell()
            self._tell_look(look)
            return self._judge.wants_closer_look() or self._looker.pending

    def lost(self, at: datetime, arrived_s: float) -> None:
        """No pictures come any more: from the last look on, time counts as unknown.

        Args:
            at: Aware time at which that was noticed.
            arrived_s: The same on the monotonic clock.
        """
        with self._lock:
            last = self._last
            if last is None or last.health is Health.GAP:
                return
            time_s = self._stream_s(at, arrived_s)
            self._standings = None
            self._last = gap = self._gap(last, time_s, self._settings.clock.local(at))
            self._judge.look(gap)
            self._judge.take_events()
            self._save(time_s, at_once=True)
            self._tell_look(gap)

    def refresh(self, violation_id: str, frame: Frame) -> None:
        """Take evidence of an open violation anew, from a picture of the main stream."""
        with self._lock:
            violation, record = self._scenes.pop(violation_id, None), self._told.get(violation_id)
            if violation is None or record is None or self._last is None:
                return
            scale = (
                frame.width / self._last.frame_size[0],
                frame.height / self._last.frame_size[1],
            )
            found = self._write(violation_id, violation, frame, scale, place="main")
            files = record.evidence.model_copy(update={"scene": found.scene, "crop": found.crop})
            self._queue(record.model_copy(update={"evidence": files}))
            self._save(self._last.time_s, at_once=True)
            self._tell()

    def clip_path(self, violation_id: str) -> Path | None:
        """Where the clip of an open violation is to be written, ``None`` if there is no such."""
        record = self._told.get(violation_id)
        if record is None:
            return None
        folder = self._settings.folder / "evidence" / violation_id / "clip"
        return folder / f"{record.kind}_clip.mp4"

    def make_clip(self, violation_id: str) -> None:
        """Give an open violation a clip of the pictures from before it came until now.

        Encoding takes longer than a look, so no look waits for it.

        Raises:
            InputError: The pictures cannot be encoded.
        """
        with self._lock:
            record = self._told.get(violation_id)
            if record is None or self._last is None:
                # A recording that failed may have left its folder.
                self._remove_files(violation_id)
                return
            pictures = self._history.around(
                record.start_s - BEFORE_S, earlier=CLIP_EARLIER, most=CLIP_PICTURES
            )
            width, height = self._last.frame_size
        if len(pictures) < CLIP_LEAST:
            return
        settings = self._settings
        x1, y1, x2, y2 = record.box
        folder = settings.folder / "evidence" / violation_id
        try:
            clip = write_timelapse(
                (picture.frame() for picture in pictures),
                folder / "clip",
                settings.folder,
                stem=record.kind,
                kind=record.kind,
                box=(x1 / width, y1 / height, x2 / width, y2 / height),
                start_s=record.start_s,
                zone=next((zone for zone in self._zones if zone.id == record.zone_id), None),
                camera_name=settings.camera.name,
            )
        except (InputError, OSError):
            if self._was_over(violation_id):
                return
            raise
        self._add_clip(violation_id, clip)

    def take_clip(self, violation_id: str, recorded: Recorded) -> None:
        """Give an open violation the clip that was recorded to :meth:`clip_path`."""
        path, last = self.clip_path(violation_id), self._last
        if path is None or last is None:
            self._remove_files(violation_id)
            return
        after_s = (recorded.started_at - last.timestamp).total_seconds()
        try:
            clip = describe(
                path,
                self._settings.folder,
                time_s=last.time_s + after_s,
                timestamp=self._settings.clock.local(recorded.started_at),
                width=recorded.width,
                height=recorded.height,
                media_type="video/mp4",
            )
        except OSError:
            if self._was_over(violation_id):
                return
            raise
        self._add_clip(violation_id, clip)

    def _was_over(self, violation_id: str) -> bool:
        """Whether a violation was told to its end while its clip was made, its files removed."""
        with self._lock:
            if violation_id in self._told:
                return False
            # What was made after that.
            self._remove_files(violation_id)
            return True

    def _add_clip(self, violation_id: str, clip: EvidenceFile) -> None:
        with self._lock:
            known = self._told.get(violation_id)
            if known is None or self._last is None:
                # It was over and told to its end meanwhile.
                self._remove_files(violation_id)
                return
            file = FileRecord.model_validate(vars(clip))
            files = known.evidence.model_copy(update={"clip": file})
            self._queue(known.model_copy(update={"evidence": files}))
            self._save(self._last.time_s, at_once=True)
        # Masking a clip takes seconds: looks go on meanwhile.
        self._tell()

    def _remove_files(self, violation_id: str) -> None:
        shutil.rmtree(self._settings.folder / "evidence" / violation_id, ignore_errors=True)

    @property
    def has_pending(self) -> bool:
        """Whether there is something that the sink did not take."""
        return bool(self._pending)

    def tell_pending(self) -> None:
        """Tell the sink what it could not take before."""
        self._tell()

    def save(self) -> None:
        """Save everything, before the service ends."""
        with self._lock:
            if self._last is not None:
                self._save(self._last.time_s, at_once=True, view=True)

    def save_view(self) -> None:
        """Save how the view looks, without what is judged."""
        with self._lock:
            if self._last is not None and self._view_saved_s > -np.inf:
                self._write_view(self._last.time_s)

    def _stand(self, look: Look, at: datetime) -> Standings | None:
        """What a look that was judged says of the violations that last."""
        if look.health is not Health.OK:
            return None
        source = self._source.sha256
        found = self._judge.violations
        return Standings(at, {live_id(source, one, one): one.verification for one in found})

    def _looked(self, frame: Frame) -> Look:
        gate, view = self._gate.state(), self._view.state()
        try:
            return self._looker.finish(self._looker.begin(frame), self._judge.open_sightings())
        except Exception:
            # What the detector did not see must not pass for inspected.
            self._gate.restore(gate)
            self._view.restore(view)
            raise

    def _frame(self, taken: Taken) -> Frame:
        time_s = self._stream_s(taken.arrived_at, taken.arrived_s)
        image = taken.image
        return Frame(
            camera_id=self._settings.camera.id,
            time_s=time_s,
            timestamp=self._settings.clock.local(taken.arrived_at),
            pts=taken.pts,
            luma=taken.luma,
            width=image.shape[1],
            height=image.shape[0],
            rung=Rung.KEYFRAME,
            render=lambda: image,
            render_small=lambda: taken.small,
        )

    def _stream_s(self, at: datetime, arrived_s: float) -> float:
        """Stream time of a moment: within a run the monotonic clock's, over a pause the wall's.

        So a wall clock that is set right does not make time run backwards.
        """
        if self._began_at is None:
            self._began_at = at
        last_s = self._last.time_s if self._last is not None else None
        if self._anchor is None:
            start_s = 0.0
            if self._last is not None and last_s is not None:
                start_s = last_s + (at - self._last.timestamp).total_seconds()
            self._anchor = (arrived_s, start_s)
        time_s = self._anchor[1] + arrived_s - self._anchor[0]
        return time_s if last_s is None else max(time_s, last_s + 0.001)

    def _gap(self, last: Look, time_s: float, at: datetime) -> Look:
        return Look(
            camera_id=last.camera_id,
            time_s=time_s,
            timestamp=at,
            frame_size=last.frame_size,
            health=Health.GAP,
            pose=last.pose,
            inspected=False,
            detections=Detections.empty(self._names),
        )

    def _enter(self, event: LifeEvent, frame: Frame) -> None:
        """Make the record of what happened, with its evidence, and put it among the pending."""
        violation = event.violation
        name = live_id(self._source.sha256, violation, violation)
        known = self._told.get(name)
        if event.step is Step.END:
            after = self._write(name, violation, frame, (1.0, 1.0), place="after")
            files = (known.evidence if known else EvidenceRecord()).model_copy(
                update={"after": after.after}
            )
        elif known is None:
            files = self._write(name, violation, frame, (1.0, 1.0), place="scene")
            self._scenes[name] = violation
        else:
            files = known.evidence
        self._queue(self._record(violation, name, files, event))
        if event.step is Step.START:
            self._want_main(name)
            self._want_clip(name)

    def _take_scenes_anew(self, frame: Frame) -> None:
        """Take pictures of violations whose first ones were lost before they were told."""
        for violation in self._judge.violations:
            name = live_id(self._source.sha256, violation, violation)
            record = self._told.get(name)
            if name in self._without_scene and record is not None:
                files = self._write(name, violation, frame, (1.0, 1.0), place="scene")
                self._queue(record.model_copy(update={"evidence": files}))
        self._without_scene.clear()

    def _record(
        self, violation: Violation, name: str, files: EvidenceRecord, event: LifeEvent
    ) -> ViolationRecord:
        source = self._source
        record = record_of(
            violation,
            None,
            source=source,
            model=self._model,
            recording_started_at=event.timestamp - timedelta(seconds=event.time_s),
            experimental=self._settings.model.experimental,
        )
        earlier = violation.recurrence_of
        return record.model_copy(
            update={
                "id": name,
                "recurrence_of": live_id(source.sha256, violation, earlier) if earlier else None,
                "evidence": files,
            }
        )

    def _write(
        self,
        name: str,
        violation: Violation,
        frame: Frame,
        scale: tuple[float, float],
        *,
        place: Literal["scene", "main", "after"],
    ) -> EvidenceRecord:
        """Write evidence files from a frame.

        Args:
            name: Id of the violation.
            violation: The violation.
            frame: The picture.
            scale: Size of the frame as a multiple of the looks'.
            place: Where they go: ``scene`` with a picture from before, ``main`` for the same from
                the main stream, ``after`` once the thing is gone. Files that were told are never
                written again.
        """
        camera, folder = self._settings.camera, self._settings.folder
        x1, y1, x2, y2 = violation.box
        before = self._history.before(violation.start_s - BEFORE_S) if place == "scene" else None
        written = write_evidence(
            folder / "evidence" / name / place,
            folder,
            stem=violation.kind,
            kind=violation.kind,
            box=(x1 * scale[0], y1 * scale[1], x2 * scale[0], y2 * scale[1]),
            zone=next((zone for zone in self._zones if zone.id == violation.zone_id), None),
            scene=frame,
            before=before,
            after=frame if place == "after" else None,
            privacy=self._zones,
            camera_name=camera.name,
            dwell_s=frame.time_s - violation.start_s,
            # Of the looks, not of the main stream: what is learnt from has the size that is seen.
            keep_frame=place == "scene",
        )
        return _described(written)

    def _queue(self, record: ViolationRecord) -> None:
        """Put a record among those to be told, in place of an older one of the same violation."""
        self._pending = [one for one in self._pending if one.id != record.id]
        self._pending.append(record)
        self._told[record.id] = record

    def _tell(self) -> None:
        """Tell what is pending; what the sink does not take stays pending.

        Where it is being told already, whoever does that tells what is added meanwhile.
        """
        if not self._telling.acquire(blocking=False):
            return
        try:
            told = self._tell_all()
        finally:
            self._telling.release()
        with self._lock:
            if told and self._last is not None:
                # What is known to be told is not told again, and so may lose its files.
                self._save(self._last.time_s, at_once=True)
        for name in (record.id for record in told if record.ended_at is not None):
            self._remove_files(name)

    def _tell_all(self) -> list[ViolationRecord]:
        """Tell until nothing is pending or something is not taken; gives what was told."""
        told: list[ViolationRecord] = []
        while True:
            with self._lock:
                if not self._pending:
                    return told
                record = self._pending[0]
            try:
                self._sink.violation_changed(record, self._files(record))
            except Exception:
                log.exception("violation %s was not taken; it is told again", record.id)
                return told
            told.append(record)
            with self._lock:
                # Something newer of the same violation may have taken its place.
                self._pending = [one for one in self._pending if one is not record]
                if record.ended_at is not None:
                    self._told.pop(record.id, None)
                    self._scenes.pop(record.id, None)

    def _tell_look(self, look: Look) -> None:
        try:
            self._sink.looked(look)
        except Exception:
            log.exception("look of camera %s was not taken", look.camera_id)

    def _files(self, record: ViolationRecord) -> dict[Role, Path]:
        found: dict[Role, Path] = {}
        roles: tuple[Role, ...] = ("scene", "frame", "crop", "before", "after", "clip")
        for role in roles:
            file = getattr(record.evidence, role)
            # Another host may have written it: then it was told from there, or is lost with it.
            if file is not None and (path := self._settings.folder / file.path).is_file():
                found[role] = path
        return found

    @property
    def _source(self) -> SourceRecord:
        """The stream as a source: known by camera and beginning, for it has no bytes to hash."""
        assert self._began_at is not None
        camera = self._settings.camera
        text = json.dumps(["live", camera.id, self._began_at.astimezone(UTC).isoformat()])
        return SourceRecord(
            name=camera.name or camera.id, sha256=hashlib.sha256(text.encode()).hexdigest()
        )

    def _save(self, time_s: float, *, at_once: bool, view: bool = False) -> None:
        last = self._last
        assert last is not None
        if view or time_s - self._view_saved_s >= VIEW_EVERY_S:
            self._save_view(time_s)
        if not at_once and time_s - self._saved_s < SAVE_EVERY_S:
            return
        assert self._began_at is not None
        memory = Memory(
            began_at=self._began_at,
            last_s=last.time_s,
            last_at=last.timestamp,
            frame_size=last.frame_size,
            pose=last.pose,
            judge=self._judge.state(),
            told=self._told,
            pending=tuple(self._pending),
        )
        try:
            self._sink.save_state(self._settings.camera.id, packed(memory))
            self._saved_s = time_s
        except Exception:
            log.exception("state of camera %s was not saved", self._settings.camera.id)

    def _save_view(self, time_s: float) -> None:
        if self._last is None or self._last.health is Health.GAP:
            return
        self._write_view(time_s)

    def _write_view(self, time_s: float) -> None:
        state = {
            key: array
            for key, array in self._looker.state().items()
            if not key.startswith("gate.reference")
        }
        self._views.save(self._settings.camera.id, packed_view(state))
        self._view_saved_s = time_s

    def _restore(self) -> None:
        """Go on where an earlier run was cut off; the pause counts as unknown."""
        camera_id = self._settings.camera.id
        data = self._sink.load_state(camera_id)
        if data is None:
            return
        try:
            memory = unpacked(data)
            self._judge.restore(memory.judge)
        except InputError as error:
            log.warning("camera %s: begun anew: %s", camera_id, error)
            self._judge = judge_for(
                self._settings.camera,
                self._settings.rules,
                self._settings.model.thresholds,
                self._settings.clock,
            )
            return
        self._began_at = memory.began_at
        self._told, self._pending = dict(memory.told), list(memory.pending)
        self._tidy_evidence()
        self._last = Look(
            camera_id=camera_id,
            time_s=memory.last_s,
            timestamp=memory.last_at,
            frame_size=memory.frame_size,
            health=Health.OK,
            pose=memory.pose,
            inspected=False,
            detections=Detections.empty(self._names),
        )
        just_after = memory.last_at + timedelta(milliseconds=1)
        self._last = gap = self._gap(self._last, memory.last_s + 0.001, just_after)
        self._judge.look(gap)
        self._restore_view()

    def _tidy_evidence(self) -> None:
        """Drop evidence of what is over, and note what was lost before it was told."""
        here = self._settings.folder / "evidence"
        if here.is_dir():
            for folder in here.iterdir():
                if folder.name not in self._told:
                    self._remove_files(folder.name)
        for record in self._pending:
            if record.ended_at is None and "scene" not in self._files(record):
                log.warning("violation %s: its pictures are lost, others are taken", record.id)
                self._without_scene.add(record.id)

    def _restore_view(self) -> None:
        self._view.pose = self._last.pose if self._last is not None else 0
        data = self._views.load(self._settings.camera.id)
        state = None if data is None else unpacked_view(data)
        if state is None:
            return
        try:
            # Without a reference the gate opens: the first look is inspected.
            self._looker.restore(state, Detections.empty(self._names))
        except (KeyError, ValueError, TypeError) as error:
            log.warning("camera %s: view learnt anew: %r", self._settings.camera.id, error)


def live_id(source_sha256: str, violation: Violation, one: Violation | Earlier) -> str:
    """Name a violation of a live camera the same from its start on, also after a restart.

    Args:
        source_sha256: Hash that stands for the stream.
        violation: The violation; gives the kind.
        one: The violation itself, or the earlier one of its kind that it follows: zone, key and
            start (to 1 ms) count. Its best box is not known from the start.

    Returns:
        UUID version 5.
    """
    parts = [source_sha256, violation.kind, one.zone_id, one.key, f"{one.start_s + 0.0:.3f}"]
    return str(uuid.uuid5(_NAMESPACE, json.dumps(parts)))


def _described(evidence: Evidence) -> EvidenceRecord:
    roles: Mapping[str, object] = {
        role: getattr(evidence, role) for role in EvidenceRecord.model_fields
    }
    return EvidenceRecord.model_validate(
        {role: vars(file) for role, file in roles.items() if file is not None}
    )
