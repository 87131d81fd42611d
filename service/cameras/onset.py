"""Since when has what is new in a view been there? That picture is looked at, not the newest.

Looks at rest are 10 s apart; keyframes between them are kept as they came, not decoded. When a look
is due, the newest is compared with the pictures looked at last. What is new and was so before is
followed back, keyframe by keyframe, to the first that shows it, and that one is looked at: time
counts from when the thing was there, however long the look was in coming.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.frame import Luma
from vision.frames.gate import GateSettings, changes_between, smoothed

_LOOKED = 3
_EIGHT = 8
_BUSY = 3.0


@dataclass(frozen=True)
class OnsetSettings:
    """What is followed back, and how far.

    Attributes:
        least_s: What came less than this before the newest picture is looked at in the newest.
        stays_share: Share of a changed spot that must be the same in an earlier picture; of what
            moves, only bits are.
        least_px: Spots of fewer pixels, of a picture half as large as the brightness, are passed
            over.
        share: Share of a core that following back may take at one camera: where pictures are costly
            to decode, it goes less far. By the clock it may be three times as much: less far too
            where the machine has no time for it.
        gate: What counts as a change.
    """

    least_s: float = 3.0
    stays_share: float = 0.6
    least_px: int = 20
    share: float = 0.01
    gate: GateSettings = field(default_factory=GateSettings)


class Onsets:
    """Compares pictures of one camera with those looked at last.

    What differs from the last alone may be the ground that somebody who passed there hid.

    Args:
        settings: What is followed back.
    """

    def __init__(self, settings: OnsetSettings) -> None:
        self._settings = settings
        self._looked: deque[NDArray[np.float32]] = deque(maxlen=_LOOKED)

    def looked(self, luma: Luma) -> None:
        """A picture is looked at: changes count from it."""
        self._looked.append(smoothed(luma))

    def first_s(
        self, newest: Luma, newest_s: float, earlier: Iterable[tuple[float, Luma]]
    ) -> float | None:
        """When the first picture arrived that shows what has come or gone since the last look.

        Args:
            newest: ``(h, w)`` uint8 brightness of the newest picture.
            newest_s: When it arrived.
            earlier: Pictures between it and the last look, when each arrived and its brightness,
                latest first. No more are taken than are needed.

        Returns:
            ``None`` where nothing has, or so lately that the newest picture will do.
        """
        settings, gate = self._settings, self._settings.gate
        now = smoothed(newest)
        changes = [changes_between(looked, now, gate) for looked in self._looked]
        # Where the light of it all has changed since the last, nobody can tell.
        if not changes or changes[-1] is None:
            return None
        changed = np.minimum.reduce([one for one in changes if one is not None])
        spots = self._spots((changed >= gate.changed_levels).astype(np.uint8))
        first_s = newest_s
        if spots.any():
            for arrived_s, luma in earlier:
                moved = changes_between(smoothed(luma), now, gate)
                if moved is None:
                    break
                spots = self._staying(spots, moved < gate.changed_levels)
                if not spots.any():
                    break
                first_s = arrived_s
        return first_s if newest_s - first_s >= settings.least_s else None

    def most_s(self, since_s: float) -> tuple[float, float]:
        """Seconds of a core, and by the clock, that following back may take.

        Args:
            since_s: Seconds since the last look.
        """
        core_s = self._settings.share * since_s
        return core_s, _BUSY * core_s

    def _spots(self, changed: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Number the spots that are large enough, from 1 on; 0 is everything else."""
        count, labels = cv2.connectedComponents(changed, connectivity=_EIGHT)
        large = np.bincount(labels.ravel(), minlength=count) >= self._settings.least_px
        return _only(labels, large)

    def _staying(self, spots: NDArray[np.int32], same: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Those spots of which enough is the same in another picture."""
        sizes = np.bincount(spots.ravel())
        stay = np.bincount(spots[same], minlength=len(sizes))
        return _only(spots, stay >= self._settings.stays_share * sizes)


def _only(spots: NDArray[np.int32], kept: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Spots whose number is kept; the ground, which is none, has number 0."""
    kept = kept.copy()
    kept[0] = False
    only: NDArray[np.int32] = np.where(kept[spots], spots, np.int32(0))
    return only
