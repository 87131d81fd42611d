"""Short clips that every browser plays, cut from recordings of any kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vision.errors import InputError
from vision.evidence.manifest import EvidenceFile, describe
from vision.evidence.privacy import mask_privacy, privacy_zones
from vision.frames.frame import Image
from vision.zones import Zone

DURATION_S = 8.0
LEAD_S = 3.0
MAX_WIDTH = 1280
_MAX_FPS = 25
_MIN_FPS = 5
_COPY_SLACK_S = 3.0
_EARLIER_S = 15.0
_COPY_PROFILES = {"Constrained Baseline", "Baseline", "Main", "High"}
_COPY_FORMATS = {"yuv420p", "yuvj420p"}
# Supplemental units carry encoder settings and, from some cameras, places and serial numbers.
_WITHOUT_SEI = "filter_units=remove_types=6"
_MUXER = {"movflags": "+faststart", "fflags": "+bitexact"}


@dataclass(frozen=True)
class Cut:
    """What was cut.

    Attributes:
        start_s: Time of the first picture, seconds from the start of the recording.
        duration_s: Length of the clip in seconds.
        width: Width in pixels.
        height: Height in pixels.
        copied: The recording's own pictures, not encoded anew.
    """

    start_s: float
    duration_s: float
    width: int
    height: int
    copied: bool


def write_clip(
    recording: Path,
    folder: Path,
    run_root: Path,
    *,
    stem: str,
    around_s: float,
    started_at: datetime,
    duration_s: float = DURATION_S,
    privacy: Sequence[Zone] = (),
) -> EvidenceFile:
    """Write ``STEM_clip.mp4`` of the seconds around an event.

    Args:
        recording: The recording.
        folder: Where to write, inside ``run_root``; made where it is missing.
        run_root: The run's folder.
        stem: Start of the file name.
        around_s: When it happened, seconds from the start of the recording; the clip begins
            three seconds before.
        started_at: Aware wall-clock time of the start of the recording.
        duration_s: Length of the clip.
        privacy: Zones of the view; those with purpose ``privacy`` are masked.

    Raises:
        InputError: The recording cannot be read or has no picture there.
        ValueError: ``folder`` lies outside ``run_root`` or ``started_at`` has no offset.
    """
    path = folder / f"{stem}_clip.mp4"
    cut = cut_clip(
        recording, path, start_s=around_s - LEAD_S, duration_s=duration_s, privacy=privacy
    )
    return describe(
        path,
        run_root,
        time_s=round(cut.start_s, 3),
        timestamp=started_at + timedelta(seconds=cut.start_s),
        width=cut.width,
        height=cut.height,
        media_type="video/mp4",
    )


def cut_clip(
    recording: Path,
    out: Path,
    *,
    start_s: float,
    duration_s: float = DURATION_S,
    privacy: Sequence[Zone] = (),
) -> Cut:
    """Cut an mp4 (H.264 4:2:0, no sound, no metadata) that a browser plays at once.

    The recording's own pictures are kept where they are such already, upright, unmasked and a
    keyframe lies at most three seconds before the start; else they are encoded anew, at most 1280
    wide, at a constant rate taken from the timestamps. A start before the recording is moved to its
    start, one past its end so far back that the clip shows its last seconds.

    Args:
        recording: Any recording with a video stream that FFmpeg reads.
        out: The clip; replaced as a whole or not at all.
        start_s: First second wanted, from the start of the recording.
        duration_s: Length wanted.
        privacy: Zones of the view; those with purpose ``privacy`` are masked.

    Returns:
        What was cut.

    Raises:
        InputError: The recording cannot be read or holds no picture that can be decoded.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.partial")
    masks = privacy_zones(privacy)
    try:
        span = _span(recording, max(0.0, start_s), duration_s)
        cut = None if masks else _copy(recording, part, span)
        if cut is None:
            cut = _encode(recording, part, span, masks)
        part.replace(out)
        return cut
    except (FFmpegError, OSError) as error:
        raise InputError(f"{recording}: cannot cut a clip: {error}") from error
    finally:
        part.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Span:
    """Where to read, in the units of the video stream.

    Attributes:
        seek: Timestamp to seek to before reading, ``None`` for the start of the file.
        key: Timestamp of the packet to begin at.
        start: First timestamp wanted.
        end: First timestamp not wanted.
        origin: Timestamp of the start of the recording.
        unit: Seconds per unit.
    """

    seek: int | None
    key: int
    start: int
    end: int
    origin: int
    unit: Fraction


