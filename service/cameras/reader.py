"""The process in which cameras are read: a thread for each, all of which can be killed together.

Whatever a library does here (block past its time-outs, leak, crash), the service sees a pulse that
stops or a process that ends, and starts another.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Protocol

import cv2

from service.cameras.address import Address
from service.cameras.failure import CameraError, failure_of
from service.cameras.heaps import spare_memory
from service.cameras.onset import Onsets, OnsetSettings
from service.cameras.slot import Layout, Phase, Slot
from service.cameras.source import Deadlines, Picture, Source, open_source
from service.cameras.states import FailureKind
from service.reach import AddressPolicy
from vision.frames.frame import Luma

BAD_PICTURES = 3
"""So many pictures in a row that cannot be decoded end a connection."""


@dataclass(frozen=True)
class Open:
    """Begin to read an address in a seat; ``turn`` names this try in answers."""

    seat: int
    turn: int
    address: Address


@dataclass(frozen=True)
class Close:
    """End reading in a seat."""

    seat: int


@dataclass(frozen=True)
class Want:
    """Put a picture into the slot of a seat, newer than a time on the monotonic clock."""

    seat: int
    newer_s: float


Command = Open | Close | Want


@dataclass(frozen=True)
class Opened:
    """A source is open; pictures may be asked for."""

    seat: int
    turn: int
    codec: str


@dataclass(frozen=True)
class Ready:
    """A picture lies in the slot.

    Attributes:
        seat: Whose.
        turn: Of which try.
        layout: How it lies there.
        arrived_s: When it arrived, on the monotonic clock.
        behind_s: So much later the newest arrived: this one is the first that shows what is new.
        pts: Its presentation timestamp.
        decode_s: Seconds that decoding took.
    """

    seat: int
    turn: int
    layout: Layout
    arrived_s: float
    behind_s: float
    pts: int | None
    decode_s: float


@dataclass(frozen=True)
class Failed:
    """A source gives no more pictures; the seat is free again."""

    seat: int
    turn: int
    kind: FailureKind
    detail: str


@dataclass(frozen=True)
class Up:
    """The process has started and listens."""


Answer = Up | Opened | Ready | Failed


class Opener(Protocol):
    """Opens sources; see :func:`service.cameras.source.open_source`."""

    def __call__(self, address: Address, policy: AddressPolicy, deadlines: Deadlines) -> Source:
        """Open one."""
        ...


def read_cameras(
    pipe: Connection,
    slots: list[Slot],
    policy: AddressPolicy,
    deadlines: Deadlines,
    *,
    opener: Opener = open_source,
    onsets: OnsetSettings | None = None,
) -> None:
    """Run in a process of its own until the other end of the pipe is closed.

    Args:
        pipe: Commands come in, answers go out.
        slots: One for each seat.
        policy: Which hosts may be reached.
        deadlines: How long sources may take.
        opener: Opens sources.
        onsets: How far what is new is followed back.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    spare_memory()
    cv2.setNumThreads(1)
    lock = threading.Lock()

    def tell(answer: Answer) -> None:
        with lock:
            pipe.send(answer)

    settings = onsets or OnsetSettings()
    seats = [_Seat(number, slot, tell, settings) for number, slot in enumerate(slots)]
    try:
        tell(Up())
        while True:
            command: Command = pipe.recv()
            seat = seats[command.seat]
            if isinstance(command, Open):
                seat.open(command, policy, deadlines, opener)
            elif isinstance(command, Close):
                seat.close()
            else:
                seat.want(command.newer_s)
    except (EOFError, OSError):
        # Threads may hang in a library: nothing may keep this process alive.
        os._exit(0)


class _Tell(Protocol):
    def __call__(self, answer: Answer) -> None: ...


class _Seat:
    """One camera's place in the process."""

    def __init__(self, number: int, slot: Slot, tell: _Tell, onsets: OnsetSettings) -> None:
        self._number = number
        self._slot = slot
        self._tell = tell
        self._onset_settings = onsets
        self._stop = threading.Event()
        self._newer_s: float | None = None

    def open(
        self, command: Open, policy: AddressPolicy, deadlines: Deadlines, opener: Opener
    ) -> None:
        self._stop = threading.Event()
        self._newer_s = None
        self._slot.beat(Phase.OPENING)
        threading.Thread(
            target=self._run,
            args=(command, policy, deadlines, opener, self._stop),
            name=f"camera-{self._number}",
            daemon=True,
        ).start()

    def close(self) -> None:
        self._stop.set()

    def want(self, newer_s: float) -> None:
        self._newer_s = newer_s

    def _run(
        self,
        command: Open,
        policy: AddressPolicy,
        deadlines: Deadlines,
        opener: Opener,
        stop: threading.Event,
    ) -> None:
        source: Source | None = None
        failure: CameraError | None = None
        try:
            source = opener(command.address, policy, deadlines)
            self._tell(Opened(self._number, command.turn, source.codec))
            self._read(source, command.turn, stop)
        except CameraError as error:
            failure = error
        except Exception as error:
            failure = failure_of(error, opened=source is not None)
        if source is not None:
            self._slot.beat(Phase.CLOSING)
            source.close()
            # What a container leaves in cycles of references is megabytes.
            del source
            gc.collect()
        self._slot.beat(Phase.IDLE)
        if failure is None:
            failure = CameraError(FailureKind.ENDED, "closed")
        self._tell(Failed(self._number, command.turn, failure.kind, failure.detail))

    def _read(self, source: Source, turn: int, stop: threading.Event) -> None:
        bad = 0
        onsets = Onsets(self._onset_settings)
        while not stop.is_set():
            self._slot.beat(Phase.WAITING if source.on_demand else Phase.READING)
            source.advance(stop)
            newer_s, newest_s = self._newer_s, source.newest_s()
            if newer_s is None or newest_s is None or newest_s <= newer_s:
                continue
            self._slot.beat(Phase.DECODING)
            began_s = time.monotonic()
            try:
                picture = source.picture()
                behind_s = 0.0
                first_s = self._first_s(source, onsets, picture, newer_s)
                if first_s is not None:
                    behind_s = picture.arrived_s - first_s
                    picture = source.picture(first_s)
                layout = self._slot.write(picture.luma, picture.small, picture.image)
            except CameraError as error:
                bad += 1
                if source.on_demand or bad >= BAD_PICTURES or error.kind is not FailureKind.GARBAGE:
                    raise
                self._newer_s = newest_s
                continue
            bad = 0
            self._newer_s = None
            onsets.looked(picture.luma)
            source.forget(picture.arrived_s)
            took_s = time.monotonic() - began_s
            at_s = picture.arrived_s
            self._tell(Ready(self._number, turn, layout, at_s, behind_s, picture.pts, took_s))

    def _first_s(
        self, source: Source, onsets: Onsets, newest: Picture, newer_s: float
    ) -> float | None:
        """When the picture to look at instead of the newest arrived, ``None`` if there is none."""
        core_s, clock_s = onsets.most_s(newest.arrived_s - newer_s)
        began_s, before_s = time.monotonic(), time.thread_time()

        def earlier() -> Iterator[tuple[float, Luma]]:
            # One that cannot be decoded is as far back as it goes.
            with suppress(CameraError):
                for one in source.earlier(newer_s):
                    yield one
                    self._slot.beat(Phase.DECODING)
                    if (
                        time.thread_time() - before_s > core_s
                        or time.monotonic() - began_s > clock_s
                    ):
                        return

        return onsets.first_s(newest.luma, newest.arrived_s, earlier())
