"""Keeps all cameras read: starts reader processes, kills those that hang, tries again in time.

Several cameras share a process, because an interpreter with its libraries weighs more than a
camera does. A camera that hangs takes its neighbours down for a second; after that it is read in a
process of its own. So is every camera of a process that died twice, for nobody knows which did it.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import connection as pipes
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from service.cameras.address import Address
from service.cameras.connection import Connection
from service.cameras.onset import OnsetSettings
from service.cameras.reader import (
    Answer,
    Close,
    Failed,
    Open,
    Opened,
    Opener,
    Ready,
    Up,
    Want,
    read_cameras,
)
from service.cameras.sink import CameraHealth
from service.cameras.slot import Phase, Slot
from service.cameras.source import Deadlines, open_source
from service.cameras.states import FailureKind, SourceState
from service.reach import AddressPolicy
from vision.frames.frame import Image, Luma

log = logging.getLogger(__name__)

_TICK_S = 0.25
_SUSPECT = 2
_FRESH_S = 0.5
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(frozen=True)
class ReaderSettings:
    """How reader processes are run.

    Attributes:
        seats: Cameras that share a process.
        deadlines: How long sources may take.
        start_s: How long a process may take to start.
        base_mb: Memory that a process may take, in MiB ...
        camera_mb: ... and so much more for each camera in it; one that takes more is started anew.
        memory_every_s: How often that is looked at.
        stop_s: How long processes may take to end.
        onsets: How far what is new is followed back.
    """

    seats: int = 16
    deadlines: Deadlines = field(default_factory=Deadlines)
    start_s: float = 60.0
    base_mb: float = 150.0
    camera_mb: float = 60.0
    memory_every_s: float = 10.0
    stop_s: float = 3.0
    onsets: OnsetSettings = field(default_factory=OnsetSettings)


@dataclass(frozen=True, eq=False)
class Taken:
    """A picture of a camera; it stays until :meth:`Supervisor.done`.

    Attributes:
        luma: Brightness, ``(h, LUMA_WIDTH)`` uint8.
        small: Small colour picture, BGR uint8.
        image: Whole picture, BGR uint8, in memory that is written again after ``done``.
        arrived_s: When it arrived, on a clock that only this camera's pictures are compared by.
        arrived_at: The same as aware UTC time.
        pts: Its presentation timestamp.
        decode_s: Seconds that decoding took.
        behind_s: So much later the newest arrived: this one is the first that shows what is new.
    """

    luma: Luma
    small: Image
    image: Image
    arrived_s: float
    arrived_at: datetime
    pts: int | None
    decode_s: float
    behind_s: float = 0.0


class OnPicture(Protocol):
    """Hears of pictures, in the supervisor's thread; must return at once."""

    def __call__(self, camera_id: str, taken: Taken) -> None:
        """A picture that was wanted is there."""
        ...


@dataclass(eq=False)
class _Camera:
    id: str
    address: Address
    connection: Connection
    group: _Group | None = None
    seat: int = 0
    turn: int = 0
    is_open: bool = False
    asked: bool = False
    held: bool = False
    newest_s: float = float("-inf")
    newest_at: datetime | None = None
    suspicion: int = 0
    told: CameraHealth | None = None


@dataclass(eq=False)
class _Group:
    process: BaseProcess
    pipe: pipes.Connection
    slots: list[Slot]
    started_s: float
    is_up: bool = False
    seated: dict[int, _Camera] = field(default_factory=dict)
    closing: set[int] = field(default_factory=set)

    @property
    def free(self) -> list[int]:
        return [i for i in range(len(self.slots)) if i not in self.seated and i not in self.closing]


