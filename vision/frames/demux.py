"""The packets of a recording, read once from front to back and kept while they are wanted."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vision.frames.timestamps import TimestampRepair

LOOKAHEAD = 64
"""Packets read before time zero is fixed: the first picture shown is among them."""

READ_ATTEMPTS = 5
"""Read errors in a row after which the rest of a file counts as unreadable."""

KEPT_BYTES = 256 << 20
"""Packets kept of one group of pictures beyond which those already released are dropped too."""

FALLBACK_RATE = 25.0
"""Pictures a second assumed where a file states no rate."""


class Place:
    """Index of a packet, carried through the decoder to the picture that comes of it.

    An object of its own, because PyAV tells such objects apart by identity: the ``int`` 5 of two
    packets would be one, and gone with the first.
    """

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


@dataclass(frozen=True, eq=False)
class StoredPacket:
    """One packet with its repaired times.

    Attributes:
        index: Place in the file, counted in read order from 0.
        packet: The packet; its ``opaque`` is a :class:`Place`, so that a picture knows it.
        pts: Presentation timestamp as stored, in ticks.
        time_s: When its picture is shown, seconds from the first picture.
        decode_s: No later packet is shown before this.
        key: Whether decoding can start here.
    """

    index: int
    pts: int | None
    time_s: float
    decode_s: float
    key: bool
    packet: Packet[VideoStream]


def nominal_step_s(stream: VideoStream) -> float:
    """Seconds between pictures as the container states them, else 1/25."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0.001 <= float(rate) <= 1000.0:
            return 1.0 / float(rate)
    return 1.0 / FALLBACK_RATE


def time_base(stream: VideoStream) -> Fraction:
    """Seconds per tick of a stream."""
    return stream.time_base or Fraction(1, 90_000)


