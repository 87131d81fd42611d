"""The standing picture: what one view looks like without whatever passes through it.

Two pictures are kept for a view, the dual background of Porikli et al. 2008, counted in seconds of
stream time and not in frames, since looks come seldom and at an uneven pace:

* The *recent* picture shows at each pixel what stood there last. A pixel takes in something else
  only when some looks in a row agree on it. Looks in which a known passer-by covers a pixel do not
  count, so it sees the ground of a street that is covered for more than half of the time, where a
  temporal median fails (detections choose the samples; cf. Laugraud et al., LaBGen, 2015).
* The *ground* is the picture of what belongs here: it follows the light, not what comes to stand.

OpenCV's MOG2 and KNN subtractors are not used: their state cannot be saved, and a scan that was
killed must go on exactly where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.brightness import brightness_fit
from vision.frames.frame import Image

Mask = NDArray[np.bool_]
"""``(h, w)`` bool."""

COMPARED_WIDTH = 320
"""Largest width in pixels of the pictures that are compared, pixel by pixel, at every look."""

_KERNEL = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class StandingSettings:
    """How the pictures follow the view. Grey levels are of 0..255, after smoothing.

    Attributes:
        same_levels: A pixel is the same in two looks when no colour differs by more.
        changed_levels: It differs from the ground when a colour lies so far outside all that the
            ground has within one pixel (which excuses shake and re-coding).
        stand_looks: What a pixel shows stands there when so many looks in a row agree ...
        stand_s: ... over so many seconds.
        follow_s: Time constant with which the ground follows the light where nothing changed.
        take_in_s: What stands so long without being kept out (:meth:`StandingPicture.update`) is
            taken into the ground.
        other_light_share: When more than this share of the ground in sight differs, the scene is
            shown in another light (lamps, infra-red) and nothing can be told ...
        other_light_s: ... until that has lasted so long: the recent picture then is the ground.
        gain_limit: The brightness of the whole picture may change by up to this factor between
            looks and still be evened out.
    """

    same_levels: int = 18
    changed_levels: int = 14
    stand_looks: int = 3
    stand_s: float = 4.0
    follow_s: float = 60.0
    take_in_s: float = 300.0
    other_light_share: float = 0.4
    other_light_s: float = 20.0
    gain_limit: float = 2.0


class StandingPicture:
    """The recent picture and the ground of one view, look by look.

    Args:
        settings: How they follow the view.

    Attributes:
        recent: ``(h, w, 3)`` uint8 BGR, compared, in the light of the ground; ``None`` before the
            first look.
        ground: ``(h, w, 3)`` float32 BGR of what belongs here; valid where ``known``.
        known: ``(h, w)`` bool: two looks have agreed on the ground there, so that whoever walks
            through the first look is not taken for it.
        current: The latest look in the light of the ground.
        fresh: ``(h, w)`` bool: what stands there differs from the ground.
        steady: Whether the latest look shows the scene in the light of the ground.
        relit: Whether the latest look made the recent picture the ground.
    """

    def __init__(self, settings: StandingSettings = StandingSettings()) -> None:
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget the view, as when the camera turned."""
        self.recent: Image | None = None
        self.steady, self.relit = True, False
        self._strange_since_s = np.inf
        self._time_s = -np.inf
        self._looks = 0

    @property
    def picture(self) -> Image:
        """``(H, W, 3)`` uint8 BGR: the standing picture as the camera showed it, to be shown."""
        return self._shown

    @property
    def looks(self) -> int:
        """Number of looks taken in since the view was last forgotten."""
        return self._looks

    def update(
        self, compared: Image, shown: Image, time_s: float, passing: Mask, named: Mask
    ) -> None:
        """Take in a look.

        Args:
            compared: ``(h, w, 3)`` uint8 BGR of :func:`to_compare`; another size than before
                forgets the view.
            shown: ``(H, W, 3)`` uint8 BGR: the same look, as large as the picture is to be shown.
            time_s: Its stream time in seconds, later than the one before.
            passing: ``(h, w)``: where something that passes covers the view: the look does not
                count there.
            named: Where something that is known by name is or was just now, standing or not: the
                ground is not learnt there.
        """
        if self.recent is not None and (
            self.recent.shape != compared.shape or self._shown.shape != shown.shape
        ):
            self.reset()
        self.relit = False
        self._looks += 1
        if self.recent is None:
            self._begin(compared, shown, time_s, passing)
        else:
            self._follow(compared, shown, time_s, passing, named)
        self._time_s = time_s

    @property
    def coming(self) -> Mask:
        """``(h, w)``: where looks in a row agree on something that does not stand yet."""
        return np.asarray(self._rival_looks >= 2)

    def take_in(self, where: Mask) -> None:
        """Make what stands there the ground."""
        assert self.recent is not None
        self.ground[where] = self.recent[where]
        self.known |= where
        self.fresh &= ~where

    def state(self) -> dict[str, NDArray[Any]]:
        """Return everything that is remembered, as arrays for ``np.savez``."""
        if self.recent is None:
            return {}
        scalars = [self._time_s, self._strange_since_s, self._looks, self.steady, self.relit]
        return {
            "recent": self.recent.copy(),
            "shown": self._shown.copy(),
            "looks_stood": self._looks_stood.copy(),
            "since_s": self._since_s.copy(),
            "rival": self._rival.copy(),
            "rival_looks": self._rival_looks.copy(),
            "rival_since_s": self._rival_since_s.copy(),
            "ground": self.ground.copy(),
            "known": self.known.copy(),
            "fresh": self.fresh.copy(),
            "current": self.current.copy(),
            "scalars": np.array(scalars, np.float64),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue exactly where :meth:`state` was taken."""
        self.reset()
        if "recent" not in state:
            return
        self.recent = np.array(state["recent"], np.uint8)
        self._shown = np.array(state["shown"], np.uint8)
        self._looks_stood = np.array(state["looks_stood"], np.uint8)
        self._since_s = np.array(state["since_s"], np.float64)
        self._rival = np.array(state["rival"], np.uint8)
        self._rival_looks = np.array(state["rival_looks"], np.uint8)
        self._rival_since_s = np.array(state["rival_since_s"], np.float64)
        self.ground = np.array(state["ground"], np.float32)
        self.known = np.array(state["known"], np.bool_)
        self.fresh = np.array(state["fresh"], np.bool_)
        self.current = np.array(state["current"], np.uint8)
        time_s, strange_s, looks, steady, relit = state["scalars"].tolist()
        self._time_s, self._strange_since_s, self._looks = time_s, strange_s, int(looks)
        self.steady, self.relit = bool(steady), bool(relit)

    @property
    def since_s(self) -> NDArray[np.float64]:
        """``(h, w)`` float64: stream time since which the recent picture shows what it shows."""
        return self._since_s

    def _begin(self, compared: Image, shown: Image, time_s: float, passing: Mask) -> None:
        self.recent, self.current, self._shown = compared.copy(), compared, shown.copy()
        self._looks_stood = (~passing).astype(np.uint8)
        self._since_s = np.full(compared.shape[:2], time_s, np.float64)
        self._rival = compared.copy()
        self._rival_looks = np.zeros(compared.shape[:2], np.uint8)
        self._rival_since_s = self._since_s.copy()
        self.ground = compared.astype(np.float32)
        self.known = np.zeros(compared.shape[:2], np.bool_)
        self.fresh = np.zeros(compared.shape[:2], np.bool_)

    def _follow(
        self, compared: Image, shown: Image, time_s: float, passing: Mask, named: Mask
    ) -> None:
        assert self.recent is not None
        current = self.current = self._in_the_light_of_the_ground(compared)
        in_sight = ~passing
        agree = same_within(current, self.recent, self.settings.same_levels) & in_sight
        other = in_sight & ~agree
        # Counts end at 255: OpenCV's sum of bytes does not run over.
        cv2.add(self._looks_stood, agree.view(np.uint8), dst=self._looks_stood)
        np.copyto(self._rival_looks, 0, where=agree)
        stands = agree.view(np.uint8)
        cv2.copyTo(cv2.addWeighted(self.recent, 0.75, current, 0.25, 0.0), stands, self.recent)
        if other.any():
            stands = stands | self._challenge(current, time_s, other).view(np.uint8)
        self._show(shown, stands)

        bounds = self._bounds()
        off = self._beyond(current, bounds)
        usual = self.known & in_sight & ~named
        in_view = np.count_nonzero(usual)
        strange = np.count_nonzero(off & usual) / in_view if in_view else 0.0
        self.steady = strange <= self.settings.other_light_share
        if not self.steady:
            self._strange_since_s = min(self._strange_since_s, time_s)
            if time_s - self._strange_since_s >= self.settings.other_light_s:
                self._relight(named)
            return
        self._strange_since_s = np.inf
        first_sight = agree & ~self.known & ~named & (self._looks_stood >= 2)
        stood = self._looks_stood >= self.settings.stand_looks
        self.fresh = self._beyond(self.recent, bounds) & stood
        self._learn(usual & ~off, time_s)
        if first_sight.any():
            self.take_in(first_sight)
        self._take_in_what_has_stood(time_s, named)

    def _challenge(self, current: Image, time_s: float, other: Mask) -> Mask:
        """Where a look differs from the recent picture: take that in once it stands.

        Returns:
            Where it was taken in.
        """
        assert self.recent is not None
        like = same_within(current, self._rival, self.settings.same_levels)
        again = other & like & (self._rival_looks > 0)
        new = other & ~again
        cv2.add(self._rival_looks, again.view(np.uint8), dst=self._rival_looks)
        np.copyto(self._rival_looks, 1, where=new)
        np.copyto(self._rival_since_s, time_s, where=new)
        cv2.copyTo(current, new.view(np.uint8), self._rival)
        stands = again & (self._rival_looks >= self.settings.stand_looks)
        stands &= time_s - self._rival_since_s >= self.settings.stand_s
        # What only one look has shown gives way at once.
        stands |= new & (self._looks_stood < 2)
        if stands.any():
            cv2.copyTo(current, stands.view(np.uint8), self.recent)
            np.copyto(self._looks_stood, self._rival_looks, where=stands)
            np.copyto(self._since_s, self._rival_since_s, where=stands)
            np.copyto(self._rival_looks, 0, where=stands)
        return stands

    def _show(self, shown: Image, stands: NDArray[np.uint8]) -> None:
        """Take what stands into the picture to be shown."""
        size = (shown.shape[1], shown.shape[0])
        if stands.shape != shown.shape[:2]:
            stands = cv2.resize(stands, size, interpolation=cv2.INTER_NEAREST)
        cv2.copyTo(shown, stands, self._shown)

    def _bounds(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The darkest and brightest that the ground has within one pixel of each, by colour."""
        ground = cv2.convertScaleAbs(self.ground)
        return (
            np.asarray(cv2.erode(ground, _KERNEL), dtype=np.uint8),
            np.asarray(cv2.dilate(ground, _KERNEL), dtype=np.uint8),
        )

    def _beyond(self, picture: Image, bounds: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> Mask:
        """``(h, w)``: where a picture in the light of the ground is unlike the known ground."""
        below, above = cv2.subtract(bounds[0], picture), cv2.subtract(picture, bounds[1])
        return ~_all_within(cv2.max(above, below), self.settings.changed_levels) & self.known

    def _learn(self, usual: Mask, time_s: float) -> None:
        """Let the ground follow the light where it shows."""
        waited_s = max(time_s - self._time_s, 0.0)
        share = 1.0 - np.exp(-waited_s / self.settings.follow_s)
        cv2.accumulateWeighted(self.current, self.ground, float(share), mask=usual.view(np.uint8))

    def _take_in_what_has_stood(self, time_s: float, named: Mask) -> None:
        free = self.fresh & ~named
        if free.any():
            old = free & (time_s - self._since_s >= self.settings.take_in_s)
            if old.any():
                self.take_in(old)

    def _relight(self, named: Mask) -> None:
        """Begin anew in another light, with what has stood in it."""
        assert self.recent is not None
        self.ground = self.recent.astype(np.float32)
        self.known = (self._looks_stood >= 2) & ~named
        self.fresh[:] = False
        self.steady, self.relit = True, True
        self._strange_since_s = np.inf

    def _in_the_light_of_the_ground(self, compared: Image) -> Image:
        assert self.recent is not None
        before = cv2.cvtColor(self.recent, cv2.COLOR_BGR2GRAY).astype(np.float32)
        now = cv2.cvtColor(compared, cv2.COLOR_BGR2GRAY).astype(np.float32)
        gain, offset = brightness_fit(before, now)
        if not 1 / self.settings.gain_limit <= gain <= self.settings.gain_limit:
            return compared
        levels = np.clip((np.arange(256) - offset) / gain, 0, 255).round().astype(np.uint8)
        return np.asarray(cv2.LUT(compared, levels), dtype=np.uint8)


def to_compare(small: Image) -> Image:
    """The picture in which looks are compared: at most :data:`COMPARED_WIDTH` wide, smoothed.

    Scaling down by areas smooths as well as a blur does, so only small pictures are blurred.
    """
    height, width = small.shape[:2]
    compared = small if width >= 2 * COMPARED_WIDTH else cv2.blur(small, (3, 3))
    if width > COMPARED_WIDTH:
        size = (COMPARED_WIDTH, max(1, round(height * COMPARED_WIDTH / width)))
        compared = cv2.resize(compared, size, interpolation=cv2.INTER_AREA)
    return np.asarray(compared, dtype=np.uint8)


def same_within(a: NDArray[Any], b: NDArray[Any], levels: int) -> Mask:
    """``(h, w)``: where no colour of two ``(h, w, 3)`` pictures of one type differs by more."""
    return _all_within(cv2.absdiff(a, b), levels)


def _all_within(difference: NDArray[Any], levels: int) -> Mask:
    # One pass over the picture, where taking the largest of the three colours needs several.
    return np.asarray(cv2.inRange(difference, (0, 0, 0), (levels, levels, levels)) > 0)
