"""A detector in a process of its own, where a hang or a crash can be ended and replaced.

Whoever waits for detections gets them or a :class:`~vision.errors.ModelError` within the deadline.
Pictures travel through memory that both sides share, detections come back through a pipe.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import connection as pipes
from multiprocessing.process import BaseProcess

import numpy as np

from service.cameras.counts import DetectorCounts
from service.cameras.slot import Layout, Slot
from vision.detect.detections import Detections
from vision.detect.detector import Detector
from vision.errors import ModelError
from vision.frames.frame import Image

log = logging.getLogger(__name__)

_TICK_S = 0.25
_NO_LUMA = np.zeros((1, 1), np.uint8)
_NO_SMALL = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True)
class InferenceSettings:
    """How a detector's process is run.

    Attributes:
        deadline_s: Seconds that one picture may take, waiting for others included.
        start_s: Seconds that loading may take.
        at_a_time: Pictures that may be in flight.
        first_wait_s: Seconds until it is started again after it died; doubled each time ...
        most_wait_s: ... up to this.
    """

    deadline_s: float = 20.0
    start_s: float = 180.0
    at_a_time: int = 4
    first_wait_s: float = 0.5
    most_wait_s: float = 60.0


@dataclass(frozen=True)
class _Up:
    names: tuple[str, ...]
    runtime: str
    model_name: str
    model_sha256: str
    input_size: int


@dataclass(frozen=True)
class _Done:
    job: int
    found: Detections | None
    error: str = ""


@dataclass(eq=False)
class _Job:
    future: Future[Detections]
    slot: int
    began_s: float
    until_s: float


class DetectorProcess:
    """A :class:`~vision.detect.detector.Detector` whose inference runs in another process.

    Args:
        load: Opens the detector; called in the process, so it must be a function of a module or a
            ``functools.partial`` of one.
        settings: How the process is run.

    Attributes:
        names: Class names in the order of the class ids.
        runtime: Runtime id as in the model registry.
        model_name: Name of the model in the registry.
        model_sha256: SHA-256 of the opened files.
        input_size: Pixels of the longer side that the detector makes use of.
        restarts: How often the process was replaced.

    Raises:
        ModelError: The detector cannot be opened.
    """

    def __init__(
        self, load: Callable[[], Detector], settings: InferenceSettings | None = None
    ) -> None:
        self._load = load
        self._settings = settings or InferenceSettings()
        self._context = multiprocessing.get_context("spawn")
        self._lock = threading.Condition()
        self._jobs: dict[int, _Job] = {}
        self._next = 0
        self._closed = False
        self._wait_s = self._settings.first_wait_s
        self.restarts = 0
        self._counts = DetectorCounts()
        self._waiting = 0
        self._slots: list[Slot] = []
        self._free: list[int] = []
        self._process, self._pipe = self._start()
        up = self._first_word(self._pipe)
        self.names, self.runtime = up.names, up.runtime
        self.model_name, self.model_sha256 = up.model_name, up.model_sha256
        self.input_size = up.input_size
        self._is_up = True
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Id of the process; ``None`` while there is none."""
        with suppress(ValueError):
            return self._process.pid
        return None

    @property
    def is_up(self) -> bool:
        """Whether the process is there and has loaded the model."""
        return self._is_up

    def counts(self) -> DetectorCounts:
        """What it has done since it was opened."""
        with self._lock:
            return replace(
                self._counts,
                in_flight=len(self._jobs),
                waiting=self._waiting,
                restarts=self.restarts,
            )

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Detect in a batch.

        Raises:
            ModelError: The detector failed, hung or is being replaced.
        """
        return [future.result() for future in [self.submit(image) for image in images]]

    def submit(self, image: Image, size: tuple[int, int] | None = None) -> Future[Detections]:
        """Start detection of one picture; wait only while too many are in flight.

        Args:
            image: BGR uint8 ``(h, w, 3)``.
            size: Width and height of the frame that it shows scaled down, if it is not the frame.

        Raises:
            ModelError: The detector is being replaced, or no place became free by the deadline.
        """
        began_s = time.monotonic()
        until_s = began_s + self._settings.deadline_s
        future: Future[Detections] = Future()
        with self._lock:
            try:
                slot = self._place(until_s)
            except ModelError:
                self._count(failed=1)
                raise
            job, self._next = self._next, self._next + 1
            try:
                layout = self._slots[slot].write(_NO_LUMA, _NO_SMALL, image)
                self._pipe.send((job, slot, layout, size))
            except ValueError as error:
                self._free.append(slot)
                self._count(failed=1)
                raise ModelError(f"model {self.model_name}: {error}") from None
            except OSError:
                self._free.append(slot)
                self._count(failed=1)
                raise ModelError(f"model {self.model_name}: the detector has just ended") from None
            self._jobs[job] = _Job(future, slot, began_s, until_s)
            self._count(together=len(self._jobs))
        return future

    def _place(self, until_s: float) -> int:
        """A free place for a picture; called with the lock held, waits only while there is none."""
        self._waiting += 1
        try:
            while not self._free and self._is_up:
                if not self._lock.wait(until_s - time.monotonic()):
                    raise ModelError(f"model {self.model_name}: too many pictures wait")
        finally:
            self._waiting -= 1
        if not self._is_up:
            raise ModelError(f"model {self.model_name}: the detector is being started")
        return self._free.pop()

    def _count(
        self, *, pictures: int = 0, failed: int = 0, seconds: float = 0.0, together: int = 0
    ) -> None:
        """Add to what is counted; called with the lock held."""
        before = self._counts
        self._counts = replace(
            before,
            pictures=before.pictures + pictures,
            failed=before.failed + failed,
            seconds=before.seconds + seconds,
            together=before.together + together,
        )

    def restart(self, why: str) -> None:
        """Replace the process; pictures in flight fail."""
        with self._lock:
            if self._is_up:
                self._fail(why)

    def close(self) -> None:
        """End the process; pictures in flight fail."""
        with self._lock:
            self._closed = True
            self._fail("it is closed")
        self._thread.join()
        self._end()

    def _start(self) -> tuple[BaseProcess, pipes.Connection]:
        self._slots = [Slot() for _ in range(self._settings.at_a_time)]
        self._free = list(range(self._settings.at_a_time))
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve,
            args=(theirs, self._slots, self._load),
            name="jiexu-detector",
            daemon=True,
        )
        process.start()
        theirs.close()
        return process, ours

    def _first_word(self, pipe: pipes.Connection) -> _Up:
        """Wait until the model is loaded."""
        until_s = time.monotonic() + self._settings.start_s
        try:
            while not pipe.poll(_TICK_S):
                if time.monotonic() > until_s or self._closed:
                    self._end()
                    raise ModelError("the detector did not start in time")
            word = pipe.recv()
        except (EOFError, OSError):
            self._end()
            raise ModelError("the detector ended while it was starting") from None
        if isinstance(word, _Up):
            return word
        self._end()
        raise ModelError(str(word))

    def _run(self) -> None:
        while not self._closed:
            if not self._is_up:
                try:
                    self._replace()
                except OSError as error:
                    log.warning("detector %s cannot be started: %s", self.model_name, error)
                continue
            try:
                if self._pipe.poll(_TICK_S):
                    self._take(self._pipe.recv())
            except (EOFError, OSError):
                with self._lock:
                    self._fail("its process ended")
            now_s = time.monotonic()
            with self._lock:
                if any(job.until_s < now_s for job in self._jobs.values()):
                    self._fail("it did not answer by the deadline")

    def _take(self, done: _Done) -> None:
        with self._lock:
            job = self._jobs.pop(done.job, None)
            if job is None:
                return
            if done.found is None:
                self._count(failed=1)
            else:
                self._count(pictures=1, seconds=time.monotonic() - job.began_s)
            self._free.append(job.slot)
            self._wait_s = self._settings.first_wait_s
            self._lock.notify_all()
        if done.found is not None:
            job.future.set_result(done.found)
        else:
            job.future.set_exception(ModelError(done.error))

    def _fail(self, why: str) -> None:
        """Kill the process; what is in flight fails. Called with the lock held."""
        self._is_up = False
        with suppress(ValueError):
            self._process.kill()
        jobs, self._jobs = list(self._jobs.values()), {}
        self._count(failed=len(jobs))
        self._lock.notify_all()
        if not self._closed:
            log.warning("detector %s is replaced: %s", self.model_name, why)
        for job in jobs:
            job.future.set_exception(ModelError(f"model {self.model_name}: {why}"))

    def _replace(self) -> None:
        self._end()
        until_s = time.monotonic() + self._wait_s
        self._wait_s = min(2 * self._wait_s, self._settings.most_wait_s)
        while time.monotonic() < until_s and not self._closed:
            time.sleep(_TICK_S)
        if self._closed:
            return
        self.restarts += 1
        self._process, self._pipe = self._start()
        try:
            up = self._first_word(self._pipe)
        except ModelError as error:
            log.warning("detector %s: %s", self.model_name, error)
            return
        if (up.model_sha256, up.names) != (self.model_sha256, self.names):
            log.error("detector %s: its files have changed; restart the service", self.model_name)
            return
        with self._lock:
            self._is_up = True
            self._lock.notify_all()

    def _end(self) -> None:
        """Leave nothing of the process; done twice, it does nothing."""
        with suppress(ValueError):
            self._process.kill()
            self._process.join()
            self._process.close()
        self._pipe.close()
        for slot in self._slots:
            slot.close()
        self._slots = []


def _serve(pipe: pipes.Connection, slots: list[Slot], load: Callable[[], Detector]) -> None:
    """The process: detect until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lock = threading.Lock()

    def tell(word: object) -> None:
        with lock:
            pipe.send(word)

    try:
        detector = load()
    except Exception as error:
        tell(f"the detector cannot be opened: {error}")
        return
    tell(
        _Up(
            detector.names,
            detector.runtime,
            detector.model_name,
            detector.model_sha256,
            detector.input_size,
        )
    )
    try:
        while True:
            job, slot, layout, size = pipe.recv()
            _detect(detector, job, slots[slot], layout, tell, size=size)
    except (EOFError, OSError):
        os._exit(0)


def _detect(
    detector: Detector,
    job: int,
    slot: Slot,
    layout: Layout,
    tell: Callable[[object], None],
    *,
    size: tuple[int, int] | None,
) -> None:
    def done(future: Future[Detections]) -> None:
        error = future.exception()
        if error is None:
            tell(_Done(job, future.result()))
        else:
            tell(_Done(job, None, str(error)))

    try:
        detector.submit(slot.read(layout)[2], size).add_done_callback(done)
    except Exception as error:
        tell(_Done(job, None, str(error)))
