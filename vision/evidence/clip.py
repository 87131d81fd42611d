"""Short clips that every browser plays, cut from recordings of any kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from heapq import heappop, heappush
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import cast

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
from vision.frames.demux import PacketWindow, time_base
from vision.frames.frame import Image
from vision.frames.recording import SEEKABLE
from vision.zones import Zone

DURATION_S = 8.0
LEAD_S = 3.0
MAX_WIDTH = 1280
_MAX_FPS = 25
_MIN_FPS = 5
_COPY_SLACK_S = 3.0
_EARLIER_S = 15.0
_STRIDE_S = 10.0
MAX_CLIP_S = 600.0
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
    encode_anew: bool = False,
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
        encode_anew: Never keep the recording's own pictures.

    Returns:
        What was cut.

    Raises:
        InputError: The recording cannot be read or holds no picture that can be decoded.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.partial")
    masks = privacy_zones(privacy)
    try:
        with _stretch(recording, max(0.0, start_s), duration_s) as stretch:
            cut = None if masks or encode_anew else _copy(stretch, part)
            if cut is None:
                cut = _encode(recording, stretch, part, masks)
        part.replace(out)
        return cut
    except (FFmpegError, OSError) as error:
        raise InputError(f"{recording}: cannot cut a clip: {error}") from error
    finally:
        part.unlink(missing_ok=True)


@dataclass(frozen=True, eq=False)
class _Stretch:
    """Packets from the last keyframe before the start on, in stored order.

    Their timestamps count from the start of the recording, repaired as frames' are, so that a
    second of the clip is the same second as in the results.

    Attributes:
        stream: Where they are from; its codec is fresh.
        packets: Packets with times in ticks.
        start: First tick wanted.
        end: First tick not wanted.
        unit: Seconds per tick.
        stored_order: Times follow the order of storage although pictures are shown in another.
        timed: Every packet had both timestamps, in order, and none was repaired.
    """

    stream: VideoStream
    packets: list[Packet[VideoStream]]
    start: int
    end: int
    unit: Fraction
    stored_order: bool
    timed: bool

    @property
    def key(self) -> int:
        """Time of the first packet."""
        return _known(self.packets[0].pts)

    def seconds(self, time: int) -> float:
        """Ticks as seconds from the start of the recording."""
        return float(time * self.unit)


def _open(path: Path) -> InputContainer:
    return av.open(str(path), metadata_errors="ignore")


def _video(container: InputContainer, recording: Path) -> VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & stream.disposition.attached_pic:
            return stream
    raise InputError(f"{recording}: no video stream")


@contextmanager
def _stretch(recording: Path, start_s: float, duration_s: float) -> Iterator[_Stretch]:
    """Read the packets of a stretch; one past the end becomes the last seconds."""
    with _window(recording, start_s) as (container, window):
        _read_to(window, start_s)
        past_end = window.ended and window.last_s < start_s
        last_s = window.last_s
        if not past_end:
            yield _collect(recording, container, window, start_s, start_s + duration_s)
    if past_end:
        start_s = max(0.0, last_s - duration_s)
        with _window(recording, start_s) as (container, window):
            _read_to(window, start_s)
            yield _collect(recording, container, window, start_s, inf)


@contextmanager
def _window(recording: Path, start_s: float) -> Iterator[tuple[InputContainer, PacketWindow]]:
    """Packets from a keyframe before the start on, by the index where it can be trusted."""
    with _open(recording) as container:
        window = _sought(container, _video(container, recording), start_s)
        if window is not None:
            yield container, window
            return
    # A seek that failed leaves the container anywhere.
    with _open(recording) as container:
        yield container, PacketWindow(container, _video(container, recording))


def _sought(container: InputContainer, stream: VideoStream, start_s: float) -> PacketWindow | None:
    window = PacketWindow(container, stream)
    if not window.head() or start_s <= window.head()[-1].decode_s:
        return window
    if not set(container.format.name.split(",")) & SEEKABLE:
        return window
    for earlier_s in (0.0, _EARLIER_S):
        target = window.origin + round(max(0.0, start_s - earlier_s) / time_base(stream))
        try:
            container.seek(target, stream=stream)
        except (FFmpegError, OSError):
            return None
        sought = PacketWindow(container, stream, origin=window.origin)
        first = sought.at(0)
        if first is not None and first.key and first.time_s <= start_s:
            return sought
    return None


def _read_to(window: PacketWindow, start_s: float) -> None:
    """Read on to the start, keeping no more than one keyframe and what follows it."""
    time_s = 0.0
    while time_s < start_s and not window.ended:
        time_s = min(time_s + _STRIDE_S, start_s)
        window.read_past(time_s)
        window.release(time_s)


def _collect(
    recording: Path, container: InputContainer, window: PacketWindow, start_s: float, end_s: float
) -> _Stretch:
    stream = _video(container, recording)
    # One picture more tells how long the last one is shown.
    window.read_past(min(end_s, window.last_s + MAX_CLIP_S))
    first = window.start_before(start_s)
    if first is None:
        raise InputError(f"{recording}: no picture in it")
    stored = [s for s in window.head() if s.index >= first.index and s.decode_s <= end_s]
    unit = time_base(stream)
    shown = [s.time_s for s in stored]
    timed = not window.repaired_at_s and all(
        s.packet.pts is not None and s.packet.dts is not None for s in stored
    )
    for one in stored:
        one.packet.pts = round(one.time_s / unit)
        one.packet.dts = round(one.decode_s / unit)
    return _Stretch(
        stream=stream,
        packets=[one.packet for one in stored],
        start=round(start_s / unit),
        end=round(min(end_s, window.last_s + 1.0) / unit),
        unit=unit,
        stored_order=bool(stream.codec_context.has_b_frames)
        and len(shown) > 1
        and all(a < b for a, b in pairwise(shown)),
        timed=timed,
    )


def _copy(stretch: _Stretch, part: Path) -> Cut | None:
    """Copy packets; ``None`` where the clip would not play, or would start much too early."""
    packets = _whole_packets(stretch)
    coder = stretch.stream.codec_context
    if (
        not packets
        or stretch.seconds(stretch.start - stretch.key) > _COPY_SLACK_S
        or coder.name != "h264"
        or coder.profile not in _COPY_PROFILES
        or coder.pix_fmt not in _COPY_FORMATS
        or not coder.extradata
    ):
        return None
    # Filtering empties packets, so their times are kept aside.
    times = sorted(_known(packet.pts) for packet in packets)
    with _muxer(part) as sink:
        try:
            target = sink.add_stream_from_template(stretch.stream)
            target.metadata.clear()
            filters = BitStreamFilterContext(_WITHOUT_SEI, stretch.stream)
            for packet in packets:
                # The packets still serve for encoding where copying fails.
                copy = _copied(packet, stretch.key)
                for kept in filters.filter(copy):
                    kept.stream = target
                    sink.mux(kept)
            for kept in filters.filter(None):
                kept.stream = target
                sink.mux(kept)
        except (FFmpegError, ValueError):
            return None
    played = _played(part)
    # Timestamps or parameter sets that survive copying but do not play show up here.
    if played is None or played[1] < len(packets) * 0.9 or played[0].rotation:
        return None
    first, _ = played
    step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
    return Cut(
        start_s=stretch.seconds(stretch.key),
        duration_s=float((times[-1] - times[0] + step) * stretch.unit),
        width=first.width,
        height=first.height,
        copied=True,
    )


def _copied(packet: Packet[VideoStream], origin: int) -> Packet[VideoStream]:
    copy = cast("Packet[VideoStream]", Packet(bytes(packet)))
    copy.time_base = packet.time_base
    copy.pts = _known(packet.pts) - origin
    copy.dts = _known(packet.dts) - origin
    copy.duration = packet.duration
    copy.is_keyframe = packet.is_keyframe
    return copy


def _known(time: int | None) -> int:
    if time is None:
        raise ValueError("packet without timestamp")
    return time


def _whole_packets(stretch: _Stretch) -> list[Packet[VideoStream]]:
    """Packets to copy in decoding order, none where their timestamps cannot be kept."""
    packets: list[Packet[VideoStream]] = []
    if not stretch.timed or stretch.stored_order or not stretch.packets[0].is_keyframe:
        return packets
    for packet in stretch.packets:
        if _known(packet.dts) >= stretch.end:
            break
        if _known(packet.pts) < stretch.key:
            # Pictures shown before the keyframe lean on others that are not copied.
            continue
        if packets and _known(packet.dts) <= _known(packets[-1].dts):
            return []
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


def _encode(recording: Path, stretch: _Stretch, part: Path, masks: Sequence[Zone]) -> Cut:
    """Decode, mask, scale and encode at a constant rate."""
    rate = _rate(stretch.stream)
    timed = _pictures(stretch, masks)
    head = next(timed, None)
    if head is None:
        raise InputError(f"{recording}: no picture could be decoded for the clip")
    first_s, first = head
    height, width = first.shape[:2]
    end_s = stretch.seconds(stretch.end)

    def pictures() -> Iterator[Image]:
        image, count, last_s = first, 0, first_s
        for time_s, following in timed:
            while first_s + count / rate < min(time_s, end_s) - 1e-6:
                yield image
                count += 1
            image, last_s = following, time_s
        if count == 0 or last_s < end_s:
            yield image

    count = encode_pictures(pictures(), part, rate=rate, size=(width, height))
    return Cut(first_s, count / rate, width, height, copied=False)


def encode_pictures(
    pictures: Iterable[Image], out: Path, *, rate: int, size: tuple[int, int]
) -> int:
    """Encode pictures as an mp4 (H.264 4:2:0) that a browser plays at once.

    Args:
        pictures: ``(h, w, 3)`` uint8 BGR, all of the same even size.
        out: File to write.
        rate: Pictures a second.
        size: Their width and height.

    Returns:
        How many there were.

    Raises:
        FFmpegError: They cannot be encoded.
    """
    count = 0
    with _muxer(out) as sink:
        target = sink.add_stream("libx264", rate=rate)
        assert isinstance(target, VideoStream)
        (target.width, target.height), target.pix_fmt = size, "yuv420p"
        target.options = {"preset": "veryfast", "crf": "26", "profile": "high"}
        coder = target.codec_context
        # A fixed number of threads keeps the bytes the same on every machine.
        coder.thread_count = 2
        coder.time_base = Fraction(1, rate)
        coder.gop_size = rate * 2
        coder.color_range = 1
        coder.colorspace = coder.color_primaries = coder.color_trc = 1
        filters = BitStreamFilterContext(_WITHOUT_SEI, "h264")

        def put(frame: VideoFrame | None) -> None:
            for packet in target.encode(frame):
                for kept in filters.filter(packet):
                    kept.stream = target
                    sink.mux(kept)

        for picture in pictures:
            put(_yuv(picture, count, rate))
            count += 1
        put(None)
        for kept in filters.filter(None):
            kept.stream = target
            sink.mux(kept)
    return count


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


def _pictures(stretch: _Stretch, masks: Sequence[Zone]) -> Iterator[tuple[float, Image]]:
    """Times (seconds from the start of the recording) and scaled upright pictures.

    The last picture before the start is shown at the start; where none was decoded by then, the
    first one after it begins the clip. The last one given is the first past the end.
    """
    waiting: VideoFrame | None = None
    size: tuple[int, int] | None = None
    shown = False
    for time, frame in _decoded(stretch):
        if time < stretch.start:
            waiting = frame
            continue
        size = size or _size(frame)
        if waiting is not None and time > stretch.start:
            yield stretch.seconds(stretch.start), _upright(waiting, size, masks)
            shown = True
        waiting = None
        if time >= stretch.end and shown:
            yield stretch.seconds(time), _upright(frame, size, masks)
            return
        yield stretch.seconds(time), _upright(frame, size, masks)
        shown = True
    if waiting is not None:
        yield stretch.seconds(stretch.start), _upright(waiting, _size(waiting), masks)


def _decoded(stretch: _Stretch) -> Iterator[tuple[int, VideoFrame]]:
    """Frames with rising timestamps; what does not decode is left out."""
    stretch.stream.thread_type = "NONE"
    step = max(1, round(1 / (_rate(stretch.stream) * stretch.unit)))
    previous: int | None = None
    due: list[int] = []
    for packet in (*stretch.packets, None):
        if packet is not None:
            heappush(due, _known(packet.pts))
        try:
            frames = stretch.stream.decode(packet)
        except FFmpegError:
            continue
        for frame in frames:
            # Pictures come in the order shown; the times of storage belong to them in order.
            time = heappop(due) if stretch.stored_order and due else frame.pts
            if time is None:
                time = stretch.key if previous is None else previous + step
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
