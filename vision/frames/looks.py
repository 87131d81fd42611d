"""How far apart looks are, and how far a frame may lie from the wanted time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from vision.errors import ConfigError

TOLERANCE_SHARE = 0.25
"""Share of the interval by which a look may come early or late.

A keyframe that lies a little off is far cheaper than the exact picture: with a quarter, keyframes
1.5 to 2.5 s apart serve looks every 2 s, and keyframes 3.3 s apart do not. It must stay below one
half, or two looks in a row could take the same frame.
"""


@dataclass(frozen=True)
class LookPolicy:
    """How often to look.

    Attributes:
        rest_s: Seconds between looks while nothing stands that was not there before.
        active_s: Seconds between looks while something new stands or is suspected.
    """

    rest_s: float = 10.0
    active_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0.0 < self.active_s <= self.rest_s < float("inf"):
            raise ConfigError(
                f"looks every {self.active_s} s when active and every {self.rest_s} s at rest: "
                "both must be above 0, and looks at rest not closer together"
            )

    @classmethod
    def fixed(cls, every_s: float) -> Self:
        """Look every ``every_s`` seconds whatever is seen."""
        return cls(rest_s=every_s, active_s=every_s)

    def interval_s(self, active: bool) -> float:
        """Seconds wanted between looks."""
        return self.active_s if active else self.rest_s

    def tolerance_s(self, active: bool) -> float:
        """Seconds by which a frame may lie off the wanted time."""
        return TOLERANCE_SHARE * self.interval_s(active)

    def next_s(self, time_s: float, active: bool) -> float:
        """Time wanted for the look after the one that is counted from ``time_s``.

        Count from :meth:`~vision.frames.source.FrameSource.anchor_s` of the look before, not from
        a fixed grid: a grid slides against keyframes 2.002 s apart until half of its looks miss
        them.
        """
        return time_s + self.interval_s(active)
