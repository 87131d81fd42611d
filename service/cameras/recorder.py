"""A few seconds of a stream as a clip, recorded in a process of its own that can be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import av
from av.error import FFmpegError

from service.cameras.address import Address, SourceKind
from service.cameras.failure import CameraError
from service.cameras.source import Deadlines, StreamSource
from service.cameras.states import FailureKind
from service.reach import AddressPolicy
from vision.errors import InputError
from vision.evidence.clip import DURATION_S, cut_clip
from vision.frames.capture import KEYFRAME_WAIT_S, copy_stream
from vision.zones import Zone

ENCODE_S = 60.0
"""Seconds that encoding a clip may take."""

_NICE = 3
_TICK_S = 0.25


@dataclass(frozen=True)
class Recorded:
    """A clip that was recorded.

    Attributes:
        started_at: Aware UTC time of its first picture.
        width: Width in pixels.
        height: Height in pixels.
    """

    started_at: datetime
    width: int
    height: int


def can_record(address: Address) -> bool:
    """Whether an address gives a stream of now; a looped recording would show another time."""
    return address.kind in (SourceKind.RTSP, SourceKind.STREAM)


@dataclass(frozen=True)
class ClipOrder:
    """What is to be recorded.

    Attributes:
        address: Where the stream is.
        policy: Which hosts may be reached.
        out: File to write, an mp4; its folder is made where it is missing.
        privacy: Zones of the view; those with purpose ``privacy`` are masked.
        deadlines: How long the source may take.
        duration_s: Seconds to record.
    """

    address: Address
    policy: AddressPolicy
    out: Path
    privacy: Sequence[Zone] = ()
    deadlines: Deadlines = field(default_factory=Deadlines)
    duration_s: float = DURATION_S

    @property
    def most_s(self) -> float:
        """Seconds that all of it may take."""
        limits = self.deadlines
        return limits.open_s + KEYFRAME_WAIT_S + self.duration_s + limits.read_s + ENCODE_S


def record_clip(order: ClipOrder, stop: threading.Event) -> Recorded:
    """Record the next seconds of a stream as an mp4 that a browser plays.

    Args:
        order: What is to be recorded.
        stop: Gives it up when it is set.

    Raises:
        CameraError: The stream cannot be recorded, takes too long, or was given up.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_record, args=(theirs, order), name="jiexu-recorder", daemon=True
    )
    process.start()
    theirs.close()
    told: object = None
    until_s = time.monotonic() + order.most_s
    try:
        with suppress(EOFError, OSError):
            while told is None and time.monotonic() < until_s and not stop.is_set():
                if ours.poll(_TICK_S):
                    told = ours.recv()
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()
    if isinstance(told, Recorded):
        return told
    for path in order.out.parent.glob(f".{order.out.name}*"):
        path.unlink(missing_ok=True)
    if isinstance(told, CameraError):
        raise told
    why = "it was given up" if stop.is_set() else "it took too long"
    raise CameraError(FailureKind.HUNG, f"no clip was recorded: {why}")


def _record(pipe: Connection, order: ClipOrder) -> None:
    """The process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.nice(_NICE)
    try:
        pipe.send(_recorded(order))
    except CameraError as error:
        pipe.send(error)
    except InputError as error:
        pipe.send(CameraError(FailureKind.GARBAGE, order.address.redact(str(error))))
    except (FFmpegError, OSError) as error:
        # The folder is gone when the violation was over meanwhile; the disk may be full.
        pipe.send(CameraError(FailureKind.OTHER, order.address.redact(f"not written: {error}")))


def _recorded(order: ClipOrder) -> Recorded:
    out = order.out
    out.parent.mkdir(parents=True, exist_ok=True)
    raw = out.with_name(f".{out.name}.mkv")
    source = StreamSource(order.address, order.policy, order.deadlines)
    try:
        with av.open(str(raw), "w", format="matroska") as target:
            started_at = copy_stream(
                source.container,
                target,
                str(order.address),
                order.duration_s,
                lambda: datetime.now(UTC),
            )
        if started_at is None:
            raise CameraError(FailureKind.NO_VIDEO, "the stream gave no picture")
        cut = cut_clip(
            raw,
            out,
            start_s=0.0,
            duration_s=order.duration_s,
            privacy=order.privacy,
            encode_anew=True,
        )
    finally:
        source.close()
        raw.unlink(missing_ok=True)
    return Recorded(started_at + timedelta(seconds=cut.start_s), cut.width, cut.height)