def _open(recording: Path) -> InputContainer:
    return av.open(str(recording), metadata_errors="ignore")


def _video(container: InputContainer, recording: Path) -> VideoStream:
    if not container.streams.video:
        raise InputError(f"{recording}: no video stream")
    return container.streams.video[0]


def _time(packet: Packet[VideoStream]) -> int | None:
    return packet.pts if packet.pts is not None else packet.dts


def _packets(
    container: InputContainer, stream: VideoStream, seek: int | None
) -> Iterator[Packet[VideoStream]]:
    """Packets with data, from a seek on; a file broken in the middle ends there."""
    if seek is not None:
        container.seek(seek, stream=stream)
    try:
        for packet in container.demux(stream):
            if packet.size:
                yield packet
    except FFmpegError:
        return


def _span(recording: Path, start_s: float, duration_s: float) -> _Span:
    """Find the packet to begin at: the last keyframe at or before the start."""
    with _open(recording) as container:
        stream = _video(container, recording)
        if stream.time_base is None:
            raise InputError(f"{recording}: its video has no time base")
        unit = stream.time_base
        first = next((_time(p) for p in _packets(container, stream, None)), None)
    if first is None:
        raise InputError(f"{recording}: no picture in it")
    origin = stream.start_time if stream.start_time is not None else first

    def at(seconds: float) -> int:
        return origin + round(seconds / unit)

    length = at(duration_s) - origin
    start = at(start_s)
    for seek in (start, max(origin, start - round(_EARLIER_S / unit)), None):
        key, last = _key_before(recording, seek, start)
        if last is None or last < start:
            continue
        if key is not None:
            return _Span(seek, key, start, start + length, origin, unit)
    # No keyframe lies before the start, or the recording ends before it.
    _, last = _key_before(recording, None, None)
    last = first if last is None else last
    if last < start:
        start = max(origin, last - length)
    key, _ = _key_before(recording, None, start)
    return _Span(None, first if key is None else key, start, start + length, origin, unit)


def _key_before(
    recording: Path, seek: int | None, start: int | None
) -> tuple[int | None, int | None]:
    """Last keyframe at or before ``start``, and the time of the last packet that was read."""
    key = last = None
    with _open(recording) as container:
        stream = _video(container, recording)
        try:
            for packet in _packets(container, stream, seek):
                time = _time(packet)
                if time is None:
                    continue
                last = time if last is None else max(last, time)
                if packet.is_keyframe and (start is None or time <= start):
                    key = time
                if start is not None and time > start:
                    break
        except FFmpegError:
            return None, None
    return key, last


def _from_key(
    container: InputContainer, stream: VideoStream, span: _Span
) -> Iterator[Packet[VideoStream]]:
    begun = False
    for packet in _packets(container, stream, span.seek):
        begun = begun or _time(packet) == span.key
        if begun:
            yield packet


