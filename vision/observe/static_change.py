"""Things that no class covers: what stands in the recent picture and was not there before.

A patch of the view that stands and differs from the ground is proposed as a thing only when it
looks like one: of a sensible size and shape, bounded by edges of its own, and neither the old
ground under other light (shadow, lamp, headlights) nor the ground that came to light when something
left (then the edges are in the picture of the ground, not in the recent one; cf. Spagnolo et al.
2004, and the survey of Cuevas, Martinez and Garcia, 2016).

A proposed thing is remembered with its own looks, frozen: it is there while the view shows these at
its place, gone when the view shows something else, and *hidden* when something passes before it. It
is not taken into the ground while it stands, which would end it falsely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.standing import Mask, StandingPicture, same_within
from vision.observe.boxes import iou
from vision.observe.sighting import Box

_KERNEL = np.ones((3, 3), np.uint8)
_AROUND = 4

Verdict = str
"""``thing``, or why it is none: ``light``, ``removed``, ``changing``, ``beside``, ``unclear``,
``size`` or ``shape``."""


@dataclass(frozen=True)
class ChangeSettings:
    """Which patches are things. Sizes are in pixels of the compared picture, or shares of it.

    Attributes:
        least_side_px: A thing is at least so wide and so high ...
        least_share: ... covers at least this share of the picture ...
        most_share: ... and at most this one.
        most_lean: Longer side of its box over the shorter one, at most.
        least_fill: Share of its box that it fills, at least.
        least_contrast: Mean difference from the ground in grey levels, at least.
        light_texture: Texture of ground and patch that agrees so well is the ground in other light.
        light_evenness: Brightness that changed by a factor whose spread is below this share, and
            between ``light_factors``, without a change of colour, is light.
        light_factors: See there.
        light_colour: Colour that changed by so many levels is no light.
        edge_advantage: Where the steps across the border are so many times as strong in the ground,
            something has left; a thing has steps at least as strong as the ground's.
        least_edge: Step across its border, in grey levels per pixel, at least, as share of its
            contrast: a soft border is that of light.
        settled_share: Share of a patch and its surroundings that the latest look must show as they
            stand; what is still changing is judged later.
        same_box: A patch becomes a thing when looks in a row find it with boxes that overlap so
            much ...
        wait_s: ... over so many seconds, two looks at least.
        grown: A thing has grown when the patch at its place covers so many times as much.
        grow_s: It may do so for so long, for it may come to light piece by piece; what appears
            beside it later is something else.
        beside_share: A patch of whose surroundings so much is covered by something mobile may be a
            part of that.
        seen_share: Share of the visible pixels of a thing that must look like it.
        visible_share: Share of a thing that must be in sight to say anything of it.
        gone_looks: So many looks in a row must not show it before it is forgotten ...
        gone_s: ... over so many seconds.
        most_things: Largest number of things; a view that shows more is not understood.
    """

    least_side_px: int = 6
    least_share: float = 0.0006
    most_share: float = 0.06
    most_lean: float = 4.0
    least_fill: float = 0.3
    least_contrast: float = 18.0
    light_texture: float = 0.7
    light_evenness: float = 0.1
    light_factors: tuple[float, float] = (0.4, 1.8)
    light_colour: float = 10.0
    edge_advantage: float = 1.2
    least_edge: float = 0.08
    settled_share: float = 0.85
    same_box: float = 0.7
    wait_s: float = 2.0
    grown: float = 1.3
    grow_s: float = 10.0
    beside_share: float = 0.2
    seen_share: float = 0.6
    visible_share: float = 0.4
    gone_looks: int = 3
    gone_s: float = 4.0
    most_things: int = 12


@dataclass(frozen=True, eq=False)
class Patch:
    """A connected part of the view that stands and differs from the ground.

    Attributes:
        box: ``x1, y1, x2, y2`` in pixels of the compared picture, integers.
        mask: ``(h, w)`` bool within the box.
        verdict: What it is taken for.
        contrast: Mean difference from the ground in grey levels.
    """

    box: tuple[int, int, int, int]
    mask: Mask
    verdict: Verdict
    contrast: float


@dataclass(frozen=True, eq=False)
class Thing:
    """A proposed thing and its looks.

    Attributes:
        box: ``x1, y1, x2, y2`` in pixels of the compared picture, integers.
        mask: ``(h, w)`` bool within the box.
        looks: ``(h, w, 3)`` uint8 BGR, in the light of the ground.
        confidence: 0..1, from contrast and from how clearly it is no light.
        since_s: Stream time since which it is known.
        misses: Looks in a row that did not show it ...
        missed_since_s: ... since this stream time.
        seen: Whether the latest look showed it.
    """

    box: tuple[int, int, int, int]
    mask: Mask
    looks: NDArray[np.uint8]
    confidence: float
    since_s: float
    misses: int = 0
    missed_since_s: float = np.inf
    seen: bool = True


class StaticChange:
    """Finds and follows nameless things of one view.

    Args:
        settings: Which patches are things.

    Attributes:
        things: Things that stand, oldest first.
    """

    def __init__(self, settings: ChangeSettings = ChangeSettings()) -> None:
        self.settings = settings
        self.things: list[Thing] = []
        self._waiting: list[tuple[tuple[int, int, int, int], float]] = []

    def reset(self) -> None:
        """Forget the view."""
        self.things, self._waiting = [], []

    def is_pending(self, picture: StandingPicture, named: Mask) -> bool:
        """Whether something may be about to be a thing, so that looks soon would tell.

        Args:
            picture: After the look was taken in.
            named: As given to :meth:`update`.
        """
        if self._waiting:
            return True
        coming = picture.coming & ~named
        if np.count_nonzero(coming) < self.settings.least_share * coming.size:
            return False
        side = self.settings.least_side_px
        return bool(cv2.erode(coming.view(np.uint8), np.ones((side, side), np.uint8)).any())

    def kept(self, shape: tuple[int, int]) -> Mask:
        """``(h, w)``: where things stand, to be kept out of the ground."""
        kept = np.zeros(shape, np.bool_)
        for thing in self.things:
            kept[_part(thing.box)] |= thing.mask
        return kept

    def update(
        self, picture: StandingPicture, time_s: float, passing: Mask, named: Mask, mobile: Mask
    ) -> list[Thing]:
        """Follow the things after a look, and propose new ones.

        Args:
            picture: After the look was taken in.
            time_s: Stream time of the look.
            passing: As given to the picture.
            named: ``(h, w)``: where things known by name are, and so none without a name.
            mobile: ``(h, w)``: where of these some are that come and go on their own; what touches
                them may be a part of them, and waits until they have left.

        Returns:
            Things that were not there at the look before, or have grown.
        """
        if not picture.steady:
            self.things = [replace(thing, seen=False) for thing in self.things]
            return []
        followed = [self._followed(thing, picture, passing, time_s) for thing in self.things]
        self.things = [thing for thing in followed if thing is not None]
        if picture.relit:
            return []
        new, waiting, settings = [], [], self.settings
        for patch in self.patches(picture, named | self._grown_up(time_s, named.shape), mobile):
            part_of = [thing for thing in self.things if _touch(patch, thing)]
            if patch.verdict == "removed" and not part_of:
                picture.take_in(_whole(patch, named.shape))
            if patch.verdict != "thing" or not self._is_more(patch, part_of):
                continue
            since_s = min(
                (
                    since_s
                    for box, since_s in self._waiting
                    if _overlap(patch.box, box) >= settings.same_box
                ),
                default=time_s,
            )
            waiting.append((patch.box, since_s))
            if since_s < time_s and time_s - since_s >= settings.wait_s:
                self.things = [thing for thing in self.things if thing not in part_of]
                if len(self.things) < settings.most_things:
                    new.append(self._thing(patch, picture, time_s))
                    self.things.append(new[-1])
        self._waiting = waiting
        return new

    def _grown_up(self, time_s: float, shape: tuple[int, ...]) -> Mask:
        """``(h, w)``: where things stand that have had time to come to light, edges included."""
        grown_up = np.zeros(shape[:2], np.uint8)
        for thing in self.things:
            if time_s - thing.since_s > self.settings.grow_s:
                grown_up[_part(thing.box)] |= thing.mask.view(np.uint8)
        return np.asarray(cv2.dilate(grown_up, _KERNEL) > 0)

    def patches(self, picture: StandingPicture, named: Mask, mobile: Mask) -> list[Patch]:
        """What stands and differs from the ground, where nothing is known by name.

        What is too small for a thing is left out.
        """
        fresh = (picture.fresh & ~named).view(np.uint8)
        patches = []
        joined = cv2.morphologyEx(fresh, cv2.MORPH_CLOSE, _KERNEL)
        outlines, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for outline in outlines:
            x, y, width, height = cv2.boundingRect(outline)
            if self._is_large(width, height, width * height, fresh.size):
                patches += self._within(outline, (x, y, x + width, y + height), picture, fresh)
        return [
            replace(patch, verdict="beside")
            if patch.verdict == "thing" and self._is_beside(patch, mobile)
            else patch
            for patch in patches
        ]

    def _within(
        self,
        outline: NDArray[np.int32],
        box: tuple[int, int, int, int],
        picture: StandingPicture,
        fresh: NDArray[np.uint8],
    ) -> list[Patch]:
        """Patches within an outline: what there is no light on the old ground."""
        part = _part(box)
        own = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
        cv2.drawContours(own, [outline], -1, 1, cv2.FILLED, offset=(-box[0], -box[1]))
        solid = fresh[part] & own & ~self._in_other_light(picture, box).view(np.uint8)
        solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, _KERNEL)
        outlines, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        filled = cv2.drawContours(np.zeros_like(solid), outlines, -1, 1, cv2.FILLED)
        filled = cv2.morphologyEx(filled, cv2.MORPH_OPEN, _KERNEL)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(filled)
        patches = []
        for label in range(1, count):
            x, y, width, height, size = (int(value) for value in stats[label])
            if self._is_large(width, height, size, fresh.size):
                mask = labels[y : y + height, x : x + width] == label
                x, y = x + box[0], y + box[1]
                patches.append(self._judged(picture, (x, y, x + width, y + height), mask, size))
        return patches

    def _is_large(self, width: int, height: int, size: int, total: int) -> bool:
        settings = self.settings
        return min(width, height) >= settings.least_side_px and size >= settings.least_share * total

    def _in_other_light(self, picture: StandingPicture, box: tuple[int, int, int, int]) -> Mask:
        """``(h, w)`` of a box: where what stands is the old ground, evenly darker or brighter."""
        assert picture.recent is not None
        x1, y1 = max(box[0] - _AROUND, 0), max(box[1] - _AROUND, 0)
        part = np.s_[y1 : box[3] + _AROUND, x1 : box[2] + _AROUND]
        recent, ground = picture.recent[part].astype(np.float32), picture.ground[part]
        now, before = (cv2.cvtColor(one, cv2.COLOR_BGR2GRAY) for one in (recent, ground))
        factor = (now + np.float32(8)) / (before + np.float32(8))
        mean = cv2.blur(factor, (5, 5))
        spread = np.sqrt(np.maximum(cv2.blur(factor * factor, (5, 5)) - mean * mean, 0.0))
        tint = np.abs(cv2.blur(recent - mean[..., None] * ground, (3, 3))).max(axis=2)
        low, high = self.settings.light_factors
        light = (
            (spread <= self.settings.light_evenness * mean)
            & (mean >= low)
            & (mean <= high)
            & (tint <= self.settings.light_colour)
        )
        top, left = box[1] - y1, box[0] - x1
        inner: Mask = light[top : top + box[3] - box[1], left : left + box[2] - box[0]]
        return inner

    def state(self) -> dict[str, NDArray[Any]]:
        """Return everything that is remembered, as arrays for ``np.savez``."""
        state: dict[str, NDArray[Any]] = {
            "count": np.array(len(self.things)),
            "waiting": np.array([[*box, since_s] for box, since_s in self._waiting]).reshape(-1, 5),
        }
        for i, thing in enumerate(self.things):
            state[f"{i}.mask"], state[f"{i}.looks"] = thing.mask, thing.looks
            state[f"{i}.scalars"] = np.array(
                [
                    *thing.box,
                    thing.confidence,
                    thing.since_s,
                    thing.misses,
                    thing.missed_since_s,
                    thing.seen,
                ],
                np.float64,
            )
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue exactly where :meth:`state` was taken."""
        self.reset()
        if "count" not in state:
            return
        self._waiting = [
            ((int(x1), int(y1), int(x2), int(y2)), since_s)
            for x1, y1, x2, y2, since_s in state["waiting"].tolist()
        ]
        for i in range(int(state["count"])):
            *box, confidence, since_s, misses, missed_since_s, seen = state[f"{i}.scalars"].tolist()
            x1, y1, x2, y2 = box
            self.things.append(
                Thing(
                    box=(int(x1), int(y1), int(x2), int(y2)),
                    mask=np.array(state[f"{i}.mask"], np.bool_),
                    looks=np.array(state[f"{i}.looks"], np.uint8),
                    confidence=confidence,
                    since_s=since_s,
                    misses=int(misses),
                    missed_since_s=missed_since_s,
                    seen=bool(seen),
                )
            )

    def _is_more(self, patch: Patch, part_of: Sequence[Thing]) -> bool:
        """Whether a patch is a new thing, or clearly more than the things that it is part of."""
        known = sum(int(thing.mask.sum()) for thing in part_of)
        return int(patch.mask.sum()) >= self.settings.grown * known

    def _is_beside(self, patch: Patch, mobile: Mask) -> bool:
        """Whether a patch touches something mobile."""
        padded = np.pad(patch.mask.view(np.uint8), 2)
        around = cv2.dilate(padded, np.ones((5, 5), np.uint8)) > padded
        x1, y1, x2, y2 = patch.box
        touched = np.pad(mobile, 2)[y1 : y2 + 4, x1 : x2 + 4]
        return float(touched[around].mean()) >= self.settings.beside_share

    def _followed(
        self, thing: Thing, picture: StandingPicture, passing: Mask, time_s: float
    ) -> Thing | None:
        """A thing after a look; ``None`` when it is gone."""
        part, settings = _part(thing.box), self.settings
        visible = thing.mask & ~passing[part]
        if visible.sum() < settings.visible_share * thing.mask.sum():
            return replace(thing, seen=False)
        current = picture.current[part]
        like = _same(current, thing.looks, picture.settings.same_levels)[visible].mean()
        ground = _same(current, picture.ground[part], picture.settings.same_levels)
        gone = (ground & picture.known[part])[visible].mean()
        if like >= settings.seen_share and like > gone:
            looks = cv2.addWeighted(thing.looks, 0.75, current, 0.25, 0.0)
            looks = np.where(visible[..., None], looks, thing.looks).astype(np.uint8)
            return replace(thing, looks=looks, misses=0, missed_since_s=np.inf, seen=True)
        misses, since_s = thing.misses + 1, min(thing.missed_since_s, time_s)
        if misses >= settings.gone_looks and time_s - since_s >= settings.gone_s:
            return None
        return replace(thing, misses=misses, missed_since_s=since_s, seen=False)

    def _thing(self, patch: Patch, picture: StandingPicture, time_s: float) -> Thing:
        assert picture.recent is not None
        clear = min(patch.contrast / 60.0, 1.0)
        return Thing(
            box=patch.box,
            mask=patch.mask,
            looks=picture.recent[_part(patch.box)].copy(),
            confidence=round(0.3 + 0.4 * clear, 3),
            since_s=time_s,
        )

    def _judged(
        self, picture: StandingPicture, box: tuple[int, int, int, int], mask: Mask, size: int
    ) -> Patch:
        """Say what a patch is taken for."""
        assert picture.recent is not None
        settings, part = self.settings, _part(box)
        recent, ground = picture.recent[part].astype(np.float32), picture.ground[part]
        contrast = float(np.abs(recent - ground).max(axis=2)[mask].mean())
        verdict: Verdict = "thing"
        width, height = box[2] - box[0], box[3] - box[1]
        if size > settings.most_share * picture.known.size:
            verdict = "size"
        elif not self._is_settled(picture, box):
            verdict = "changing"
        else:
            own, old = self._edges(picture, box, mask)
            if old > settings.edge_advantage * own:
                verdict = "removed"
            elif contrast < settings.least_contrast or own < old:
                verdict = "unclear"
            elif own < settings.least_edge * contrast or self._is_light(recent, ground, mask):
                verdict = "light"
            elif (
                max(width, height) > settings.most_lean * min(width, height)
                or size < settings.least_fill * width * height
            ):
                verdict = "shape"
        return Patch(box, mask, verdict, contrast)

    def _is_settled(self, picture: StandingPicture, box: tuple[int, int, int, int]) -> bool:
        """Whether the latest look shows a place and its surroundings as they stand."""
        assert picture.recent is not None
        x1, y1 = max(box[0] - 2, 0), max(box[1] - 2, 0)
        part = np.s_[y1 : box[3] + 2, x1 : box[2] + 2]
        same = _same(picture.current[part], picture.recent[part], picture.settings.same_levels)
        return float(same.mean()) >= self.settings.settled_share

    def _edges(
        self, picture: StandingPicture, box: tuple[int, int, int, int], mask: Mask
    ) -> tuple[float, float]:
        """Mean strength of the edges along a border, in the recent picture and in the ground."""
        assert picture.recent is not None
        height, width = picture.known.shape
        x1, y1 = max(box[0] - 4, 0), max(box[1] - 4, 0)
        x2, y2 = min(box[2] + 4, width), min(box[3] + 4, height)
        padded = np.zeros((y2 - y1, x2 - x1), np.uint8)
        padded[box[1] - y1 : box[3] - y1, box[0] - x1 : box[2] - x1] = mask
        part = np.s_[y1:y2, x1:x2]
        return (
            _step(picture.recent[part].astype(np.float32), padded),
            _step(picture.ground[part], padded),
        )

    def _is_light(
        self, recent: NDArray[np.float32], ground: NDArray[np.float32], mask: Mask
    ) -> bool:
        """Whether a patch is the same ground, darker or brighter."""
        settings = self.settings
        inner = cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)
        if inner.sum() < 12:
            inner = mask
        now, before = recent[inner], ground[inner]
        grey_now, grey_before = now.mean(axis=1), before.mean(axis=1)
        factor = (grey_now + 4.0) / (grey_before + 4.0)
        mean_factor = float(factor.mean())
        low, high = settings.light_factors
        tint = now.mean(axis=0) - mean_factor * before.mean(axis=0)
        if float(np.abs(tint - tint.mean()).max()) > settings.light_colour:
            return False
        spread = float(grey_before.std() * grey_now.std())
        if min(grey_before.std(), grey_now.std()) > 5.0:
            together = float(
                ((grey_now - grey_now.mean()) * (grey_before - grey_before.mean())).mean()
            )
            if together / spread >= settings.light_texture:
                return True
        even = float(factor.std()) / mean_factor <= settings.light_evenness
        return even and low <= mean_factor <= high


