"""Recordings: video files read once from front to back, decoded only where somebody looks."""

from __future__ import annotations

import itertools
import os
import statistics
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vision.closing import Closing
from vision.errors import InputError
from vision.frames.decode import (
    Decoder,
    Decoders,
    Picture,
    Run,
    clockwise,
    to_bgr,
    to_grey,
    to_luma,
    to_size,
    to_small,
)
from vision.frames.demux import PacketWindow, Place, StoredPacket, time_base
from vision.frames.frame import Frame, Luma, Rung, luma_of
from vision.frames.source import SourceInfo
from vision.frames.wallclock import StartTime, start_time

SAME_PICTURE_S = 0.005
"""A picture this much before the wanted time still counts as at it; containers round to 1 ms."""

EARLY_TOLERANCES = 3.0
"""A keyframe may serve a look that comes early by this many tolerances.

With the tolerance at a quarter of the interval the look still comes after the one before it, which
lies a whole interval, less at most one tolerance, ahead.
"""

LATE_S = 0.1
"""A first picture later than this is worth telling."""

PROBE_BYTES = 64 << 20
"""A file in whose first 64 MiB no picture can be decoded is given up."""

REORDER_PROBE = 48
"""Pictures decoded at the start to learn whether timestamps follow display or storage order."""

SEEKABLE = frozenset({"mov", "mp4", "matroska", "webm"})
"""Containers whose index is trusted for cutting a stretch; looks never seek."""

INDEX_SAMPLE = 5000
"""Index entries examined for the spacing of keyframes."""

MAX_PIXELS = 100_000_000
"""Largest picture that is decoded, in pixels."""

PICTURE_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\x00", b"MM\x00*", b"GIF8")


def open_recording(
    path: Path,
    *,
    camera_id: str,
    timezone: tzinfo,
    start: StartTime | None = None,
    decode_threads: int = 2,
    from_s: float = 0.0,
) -> Recording:
    """Open a video file for looking at it.

    Args:
        path: File in any container and codec that libav reads.
        camera_id: Camera that recorded it.
        timezone: Zone of times that name none.
        start: When it began; found by :func:`~vision.frames.wallclock.start_time` if ``None``.
        decode_threads: Pictures decoded at the same time.
        from_s: No look is wanted that would be decoded from a keyframe before this: what comes
            before is passed over by the file's index. The frames are the same ones as long as no
            timestamp had to be repaired; see :attr:`Recording.is_as_stored`.

    Returns:
        An open source; close it, or use it as a context manager.

    Raises:
        InputError: If the file cannot be read or holds no picture that can be decoded.
    """
    opened = _open(path)
    if start is None:
        start = start_time(path, None, opened.metadata, timezone, opened.duration_s)
    if from_s > 0.0:
        try:
            opened.window = _sought(opened, from_s)
        except InputError:
            opened.close()
            raise
    return Recording(opened, camera_id=camera_id, start=start, decode_threads=decode_threads)


def stored_size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels of a recording's pictures, as far as its header tells."""
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            stream = next(iter(container.streams.video), None)
            return (stream.width, stream.height) if stream and stream.width else None
    except (av.error.FFmpegError, OSError, ValueError):
        return None


def stretch(
    path: Path,
    start_s: float,
    end_s: float,
    *,
    camera_id: str,
    start: StartTime,
    seek: bool = True,
) -> Iterator[Frame]:
    """Decode every picture of a stretch, in order.

    Args:
        path: The recording.
        start_s: First second wanted, from the start of the recording.
        end_s: Last second wanted.
        camera_id: Camera that recorded it.
        start: Wall-clock time of second 0.
        seek: Whether the file's index may be used; pass ``False`` where timestamps were repaired.

    Yields:
        Frames with the same ``time_s`` as those of :meth:`Recording.submit` for the same picture.

    Raises:
        InputError: If the file cannot be read.
    """
    opened = _open(path)
    try:
        window = _sought(opened, start_s) if seek else opened.window
        window.release(start_s)
        window.read_past(start_s)
        first = window.start_before(start_s)
        if first is None:
            return
        run = Run(opened.decoder, window, first, Rung.FULL, stored_order=opened.stored_order)
        _, picture = run.around(start_s - SAME_PICTURE_S)
        while picture is not None and picture.time_s <= end_s + SAME_PICTURE_S:
            yield _frame(picture, Rung.FULL, camera_id, start)
            window.release(picture.time_s)
            _, picture = run.around(picture.time_s + 1e-9)
    finally:
        opened.close()