def _copy(recording: Path, part: Path, span: _Span) -> Cut | None:
    """Copy packets; ``None`` where the clip would not play, or would start much too early."""
    if (span.start - span.key) * span.unit > _COPY_SLACK_S:
        return None
    with _open(recording) as source:
        stream = _video(source, recording)
        coder = stream.codec_context
        if (
            coder.name != "h264"
            or coder.profile not in _COPY_PROFILES
            or coder.pix_fmt not in _COPY_FORMATS
            or not coder.extradata
        ):
            return None
        packets = _whole_packets(source, stream, span)
        if not packets or not packets[0].is_keyframe:
            return None
        # Filtering empties packets, so their times are kept aside.
        times = sorted(_known(packet.pts) for packet in packets)
        with _muxer(part) as sink:
            try:
                target = sink.add_stream_from_template(stream)
                target.metadata.clear()
                filters = BitStreamFilterContext(_WITHOUT_SEI, stream)
                for packet in packets:
                    packet.pts = _known(packet.pts) - span.key
                    packet.dts = _known(packet.dts) - span.key
                    for kept in filters.filter(packet):
                        kept.stream = target
                        sink.mux(kept)
                for kept in filters.filter(None):
                    kept.stream = target
                    sink.mux(kept)
            except (FFmpegError, ValueError):
                return None
    played = _played(part)
    # Timestamps or parameter sets that survive copying but do not play show up here.
    if played is None or played[1] < len(packets) * 0.9:
        return None
    first, _ = played
    if first.rotation:
        return None
    step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
    return Cut(
        start_s=float((span.key - span.origin) * span.unit),
        duration_s=float((times[-1] - times[0] + step) * span.unit),
        width=first.width,
        height=first.height,
        copied=True,
    )


def _known(time: int | None) -> int:
    if time is None:
        raise ValueError("packet without timestamp")
    return time


def _whole_packets(
    source: InputContainer, stream: VideoStream, span: _Span
) -> list[Packet[VideoStream]] | None:
    """Packets to copy in decoding order, ``None`` when their timestamps are not in order."""
    packets: list[Packet[VideoStream]] = []
    for packet in _from_key(source, stream, span):
        if packet.dts is None or packet.pts is None or packet.is_corrupt:
            return None
        if packet.dts >= span.end:
            break
        if packet.pts < span.key:
            # Pictures shown before the keyframe lean on others that are not copied.
            continue
        if packets and packet.dts <= _known(packets[-1].dts):
            return None
        packets.append(packet)
    return packets


def _played(path: Path) -> tuple[VideoFrame, int] | None:
    """First picture of a clip and the number of its pictures that decode."""
    try:
        with _open(path) as clip:
            stream = clip.streams.video[0]
            stream.codec_context.skip_frame = "NONKEY"
            first = next(iter(clip.decode(stream)), None)
        with _open(path) as clip:
            count = sum(1 for p in clip.demux(clip.streams.video[0]) if p.size)
    except (FFmpegError, IndexError):
        return None
    return None if first is None else (first, count)


def _muxer(part: Path) -> OutputContainer:
    return av.open(str(part), "w", format="mp4", container_options=_MUXER)


def _encode(recording: Path, part: Path, span: _Span, masks: Sequence[Zone]) -> Cut:
    """Decode, mask, scale and encode at a constant rate."""
    with _open(recording) as source:
        stream = _video(source, recording)
        rate = _rate(stream)
        pictures = _pictures(source, stream, span, masks)
        head = next(pictures, None)
        if head is None:
            raise InputError(f"{recording}: no picture could be decoded for the clip")
        first_s, image = head
        height, width = image.shape[:2]
        with _muxer(part) as sink:
            target = sink.add_stream("libx264", rate=rate)
            assert isinstance(target, VideoStream)
            target.width, target.height, target.pix_fmt = width, height, "yuv420p"
            target.options = {"preset": "veryfast", "crf": "26", "profile": "high"}
            coder = target.codec_context
            # A fixed number of threads keeps the bytes the same on every machine.
            coder.thread_count = 2
            coder.time_base = Fraction(1, rate)
            coder.gop_size = rate * 2
            coder.color_range = 1
            coder.colorspace = coder.color_primaries = coder.color_trc = 1
            end_s = float((span.end - span.origin) * span.unit)
            filters = BitStreamFilterContext(_WITHOUT_SEI, "h264")

            def put(picture: Image | None, index: int) -> None:
                frame = None
                if picture is not None:
                    frame = _yuv(picture, index, rate)
                for packet in target.encode(frame):
                    for kept in filters.filter(packet):
                        kept.stream = target
                        sink.mux(kept)

            count, last_s = 0, first_s
            for time_s, following in pictures:
                while first_s + count / rate < min(time_s, end_s) - 1e-6:
                    put(image, count)
                    count += 1
                image, last_s = following, time_s
            if count == 0 or last_s < end_s:
                put(image, count)
                count += 1
            put(None, count)
            for kept in filters.filter(None):
                kept.stream = target
                sink.mux(kept)
    return Cut(first_s, count / rate, width, height, copied=False)


