"""Repair of a recording's timestamps, packet by packet, as they are read."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction

JUMP_S = 24 * 3600.0
"""A forward step longer than this is no gap but a broken clock."""

JITTER_S = 1.0
"""A backward step shorter than this is jitter of single packets, not a new beginning."""

REORDER_PACKETS = 16
"""H.264 and H.265 let a picture be stored at most this many packets before it is shown."""


@dataclass(frozen=True)
class Stamp:
    """Repaired times of one packet, in ticks of the stream's time base.

    Attributes:
        show: When its picture is shown.
        decode: No later packet is shown before this.
        repaired: Whether a jump was joined at this packet.
    """

    show: int
    decode: int
    repaired: bool


@dataclass
class TimestampRepair:
    """Turn stored timestamps into one time line without jumps back.

    A missing ``pts`` is taken from ``dts``, a missing ``dts`` from the pictures shown so far; where
    both are missing the nominal rate counts on. A jump back (a wrapped counter, joined recordings)
    and a step of more than :data:`JUMP_S` forward are joined with one nominal step. Uneven spacing
    and gaps are real time and are kept. On clean input the output equals the input.

    Attributes:
        time_base: Seconds per tick.
        step_s: Nominal seconds between pictures.
    """

    time_base: Fraction
    step_s: float
    _offset: int = 0
    _last_dts: int | None = None
    _last_shown: int | None = None
    _last_decode: int | None = None
    _high: int | None = None
    _recent: deque[int] = field(default_factory=lambda: deque(maxlen=4 * REORDER_PACKETS))

    def __post_init__(self) -> None:
        self._step = self._ticks(self.step_s)
        self._jitter = self._ticks(JITTER_S)
        self._jump = self._ticks(JUMP_S)

    def push(self, pts: int | None, dts: int | None) -> Stamp:
        """Repair the next packet in stored (decoding) order.

        Args:
            pts: Presentation timestamp in ticks, or ``None``.
            dts: Decoding timestamp in ticks, or ``None``.

        Returns:
            Its times on the repaired line, ``show`` never the same for two packets nearby.
        """
        step = self._step
        stored = pts if pts is not None else dts
        if stored is None:
            return self._count_on(step)
        repaired = self._join(stored, dts, step)
        show = stored + self._offset
        if dts is not None:
            decode = dts + self._offset
        elif self._high is None:
            decode = show - REORDER_PACKETS * step
        else:
            decode = max(show, self._high) - REORDER_PACKETS * step
        return self._stamp(show, decode, repaired)

    def _join(self, stored: int, dts: int | None, step: int) -> bool:
        """Shift the line where the stored clock jumps; say whether it did."""
        # Decoding times only rise; display times go back and forth as pictures are reordered.
        slack = self._jitter
        if dts is None:
            before, now = self._last_shown, stored
            slack = max(slack, REORDER_PACKETS * step)
            self._last_shown = stored if before is None else max(before, stored)
        else:
            before, now = self._last_dts, dts
            self._last_dts = dts
            self._last_shown = stored if self._last_shown is None else max(stored, self._last_shown)
        if before is None or self._high is None or -slack < now - before <= self._jump:
            return False
        # The first picture after the join follows everything shown before it.
        self._offset = self._high + step - stored
        self._last_shown = stored
        return True

    def _count_on(self, step: int) -> Stamp:
        show = 0 if self._high is None else self._high + step
        return self._stamp(show, show, repaired=True)

    def _stamp(self, show: int, decode: int, repaired: bool) -> Stamp:
        while show in self._recent:
            show += 1
        self._recent.append(show)
        self._high = show if self._high is None else max(self._high, show)
        if self._last_decode is not None:
            decode = max(decode, self._last_decode)
        self._last_decode = decode
        return Stamp(show, decode, repaired)

    def _ticks(self, seconds: float) -> int:
        return max(1, round(seconds / self.time_base))
