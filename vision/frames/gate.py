"""Decide from the small brightness picture whether a look is worth running the detector on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.brightness import brightness_fit
from vision.frames.frame import Luma


@dataclass(frozen=True)
class GateSettings:
    """When a look counts as changed.

    The grey levels hold for 0–255 pictures after the brightness of the whole picture was matched.

    Attributes:
        forced_look_s: The gate opens at the latest this long after the last inspected look, so
            that what the comparison cannot see (a thing of the ground's own colour) is found.
        changed_levels: Mean change in grey levels, beyond what edges excuse, over a patch of
            ``patch_px`` that opens the gate.
        patch_px: Side in luma pixels of the smallest thing that must open the gate.
        shake_px: A place may take any grey level that the reference has within this many luma
            pixels of it: shake and the re-coding of a key frame alter pictures at their edges.
        noise_levels: Change in grey levels that never counts: sensor noise after smoothing.
        gain_limit: Brightness of the whole picture may change by up to this factor between looks
            and still be matched; beyond it the gate opens.
    """

    forced_look_s: float = 60.0
    changed_levels: float = 3.0
    patch_px: int = 10
    shake_px: int = 2
    noise_levels: float = 2.5
    gain_limit: float = 2.0


class ChangeGate:
    """Compare each look with the last inspected one.

    The reference is the last look on which the detector ran, never merely the look before, so
    that slow change adds up until it opens the gate. Anything that the comparison does not
    understand (flash, headlights, change of size, another scene) opens it: a needless inspection
    costs milliseconds, a missed thing costs the case.

    Args:
        settings: Thresholds.
    """

    def __init__(self, settings: GateSettings | None = None) -> None:
        self._settings = settings or GateSettings()
        self._reference: NDArray[np.float32] | None = None
        self._inspected_s = 0.0

    def open(self, luma: Luma, time_s: float) -> bool:
        """Say whether the detector should run on this look.

        Args:
            luma: ``(h, w)`` uint8 brightness of the look.
            time_s: Its stream time in seconds.

        Returns:
            ``True`` when something changed since the last inspected look, when a forced look is
            due, when time ran backwards, or when no look was inspected yet.
        """
        if self._reference is None:
            return True
        waited_s = time_s - self._inspected_s
        if waited_s >= self._settings.forced_look_s or waited_s < 0:
            return True
        return self.change(luma) >= self._settings.changed_levels

    def change(self, luma: Luma) -> float:
        """Measure the strongest local change since the last inspected look.

        Args:
            luma: ``(h, w)`` uint8 brightness of the look.

        Returns:
            Mean change in grey levels of the most changed patch, 0 for none and infinite when the
            pictures cannot be compared.
        """
        if self._reference is None:
            return float("inf")
        changes = changes_between(self._reference, smoothed(luma), self._settings)
        return float("inf") if changes is None else float(changes.max())

    def inspected(self, luma: Luma, time_s: float) -> None:
        """Make this look the reference: the detector ran on it.

        Args:
            luma: ``(h, w)`` uint8 brightness of the look.
            time_s: Its stream time in seconds.
        """
        self._reference = smoothed(luma)
        self._inspected_s = time_s

    def state(self) -> dict[str, NDArray[Any]]:
        """Return everything the gate remembers, as arrays for ``np.savez``."""
        state: dict[str, NDArray[Any]] = {"inspected_s": np.asarray(self._inspected_s, np.float64)}
        if self._reference is not None:
            state["reference"] = self._reference.copy()
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue exactly where :meth:`state` was taken.

        Args:
            state: What :meth:`state` returned, also after a round through ``np.savez``.
        """
        self._inspected_s = float(state["inspected_s"])
        known = "reference" in state
        self._reference = np.array(state["reference"], np.float32) if known else None


def smoothed(luma: Luma) -> NDArray[np.float32]:
    """Halve a brightness picture and smooth it, so that noise and rain streaks average out."""
    half = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0] // 2), interpolation=cv2.INTER_AREA)
    smooth: NDArray[np.float32] = cv2.blur(half.astype(np.float32), (3, 3))
    return smooth


def changes_between(
    reference: NDArray[np.float32], current: NDArray[np.float32], settings: GateSettings
) -> NDArray[np.float32] | None:
    """How much the patches of two pictures differ, in the light of the second.

    Args:
        reference: ``(h, w)`` from :func:`smoothed`.
        current: The same of a later picture.
        settings: What is excused, and how large a patch is.

    Returns:
        ``(h, w)`` mean change in grey levels of the patch about each place, or ``None`` where the
        pictures cannot be compared: another size, or quite another light.
    """
    if current.shape != reference.shape:
        return None
    gain, offset = brightness_fit(reference, current)
    if not 1 / settings.gain_limit <= gain <= settings.gain_limit:
        return None
    # Clipped, because what is burnt out in both pictures has not changed.
    expected = np.clip(reference * np.float32(gain) + np.float32(offset), 0, 255)
    kernel = np.ones(2 * (2 * max(settings.shake_px // 2, 0) + 1,), np.uint8)
    above = cv2.subtract(current, cv2.dilate(expected, kernel))
    below = cv2.subtract(cv2.erode(expected, kernel), current)
    unexcused = np.maximum(np.maximum(above, below) - np.float32(settings.noise_levels), 0)
    side = max(settings.patch_px // 2, 1)
    patches: NDArray[np.float32] = cv2.blur(unexcused, (side, side), borderType=cv2.BORDER_REFLECT)
    return patches
