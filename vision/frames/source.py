"""What every source of frames offers, whatever it reads from."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from vision.frames.frame import Frame
from vision.frames.wallclock import StartTime


@dataclass(frozen=True)
class SourceInfo:
    """What is known of a source once it is open.

    Attributes:
        width: Width in pixels of the first picture, upright (rotation applied).
        height: Height in pixels of the first picture, upright.
        rotation: Degrees clockwise that had to be applied: 0, 90, 180 or 270.
        duration_s: Best estimate of the length in seconds, ``None`` if unknown.
        codec: Name of the codec or picture format.
        container: Name of the container, ``stills`` for pictures.
        keyframe_interval_s: Median seconds between keyframes if known when opened.
        start: Wall-clock time of ``time_s = 0``.
    """

    width: int
    height: int
    rotation: int
    duration_s: float | None
    codec: str
    container: str
    keyframe_interval_s: float | None
    start: StartTime


class FrameSource(Protocol):
    """A recording or a sequence of pictures that can be looked at."""

    @property
    def info(self) -> SourceInfo:
        """What is known since opening."""
        ...

    @property
    def notes(self) -> list[str]:
        """What the user must be told about the input; grows while reading."""
        ...

    def submit(self, time_s: float, tolerance_s: float) -> Future[Frame | None]:
        """Ask for the frame of the look wanted at ``time_s``; returns at once.

        The frame is a function of source, ``time_s`` and ``tolerance_s`` alone: neither the order
        of requests nor other requests nor threads change a byte of it. Requests may come out of
        order but not before the time released last. A request that has not begun may be cancelled.

        Returns:
            Future of the cheapest frame within ``tolerance_s`` of ``time_s``, or of a keyframe up
            to three tolerances early where that saves decoding more than one picture. Where there
            is none because of a gap or damage, the next frame that can be decoded, whose
            ``time_s`` then lies past ``time_s + tolerance_s``. ``None`` when there is no such
            frame either: the source is over.
        """
        ...

    def anchor_s(self, time_s: float, tolerance_s: float) -> float:
        """Time from which the look after the one submitted with these arguments is counted.

        It is the time of the keyframe that :meth:`submit` will try first, or ``time_s`` where it
        has to climb. It is known without decoding, so looks can be asked for ahead of time and
        still fall onto keyframes that are not exactly one interval apart.
        """
        ...

    def release(self, before_s: float) -> None:
        """Promise that no look before ``before_s`` will be wanted; memory is freed."""
        ...

    def counts(self) -> dict[str, int]:
        """Count packets read and pictures decoded per rung, looks given up included."""
        ...

    def close(self) -> None:
        """Stop decoding and free everything; requests still waiting are cancelled."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class RecordingSource(FrameSource, Protocol):
    """A source of which every picture can be had, not only those of looks."""

    def stretch(self, start_s: float, end_s: float) -> Iterator[Frame]:
        """Every picture of a stretch, with the ``time_s`` that :meth:`submit` gives it."""
        ...