class PacketWindow:
    """Sequential reader of one video stream with a window of packets that looks still need.

    Reading never seeks, so files with a bad or missing index read like any other. The window
    begins at the last keyframe before the time released, and grows as far as requests ask.
    Safe to use from several threads.

    Args:
        container: File opened for this window alone.
        stream: The video stream in it.
        origin: Timestamp of time zero in ticks; the first picture shown if ``None``.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, origin: int | None = None
    ) -> None:
        self._container = container
        self._stream = stream
        tick = time_base(stream)
        # Whole numbers, because a Fraction for every packet costs more than reading it.
        self._tick_over, self._tick_under = tick.numerator, tick.denominator
        self._repair = TimestampRepair(tick, nominal_step_s(stream))
        self._checks_keys = stream.codec_context.name == "mpeg4"
        self._lock = threading.Lock()
        self._kept: deque[StoredPacket] = deque()
        self._first_kept = 0
        self._starts: list[tuple[float, int, StoredPacket]] = []
        self._read = 0
        self._origin = 0
        self._decode_s = float("-inf")
        self._released_s = float("-inf")
        self._bytes = 0
        self._source = self._demux()
        self.last_s = 0.0
        self.ended = False
        self.damaged = 0
        self.read_error: str | None = None
        self.repaired_at_s: list[float] = []
        head = [found for _, found in zip(range(LOOKAHEAD), self._source, strict=False)]
        shown = [show for _, show, _, _ in head]
        self._origin = min(shown, default=0) if origin is None else origin
        for found in head:
            self._keep(*found)
        if len(head) < LOOKAHEAD:
            self.ended = True

    @property
    def origin(self) -> int:
        """Repaired timestamp of the first picture, in ticks."""
        return self._origin

    @property
    def read(self) -> int:
        """Packets read so far."""
        return self._read

    @property
    def kept_bytes(self) -> int:
        """Size of the packets in the window."""
        return self._bytes

    def at(self, index: int) -> StoredPacket | None:
        """Packet number ``index``; ``None`` past the end or where it was released."""
        with self._lock:
            while index >= self._read and not self.ended:
                self._read_one()
            place = index - self._first_kept
            return self._kept[place] if 0 <= place < len(self._kept) else None

    def dropped(self, index: int) -> bool:
        """Whether packet number ``index`` was read and is no longer in the window."""
        with self._lock:
            return index < self._first_kept

    def read_past(self, time_s: float) -> None:
        """Read until every picture shown up to ``time_s`` is in the window."""
        with self._lock:
            while self._decode_s <= time_s and not self.ended:
                self._read_one()

    def start_before(self, time_s: float) -> StoredPacket | None:
        """Last packet shown at or before ``time_s`` at which decoding can start.

        The first packet of the file stands in for a keyframe where a file begins without one.
        """
        with self._lock:
            place = bisect_right(self._starts, (time_s, self._read)) - 1
            return self._starts[max(place, 0)][2] if self._starts else None

    def key_after(self, time_s: float) -> StoredPacket | None:
        """First keyframe read so far that is shown after ``time_s``."""
        with self._lock:
            place = bisect_right(self._starts, (time_s, self._read))
            return self._starts[place][2] if place < len(self._starts) else None

    def head(self) -> list[StoredPacket]:
        """Packets now in the window, in stored order."""
        with self._lock:
            return list(self._kept)

    def release(self, before_s: float) -> None:
        """Drop what no look at or after ``before_s`` can need, now and as reading goes on."""
        with self._lock:
            self._released_s = max(before_s, self._released_s)
            self._drop()

    def close(self) -> None:
        """Close the file; nothing more is read."""
        with self._lock:
            self.ended = True
            self._container.close()
            self._kept.clear()
            self._starts.clear()
            self._bytes = 0

    def _drop(self) -> None:
        place = bisect_right(self._starts, (self._released_s, self._read)) - 1
        if place > 0:
            first = self._starts[place][1]
            del self._starts[:place]
            while self._first_kept < first:
                self._drop_first()
        # A group without end must not fill the memory: what is wanted of it again is read again.
        while self._bytes > KEPT_BYTES and self._kept[0].time_s < self._released_s:
            self._drop_first()

    def _drop_first(self) -> None:
        self._bytes -= self._kept.popleft().packet.size
        self._first_kept += 1

    def _read_one(self) -> None:
        found = next(self._source, None)
        if found is None:
            self.ended = True
        else:
            self._keep(*found)

    def _keep(self, packet: Packet[VideoStream], show: int, decode: int, repaired: bool) -> None:
        time_s = (show - self._origin) * self._tick_over / self._tick_under
        key = packet.is_keyframe and self._holds_key(packet)
        if self._starts and time_s <= self._starts[-1][0]:
            key = False
        stored = StoredPacket(
            index=self._read,
            pts=packet.pts,
            time_s=time_s,
            decode_s=(decode - self._origin) * self._tick_over / self._tick_under,
            key=key,
            packet=packet,
        )
        packet.opaque = Place(stored.index)
        if key or not self._read:
            self._starts.append((time_s, self._read, stored))
        if repaired:
            self.repaired_at_s.append(time_s)
        self._read += 1
        self._kept.append(stored)
        self._bytes += packet.size
        if key:
            self._drop()
        self._decode_s = stored.decode_s
        self.last_s = max(self.last_s, time_s)

    def _holds_key(self, packet: Packet[VideoStream]) -> bool:
        """Whether a packet that is marked as keyframe is one; AVI marks empty MPEG-4 packets."""
        if not self._checks_keys:
            return True
        data = bytes(packet)
        picture = data.find(b"\x00\x00\x01\xb6")
        return 0 <= picture < len(data) - 4 and data[picture + 4] >> 6 == 0

    def _demux(self) -> Iterator[tuple[Packet[VideoStream], int, int, bool]]:
        failures = 0
        while failures < READ_ATTEMPTS:
            try:
                for packet in self._container.demux(self._stream):
                    if not packet.size or packet.is_discard:
                        continue
                    if packet.is_corrupt:
                        self.damaged += 1
                        continue
                    failures = 0
                    stamp = self._repair.push(packet.pts, packet.dts)
                    yield packet, stamp.show, stamp.decode, stamp.repaired
                return
            except (av.error.FFmpegError, OSError) as error:
                failures += 1
                self.read_error = getattr(error, "strerror", None) or str(error)
