"""The dwell ledger: where the seconds since first sight went."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from vision.observe.sighting import Dwell


class Interval(Enum):
    """How the time between two looks counts for one thing."""

    OBSERVED = "observed"
    BRIDGED = "bridged"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Ledger:
    """Seconds since first sight, in whole microseconds so that years add up exactly.

    What passes after the last sight is kept aside until the thing is seen again: should it turn
    out to have left, that time was never its dwell.
    """

    observed_us: int = 0
    bridged_us: int = 0
    unknown_us: int = 0
    pending_bridged_us: int = 0
    pending_unknown_us: int = 0
    pending_missed_us: int = 0

    def copy(self) -> Ledger:
        """The same, to be kept as it is now."""
        return Ledger(
            self.observed_us,
            self.bridged_us,
            self.unknown_us,
            self.pending_bridged_us,
            self.pending_unknown_us,
            self.pending_missed_us,
        )

    def miss(self, us: int) -> None:
        """Enter the time since the last look, at whose end a thing in plain view was missed."""
        self.pending_missed_us += us

    def flickered(self) -> None:
        """Count what was missed until now as observed: the detector flickered."""
        self.observed_us += self.pending_missed_us
        self.pending_missed_us = 0

    def add(self, interval: Interval, us: int, *, seen: bool) -> None:
        """Enter the time since the last look.

        Args:
            interval: How it counts.
            us: Microseconds.
            seen: Whether the look that ends it saw the thing.
        """
        if interval is Interval.OBSERVED:
            self.observed_us += us
        elif interval is Interval.BRIDGED:
            self.pending_bridged_us += us
        else:
            self.pending_unknown_us += us
        if seen:
            self.bridged_us += self.pending_bridged_us + self.pending_missed_us
            self.unknown_us += self.pending_unknown_us
            self.pending_bridged_us = self.pending_unknown_us = self.pending_missed_us = 0

    def dwell(self, *, until_last_seen: bool = False) -> Dwell:
        """Read the ledger.

        Args:
            until_last_seen: Leave out what passed since the last sight.
        """
        bridged_us, unknown_us = self.bridged_us, self.unknown_us
        if not until_last_seen:
            bridged_us += self.pending_bridged_us + self.pending_missed_us
            unknown_us += self.pending_unknown_us
        return Dwell(self.observed_us / 1e6, bridged_us / 1e6, unknown_us / 1e6)


def microseconds(time_s: float) -> int:
    """Stream time in whole microseconds."""
    return round(time_s * 1e6)
