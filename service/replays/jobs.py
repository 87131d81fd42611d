"""Replays that were asked for: one runs at a time, in the background, and never touches a case."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from service.replays.archive import LookArchive
from service.replays.work import Broken, Finished, Progress, ReplayTask, camera_task, work
from vision.detect.registry import ModelEntry
from vision.errors import JiexuError
from vision.files import write_atomically
from vision.schedule import SiteClock
from vision.site import Camera

log = logging.getLogger(__name__)

MOST_WAITING = 8
DEADLINE_S = 600.0
KEPT_DAYS = 7.0
_TICK_S = 0.2


class ReplayState(StrEnum):
    """What a replay is at."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Replay(BaseModel):
    """A replay that was asked for.

    Attributes:
        id: Its id.
        state: What it is at.
        progress: How far it is, 0 to 1.
        camera_ids: Cameras that are judged again.
        begin: From when on.
        end: Up to when.
        requested_by: Who asked for it.
        requested_at: When.
        finished_at: When it ended in whatever way.
        fault: Why it failed.
        result: What came of it, see :func:`service.replays.work.judge_all`.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    state: ReplayState
    progress: float
    camera_ids: tuple[str, ...]
    begin: AwareDatetime
    end: AwareDatetime
    requested_by: str
    requested_at: AwareDatetime
    finished_at: AwareDatetime | None = None
    fault: str | None = None
    result: dict[str, Any] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state not in (ReplayState.WAITING, ReplayState.RUNNING)


class TooManyReplaysError(JiexuError):
    """More replays wait than are taken."""


class Replays:
    """Runs replays one after the other; to be used from any thread.

    Args:
        folder: Where what came of them is kept.
        archive: The looks.
        model_of: Tells the model that looks at a camera.
        site_clock: The site's clock, by which schedules go.
        clock: Tells aware wall-clock time.
        deadline_s: A replay that takes longer is killed.

    Attributes:
        archive: The looks.
    """

    def __init__(
        self,
        folder: Path,
        archive: LookArchive,
        *,
        model_of: Callable[[Camera], ModelEntry],
        site_clock: SiteClock,
        clock: Callable[[], datetime],
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.archive = archive
        self._model_of = model_of
        self._site_clock = site_clock
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._deadline_s = deadline_s
        self._context = multiprocessing.get_context("spawn")
        self._wake = threading.Condition()
        self._replays: dict[str, Replay] = {}
        self._waiting: deque[tuple[str, ReplayTask]] = deque()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="replays", daemon=True)

    def start(self) -> None:
        """Begin; replays that a restart cut off have failed."""
        for path in self._folder.glob("*.json"):
            try:
                replay = Replay.model_validate_json(path.read_bytes())
            except (OSError, ValidationError) as error:
                log.warning("%s: no replay: %s", path, type(error).__name__)
                continue
            self._replays[replay.id] = replay
            if not replay.is_over:
                self._end(replay.id, ReplayState.FAILED, fault="the service was restarted")
        self._thread.start()

    def stop(self, within_s: float | None = None) -> None:
        """End; the replay that runs is killed.

        Args:
            within_s: Seconds to wait for that; ``None`` for as long as it takes.
        """
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join(within_s)

    def submit(
        self,
        cameras: Sequence[tuple[Camera, Camera]],
        begin: datetime,
        end: datetime,
        requested_by: str,
    ) -> Replay:
        """Have looks judged again when those that were asked for before are done.

        Args:
            cameras: Each camera as it is, and as it might be.
            begin: Aware time from which on.
            end: Aware time up to which.
            requested_by: Who asks for it.

        Raises:
            TooManyReplaysError: Too many wait already.
            ModelError: A camera names a model that there is not.
        """
        task = ReplayTask(
            cameras=tuple(camera_task(now, then, self._model_of(now)) for now, then in cameras),
            begin=begin,
            end=end,
            archive=self.archive.folder,
            timezone=self.archive.timezone,
            clock=self._site_clock,
        )
        for now, _ in cameras:
            self.archive.flush(camera_id=now.id)
        replay = Replay(
            id=uuid.uuid4().hex,
            state=ReplayState.WAITING,
            progress=0.0,
            camera_ids=tuple(now.id for now, _ in cameras),
            begin=begin,
            end=end,
            requested_by=requested_by,
            requested_at=self._clock(),
        )
        with self._wake:
            if len(self._waiting) >= MOST_WAITING:
                raise TooManyReplaysError(f"{MOST_WAITING} replays wait already")
            self._keep(replay)
            self._waiting.append((replay.id, task))
            self._wake.notify_all()
        return replay

    def get(self, replay_id: str) -> Replay | None:
        """A replay, ``None`` if there is none of this id any more."""
        with self._wake:
            return self._replays.get(replay_id)

    def cancel(self, replay_id: str) -> Replay | None:
        """Give a replay up; one that is over stays as it is."""
        with self._wake:
            replay = self._replays.get(replay_id)
            if replay is not None and not replay.is_over:
                self._end(replay_id, ReplayState.CANCELLED)
                self._wake.notify_all()
            return self._replays.get(replay_id)

    def forget(self, before: datetime) -> None:
        """Take away those that were over before an aware time."""
        with self._wake:
            for replay in list(self._replays.values()):
                if replay.finished_at is not None and replay.finished_at < before:
                    del self._replays[replay.id]
                    self._path(replay.id).unlink(missing_ok=True)

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._stopping:
                    self._wake.wait()
                if self._stopping:
                    return
                replay_id, task = self._waiting.popleft()
                if self._replays[replay_id].is_over:
                    continue
                self._change(replay_id, state=ReplayState.RUNNING)
            try:
                self._judge(replay_id, task)
            except Exception:
                log.exception("replay %s failed", replay_id)
                with self._wake:
                    self._end(replay_id, ReplayState.FAILED, fault="it could not be run")

    def _judge(self, replay_id: str, task: ReplayTask) -> None:
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=work, args=(task, theirs), name="jiexu-replay", daemon=True
        )
        process.start()
        theirs.close()
        try:
            self._follow(replay_id, ours)
        finally:
            process.kill()
            process.join()
            process.close()
            ours.close()

    def _follow(self, replay_id: str, pipe: Connection) -> None:
        """Take in what the process says until it is over, is given up or takes too long."""
        until_s = time.monotonic() + self._deadline_s
        while True:
            word: object = None
            try:
                if pipe.poll(_TICK_S):
                    word = pipe.recv()
            except (EOFError, OSError):
                word = Broken("its process ended")
            with self._wake:
                if self._stopping or self._replays[replay_id].is_over:
                    return
                if isinstance(word, Progress):
                    self._replays[replay_id] = self._replays[replay_id].model_copy(
                        update={"progress": round(word.share, 3)}
                    )
                elif isinstance(word, Finished):
                    self._end(replay_id, ReplayState.DONE, result=word.result, progress=1.0)
                elif isinstance(word, Broken):
                    log.warning("replay %s: %s", replay_id, word.why)
                    self._end(replay_id, ReplayState.FAILED, fault=word.why)
                elif time.monotonic() > until_s:
                    fault = f"it took longer than {self._deadline_s:g} s"
                    self._end(replay_id, ReplayState.FAILED, fault=fault)

    def _end(self, replay_id: str, state: ReplayState, **more: Any) -> None:
        self._change(replay_id, state=state, finished_at=self._clock(), **more)

    def _change(self, replay_id: str, **changes: Any) -> None:
        self._keep(self._replays[replay_id].model_copy(update=changes))

    def _keep(self, replay: Replay) -> None:
        self._replays[replay.id] = replay
        write_atomically(self._path(replay.id), replay.model_dump_json())

    def _path(self, replay_id: str) -> Path:
        return self._folder / f"{replay_id}.json"