class Recording(Closing):
    """A video file as a :class:`~vision.frames.source.FrameSource`.

    A look costs one keyframe where one lies within the tolerance. Otherwise the group of pictures
    is decoded from its keyframe without the pictures that no other needs, and only if that gives
    none within the tolerance, in full. Each group is decoded from a fresh start by one thread, so
    a frame never depends on what was asked before.
    """

    def __init__(
        self, opened: _Opened, *, camera_id: str, start: StartTime, decode_threads: int
    ) -> None:
        self._opened = opened
        self._camera_id = camera_id
        self._window = opened.window
        self._decoders = Decoders(
            opened.path, opened.stream_index, opened.window, keep=max(1, decode_threads)
        )
        self._pool = ThreadPoolExecutor(max(1, decode_threads), thread_name_prefix="decode")
        opened.decoder.close()
        self.info = SourceInfo(
            width=opened.width,
            height=opened.height,
            rotation=opened.rotation,
            duration_s=opened.duration_s,
            codec=opened.codec,
            container=opened.container_name,
            keyframe_interval_s=opened.keyframe_interval_s,
            start=start,
        )

    @property
    def notes(self) -> list[str]:
        """What the user must be told about the file, as far as it has been read."""
        window, notes = self._window, []
        if self._opened.first_picture_s > LATE_S:
            notes.append(
                f"starts without a keyframe: first {self._opened.first_picture_s:.1f} s unreadable"
            )
        repaired = window.repaired_at_s[:3]
        if repaired:
            more = len(window.repaired_at_s) - len(repaired)
            places = ", ".join(f"{time_s:.1f} s" for time_s in repaired)
            notes.append(
                f"timestamps repaired at {places}" + (f" and {more} more places" if more else "")
            )
        if window.damaged:
            notes.append(f"damaged packets skipped: {window.damaged}")
        if window.ended:
            declared = self._opened.declared_s
            if window.read_error is not None:
                notes.append(f"unreadable after {window.last_s:.1f} s: {window.read_error}")
            elif declared is not None and self._last_stored_s < 0.98 * declared - 1.0:
                notes.append(f"truncated after {window.last_s:.1f} s of {declared:.1f} s")
        return notes

    @property
    def is_as_stored(self) -> bool:
        """Whether all packets read so far were whole and bore sound timestamps."""
        window = self._window
        return not window.repaired_at_s and not window.damaged and window.read_error is None

    def starts_at_s(self, time_s: float, tolerance_s: float) -> float:
        """Time of the keyframe from which the look submitted with these arguments is decoded.

        The first picture stands in where a file begins without a keyframe.
        """
        self._window.read_past(time_s + tolerance_s)
        start = self._window.start_before(time_s)
        return 0.0 if start is None else start.time_s

    @property
    def _last_stored_s(self) -> float:
        """Time of the last picture as the header's length counts it, which may not begin at 0."""
        origin_s = float(self._window.origin * time_base(self._opened.stream))
        return self._window.last_s + max(0.0, origin_s)

    def submit(self, time_s: float, tolerance_s: float) -> Future[Frame | None]:
        """See :meth:`vision.frames.source.FrameSource.submit`."""
        return self._pool.submit(self._look, time_s, tolerance_s)

    def anchor_s(self, time_s: float, tolerance_s: float) -> float:
        """See :meth:`vision.frames.source.FrameSource.anchor_s`."""
        self._window.read_past(time_s + tolerance_s)
        near = self._near(time_s, tolerance_s)
        return near[0].time_s if near else time_s

    def release(self, before_s: float) -> None:
        """See :meth:`vision.frames.source.FrameSource.release`."""
        self._window.release(before_s)

    def pass_over(self, until_s: float) -> None:
        """Go on from the keyframe before ``until_s``, by the file's index where it is trusted.

        No look may be under way, nor any be asked for any more that is decoded from before it. The
        frames are the same ones as far as :attr:`is_as_stored` says.

        Raises:
            InputError: The file can no longer be read.
        """
        self._window = self._opened.window = _sought(self._opened, until_s)
        self._decoders.turn_to(self._window)

    def counts(self) -> dict[str, int]:
        """Packets read and pictures decoded per rung."""
        decoded = self._decoders.decoded
        return {
            "packets_read": self._window.read,
            "packets_damaged": self._window.damaged,
            **{
                f"decoded_{rung}": decoded[rung]
                for rung in (Rung.KEYFRAME, Rung.NON_REFERENCE_SKIPPED, Rung.FULL)
            },
        }

    def stretch(self, start_s: float, end_s: float) -> Iterator[Frame]:
        """Every picture of a stretch; see :func:`stretch`."""
        return stretch(
            self._opened.path,
            start_s,
            end_s,
            camera_id=self._camera_id,
            start=self.info.start,
            seek=not self._window.repaired_at_s,
        )

    def close(self) -> None:
        """Stop decoding and close the file; requests still waiting are cancelled."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._decoders.close()
        self._opened.close()

    def _look(self, time_s: float, tolerance_s: float) -> Frame | None:
        window = self._window
        latest_s = time_s + tolerance_s
        window.read_past(latest_s)
        if window.ended and time_s - tolerance_s > window.last_s:
            return None
        for stored in self._near(time_s, tolerance_s):
            raw = self._decoders.keyframe(stored)
            if raw is not None:
                return self._frame(Picture(stored.time_s, stored.pts, raw), Rung.KEYFRAME)
        start = window.start_before(time_s)
        return None if start is None else self._climb(start, time_s, tolerance_s)

    def _near(self, time_s: float, tolerance_s: float) -> list[StoredPacket]:
        """Keyframes that serve a look, best first: nearest within the tolerance, then an early one.

        A look that comes early costs one keyframe, a climb up to a whole group of pictures, and the
        looks after it fall onto keyframes again.
        """
        window = self._window
        near = [
            (off_s < -tolerance_s, abs(off_s), stored.index, stored)
            for stored in (window.start_before(time_s), window.key_after(time_s))
            if stored is not None
            and stored.key
            and -EARLY_TOLERANCES * tolerance_s < (off_s := stored.time_s - time_s) <= tolerance_s
        ]
        return [stored for *_, stored in sorted(near, key=lambda entry: entry[:3])]

    def _climb(self, start: StoredPacket, time_s: float, tolerance_s: float) -> Frame | None:
        opened = self._opened
        latest_s = time_s + tolerance_s
        # Where timestamps follow the order of storage, leaving pictures out would shift them.
        if not opened.stored_order and not opened.intra_only:
            _, later = self._decoders.around(
                start,
                Rung.NON_REFERENCE_SKIPPED,
                time_s - SAME_PICTURE_S,
                stored_order=False,
            )
            if later is not None and later.time_s <= latest_s:
                return self._frame(later, Rung.NON_REFERENCE_SKIPPED)
        earlier, later = self._decoders.around(
            start, Rung.FULL, time_s, stored_order=opened.stored_order
        )
        best = later
        if earlier is not None and earlier.time_s >= time_s - tolerance_s:
            nearer = later is None or time_s - earlier.time_s <= later.time_s - time_s
            best = earlier if nearer else later
        if best is None:
            return None
        return self._frame(best, Rung.FULL)

    def _frame(self, picture: Picture, rung: Rung) -> Frame:
        degrees = clockwise(picture.raw)
        # Made here, beside judgement and not by it: nearly every look needs it.
        small = to_small(picture.raw, degrees)
        frame = _frame(picture, rung, self._camera_id, self.info.start, luma_of(small))
        return replace(frame, render_small=lambda: small)


def _frame(
    picture: Picture, rung: Rung, camera_id: str, start: StartTime, luma: Luma | None = None
) -> Frame:
    raw = picture.raw
    degrees = clockwise(raw)
    sideways = degrees in {90, 270}
    return Frame(
        camera_id=camera_id,
        time_s=picture.time_s,
        timestamp=start.value + timedelta(seconds=picture.time_s),
        pts=picture.pts,
        luma=to_luma(raw, degrees) if luma is None else luma,
        width=raw.height if sideways else raw.width,
        height=raw.width if sideways else raw.height,
        rung=rung,
        render=lambda: to_bgr(raw, degrees),
        render_at=lambda width, height: to_size(raw, degrees, width, height),
        render_grey=lambda: to_grey(raw, degrees),
    )


@dataclass(eq=False)
class _Opened:
    """A file that has been opened and has shown its first picture."""

    path: Path
    container: InputContainer
    container_name: str
    stream_index: int
    stream: VideoStream
    codec: str
    metadata: dict[str, str]
    duration_s: float | None
    declared_s: float | None
    keyframe_interval_s: float | None
    window: PacketWindow
    decoder: Decoder
    stored_order: bool
    intra_only: bool
    first_picture_s: float
    width: int
    height: int
    rotation: int

    def close(self) -> None:
        self.decoder.close()
        self.window.close()


def _open(path: Path) -> _Opened:
    _check_file(path)
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{path}: {_why_unreadable(path, error)}") from error
    try:
        return _probe(path, container)
    except (av.error.FFmpegError, OSError) as error:
        container.close()
        raise InputError(f"{path}: cannot be read: {_words(error)}") from error
    except BaseException:
        container.close()
        raise


def _probe(path: Path, container: InputContainer) -> _Opened:
    stream = _video_stream(path, container)
    context = stream.codec_context
    if context.width * context.height > MAX_PIXELS:
        raise InputError(
            f"{path}: {context.width}x{context.height} px is over the limit of "
            f"{MAX_PIXELS // 1_000_000} megapixels"
        )
    reorders = bool(context.has_b_frames)
    interval_s = _keyframe_interval_s(stream)
    window = PacketWindow(container, stream)
    if window.at(0) is None:
        raise InputError(f"{path}: holds no pictures: {window.read_error or 'the data is missing'}")
    decoder = Decoder(path, stream.index)
    shown = [stored.time_s for stored in window.head()]
    in_doubt = reorders and (
        container.format.name == "avi" or all(a < b for a, b in itertools.pairwise(shown))
    )
    pictures = _first_pictures(decoder, window, REORDER_PROBE if in_doubt else 1)
    if not pictures:
        decoder.close()
        raise InputError(f"{path}: no picture in it can be decoded")
    first_s, first = pictures[0]
    times = [time_s for time_s, _ in pictures]
    degrees = clockwise(first)
    sideways = degrees in {90, 270}
    return _Opened(
        path=path,
        container=container,
        container_name=container.format.name,
        stream_index=stream.index,
        stream=stream,
        codec=context.name,
        metadata={**stream.metadata, **container.metadata},
        duration_s=_duration_s(container, stream),
        declared_s=_declared_s(container, stream),
        keyframe_interval_s=interval_s,
        window=window,
        decoder=decoder,
        stored_order=times != sorted(times),
        intra_only=context.codec.intra_only,
        first_picture_s=first_s,
        width=first.height if sideways else first.width,
        height=first.width if sideways else first.height,
        rotation=degrees,
    )


def _first_pictures(
    decoder: Decoder, window: PacketWindow, wanted: int
) -> list[tuple[float, VideoFrame]]:
    pictures: list[tuple[float, VideoFrame]] = []
    times: dict[int, float] = {}
    for index in itertools.count():
        stored = window.at(index) if window.kept_bytes < PROBE_BYTES else None
        if stored is not None:
            times[stored.index] = stored.time_s
        for raw in decoder.feed(None if stored is None else stored.packet):
            if isinstance(raw.opaque, Place) and raw.opaque.index in times:
                pictures.append((times[raw.opaque.index], raw))
        if stored is None or len(pictures) >= wanted:
            return pictures
    return pictures


def _sought(opened: _Opened, start_s: float) -> PacketWindow:
    """Packets from the keyframe before ``start_s`` on, by the index where it can be trusted."""
    window, stream = opened.window, opened.stream
    duration_s = opened.duration_s or 0.0
    names = set(opened.container_name.split(","))
    near_start = start_s <= window.head()[-1].decode_s
    if near_start or not names & SEEKABLE or not 0 < duration_s <= 24 * 3600:
        return window
    back_s = 1.0
    while back_s < 300.0 and start_s > back_s:
        target = window.origin + round((start_s - back_s) / time_base(stream))
        try:
            opened.container.seek(target, stream=stream, backward=True)
        except (av.error.FFmpegError, OSError):
            break
        sought = PacketWindow(opened.container, stream, origin=window.origin)
        first = sought.at(0)
        if first is not None and first.key and first.time_s <= start_s:
            return sought
        back_s *= 4
    try:
        opened.container.seek(window.origin, stream=stream, backward=True)
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{opened.path}: cannot be read again: {_words(error)}") from error
    return PacketWindow(opened.container, stream, origin=window.origin)


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    videos = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    if videos:
        return videos[0]
    held = "only sound" if container.streams.audio else "no video"
    raise InputError(f"{path}: holds {held}")


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    seconds = None
    if stream.duration is not None:
        seconds = float(stream.duration * time_base(stream))
    elif container.duration is not None:
        seconds = container.duration / av.time_base
    return seconds if seconds is not None and seconds > 0 else None


def _declared_s(container: InputContainer, stream: VideoStream) -> float | None:
    """Length that the header of the file promises; ``None`` where it is only an estimate."""
    names = set(container.format.name.split(","))
    if names & {"mov", "mp4", "avi"} and stream.duration is not None:
        return float(stream.duration * time_base(stream))
    if "matroska" in names and len(container.streams) == 1 and container.duration is not None:
        return container.duration / av.time_base
    return None


def _keyframe_interval_s(stream: VideoStream) -> float | None:
    entries = itertools.islice(iter(stream.index_entries), INDEX_SAMPLE)
    keys = [entry.timestamp for entry in entries if entry.is_keyframe]
    steps = [later - earlier for earlier, later in itertools.pairwise(keys) if later > earlier]
    return float(statistics.median(steps) * time_base(stream)) if steps else None


def _check_file(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        raise InputError(f"{path}: is a link to a file that does not exist")
    if not path.exists():
        raise InputError(f"{path}: does not exist")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: may not be read (permission denied)")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a recording")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {_words(error)}") from error
    if not head:
        raise InputError(f"{path}: is empty (0 bytes)")
    if head.startswith(PICTURE_MAGIC):
        raise InputError(f"{path}: is a picture, not a recording")


def _why_unreadable(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        head = file.read(4096)
    if head[4:8] in {b"ftyp", b"moov", b"mdat", b"free", b"wide"}:
        return "is cut off: its index (moov) is missing, so nothing in it can be found"
    if b"\0" not in head:
        return "is text, not a video"
    return f"is not a video that can be read: {_words(error)}"


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