def _rate(stream: VideoStream) -> int:
    average = stream.average_rate or stream.guessed_rate
    wanted = round(average) if average else _MAX_FPS
    return min(max(wanted, _MIN_FPS), _MAX_FPS)


def _yuv(picture: Image, index: int, rate: int) -> VideoFrame:
    frame = VideoFrame.from_ndarray(picture, format="bgr24").reformat(
        format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
    )
    frame.pts = index
    frame.time_base = Fraction(1, rate)
    return frame


def _pictures(
    source: InputContainer, stream: VideoStream, span: _Span, masks: Sequence[Zone]
) -> Iterator[tuple[float, Image]]:
    """Times (seconds from the start of the recording) and scaled upright pictures of the span.

    The last picture before the start is shown at the start; where none was decoded by then, the
    first one after it begins the clip.
    """
    waiting: VideoFrame | None = None
    size: tuple[int, int] | None = None
    shown = False
    for time, frame in _decoded(source, stream, span):
        if time < span.start:
            waiting = frame
            continue
        if waiting is not None and time > span.start:
            size = size or _size(waiting)
            yield float((span.start - span.origin) * span.unit), _upright(waiting, size, masks)
            shown = True
        waiting = None
        if time >= span.end and shown:
            yield float((time - span.origin) * span.unit), _upright(frame, size, masks)
            return
        size = size or _size(frame)
        yield float((time - span.origin) * span.unit), _upright(frame, size, masks)
        shown = True
    if waiting is not None and not shown:
        size = _size(waiting)
        yield float((span.start - span.origin) * span.unit), _upright(waiting, size, masks)


def _decoded(
    source: InputContainer, stream: VideoStream, span: _Span
) -> Iterator[tuple[int, VideoFrame]]:
    """Frames with rising timestamps; what does not decode is left out."""
    stream.thread_type = "NONE"
    step = max(1, round(1 / (_rate(stream) * span.unit)))
    previous: int | None = None
    packets: Iterator[Packet[VideoStream] | None] = iter(_from_key(source, stream, span))
    ended = False
    while not ended:
        packet = next(packets, None)
        ended = packet is None
        try:
            frames = stream.decode(packet)
        except FFmpegError:
            continue
        for frame in frames:
            time = frame.pts if frame.pts is not None else frame.dts
            if time is None:
                time = span.key if previous is None else previous + step
            if previous is not None and time <= previous:
                time = previous + 1
            previous = time
            yield time, frame


def _size(frame: VideoFrame) -> tuple[int, int]:
    """Even size of the upright picture, at most ``MAX_WIDTH`` wide."""
    width, height = frame.width, frame.height
    if frame.rotation % 180:
        width, height = height, width
    scale = min(1.0, MAX_WIDTH / width, MAX_WIDTH / height)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _upright(frame: VideoFrame, size: tuple[int, int] | None, masks: Sequence[Zone]) -> Image:
    width, height = size or _size(frame)
    turned = frame.rotation % 180 != 0
    raw = frame.to_ndarray(
        format="bgr24",
        width=height if turned else width,
        height=width if turned else height,
        interpolation="AREA",
    )
    # FFmpeg counts the display rotation counter-clockwise, as rot90 does.
    image = np.ascontiguousarray(np.rot90(raw, round(frame.rotation / 90)))
    return mask_privacy(image.astype(np.uint8, copy=False), masks)