class Supervisor:
    """Reads any number of cameras; methods may be called from any thread.

    Args:
        policy: Which hosts may be reached.
        on_picture: Hears of each picture that was wanted.
        on_health: Hears of each change of a camera.
        settings: How processes are run.
        opener: Opens sources in the reader processes.
        rng: Spreads waits.

    Attributes:
        restarts: Reader processes that were started anew, by reason.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        on_picture: OnPicture,
        on_health: Callable[[CameraHealth], None],
        settings: ReaderSettings = ReaderSettings(),
        opener: Opener = open_source,
        rng: random.Random | None = None,
    ) -> None:
        self._policy = policy
        self._on_picture = on_picture
        self._on_health = on_health
        self._settings = settings
        self._opener = opener
        self._rng = rng or random.Random()  # noqa: S311 - spreads waits, hides nothing
        self._context = multiprocessing.get_context("spawn")
        self._lock = threading.RLock()
        self._cameras: dict[str, _Camera] = {}
        self._groups: list[_Group] = []
        self._stop = threading.Event()
        self._wake_out, self._wake_in = self._context.Pipe(duplex=False)
        self._memory_s = time.monotonic()
        self.restarts: dict[str, int] = dict.fromkeys(
            ("hung", "died", "memory", "start", "policy"), 0
        )
        self._thread = threading.Thread(target=self._run, name="cameras", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, within_s: float = 10.0) -> None:
        """End all reading; returns when every process has ended, killed if need be.

        Args:
            within_s: Seconds that it may take; processes are killed before.
        """
        until_s = time.monotonic() + within_s
        self._stop.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(within_s)
        with self._lock:
            now_s = time.monotonic()
            for camera in self._cameras.values():
                camera.connection.stop(now_s)
            groups, self._groups = self._groups, []
        # Half of what is left, for whoever is killed must be waited for too.
        self._end(groups, (until_s - time.monotonic()) / 2)
        self._tell_health()

    def add(self, camera_id: str, address: Address) -> None:
        """Read a camera from now on; one with this id is read from this address instead."""
        with self._lock:
            self.remove(camera_id)
            camera = _Camera(camera_id, address, Connection(self._rng))
            camera.connection.start(time.monotonic())
            self._cameras[camera_id] = camera
        self._wake()

    def remove(self, camera_id: str) -> None:
        """Read a camera no more."""
        with self._lock:
            camera = self._cameras.pop(camera_id, None)
            if camera is not None:
                camera.connection.stop(time.monotonic())
                self._unseat(camera, close=True)
        self._wake()

    def change_policy(self, policy: AddressPolicy) -> None:
        """Other hosts may be reached from now on: all readers are started anew with it."""
        with self._lock:
            self._policy = policy
            now_s = time.monotonic()
            for group in list(self._groups):
                self.restarts["policy"] += 1
                self._abandon(group, now_s)
            for camera in self._cameras.values():
                if camera.connection.failure is FailureKind.FORBIDDEN_ADDRESS:
                    camera.connection.retry_now(now_s)
        self._wake()

    def retry(self, camera_id: str) -> None:
        """Try a camera that waits at once, for an operator who mended it."""
        with self._lock:
            self._cameras[camera_id].connection.retry_now(time.monotonic())
        self._wake()

    def want(self, camera_id: str, *, fresh: bool = False) -> bool:
        """Ask for a picture newer than the last one.

        Args:
            camera_id: Of which camera.
            fresh: The newest picture will not do where it came a while ago; the next one is waited
                for.

        Returns:
            Whether one will come unless the camera fails; ``False`` where it gives none now, was
            asked already, or the last picture is still in use.
        """
        with self._lock:
            camera = self._cameras.get(camera_id)
            if camera is None or camera.asked or camera.held:
                return False
            return self._ask(camera, time.monotonic() - _FRESH_S if fresh else None)

    def done(self, camera_id: str) -> None:
        """The last picture is no longer in use."""
        with self._lock:
            camera = self._cameras.get(camera_id)
            if camera is not None:
                camera.held = False

    def health(self, camera_id: str) -> CameraHealth:
        """How a camera is.

        Raises:
            KeyError: There is no such camera.
        """
        with self._lock:
            return self._health(self._cameras[camera_id])

    def processes(self) -> list[int]:
        """Ids of the reader processes that run."""
        with self._lock:
            return [group.process.pid for group in self._groups if group.process.pid is not None]

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._step()
            except Exception:
                # Whatever it is, all other cameras depend on this thread.
                log.exception("a step of the cameras' supervisor failed")
                self._stop.wait(_TICK_S)

    def _step(self) -> None:
        with self._lock:
            listened = {group.pipe: group for group in self._groups}
        ready = pipes.wait([self._wake_out, *listened], timeout=_TICK_S)
        # Told when the lock is free.
        pictures: list[tuple[str, Taken]] = []
        with self._lock:
            now_s = time.monotonic()
            for pipe in ready:
                if pipe is self._wake_out:
                    self._wake_out.recv_bytes()
                else:
                    self._hear(listened[pipe], now_s, pictures)  # type: ignore[index]
            now_s = time.monotonic()
            self._watch(now_s)
            self._watch_memory(now_s)
            self._try_due(now_s)
        for camera_id, taken in pictures:
            self._on_picture(camera_id, taken)
        self._tell_health()

    def _hear(self, group: _Group, now_s: float, pictures: list[tuple[str, Taken]]) -> None:
        """Take in what a process says."""
        if group not in self._groups:
            return
        try:
            while group.pipe.poll():
                self._take(group, group.pipe.recv(), now_s, pictures)
        except (EOFError, OSError):
            log.warning("reader process %s ended by itself", group.process.pid)
            self.restarts["died"] += 1
            for camera in list(group.seated.values()):
                camera.suspicion += 1
                camera.connection.failed(FailureKind.READER_DIED, "the reader crashed", now_s)
            self._abandon(group, now_s)

    def _take(
        self, group: _Group, answer: Answer, now_s: float, pictures: list[tuple[str, Taken]]
    ) -> None:
        if isinstance(answer, Up):
            group.is_up = True
            for waiting in group.seated.values():
                self._send_open(group, waiting)
            return
        seated = group.seated.get(answer.seat)
        camera = seated if seated is not None and seated.turn == answer.turn else None
        if isinstance(answer, Failed):
            group.closing.discard(answer.seat)
            if camera is not None:
                camera.connection.failed(answer.kind, answer.detail, now_s)
                self._unseat(camera, close=False)
        elif camera is None:
            return
        elif isinstance(answer, Opened):
            camera.is_open = True
            self._ask(camera)
        else:
            pictures.append((camera.id, self._taken(group, camera, answer, now_s)))

    def _taken(self, group: _Group, camera: _Camera, answer: Ready, now_s: float) -> Taken:
        camera.asked, camera.held = False, True
        camera.newest_s = answer.arrived_s
        age = timedelta(seconds=max(0.0, now_s - answer.arrived_s))
        arrived_at = datetime.now(UTC) - age
        camera.newest_at = arrived_at + timedelta(seconds=answer.behind_s)
        camera.connection.came(now_s)
        luma, small, image = group.slots[answer.seat].read(answer.layout)
        return Taken(
            luma=luma,
            small=small,
            image=image,
            arrived_s=answer.arrived_s,
            arrived_at=arrived_at,
            pts=answer.pts,
            decode_s=answer.decode_s,
            behind_s=answer.behind_s,
        )

    def _ask(self, camera: _Camera, newer_s: float | None = None) -> bool:
        if not camera.is_open or camera.group is None or camera.held:
            return False
        try:
            newer_s = camera.newest_s if newer_s is None else max(camera.newest_s, newer_s)
            camera.group.pipe.send(Want(camera.seat, newer_s))
        except OSError:
            return False
        camera.asked = True
        return True

    def _watch(self, now_s: float) -> None:
        """Kill processes in which a camera is past its deadline."""
        limits, settings = _limits(self._settings.deadlines), self._settings
        for group in list(self._groups):
            if not group.is_up:
                if now_s - group.started_s > settings.start_s:
                    self.restarts["start"] += 1
                    self._abandon(group, now_s)
                continue
            for seat, slot in enumerate(group.slots):
                phase, since_s = slot.pulse()
                limit_s = limits.get(phase)
                if limit_s is None or now_s - since_s <= limit_s:
                    continue
                camera = group.seated.get(seat)
                if camera is not None:
                    name = phase.name.lower()
                    log.warning("camera %s: hung while %s; reader killed", camera.id, name)
                    camera.suspicion = _SUSPECT
                    camera.connection.failed(
                        FailureKind.HUNG, f"no progress for {now_s - since_s:.0f} s", now_s
                    )
                self.restarts["hung"] += 1
                self._abandon(group, now_s)
                break

    def _watch_memory(self, now_s: float) -> None:
        settings = self._settings
        if now_s - self._memory_s < settings.memory_every_s:
            return
        self._memory_s = now_s
        for group in list(self._groups):
            used_mb = _rss_mb(group.process.pid)
            if used_mb > settings.base_mb + settings.camera_mb * len(group.slots):
                log.warning("reader process %s: %.0f MiB; started anew", group.process.pid, used_mb)
                self.restarts["memory"] += 1
                self._abandon(group, now_s)

    def _try_due(self, now_s: float) -> None:
        for camera in self._cameras.values():
            if camera.connection.due(now_s):
                camera.connection.trying(now_s)
                try:
                    self._seat(camera)
                except OSError as error:
                    camera.connection.failed(FailureKind.READER_DIED, f"no reader: {error}", now_s)

    def _seat(self, camera: _Camera) -> None:
        """Give a camera a place in a process and have it opened."""
        alone = camera.suspicion >= _SUSPECT
        seats = 1 if alone else self._settings.seats
        fit = [group for group in self._groups if len(group.slots) == seats and group.free]
        group = fit[0] if fit else self._start_group(seats)
        camera.group, camera.seat = group, group.free[0]
        camera.turn += 1
        camera.is_open = camera.asked = camera.held = False
        group.seated[camera.seat] = camera
        if group.is_up:
            self._send_open(group, camera)

    def _send_open(self, group: _Group, camera: _Camera) -> None:
        group.slots[camera.seat].beat(Phase.OPENING)
        try:
            group.pipe.send(Open(camera.seat, camera.turn, camera.address))
        except OSError:
            log.debug("reader process %s has just ended", group.process.pid)

    def _start_group(self, seats: int) -> _Group:
        ours, theirs = self._context.Pipe()
        slots = [Slot() for _ in range(seats)]
        settings = self._settings
        process = self._context.Process(
            target=read_cameras,
            args=(theirs, slots, self._policy, settings.deadlines),
            kwargs={"opener": self._opener, "onsets": settings.onsets},
            name="jiexu-reader",
            daemon=True,
        )
        process.start()
        theirs.close()
        group = _Group(process, ours, slots, time.monotonic())
        self._groups.append(group)
        return group

    def _unseat(self, camera: _Camera, *, close: bool) -> None:
        group = camera.group
        camera.group, camera.is_open, camera.asked, camera.held = None, False, False, False
        if group is None:
            return
        group.seated.pop(camera.seat, None)
        if close and group.is_up:
            # The seat is taken until the process says that it is free.
            group.closing.add(camera.seat)
            try:
                group.pipe.send(Close(camera.seat))
            except OSError:
                log.debug("reader process %s has just ended", group.process.pid)
        if not group.seated and len(group.slots) == 1:
            self._groups.remove(group)
            group.process.kill()
            self._end([group])

    def _abandon(self, group: _Group, now_s: float) -> None:
        """Kill a process; its cameras that did nothing wrong are tried again at once."""
        if group in self._groups:
            self._groups.remove(group)
        for camera in list(group.seated.values()):
            camera.connection.interrupted(now_s)
            camera.group, camera.is_open, camera.asked = None, False, False
        group.seated.clear()
        group.process.kill()
        self._end([group])

    def _end(self, groups: list[_Group], most_s: float = float("inf")) -> None:
        """End processes: they do when their pipe is closed, or all are killed together."""
        for group in groups:
            group.pipe.close()
        until_s = time.monotonic() + min(most_s, self._settings.stop_s)
        for group in groups:
            group.process.join(max(0.0, until_s - time.monotonic()))
        for group in groups:
            group.process.kill()
        for group in groups:
            group.process.join()
            group.process.close()
            for slot in group.slots:
                slot.close()

    def _health(self, camera: _Camera) -> CameraHealth:
        now_s, now = time.monotonic(), datetime.now(UTC)
        connection = camera.connection
        told = camera.told
        state = connection.state
        same = told is not None and (told.state, told.failure) == (state, connection.failure)
        retry_s = connection.retry_s
        return CameraHealth(
            camera_id=camera.id,
            state=state,
            since=told.since
            if same and told is not None
            else now - timedelta(seconds=now_s - connection.since_s),
            failure=connection.failure,
            detail=camera.address.redact(connection.detail),
            retry_at=None
            if retry_s is None or state is SourceState.CONNECTING
            else now + timedelta(seconds=retry_s - now_s),
            last_frame_at=camera.newest_at,
            failures=connection.failures,
            reconnects=connection.reconnects,
        )

    def _tell_health(self) -> None:
        """Tell what has changed since it was told."""
        changed = []
        with self._lock:
            for camera in self._cameras.values():
                health = self._health(camera)
                told = camera.told
                if told is None or _essence(told) != _essence(health):
                    camera.told = health
                    changed.append(health)
        for health in changed:
            self._on_health(health)

    def _wake(self) -> None:
        self._wake_in.send_bytes(b"w")


def _essence(health: CameraHealth) -> CameraHealth:
    return replace(health, retry_at=None, last_frame_at=None)


def _limits(deadlines: Deadlines) -> dict[Phase, float]:
    """Seconds that each phase may take; opening and asking for snapshots are two steps each."""
    hang_s = deadlines.hang_s
    return {
        Phase.OPENING: 2 * deadlines.open_s + hang_s,
        Phase.READING: deadlines.read_s + hang_s,
        Phase.DECODING: deadlines.open_s + deadlines.read_s + deadlines.decode_s + hang_s,
        Phase.CLOSING: deadlines.read_s + hang_s,
    }


def _rss_mb(pid: int | None) -> float:
    """Memory of a process without what it shares, in MiB; 0 if it has ended."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0.0
    return (int(resident) - int(shared)) * _PAGE_MB
