"""Decoding of single keyframes and of runs of pictures that start at one."""

from __future__ import annotations

import heapq
import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import av.error
import cv2
import numpy as np
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vision.errors import InputError
from vision.frames.demux import PacketWindow, Place, StoredPacket
from vision.frames.frame import LUMA_WIDTH, Image, Luma, Rung, small_size

SKIPPED: dict[Rung, Literal["DEFAULT", "NONREF"]] = {
    Rung.KEYFRAME: "DEFAULT",
    Rung.NON_REFERENCE_SKIPPED: "NONREF",
    Rung.FULL: "DEFAULT",
}
"""What the decoder leaves out on each rung, in libav's words."""

TURNS = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}

PLAIN_GREY = frozenset(
    f"{form}{sampling}p" for form in ("yuv", "yuvj") for sampling in ("420", "422", "440", "444")
) | {"nv12", "nv21", "gray"}
"""Pixel formats, in libav's names, whose first plane is the brightness, one byte a pixel."""

_local = threading.local()


class Decoder:
    """One decoder context of one recording; used by one thread at a time.

    It opens the file for itself, because only that gives a context every detail of the stream;
    the packets come from elsewhere. Damaged packets give no picture and raise nothing.
    """

    def __init__(self, path: Path, stream_index: int) -> None:
        self._path = path
        self._stream_index = stream_index
        self._container, stream = _open(path, stream_index)
        self._context = stream.codec_context
        # One thread: which pictures survive damage must not depend on scheduling, and whole
        # groups of pictures are decoded side by side anyway.
        self._context.thread_type = ThreadType.NONE
        self._context.thread_count = 1
        self._context.copy_opaque = True
        self._fed = False

    def alone(self, packet: Packet[VideoStream]) -> VideoFrame | None:
        """Decode one keyframe on its own; ``None`` if it gives no sound picture."""
        self.restart(Rung.KEYFRAME)
        frames = [*self.feed(packet), *self.feed(None)]
        whole = [f for f in frames if f.key_frame or f.pict_type == PictureType.I]
        return whole[0] if whole else None

    def restart(self, rung: Rung) -> None:
        """Forget what was decoded and go on with the skipping of ``rung``."""
        if self._fed:
            self._context.flush_buffers()
            self._fed = False
        self._context.skip_frame = SKIPPED[rung]

    def feed(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        """Decode the next packet, or with ``None`` what is still inside, in order of display."""
        self._fed = True
        try:
            frames = self._context.decode(packet)
        except (av.error.FFmpegError, ValueError, MemoryError):
            return []
        return [frame for frame in frames if not frame.is_corrupt]

    def read_again(self) -> PacketWindow:
        """Packets of the file from the front."""
        container, stream = _open(self._path, self._stream_index)
        return PacketWindow(container, stream)

    def close(self) -> None:
        """Close the file."""
        self._container.close()


def _open(path: Path, stream_index: int) -> tuple[InputContainer, VideoStream]:
    try:
        container = av.open(str(path), metadata_errors="replace")
        stream = container.streams[stream_index]
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise InputError(f"{path}: can no longer be read: {error}") from error
    assert isinstance(stream, VideoStream)
    return container, stream


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture on the repaired time line."""

    time_s: float
    pts: int | None
    raw: VideoFrame


class Run:
    """Pictures in order of display, decoded from one starting packet onwards.

    What it yields depends on the packets from the start on alone, so a run that goes on and one
    that starts again give the same pictures.

    Args:
        decoder: Decoder that belongs to this run until it is closed.
        window: Packets.
        start: Packet to begin with.
        rung: How much is left out.
        stored_order: Whether timestamps follow the order of storage though pictures are
            reordered (AVI keeps no presentation times): each picture then takes the smallest
            timestamp not yet taken.
    """

    def __init__(
        self,
        decoder: Decoder,
        window: PacketWindow,
        start: StoredPacket,
        rung: Rung,
        *,
        stored_order: bool,
    ) -> None:
        self.decoder = decoder
        self.key = (start.index, rung)
        self.decoded = 0
        self._window = window
        self._next = start.index
        self._stored_order = stored_order
        self._fed: dict[int, StoredPacket] = {}
        self._times: list[float] = []
        self._again: PacketWindow | None = None
        self._before: Picture | None = None
        self._pictures = self._decode()
        decoder.restart(rung)
        self._after = next(self._pictures, None)

    def reaches(self, time_s: float) -> bool:
        """Whether the pictures around ``time_s`` are not yet behind."""
        return self._before is None or self._before.time_s < time_s

    def around(self, time_s: float) -> tuple[Picture | None, Picture | None]:
        """Last picture before ``time_s`` and first picture at or after it."""
        while self._after is not None and self._after.time_s < time_s:
            self._before, self._after = self._after, next(self._pictures, None)
        return self._before, self._after

    def _decode(self) -> Iterator[Picture]:
        last_s = float("-inf")
        waiting: deque[VideoFrame] = deque()
        while True:
            stored = self._packet(self._next)
            if stored is not None:
                self._next += 1
                self._fed[stored.index] = stored
                if self._stored_order:
                    heapq.heappush(self._times, stored.time_s)
            waiting.extend(self.decoder.feed(None if stored is None else stored.packet))
            while waiting:
                raw = waiting.popleft()
                self.decoded += 1
                picture = self._place(raw)
                if picture is not None and picture.time_s > last_s:
                    last_s = picture.time_s
                    yield picture
            if stored is None:
                return

    def _packet(self, index: int) -> StoredPacket | None:
        stored = self._window.at(index)
        if stored is not None or not self._window.dropped(index):
            self._again = None
            return stored
        if self._again is None:
            self._again = self.decoder.read_again()
            for earlier in range(index):
                self._release_again(earlier)
        stored = self._again.at(index)
        self._release_again(index)
        return stored

    def _release_again(self, index: int) -> None:
        assert self._again is not None
        stored = self._again.at(index)
        if stored is not None:
            self._again.release(stored.decode_s)

    def _place(self, raw: VideoFrame) -> Picture | None:
        place = raw.opaque
        own = self._fed.get(place.index) if isinstance(place, Place) else None
        if own is None:
            return None
        # Pictures leave the decoder at most a few packets after they went in.
        for index in [index for index in self._fed if index < own.index - 64]:
            del self._fed[index]
        time_s = heapq.heappop(self._times) if self._stored_order else own.time_s
        return Picture(time_s, own.pts, raw)


def clockwise(frame: VideoFrame) -> int:
    """Degrees clockwise that bring a picture upright: 0, 90, 180 or 270."""
    return round(-frame.rotation / 90) % 4 * 90


def turn(picture: Image, degrees: int) -> Image:
    """Turn a picture clockwise by 0, 90, 180 or 270 degrees; the result is contiguous."""
    turned = cv2.rotate(picture, TURNS[degrees]) if degrees else picture
    return np.ascontiguousarray(turned)


def to_bgr(frame: VideoFrame, degrees: int) -> Image:
    """Convert to ``(height, width, 3)`` uint8 BGR, upright."""
    return turn(np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8), degrees)


def to_luma(frame: VideoFrame, degrees: int) -> Luma:
    """Convert to upright brightness, ``(h, LUMA_WIDTH)`` uint8 over the full range."""
    upright = (frame.height, frame.width) if degrees in {90, 270} else (frame.width, frame.height)
    height = max(1, round(LUMA_WIDTH * upright[1] / upright[0]))
    return _reduced(frame, degrees, (LUMA_WIDTH, height), "gray")


def to_grey(frame: VideoFrame, degrees: int) -> Luma:
    """Brightness at full size, upright, in the range that it is stored in; read only.

    Where it is stored as a plane of its own it is not copied.
    """
    plane = frame.planes[0]
    if frame.format.name not in PLAIN_GREY or plane.line_size < frame.width:
        return turn(np.asarray(frame.to_ndarray(format="gray"), dtype=np.uint8), degrees)
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    grey = lines[: frame.height, : frame.width]
    return turn(grey, degrees) if degrees else grey


def to_small(frame: VideoFrame, degrees: int) -> Image:
    """Convert to the upright small colour picture, uint8 BGR of :func:`small_size`."""
    upright = (frame.height, frame.width) if degrees in {90, 270} else (frame.width, frame.height)
    return to_size(frame, degrees, *small_size(*upright))


def to_size(frame: VideoFrame, degrees: int, width: int, height: int) -> Image:
    """Convert to an upright colour picture of this size, ``(height, width, 3)`` uint8 BGR."""
    return _reduced(frame, degrees, (width, height), "bgr24")


def _reduced(
    frame: VideoFrame, degrees: int, size: tuple[int, int], pixels: str
) -> NDArray[np.uint8]:
    """Scale by areas to ``(width, height)``, which are upright."""
    width, height = size[::-1] if degrees in {90, 270} else size
    reformatter = getattr(_local, "reformatter", None)
    if reformatter is None:
        reformatter = _local.reformatter = {}
    # One for each kind of picture: a reformatter keeps what it prepared for the kind before.
    own = reformatter.setdefault(pixels, VideoReformatter())
    small = own.reformat(frame, width, height, pixels, interpolation=Interpolation.AREA, threads=1)
    return turn(np.asarray(small.to_ndarray(), dtype=np.uint8), degrees)


class Decoders:
    """The decoders of one recording, lent to worker threads.

    Runs that may be continued are kept, the oldest given up first.
    """

    def __init__(self, path: Path, stream_index: int, window: PacketWindow, keep: int) -> None:
        self._path = path
        self._stream_index = stream_index
        self._window = window
        self._keep = keep
        self._lock = threading.Lock()
        self._runs: list[Run] = []
        self._lone: list[Decoder] = []
        self._opened: list[Decoder] = []
        self.decoded: Counter[Rung] = Counter()

    def keyframe(self, stored: StoredPacket) -> VideoFrame | None:
        """Decode a keyframe alone."""
        with self._lock:
            decoder = self._lone.pop() if self._lone else None
        decoder = decoder or self._open()
        frame = decoder.alone(stored.packet)
        with self._lock:
            self._lone.append(decoder)
            self.decoded[Rung.KEYFRAME] += 1
        return frame

    def around(
        self, start: StoredPacket, rung: Rung, time_s: float, *, stored_order: bool
    ) -> tuple[Picture | None, Picture | None]:
        """Pictures before and from ``time_s`` in the run that begins at ``start``."""
        run = self._resume((start.index, rung), time_s)
        if run is None:
            run = Run(
                self._spare() or self._open(), self._window, start, rung, stored_order=stored_order
            )
            counted = 0
        else:
            counted = run.decoded
        pictures = run.around(time_s)
        with self._lock:
            self.decoded[rung] += run.decoded - counted
            self._runs.append(run)
        return pictures

    def turn_to(self, window: PacketWindow) -> None:
        """Decode packets of another window of the recording from now on; none may be in use."""
        with self._lock:
            self._window = window
            # Runs go by the numbers of the window's packets.
            self._lone += [run.decoder for run in self._runs]
            self._runs.clear()

    def close(self) -> None:
        """Close every decoder; none may be in use."""
        with self._lock:
            self._runs.clear()
            for decoder in self._opened:
                decoder.close()
            self._opened.clear()
            self._lone.clear()

    def _resume(self, key: tuple[int, Rung], time_s: float) -> Run | None:
        with self._lock:
            fit = [run for run in self._runs if run.key == key and run.reaches(time_s)]
            if not fit:
                return None
            furthest = max(fit, key=lambda run: run.decoded)
            self._runs.remove(furthest)
            return furthest

    def _spare(self) -> Decoder | None:
        with self._lock:
            return self._runs.pop(0).decoder if len(self._runs) >= self._keep else None

    def _open(self) -> Decoder:
        decoder = Decoder(self._path, self._stream_index)
        with self._lock:
            self._opened.append(decoder)
        return decoder
