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
        recent: ``(h, w, 3)`` uint8 BGR, smoothed, in the light of the ground; ``None`` before the
            first look.
        ground: ``(h, w, 3)`` float32 BGR of what belongs here, smoothed; valid where ``known``.
        known: ``(h, w)`` bool: two looks have agreed on the ground there, so that whoever walks
            through the first look is not taken for it.
        current: The latest look, smoothed, in the light of the ground.
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
        """``(h, w, 3)`` uint8 BGR: the standing picture as the camera showed it, not smoothed."""
        return self._sharp

    @property
    def looks(self) -> int:
        """Number of looks taken in since the view was last forgotten."""
        return self._looks

    def update(self, small: Image, time_s: float, passing: Mask, named: Mask) -> None:
        """Take in a look.

        Args:
            small: ``(h, w, 3)`` uint8 BGR; another size than before forgets the view.
            time_s: Its stream time in seconds, later than the one before.
            passing: Where something that passes covers the view: the look does not count there.
            named: Where something that is known by name is or was just now, standing or not: the
                ground is not learnt there.
        """
        if self.recent is not None and self.recent.shape != small.shape:
            self.reset()
        smooth: Image = np.asarray(cv2.blur(small, (3, 3)), dtype=np.uint8)
        self.relit = False
        self._looks += 1
        if self.recent is None:
            self._begin(smooth, small, time_s, passing)
        else:
            self._follow(smooth, small, time_s, passing, named)
        self._time_s = time_s

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
            "sharp": self._sharp.copy(),
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
        self._sharp = np.array(state["sharp"], np.uint8)
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

    def differs(self, picture: Image) -> Mask:
        """``(h, w)``: where a picture in the light of the ground is unlike the known ground."""
        ground = self.ground.astype(np.uint8)
        above = cv2.subtract(picture, cv2.dilate(ground, _KERNEL))
        below = cv2.subtract(cv2.erode(ground, _KERNEL), picture)
        return ~_all_within(cv2.max(above, below), self.settings.changed_levels) & self.known

    def _begin(self, smooth: Image, small: Image, time_s: float, passing: Mask) -> None:
        self.recent, self.current, self._sharp = smooth.copy(), smooth, small.copy()
        self._looks_stood = np.where(passing, 0, 1).astype(np.uint8)
        self._since_s = np.full(smooth.shape[:2], time_s, np.float64)
        self._rival = smooth.copy()
        self._rival_looks = np.zeros(smooth.shape[:2], np.uint8)
        self._rival_since_s = self._since_s.copy()
        self.ground = smooth.astype(np.float32)
        self.known = np.zeros(smooth.shape[:2], np.bool_)
        self.fresh = np.zeros(smooth.shape[:2], np.bool_)

    def _follow(
        self, smooth: Image, small: Image, time_s: float, passing: Mask, named: Mask
    ) -> None:
        assert self.recent is not None
        current = self.current = self._in_the_light_of_the_ground(smooth)
        like = same_within(current, self.recent, self.settings.same_levels)
        agree, other = like & ~passing, ~like & ~passing
        np.add(self._looks_stood, 1, out=self._looks_stood, where=agree & (self._looks_stood < 255))
        self._rival_looks[agree] = 0
        shown = agree.view(np.uint8)
        cv2.copyTo(cv2.addWeighted(self.recent, 0.75, current, 0.25, 0.0), shown, self.recent)
        cv2.copyTo(small, shown, self._sharp)
        if other.any():
            self._challenge(current, small, time_s, other)

        off = self.differs(current)
        in_sight = self.known & ~passing & ~named
        strange = float(off[in_sight].mean()) if in_sight.any() else 0.0
        self.steady = strange <= self.settings.other_light_share
        if not self.steady:
            self._strange_since_s = min(self._strange_since_s, time_s)
            if time_s - self._strange_since_s >= self.settings.other_light_s:
                self._relight(named)
            return
        self._strange_since_s = np.inf
        self._learn(off, in_sight, agree, time_s, named)

    def _challenge(self, current: Image, small: Image, time_s: float, other: Mask) -> None:
        """Where a look differs from the recent picture: take that in once it stands."""
        like = same_within(current, self._rival, self.settings.same_levels)
        again = other & like & (self._rival_looks > 0)
        new = other & ~again
        np.add(self._rival_looks, 1, out=self._rival_looks, where=again)
        self._rival_looks[new] = 1
        self._rival_since_s[new] = time_s
        cv2.copyTo(current, new.view(np.uint8), self._rival)
        stands = (
            again
            & (self._rival_looks >= self.settings.stand_looks)
            & (time_s - self._rival_since_s >= self.settings.stand_s)
        )
        # What only one look has shown gives way at once.
        stands |= new & (self._looks_stood < 2)
        if stands.any():
            cv2.copyTo(current, stands.view(np.uint8), self.recent)
            cv2.copyTo(small, stands.view(np.uint8), self._sharp)
            self._looks_stood[stands] = self._rival_looks[stands]
            self._since_s[stands] = self._rival_since_s[stands]
            self._rival_looks[stands] = 0

    def _learn(self, off: Mask, in_sight: Mask, agree: Mask, time_s: float, named: Mask) -> None:
        """Let the ground follow the light, and take in what it should."""
        assert self.recent is not None
        waited_s = max(time_s - self._time_s, 0.0)
        share = 1.0 - np.exp(-waited_s / self.settings.follow_s)
        usual = (in_sight & ~off).view(np.uint8)
        cv2.accumulateWeighted(self.current, self.ground, float(share), mask=usual)
        first_sight = ~self.known & ~named & agree & (self._looks_stood >= 2)
        if first_sight.any():
            self.take_in(first_sight)
        stands = self._looks_stood >= self.settings.stand_looks
        stood_s = time_s - self._since_s
        self.fresh = stands & self.differs(self.recent)
        old = self.fresh & ~named & (stood_s >= self.settings.take_in_s)
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

    def _in_the_light_of_the_ground(self, smooth: Image) -> Image:
        assert self.recent is not None
        before = cv2.cvtColor(self.recent, cv2.COLOR_BGR2GRAY).astype(np.float32)
        now = cv2.cvtColor(smooth, cv2.COLOR_BGR2GRAY).astype(np.float32)
        gain, offset = brightness_fit(before, now)
        if not 1 / self.settings.gain_limit <= gain <= self.settings.gain_limit:
            return smooth
        levels = np.clip((np.arange(256) - offset) / gain, 0, 255).round().astype(np.uint8)
        return np.asarray(cv2.LUT(smooth, levels), dtype=np.uint8)


def same_within(a: NDArray[Any], b: NDArray[Any], levels: int) -> Mask:
    """``(h, w)``: where no colour of two ``(h, w, 3)`` pictures of one type differs by more."""
    return _all_within(cv2.absdiff(a, b), levels)


def _all_within(difference: NDArray[Any], levels: int) -> Mask:
    # One pass over the picture, where taking the largest of the three colours needs several.
    return np.asarray(cv2.inRange(difference, (0, 0, 0), (levels, levels, levels)) > 0)
