"""Glances between the looks at a camera: has something come, or gone, and does it stay?

A look costs the whole chain and comes every 10 s. A glance decodes a keyframe to a small brightness
picture in the reader's process and compares it, a tenth of the cost. What differs from the picture
looked at last, and is the same in two glances running, is worth a look at once; and that look is at
the first of the two, so that time counts from when the thing was there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.frame import Luma
from vision.frames.gate import GateSettings, changes_between, smoothed

_EIGHT = 8
_BUSY = 3.0


@dataclass(frozen=True)
class GlanceSettings:
    """When cameras are glanced at, and what is worth a look.

    Attributes:
        every_s: Least seconds between two glances at a camera.
        share: Share of a core that the glances at one camera may take: where pictures are costly
            to decode, glances are rarer. By the clock it may be three times as much: they are rarer
            too where the machine has no time for them.
        stays_share: Share of a changed spot that must be the same in two glances running; of what
            moves, only bits are.
        least_px: Spots of fewer pixels, of a picture half as large as the brightness, are passed
            over.
        fresh_s: The first of the two glances is looked at while it is no older than this.
        gate: What counts as a change.
    """

    every_s: float = 1.5
    share: float = 0.0075
    stays_share: float = 0.6
    least_px: int = 20
    fresh_s: float = 8.0
    gate: GateSettings = field(default_factory=GateSettings)


class Glances:
    """Compares the glances at one camera with the picture looked at last.

    Args:
        settings: What is worth a look.
    """

    def __init__(self, settings: GlanceSettings) -> None:
        self._settings = settings
        self._looked: NDArray[np.float32] | None = None
        self._before: tuple[NDArray[np.float32], float] | None = None
        self._onset_s: float | None = None
        self._free_s = float("-inf")

    def onset_s(self, newer_s: float, now_s: float) -> float | None:
        """When the first picture arrived that shows what has come or gone since the last look.

        Args:
            newer_s: It must be newer than this ...
            now_s: ... and not too old now.

        Returns:
            ``None`` where there is none such.
        """
        onset_s = self._onset_s
        if onset_s is None or onset_s <= newer_s or now_s - onset_s > self._settings.fresh_s:
            return None
        return onset_s

    def is_due(self, now_s: float) -> bool:
        """Whether a glance is worth its cost now; none is while a look is waited for."""
        return self._looked is not None and self._onset_s is None and now_s >= self._free_s

    def cost(self, began_s: float, spent_s: float, took_s: float) -> None:
        """A glance that began then has taken so many seconds of a core, and by the clock."""
        paid_s = max(spent_s, took_s / _BUSY) / self._settings.share
        self._free_s = began_s + max(self._settings.every_s, paid_s)

    def looked(self, luma: Luma) -> None:
        """A picture is looked at: changes count from it."""
        self._looked, self._before, self._onset_s = smoothed(luma), None, None

    def notice(self, luma: Luma, arrived_s: float) -> bool:
        """Compare a glance.

        Args:
            luma: ``(h, w)`` uint8 brightness.
            arrived_s: When its picture arrived.

        Returns:
            Whether something has come or gone since the last look, and stays.
        """
        now = smoothed(luma)
        before, self._before = self._before, (now, arrived_s)
        if self._looked is None or before is None:
            return False
        gate = self._settings.gate
        changed = changes_between(self._looked, now, gate)
        moved = changes_between(before[0], now, gate)
        # Where the light of it all has changed, the next look tells.
        if changed is None or moved is None:
            return False
        spots = (changed >= gate.changed_levels).astype(np.uint8)
        if self._stays(spots, moved < gate.changed_levels):
            self._onset_s = before[1]
        return self._onset_s is not None

    def _stays(self, spots: NDArray[np.uint8], same: NDArray[np.bool_]) -> bool:
        count, labels = cv2.connectedComponents(spots, connectivity=_EIGHT)
        if count < 2:
            return False
        sizes = np.bincount(labels.ravel(), minlength=count)[1:]
        stay = np.bincount(labels[same], minlength=count)[1:]
        large = sizes >= self._settings.least_px
        return bool(np.any(large & (stay >= self._settings.stays_share * sizes)))
