"""One camera's pictures, as its reader process gets them: opened, and one decoded when asked for.

Packets of a stream are read as they come, which costs almost nothing, and only keyframes are kept:
the newest, which is decoded when somebody wants to look, and a few since the last look, to see when
what is new came (:mod:`service.cameras.onset`).
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

import av
import av.error
import cv2
import numpy as np
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image as Pillow

from service.cameras.address import Address, SourceKind
from service.cameras.failure import CameraError, failure_of
from service.cameras.slot import MAX_PICTURE_SIDE, MAX_PIXELS
from service.cameras.states import FailureKind
from service.reach import AddressPolicy, ReachError
from vision.frames.decode import clockwise, to_bgr, to_luma, to_small
from vision.frames.frame import LUMA_WIDTH, Image, Luma, small_size

MAX_SNAPSHOT_BYTES = 32 * 1024 * 1024
_LATE = 0.95
_SLICED = frozenset({"h264", "hevc"})
_MOST_EARLIER = 8


@dataclass(frozen=True)
class Deadlines:
    """How long a source may take.

    Attributes:
        open_s: To connect and to tell what the stream is.
        read_s: Until the next packet, and until a snapshot is there.
        keyframe_s: Until the next keyframe of a stream whose packets come.
        decode_s: To decode one picture.
        hang_s: Past any of these, before the process is killed.
    """

    open_s: float = 15.0
    read_s: float = 15.0
    keyframe_s: float = 60.0
    decode_s: float = 10.0
    hang_s: float = 5.0


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture.

    Attributes:
        luma: Brightness, ``(h, LUMA_WIDTH)`` uint8.
        small: Small colour picture, BGR uint8.
        image: Whole picture, BGR uint8.
        arrived_s: When its packet arrived, on the monotonic clock.
        pts: Its presentation timestamp, ``None`` if it has none.
    """

    luma: Luma
    small: Image
    image: Image
    arrived_s: float
    pts: int | None


