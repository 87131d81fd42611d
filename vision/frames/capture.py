"""Recording of a live stream into a file, without encoding it again."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import av
import av.error
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vision.errors import InputError
from vision.frames.demux import nominal_step_s, time_base
from vision.frames.timestamps import TimestampRepair
from vision.frames.wallclock import StartTime

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 10.0

KEYFRAME_WAIT_S = 30.0
"""Stream seconds without a keyframe after which recording starts anyway."""

_USER = re.compile(r"(?<=:/)(/?)[^/?#\s]*@")
_SECRET = re.compile(
    r"((?:^|[?&;/])[^=&;/?\s]*(?:pass|pwd|token|key|secret|auth|user|sign)[^=&;/?\s]*=)[^&;#\s]*",
    re.IGNORECASE,
)


def is_url(text: str) -> bool:
    """Whether an argument names a stream rather than a file."""
    return re.match(r"[A-Za-z][\w+.-]*://", text) is not None


def redact(url: str) -> str:
    """Hide user, password and secret query values of a URL, or of a text that holds URLs."""
    return _SECRET.sub(r"\1***", _USER.sub(r"\1", url))


def capture_stream(
    url: str,
    duration_s: float,
    out: Path,
    *,
    clock: Callable[[], datetime],
    open_timeout_s: float = OPEN_TIMEOUT_S,
    read_timeout_s: float = READ_TIMEOUT_S,
) -> StartTime:
    """Record a stream into a Matroska file, beginning at a keyframe.

    A stream that ends or fails early leaves a shorter file and a warning in the log.

    Args:
        url: ``rtsp://`` (over TCP), ``http(s)://``, ``rtmp://``, ``file://`` or whatever libav
            reads.
        duration_s: Seconds of stream to record.
        out: File to write; replaced only when something was recorded.
        clock: Tells aware wall-clock time.
        open_timeout_s: Give up connecting after this.
        read_timeout_s: Give up waiting for data after this.

    Returns:
        When the first picture of the file arrived.

    Raises:
        InputError: If the stream cannot be opened or gives no video; the text holds no credentials.
    """
    name = redact(url)
    options = {"rtsp_transport": "tcp"} if url.lower().startswith("rtsp") else {}
    partial = out.with_name(f".{out.name}.part")
    start: datetime | None = None
    try:
        try:
            source = av.open(
                url,
                options=options,
                timeout=(open_timeout_s, read_timeout_s),
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{name}: cannot be opened: {_words(error)}") from None
        with source, av.open(str(partial), "w", format="matroska") as target:
            start = copy_stream(source, target, name, duration_s, clock)
        if start is None:
            raise InputError(f"{name}: gave no picture")
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return StartTime(start, "clock")


def copy_stream(
    source: InputContainer,
    target: OutputContainer,
    name: str,
    duration_s: float,
    clock: Callable[[], datetime],
) -> datetime | None:
    """Copy the packets of an open stream, beginning at a keyframe.

    Args:
        source: The stream.
        target: Where they go.
        name: What errors and the log call it, without credentials.
        duration_s: Seconds of stream to copy; one that fails early leaves less.
        clock: Tells aware wall-clock time.

    Returns:
        When the first packet arrived; ``None`` if none came.

    Raises:
        InputError: It holds no video, or fails before the first packet.
    """
    if not source.streams.video:
        raise InputError(f"{name}: holds no video")
    stream = source.streams.video[0]
    copy = target.add_stream_from_template(stream)
    repair = TimestampRepair(time_base(stream), nominal_step_s(stream))
    start: datetime | None = None
    waited_from = begun = 0
    first = True
    try:
        for packet in source.demux(stream):
            if not packet.size or packet.is_corrupt:
                continue
            stamp = repair.push(packet.pts, packet.dts)
            if first:
                waited_from, first = stamp.show, False
            if start is None:
                waited_s = float((stamp.show - waited_from) * time_base(stream))
                if not packet.is_keyframe and waited_s < KEYFRAME_WAIT_S:
                    continue
                start, begun = clock(), stamp.show
            if float((stamp.decode - begun) * time_base(stream)) >= duration_s:
                break
            _mux(target, copy, packet, stamp.show - begun, stamp.decode - begun)
    except (av.error.FFmpegError, OSError) as error:
        if start is None:
            raise InputError(f"{name}: cannot be read: {_words(error)}") from None
        log.warning("%s: recording ended early: %s", name, _words(error))
    return start


def _mux(
    target: OutputContainer,
    copy: VideoStream,
    packet: Packet[VideoStream],
    show: int,
    decode: int,
) -> None:
    packet.pts, packet.dts = show, min(show, decode)
    packet.stream = copy
    target.mux(packet)


def _words(error: Exception) -> str:
    return redact(getattr(error, "strerror", None) or type(error).__name__)
