"""All live cameras together: read, looked at in turn by one detector, watched, told."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from service.cameras.address import CameraSource
from service.cameras.counts import LiveCounts
from service.cameras.failure import CameraError
from service.cameras.heaps import spare_memory
from service.cameras.history import frame_of
from service.cameras.pushed import Pushed, PushedCameras, Snapshot
from service.cameras.reader import Opener
from service.cameras.recorder import ClipOrder, can_record, record_clip
from service.cameras.schedule import LookSchedule
from service.cameras.sink import CameraHealth, Sink
from service.cameras.source import decoded_still, open_source
from service.cameras.standings import Standings
from service.cameras.states import SourceState
from service.cameras.supervisor import ReaderSettings, Supervisor, Taken
from service.cameras.watch import CameraWatch, WatchSettings
from service.reach import AddressPolicy
from vision.detect.classifier import Classifier
from vision.detect.detector import Detector
from vision.errors import ModelError
from vision.frames.looks import LookPolicy
from vision.observe.look import Health, Look

log = logging.getLogger(__name__)

_TICK_S = 0.1
_AGAIN_S = 10.0
_MAIN = "/main"
_MOST_CLIPS = 256
_CLIP_END_S = 1.0
_QUICK_TRIES = 8
_FINISH_SHARE = 0.25
"""Of the time to end: so long, looks under way may take."""
_SPARE_S = 1.0


@dataclass(frozen=True)
class LiveCamera:
    """One camera that is watched live.

    Attributes:
        watch: What it is judged by.
        source: Where its pictures come from; without one they are pushed.
        policy: How far apart its looks are.
        detector: The detector that looks at it.
        sink: What is told of what it finds, and keeps its memory; that of all cameras without it.
    """

    watch: WatchSettings
    source: CameraSource | None
    detector: Detector
    policy: LookPolicy = field(default_factory=LookPolicy)
    sink: Sink | None = None

    @property
    def id(self) -> str:
        """Its id."""
        return self.watch.camera.id


class LiveCameras:
    """Watches any number of cameras.

    Args:
        sink: What is told.
        policy: Which hosts may be reached.
        workers: Looks that are under way at a time.
        readers: How reader processes are run.
        classifier: Scores the crops of vehicles that stand; nothing is scored without it.
        opener: Opens sources in the reader processes.
    """

    def __init__(
        self,
        sink: Sink,
        policy: AddressPolicy,
        *,
        workers: int = 2,
        readers: ReaderSettings | None = None,
        classifier: Classifier | None = None,
        opener: Opener = open_source,
    ) -> None:
        self._sink = sink
        self._policy = policy
        self._classifier = classifier
        self._schedule = LookSchedule(capacity=workers + 1)
        self._supervisor = Supervisor(
            policy,
            on_picture=self._on_picture,
            on_health=self._on_health,
            settings=readers or ReaderSettings(),
            opener=opener,
        )
        self._pushed = PushedCameras(on_picture=self._on_picture, on_health=self._on_health)
        self._lock = threading.RLock()
        self._work = threading.Condition(self._lock)
        self._cameras: dict[str, LiveCamera] = {}
        self._watches: dict[str, CameraWatch] = {}
        self._ready: deque[tuple[str, Taken]] = deque()
        self._healths: dict[str, CameraHealth] = {}
        self._views: dict[str, Health] = {}
        self._newest: dict[str, tuple[bytes, datetime]] = {}
        self._main_wanted: dict[str, list[str]] = {}
        self._clips: queue.Queue[tuple[str, str] | None] = queue.Queue(_MOST_CLIPS)
        self._looks: dict[str, int] = {}
        self._skipped: dict[str, int] = {}
        self._decode_s: dict[str, float] = {}
        self._failed = 0
        self._failures: dict[str, int] = {}
        self._stop = threading.Event()
        self._freed = threading.Event()
        self._threads = [
            threading.Thread(target=self._run_worker, name=f"look-{i}", daemon=True)
            for i in range(workers)
        ]
        self._threads.append(threading.Thread(target=self._run_ticks, name="looks", daemon=True))
        self._threads.append(threading.Thread(target=self._run_again, name="retell", daemon=True))
        self._clip_thread = threading.Thread(target=self._run_clips, name="clips", daemon=True)

    def start(self) -> None:
        """Begin; the memory of this process is laid out for it (:mod:`service.cameras.heaps`)."""
        spare_memory()
        self._supervisor.start()
        for thread in (*self._threads, self._clip_thread):
            thread.start()

    def stop(self, within_s: float = 10.0) -> None:
        """End: looks under way are finished, everything is saved, readers are ended.

        What is judged is saved first, and how views look while there is time. A look that hangs
        keeps nothing else waiting: what its camera saved last is what it goes on from.

        Args:
            within_s: Seconds that all of it may take.
        """
        until_s = time.monotonic() + within_s
        self._stop.set()
        with suppress(queue.Full):
            self._clips.put_nowait(None)
        with self._work:
            self._work.notify_all()
        reading = threading.Thread(
            target=self._supervisor.stop, args=(within_s,), name="end-readers", daemon=True
        )
        reading.start()
        finish_until_s = time.monotonic() + _FINISH_SHARE * within_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, finish_until_s - time.monotonic()))
        with self._lock:
            watches = dict(self._watches)
        # A look that hangs keeps its camera from being saved until its detector is ended.
        saved_until_s = (time.monotonic() + until_s) / 2
        saved: list[CameraWatch] = []

        def save(camera_id: str, watch: CameraWatch) -> None:
            self._note_loss(camera_id, watch)
            saved.append(watch)

        self._side_by_side([partial(save, *one) for one in watches.items()], saved_until_s)
        # The others are still looked at: nothing more is waited for from them.
        self._side_by_side([watch.save_view for watch in list(saved)], until_s - _SPARE_S)
        if self._clip_thread.is_alive():
            # A clip that is being masked is told again after the next start.
            self._clip_thread.join(max(0.0, min(_CLIP_END_S, until_s - time.monotonic())))
        reading.join(max(0.0, until_s - time.monotonic()))
        self._pushed.stop()
        self._side_by_side([self._tell_healths], until_s)

    def _side_by_side(self, tasks: Iterable[Callable[[], object]], until_s: float) -> None:
        """Do things in a few threads; those not begun by a time are not, none is waited for."""
        todo = deque(tasks)

        def work() -> None:
            with suppress(IndexError):
                while time.monotonic() < until_s:
                    task = todo.popleft()
                    try:
                        task()
                    except Exception:
                        log.exception("not saved at the end")

        # More than there are looks that may hang.
        threads = [
            threading.Thread(target=work, name=f"end-{number}", daemon=True)
            for number in range(min(len(todo), len(self._threads) + 2))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))

    def add(self, camera: LiveCamera) -> None:
        """Watch a camera from now on, in place of one with the same id."""
        self._let_go(camera.id)
        watch = CameraWatch(
            camera.watch,
            camera.detector,
            camera.sink or self._sink,
            classifier=self._classifier,
            want_main=lambda violation_id: self._want_main(camera, violation_id),
            want_clip=lambda violation_id: self._note_clip(camera.id, violation_id),
        )
        with self._lock:
            self._cameras[camera.id], self._watches[camera.id] = camera, watch
            self._looks.setdefault(camera.id, 0)
            self._schedule.add(camera.id, camera.policy, time.monotonic())
        if camera.source is not None:
            self._supervisor.add(camera.id, camera.source.look)
        else:
            last = watch.last
            self._pushed.add(
                camera.id,
                late_s=2 * camera.policy.rest_s,
                newest_at=None if last is None else last.timestamp,
            )

    def remove(self, camera_id: str) -> None:
        """Watch a camera no more; what is known of it is saved."""
        self._let_go(camera_id)
        with self._lock:
            self._newest.pop(camera_id, None)

    def _let_go(self, camera_id: str) -> None:
        with self._lock:
            self._cameras.pop(camera_id, None)
            watch = self._watches.pop(camera_id, None)
            self._schedule.remove(camera_id)
            self._main_wanted.pop(camera_id, None)
            self._failures.pop(camera_id, None)
        self._supervisor.remove(camera_id)
        self._supervisor.remove(camera_id + _MAIN)
        self._pushed.remove(camera_id)
        if watch is not None:
            watch.save()

    def push(self, camera_id: str, snapshot: Snapshot) -> Pushed:
        """Take in a picture of a camera without a source."""
        return self._pushed.push(camera_id, snapshot)

    def snapshot(self, camera_id: str) -> Snapshot | None:
        """The picture of a camera that was looked at last, privacy zones masked."""
        with self._lock:
            newest = self._newest.get(camera_id)
        if newest is None:
            return None
        jpeg, taken_at = newest
        return Snapshot(decoded_still(jpeg), taken_at)

    def change_policy(self, policy: AddressPolicy) -> None:
        """Other hosts may be reached from now on."""
        self._policy = policy
        self._supervisor.change_policy(policy)

    def standings(self, camera_id: str) -> Standings | None:
        """What the newest look says of a camera's violations; ``None`` if it could not see."""
        with self._lock:
            watch = self._watches.get(camera_id)
        return None if watch is None else watch.standings

    def retry(self, camera_id: str) -> None:
        """Try a camera that waits at once.

        Raises:
            KeyError: There is no such camera.
        """
        self._supervisor.retry(camera_id)

    def health(self, camera_id: str) -> CameraHealth:
        """How a camera is.

        Raises:
            KeyError: There is no such camera.
        """
        return replace(self._feed(camera_id).health(camera_id), view=self._views.get(camera_id))

    def counts(self) -> LiveCounts:
        """What has happened since the start."""
        with self._lock:
            return LiveCounts(
                looks=dict(self._looks),
                skipped=dict(self._skipped),
                decode_s=dict(self._decode_s),
                failed=self._failed,
                shed=self._schedule.shed,
                restarts=dict(self._supervisor.restarts),
            )

    def processes(self) -> list[int]:
        """Ids of the reader processes."""
        return self._supervisor.processes()

    def _feed(self, camera_id: str) -> Supervisor | PushedCameras:
        """What a camera's pictures come from."""
        return self._pushed if camera_id in self._pushed else self._supervisor

    def _on_picture(self, camera_id: str, taken: Taken) -> None:
        name = camera_id
        with self._work:
            wanted = name.endswith(_MAIN) or self._schedule.arrived(name)
            if wanted:
                # One at most for each camera: it is not asked again before this one is done.
                self._ready.append((name, taken))
                self._work.notify()
        if not wanted:
            self._feed(name).done(name)

    def _on_health(self, health: CameraHealth) -> None:
        name = health.camera_id
        if name.endswith(_MAIN):
            if health.failure is not None:
                log.warning("camera %s: no evidence from the main stream: %s", name, health.detail)
                self._end_main(name)
            return
        with self._work:
            self._schedule.set_live(name, health.state is SourceState.LIVE, time.monotonic())
            self._healths[name] = health
            self._work.notify()

    def _run_ticks(self) -> None:
        while not self._stop.is_set():
            # A look that is done makes room for the next one at once.
            self._freed.wait(_TICK_S)
            self._freed.clear()
            self._pushed.notice_silence()
            with self._lock:
                due = self._schedule.due(time.monotonic())
                closely = {name for name in due if self._schedule.is_active(name)}
            for name in due:
                if self._want(name, fresh=name in closely):
                    continue
                with self._lock:
                    self._schedule.refused(name, time.monotonic())

    def _want(self, camera_id: str, *, fresh: bool) -> bool:
        if camera_id in self._pushed:
            return self._pushed.want(camera_id)
        return self._supervisor.want(camera_id, fresh=fresh)

    def _run_again(self) -> None:
        """Tell again what the sink did not take, also of cameras that are not looked at now."""
        while not self._stop.wait(_AGAIN_S):
            with self._lock:
                watches = list(self._watches.values())
            for watch in watches:
                if watch.has_pending:
                    watch.tell_pending()

    def _run_worker(self) -> None:
        while True:
            with self._work:
                while not self._ready and not self._healths and not self._stop.is_set():
                    self._work.wait()
                if self._stop.is_set():
                    return
                job = self._ready.popleft() if self._ready else None
            try:
                self._tell_healths()
                if job is not None:
                    self._do(*job)
            except Exception:
                log.exception("a look failed")

    def _do(self, name: str, taken: Taken) -> None:
        camera_id = name.removesuffix(_MAIN)
        with self._lock:
            watch = self._watches.get(camera_id)
        active = False
        failures = 0
        try:
            if watch is None:
                return
            if name.endswith(_MAIN):
                self._take_main(watch, name, taken)
                return
            # After a look at what came, one at what is there now.
            active = watch.look(taken) or taken.behind_s > 0
            self._count(camera_id, taken, watch.last)
            self._note_view(camera_id, watch)
        except Exception as error:
            with self._lock:
                self._failed += 1
                failures = self._failures.get(camera_id, 0) + 1
            if failures > 1 and isinstance(error, ModelError):
                # The detector is being started: the first failure has told so.
                log.debug("camera %s: %s", camera_id, error)
            else:
                raise
        finally:
            if name == camera_id:
                with self._lock:
                    self._failures[camera_id] = failures
                    # A detector is back in seconds: what was not seen is looked at again soon.
                    again = 0 < failures <= _QUICK_TRIES
                    # Cameras that push have clocks of their own.
                    is_known = failures == 0 and camera_id not in self._pushed
                    arrived_s = taken.arrived_s if is_known else None
                    self._schedule.finished(camera_id, active or again, arrived_s)
                    if watch is not None and watch.newest is not None:
                        self._newest[camera_id] = watch.newest
            self._feed(name).done(name)
            self._freed.set()

    def _count(self, camera_id: str, taken: Taken, look: Look | None) -> None:
        was_spared = look is not None and look.health is Health.OK and not look.inspected
        with self._lock:
            self._looks[camera_id] = self._looks.get(camera_id, 0) + 1
            self._skipped[camera_id] = self._skipped.get(camera_id, 0) + was_spared
            self._decode_s[camera_id] = self._decode_s.get(camera_id, 0.0) + taken.decode_s

    def _note_view(self, camera_id: str, watch: CameraWatch) -> None:
        view = watch.last.health if watch.last is not None else None
        if view is not None and view is not self._views.get(camera_id):
            self._views[camera_id] = view
            with self._lock:
                self._healths.setdefault(camera_id, self._feed(camera_id).health(camera_id))
            self._tell_healths()

    def _tell_healths(self) -> None:
        """Tell how cameras are, the newest of each only; a lost one is a gap in its watch."""
        while True:
            with self._lock:
                if not self._healths:
                    return
                name = next(iter(self._healths))
                health = self._healths.pop(name)
                watch = self._watches.get(name)
            if watch is not None and health.state is not SourceState.LIVE:
                self._note_loss(name, watch)
            try:
                self._sink.health_changed(replace(health, view=self._views.get(name)))
            except Exception:
                log.exception("health of camera %s was not taken", name)

    def _note_loss(self, camera_id: str, watch: CameraWatch) -> None:
        if camera_id not in self._pushed:
            watch.lost(datetime.now(UTC), time.monotonic())
        elif watch.last is not None:
            # The camera's clock goes its own way: what was taken meanwhile may still be pushed.
            at = watch.last.timestamp + timedelta(milliseconds=1)
            watch.lost(at, at.timestamp())

    def _note_clip(self, camera_id: str, violation_id: str) -> None:
        try:
            self._clips.put_nowait((camera_id, violation_id))
        except queue.Full:
            log.warning(
                "camera %s: no clip of violation %s: too many wait", camera_id, violation_id
            )

    def _run_clips(self) -> None:
        """Make the clips of what was raised, one after the other."""
        while (wanted := self._clips.get()) is not None and not self._stop.is_set():
            camera_id, violation_id = wanted
            with self._lock:
                camera, watch = self._cameras.get(camera_id), self._watches.get(camera_id)
            if camera is None or watch is None:
                continue
            try:
                is_recorded = self._record_main(camera, watch, violation_id)
                if not is_recorded and not self._stop.is_set():
                    watch.make_clip(violation_id)
            except Exception:
                log.exception("camera %s: no clip of violation %s", camera_id, violation_id)

    def _record_main(self, camera: LiveCamera, watch: CameraWatch, violation_id: str) -> bool:
        """Record the clip of a violation from the main stream; ``False`` where that cannot be."""
        main = None if camera.source is None else camera.source.main
        out = watch.clip_path(violation_id)
        if main is None or out is None or not can_record(main):
            return False
        order = ClipOrder(main, self._policy, out, privacy=camera.watch.camera.zones)
        try:
            recorded = record_clip(order, self._stop)
        except CameraError as error:
            log.warning("camera %s: no clip from the main stream: %s", camera.id, error.detail)
            return False
        watch.take_clip(violation_id, recorded)
        return True

    def _want_main(self, camera: LiveCamera, violation_id: str) -> None:
        if camera.source is None or camera.source.main is None:
            return
        name = camera.id + _MAIN
        with self._lock:
            is_new = camera.id not in self._main_wanted
            self._main_wanted.setdefault(camera.id, []).append(violation_id)
        if is_new:
            self._supervisor.add(name, camera.source.main)

    def _take_main(self, watch: CameraWatch, name: str, taken: Taken) -> None:
        wanted = self._end_main(name)
        camera_id = name.removesuffix(_MAIN)
        last = watch.last
        if last is None:
            return
        frame = frame_of(camera_id, taken.image.copy(), last.time_s, last.timestamp)
        for violation_id in wanted:
            watch.refresh(violation_id, frame)

    def _end_main(self, name: str) -> list[str]:
        with self._lock:
            wanted = self._main_wanted.pop(name.removesuffix(_MAIN), [])
        self._supervisor.remove(name)
        return wanted