class Source(Protocol):
    """An open source; used by one thread.

    Attributes:
        codec: What its pictures are coded with.
        on_demand: It gives pictures when asked and nothing between.
    """

    codec: str
    on_demand: bool

    def advance(self, stop: threading.Event) -> None:
        """Take in what comes next.

        Raises:
            CameraError: The source gives no more.
        """
        ...

    def newest_s(self) -> float | None:
        """When the newest picture arrived, on the monotonic clock; ``None`` before the first."""
        ...

    def earlier(self, newer_s: float) -> Iterator[tuple[float, Luma]]:
        """Pictures before the newest, latest first: when each arrived, and its brightness.

        Each is decoded when it is taken. Of pictures that come only when asked for there are none.

        Args:
            newer_s: Only those that arrived after this.

        Raises:
            CameraError: One cannot be decoded.
        """
        ...

    def picture(self, arrived_s: float | None = None) -> Picture:
        """Decode the newest picture, or an earlier one.

        Args:
            arrived_s: When that arrived.

        Raises:
            CameraError: It cannot be decoded.
        """
        ...

    def forget(self, until_s: float) -> None:
        """Let go of earlier pictures that arrived until then: a later one was looked at."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


@dataclass(frozen=True, eq=False)
class _Keyframe:
    """A keyframe that was not decoded, and when it arrived."""

    packet: Packet[VideoStream]
    arrived_s: float


class _Earlier:
    """Keyframes before the newest: a few, evenly spread, however many come."""

    def __init__(self) -> None:
        self._keys: list[_Keyframe] = []

    def __reversed__(self) -> Iterator[_Keyframe]:
        return reversed(self._keys)

    def add(self, key: _Keyframe) -> None:
        keys = self._keys
        keys.append(key)
        if len(keys) > _MOST_EARLIER:
            # The one whose neighbours do for it.
            del keys[
                min(
                    range(1, _MOST_EARLIER),
                    key=lambda i: keys[i + 1].arrived_s - keys[i - 1].arrived_s,
                )
            ]

    def forget(self, until_s: float) -> None:
        """Let go of those that arrived until then."""
        self._keys = [key for key in self._keys if key.arrived_s > until_s]


class StreamSource:
    """A stream or a looped recording, read by libav.

    Attributes:
        container: The open stream.
    """

    on_demand = False

    def __init__(self, address: Address, policy: AddressPolicy, deadlines: Deadlines) -> None:
        """Open it.

        Raises:
            CameraError: It cannot be opened.
        """
        self._address = address
        self._policy = policy
        self._deadlines = deadlines
        self._key: _Keyframe | None = None
        self._earlier = _Earlier()
        self._coming: list[Packet[VideoStream]] = []
        self._coming_s = 0.0
        self.container = self._open()
        try:
            self._stream = self._video()
            self.codec = self._stream.codec_context.name
            self._packets = self._demuxed()
        except BaseException:
            self.container.close()
            raise
        self._opened_s = time.monotonic()
        self._pace = _Pace() if address.kind is SourceKind.FILE else None

    def advance(self, stop: threading.Event) -> None:
        """Read one packet.

        A picture may come in several packets of one time stamp, a slice each: a keyframe is whole
        once the next picture begins.
        """
        began_s = time.monotonic()
        try:
            packet = next(self._packets, None)
        except (av.error.FFmpegError, OSError, ValueError, CameraError, ReachError) as error:
            late = time.monotonic() - began_s >= _LATE * self._deadlines.read_s
            raise self._failure(error, opened=True, late=late) from None
        if packet is None:
            if self._pace is None:
                raise CameraError(FailureKind.ENDED, "the stream has ended")
            self._rewind()
            return
        if self._pace is not None:
            self._pace.wait(packet, stop)
        now_s = time.monotonic()
        if self._coming and (packet.pts is None or packet.pts != self._coming[0].pts):
            self._complete()
        if packet.size and not packet.is_corrupt and (packet.is_keyframe or self._coming):
            if not self._coming:
                self._coming_s = now_s
            self._coming.append(packet)
            if self.codec not in _SLICED:
                self._complete()
        if now_s - (self.newest_s() or self._opened_s) > self._deadlines.keyframe_s:
            raise CameraError(
                FailureKind.CODEC, f"no keyframe for {self._deadlines.keyframe_s:.0f} s"
            )

    def newest_s(self) -> float | None:
        """When the newest keyframe arrived."""
        return None if self._key is None else self._key.arrived_s

    def earlier(self, newer_s: float) -> Iterator[tuple[float, Luma]]:
        """Keyframes before the newest, latest first, decoded when they are taken."""
        for key in reversed(self._earlier):
            if key.arrived_s <= newer_s:
                return
            frame = self._decoded(key)
            yield key.arrived_s, to_luma(frame, clockwise(frame))

    def picture(self, arrived_s: float | None = None) -> Picture:
        """Decode the newest keyframe, or an earlier one."""
        assert self._key is not None
        earlier = (key for key in reversed(self._earlier) if key.arrived_s == arrived_s)
        key = next(earlier, self._key)
        frame = self._decoded(key)
        degrees = clockwise(frame)
        return Picture(
            to_luma(frame, degrees),
            to_small(frame, degrees),
            to_bgr(frame, degrees),
            key.arrived_s,
            key.packet.pts,
        )

    def forget(self, until_s: float) -> None:
        """Let go of keyframes."""
        self._earlier.forget(until_s)

    def close(self) -> None:
        """Close the container."""
        self.container.close()

    def _open(self) -> InputContainer:
        address, limits = self._address, self._deadlines
        began_s = time.monotonic()
        options: dict[str, str] = {}
        io_open: Callable[..., object] | None = None
        try:
            if address.kind is SourceKind.FILE:
                url = str(self._policy.recording(address.path))
                options = {"protocol_whitelist": "file"}
            elif address.kind is SourceKind.RTSP:
                url = address.with_secrets(self._policy.reach(address.host, address.port))
                options = {
                    "rtsp_transport": address.transport.value,
                    "allowed_media_types": "video",
                    "protocol_whitelist": "rtsp,rtsps,rtp,srtp,tcp,udp,tls,crypto",
                }
            else:
                from service.cameras.web import Web

                url = address.url
                web = Web(address, self._policy, open_s=limits.open_s, read_s=limits.read_s)
                io_open = web.io_open
                options = {"protocol_whitelist": "http,https,tcp,tls,crypto"}
            return av.open(
                url,
                options=options,
                timeout=(limits.open_s, limits.read_s),
                metadata_errors="replace",
                io_open=io_open,
            )
        except (av.error.FFmpegError, OSError, ValueError, CameraError, ReachError) as error:
            late = time.monotonic() - began_s >= _LATE * limits.open_s
            raise self._failure(error, opened=False, late=late) from None

    def _video(self) -> VideoStream:
        streams = self.container.streams.video
        if not streams:
            raise CameraError(FailureKind.NO_VIDEO, "the stream holds no video")
        stream = streams[0]
        if stream.codec_context is None:
            raise CameraError(FailureKind.CODEC, "the video's codec is not known here")
        # Many cameras share the cores: one thread each.
        stream.codec_context.thread_type = ThreadType.NONE
        stream.codec_context.thread_count = 1
        return stream

    def _demuxed(self) -> Iterator[Packet[VideoStream]]:
        return iter(self.container.demux(self._stream))

    def _complete(self) -> None:
        if self._key is not None:
            self._earlier.add(self._key)
        self._key = _Keyframe(_joined(self._coming), self._coming_s)
        self._coming = []

    def _decoded(self, key: _Keyframe) -> VideoFrame:
        """Decode a keyframe alone."""
        context = self._stream.codec_context
        try:
            frames = [*context.decode(key.packet), *context.decode(None)]
            context.flush_buffers()
        except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
            context.flush_buffers()
            failure = self._failure(error, opened=True)
            raise CameraError(FailureKind.GARBAGE, failure.detail) from None
        whole = [frame for frame in frames if not frame.is_corrupt]
        if not whole:
            raise CameraError(FailureKind.GARBAGE, "a keyframe that gives no picture")
        _check_size(whole[0].width, whole[0].height)
        return whole[0]

    def _rewind(self) -> None:
        self._coming = []
        assert self._pace is not None
        if not self._pace.begun:
            raise CameraError(FailureKind.GARBAGE, "a recording without pictures")
        self.container.close()
        self.container = self._open()
        self._stream = self._video()
        self._packets = self._demuxed()
        self._pace = _Pace()

    def _failure(self, error: BaseException, *, opened: bool, late: bool = False) -> CameraError:
        if late and not isinstance(error, CameraError | ReachError):
            # What libav calls it when it was interrupted on the deadline differs by protocol.
            error = TimeoutError("no answer in time")
        failure = failure_of(error, opened=opened)
        return CameraError(failure.kind, self._address.redact(failure.detail))


class SnapshotSource:
    """An address that gives one picture with each GET."""

    codec = "snapshot"
    on_demand = True

    def __init__(self, address: Address, policy: AddressPolicy, deadlines: Deadlines) -> None:
        """Connect for the first time when a picture is wanted."""
        from service.cameras.web import Web

        self._address = address
        self._web = Web(address, policy, open_s=deadlines.open_s, read_s=deadlines.read_s)

    def advance(self, stop: threading.Event) -> None:
        """Wait a little: nothing comes by itself."""
        stop.wait(0.05)

    def newest_s(self) -> float | None:
        """Now: a picture is made when it is asked for."""
        return time.monotonic()

    def earlier(self, newer_s: float) -> Iterator[tuple[float, Luma]]:  # noqa: ARG002
        """None: each would be a GET."""
        return iter(())

    def picture(self, arrived_s: float | None = None) -> Picture:
        """GET a picture."""
        try:
            data = self._web.picture(MAX_SNAPSHOT_BYTES)
        except CameraError as error:
            raise CameraError(error.kind, self._address.redact(error.detail)) from None
        arrived_s = time.monotonic()
        image = decoded_still(data)
        luma, small = shrunk(image)
        return Picture(luma, small, image, arrived_s, None)

    def forget(self, until_s: float) -> None:
        """Hold nothing."""

    def close(self) -> None:
        """Hold nothing."""


def open_source(address: Address, policy: AddressPolicy, deadlines: Deadlines) -> Source:
    """Open what an address leads to.

    Raises:
        CameraError: It cannot be opened.
    """
    if address.kind is SourceKind.SNAPSHOT:
        return SnapshotSource(address, policy, deadlines)
    return StreamSource(address, policy, deadlines)


def decoded_still(data: bytes) -> Image:
    """Decode a JPEG or PNG, whose size is looked at first, to BGR uint8.

    Raises:
        CameraError: It is neither, or larger than a camera's picture can be.
    """
    try:
        with Pillow.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
            _check_size(picture.width, picture.height)
            rgb = np.asarray(picture.convert("RGB"), np.uint8)
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise CameraError(FailureKind.GARBAGE, f"no picture: {error}") from None
    return np.ascontiguousarray(rgb[:, :, ::-1])


def shrunk(image: Image) -> tuple[Luma, Image]:
    """Brightness, ``(h, LUMA_WIDTH)``, and small colour picture of a whole BGR uint8 picture."""
    height, width = image.shape[:2]
    luma_size = (LUMA_WIDTH, max(1, round(LUMA_WIDTH * height / width)))
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(image, small_size(width, height), interpolation=cv2.INTER_AREA)
    return (
        np.asarray(cv2.resize(grey, luma_size, interpolation=cv2.INTER_AREA), np.uint8),
        np.asarray(small, np.uint8),
    )


class _Pace:
    """Plays a recording no faster than it was recorded."""

    def __init__(self) -> None:
        self.begun = False
        self._start_s = 0.0
        self._first_s = 0.0

    def wait(self, packet: Packet[VideoStream], stop: threading.Event) -> None:
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None or packet.time_base is None:
            return
        time_s = float(stamp * packet.time_base)
        if not self.begun:
            self.begun = True
            self._start_s, self._first_s = time.monotonic(), time_s
        ahead_s = self._start_s + time_s - self._first_s - time.monotonic()
        if ahead_s > 0:
            stop.wait(min(ahead_s, 5.0))


def _joined(packets: list[Packet[VideoStream]]) -> Packet[VideoStream]:
    """The parts of one picture as one packet."""
    if len(packets) == 1:
        return packets[0]
    whole = cast("Packet[VideoStream]", Packet(b"".join(bytes(part) for part in packets)))
    whole.pts, whole.dts = packets[0].pts, packets[0].dts
    whole.time_base = packets[0].time_base
    whole.is_keyframe = True
    return whole


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_PICTURE_SIDE:
        raise CameraError(FailureKind.CODEC, f"pictures of {width}x{height} px are too large")