def frame_box(thing: Thing, small: tuple[int, int], frame: tuple[int, int]) -> Box:
    """Box of a thing in pixels of the frame; sizes are ``(width, height)``."""
    x_scale, y_scale = frame[0] / small[0], frame[1] / small[1]
    x1, y1, x2, y2 = thing.box
    return (x1 * x_scale, y1 * y_scale, x2 * x_scale, y2 * y_scale)


def _part(box: tuple[int, int, int, int]) -> tuple[slice, slice]:
    return slice(box[1], box[3]), slice(box[0], box[2])


def _whole(patch: Patch, shape: tuple[int, ...]) -> Mask:
    whole = np.zeros(shape[:2], np.bool_)
    whole[_part(patch.box)] = patch.mask
    return whole


def _same(a: NDArray[Any], b: NDArray[Any], levels: int) -> Mask:
    return same_within(a.astype(np.float32), b.astype(np.float32), levels)


def _touch(patch: Patch, thing: Thing) -> bool:
    """Whether a patch and a thing share pixels."""
    x1, y1 = max(patch.box[0], thing.box[0]), max(patch.box[1], thing.box[1])
    x2, y2 = min(patch.box[2], thing.box[2]), min(patch.box[3], thing.box[3])
    if x2 <= x1 or y2 <= y1:
        return False
    one = patch.mask[y1 - patch.box[1] : y2 - patch.box[1], x1 - patch.box[0] : x2 - patch.box[0]]
    other = thing.mask[y1 - thing.box[1] : y2 - thing.box[1], x1 - thing.box[0] : x2 - thing.box[0]]
    return bool((one & other).any())


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> float:
    return iou((a[0], a[1], a[2], a[3]), (b[0], b[1], b[2], b[3]))


def _step(picture: NDArray[np.float32], mask: NDArray[np.uint8]) -> float:
    """Mean step across the border of a mask, in grey levels a pixel.

    Structures that cross the border, rather than follow it, do not count.
    """
    across = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)
    nx, ny = cv2.Sobel(across, cv2.CV_32F, 1, 0), cv2.Sobel(across, cv2.CV_32F, 0, 1)
    weight = np.sqrt(nx * nx + ny * ny)
    if not weight.any():
        return 0.0
    x = cv2.Sobel(picture, cv2.CV_32F, 1, 0, scale=1 / 8)
    y = cv2.Sobel(picture, cv2.CV_32F, 0, 1, scale=1 / 8)
    step = np.abs(x * nx[..., None] + y * ny[..., None]).max(axis=2)
    return float(step.sum() / weight.sum())
