"""What stands in a view, unhidden: the standing picture at work beside the detector.

Two kinds of evidence are added to what the detector sees in the frames themselves:

* The standing picture is shown to the detector, seldom, and what it sees there that stands counts
  in every look in which its place is in sight and looks as it does in that picture (``standing`` in
  :class:`~vision.detect.detections.Detections` and in the archive). So a heap behind a crowd, or a
  car that the detector misses in every other look, is seen whenever a part of it shows.
* Things that stand and that no class covers are proposed as detections of class
  ``standing_object`` (:mod:`vision.observe.static_change`).

What is added to a look depends on the source and on the looks before it alone, and travels with the
detections, so an archive judged again agrees with the scan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.array_state import State, prefixed, under
from vision.detect.detections import Detections
from vision.detect.detector import Detector
from vision.frames.frame import Frame
from vision.frames.standing import (
    Mask,
    StandingPicture,
    StandingSettings,
    same_within,
    to_compare,
)
from vision.observe.boxes import area, iou
from vision.observe.families import FLAT, STANDING_OBJECT, family_of
from vision.observe.sighting import Box, Sighting
from vision.observe.static_change import ChangeSettings, StaticChange, frame_box

_PEOPLE = frozenset({"person"})
_VEHICLES = frozenset({"vehicle", "cycle"})
_FLEETING = frozenset({"person", "plume"})


@dataclass(frozen=True)
class StandingWatchSettings:
    """How the standing picture is used.

    Attributes:
        propose: Whether nameless things are proposed.
        show_every_s: The standing picture is shown to the detector so often where it can tell more
            than the frame; ``None`` for never.
        picture: How the picture follows the view.
        change: Which patches are things.
        show_new_after_s: Once something stands that did not when it was shown last, it is shown
            again so soon after that.
        show_after_looks: Looks that make a picture worth showing.
        gain_share: It can tell more than the frame when it differs from it over this share.
        show_confidence: What is seen in it must be so confident.
        visible_share: Share of a box that must be in sight for it to count in a look ...
        like_share: ... and of that, the share that must look as in the standing picture.
        clear_share: What is in sight to this share the frame itself must show ...
        unseen_looks: ... or, if it does not in so many looks in a row, it is not there.
        same_iou: A detection of the same family that overlaps so much is the same thing.
        moving_confidence: What comes and goes on its own counts where the detector is so sure of
            it; fainter boxes would hide the ground.
        margin: Share by which the boxes of what passes are widened to cover their edges.
        parked_iou: A detection of a vehicle that overlaps so much with one that stands is that one.
        claim_s: What was seen by name stays known for so long while its place looks the same ...
        claim_share: ... over so much of what is not ground there ...
        claim_filled: ... and at least this share of the place is not ground: in the box of a person
            who was none, a bag must not pass for that person.
        named_size: A box up to so many times as large as a nameless thing on it names that thing.
    """

    propose: bool = True
    show_every_s: float | None = 60.0
    picture: StandingSettings = field(default_factory=StandingSettings)
    change: ChangeSettings = field(default_factory=ChangeSettings)
    show_new_after_s: float = 20.0
    show_after_looks: int = 4
    gain_share: float = 0.005
    show_confidence: float = 0.25
    visible_share: float = 0.25
    like_share: float = 0.8
    clear_share: float = 0.75
    unseen_looks: int = 2
    same_iou: float = 0.3
    moving_confidence: float = 0.2
    margin: float = 0.06
    parked_iou: float = 0.5
    claim_s: float = 120.0
    claim_share: float = 0.5
    claim_filled: float = 0.2
    named_size: float = 4.0


@dataclass(frozen=True, eq=False)
class _Claim:
    """Where something was seen by name, and how it looked; box in the compared picture."""

    box: tuple[int, int, int, int]
    looks: NDArray[np.uint8]
    seen_s: float
    person: bool


@dataclass(frozen=True)
class _Shown:
    """What the detector saw in the standing picture; box in pixels of the compared picture.

    Attributes:
        box: ``x1, y1, x2, y2``.
        confidence: Of the detection.
        name: Of its class.
        misses: Looks in a row in which it lay in clear sight and the frame itself did not show it.
    """

    box: Box
    confidence: float
    name: str
    misses: int = 0


class StandingWatch:
    """Follows one view; what it remembers can be handed over.

    Args:
        settings: How the standing picture is used.

    Attributes:
        shown: How often the standing picture was shown to the detector.
        pending: Whether the next look should come soon: something may have been left.
    """

    def __init__(self, settings: StandingWatchSettings = StandingWatchSettings()) -> None:
        self._settings = settings
        self._picture = StandingPicture(settings.picture)
        self._change = StaticChange(settings.change)
        self.shown = 0
        self._claims: list[_Claim] = []
        self._carried: list[_Shown] = []
        self._passing: Mask = np.zeros((1, 1), np.bool_)
        self._shown_s = -np.inf
        self._news = False
        self.pending = False
        self._pose = -1

    def take_in(
        self,
        frame: Frame,
        pose: int,
        found: Detections,
        sightings: Sequence[Sighting],
        *,
        inspected: bool,
    ) -> bool:
        """Take in a look at a healthy view.

        Args:
            frame: The look.
            pose: Pose of the view; another one than before forgets the view.
            found: What the detector saw in it or, if the gate was closed, in the last inspected
                one; without what this watch added.
            sightings: What stood after the look before.
            inspected: Whether the detector ran on this look.

        Returns:
            Whether a nameless thing has come or gone, so that the look differs from the one before
            even if the gate was closed.
        """
        compared = to_compare(frame.small)
        if pose != self._pose:
            self._forget(pose)
        shape = (compared.shape[0], compared.shape[1])
        scale = (shape[1] / frame.width, shape[0] / frame.height)
        if inspected:
            self._claim(compared, frame.time_s, found, scale)
        passing, named, mobile = self._masks(shape, scale, found, sightings)
        self._passing = passing
        kept = self._change.kept(shape)
        self._picture.update(compared, frame.small, frame.time_s, passing, named | kept)
        if not self._settings.propose:
            return False
        before = len(self._change.things)
        new = self._change.update(self._picture, frame.time_s, passing, named, mobile)
        self._news = bool(new)
        self.pending = self._change.is_pending(self._picture, named)
        return bool(new) or len(self._change.things) != before

    def show(self, frame: Frame, detector: Detector) -> None:
        """Show the standing picture to the detector if it is time to."""
        settings, picture = self._settings, self._picture
        if settings.show_every_s is None or picture.looks < settings.show_after_looks:
            return
        waited_s = frame.time_s - self._shown_s
        due = waited_s >= settings.show_every_s and self._can_gain()
        due = due or (waited_s >= settings.show_new_after_s and self._has_new())
        if not due and not self._news:
            return
        self._news = False
        self._shown_s = frame.time_s
        self.shown += 1
        found = detector.submit(picture.picture).result()
        # Kept in pixels of the compared picture, as all that is asked of their places.
        down = self._passing.shape[1] / picture.picture.shape[1]
        self._carried = []
        for box, confidence, name in found.rows():
            if (
                confidence >= settings.show_confidence
                and family_of(name) not in _FLEETING
                and name not in FLAT
            ):
                x1, y1, x2, y2 = (float(value) * down for value in box)
                self._carried.append(_Shown((x1, y1, x2, y2), confidence, name))

    def evidence(self, frame: Frame, found: Detections) -> Detections:
        """Detections of a look together with what the standing picture adds.

        What is half hidden in the frame is seen whole in the standing picture: of two detections of
        one thing the more confident one is kept.

        Args:
            frame: The look, after :meth:`take_in`.
            found: What the detector saw in it.
        """
        names = found.names if STANDING_OBJECT in found.names else (*found.names, STANDING_OBJECT)
        height, width = self._passing.shape
        scale = (frame.width / width, frame.height / height)
        rows: list[tuple[Box, float, str, bool]] = []
        weaker: list[int] = []
        carried, self._carried = self._carried, []
        for earlier in carried:
            x1, y1, x2, y2 = earlier.box
            whole = (x1 * scale[0], y1 * scale[1], x2 * scale[0], y2 * scale[1])
            same = self._same(whole, earlier.name, found)
            one = self._followed(earlier, seen=bool(same))
            # What comes to light bit by bit, and goes, leaves traces that look like anything.
            if one.misses >= self._settings.unseen_looks:
                continue
            self._carried.append(one)
            if not self._is_in_sight(one):
                continue
            scored = any(not np.isnan(found.derelict[row]) for row in same)
            if not scored and all(found.confidence[row] < one.confidence for row in same):
                weaker += same
                rows.append((whole, one.confidence, one.name, True))
        for thing in self._change.things:
            box_px = frame_box(thing, (width, height), (frame.width, frame.height))
            if thing.seen and not self._has_name(box_px, found):
                rows.append((box_px, thing.confidence, STANDING_OBJECT, False))
        more = Detections(
            np.array([row[0] for row in rows], np.float32).reshape(-1, 4),
            np.array([row[1] for row in rows], np.float32),
            np.array([names.index(row[2]) for row in rows], np.int64),
            names,
            standing=np.array([row[3] for row in rows], np.bool_),
        )
        kept = np.array([row not in weaker for row in range(len(found))], np.bool_)
        return found[kept].joined(more)

    def state(self) -> State:
        """Return everything that is remembered, as arrays for ``np.savez``."""
        state: State = {
            "scalars": np.array(
                [self._pose, self._shown_s, self.shown, self._news, self.pending], np.float64
            ),
            "passing": self._passing,
            "carried": np.array(
                [[*one.box, one.confidence, one.misses] for one in self._carried], np.float64
            ).reshape(-1, 6),
            "carried.names": np.array([one.name for one in self._carried], np.str_),
            "claims": np.array(
                [[*one.box, one.seen_s, one.person] for one in self._claims], np.float64
            ).reshape(-1, 6),
        }
        state |= {f"claim.{i}": claim.looks for i, claim in enumerate(self._claims)}
        state |= prefixed("picture.", self._picture.state())
        return state | prefixed("change.", self._change.state())

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue exactly where :meth:`state` was taken."""
        pose, shown_s, shown, news, pending = state["scalars"].tolist()
        self._forget(int(pose))
        self._shown_s, self.shown = shown_s, int(shown)
        self._news, self.pending = bool(news), bool(pending)
        self._passing = np.array(state["passing"], np.bool_)
        rows, names = state["carried"].tolist(), state["carried.names"].tolist()
        self._carried = [
            _Shown((x1, y1, x2, y2), confidence, str(name), int(misses))
            for (x1, y1, x2, y2, confidence, misses), name in zip(rows, names, strict=True)
        ]
        self._claims = [
            _Claim(
                (int(x1), int(y1), int(x2), int(y2)),
                np.array(state[f"claim.{i}"], np.uint8),
                seen_s,
                person=bool(person),
            )
            for i, (x1, y1, x2, y2, seen_s, person) in enumerate(state["claims"].tolist())
        ]
        self._picture.restore(under("picture.", state))
        self._change.restore(under("change.", state))

    def _forget(self, pose: int) -> None:
        self._pose = pose
        self._picture.reset()
        self._change.reset()
        self._claims = []
        self._carried = []
        self._passing = np.zeros((1, 1), np.bool_)
        self._shown_s = -np.inf
        self._news = self.pending = False

    def _masks(
        self,
        shape: tuple[int, int],
        scale: tuple[float, float],
        found: Detections,
        sightings: Sequence[Sighting],
    ) -> tuple[Mask, Mask, Mask]:
        """Where things pass, where things are known by name, and which of these are mobile."""
        passing, named = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
        parked = [
            one
            for one in sightings
            if one.ended_s is None and family_of(one.class_name) in _VEHICLES
        ]
        for box, confidence, name in found.rows():
            if not self._moves(name, confidence):
                continue
            x1, y1, x2, y2 = (float(value) for value in box)
            part = _part(self._widened((x1, y1, x2, y2)), scale, shape)
            named[part] = True
            stands = any(
                one.standing and iou((x1, y1, x2, y2), one.box) >= self._settings.parked_iou
                for one in parked
            )
            if not stands:
                passing[part] = True
        mobile = passing.copy()
        for one in parked:
            named[_part(self._widened(one.box), scale, shape)] = True
        for claim in self._claims:
            part = _part(self._widened(_floats(claim.box)), (1.0, 1.0), shape)
            named[part] = True
            if claim.person:
                mobile[part] = True
        return passing, named, mobile

    def _claim(
        self,
        compared: NDArray[np.uint8],
        time_s: float,
        found: Detections,
        scale: tuple[float, float],
    ) -> None:
        """Remember what is seen by name, and for a while what was, where it looks the same.

        A person who stands is not seen in every look. One who has left lays open the ground, or
        what was put there.
        """
        shape = (compared.shape[0], compared.shape[1])
        now = []
        for box, confidence, name in found.rows():
            if self._moves(name, confidence):
                rows, columns = _part(tuple(box.tolist()), scale, shape)
                place = (columns.start, rows.start, columns.stop, rows.stop)
                if rows.stop > rows.start and columns.stop > columns.start:
                    now.append(
                        _Claim(
                            place,
                            compared[rows, columns].copy(),
                            time_s,
                            person=family_of(name) in _PEOPLE,
                        )
                    )
        old = [
            claim
            for claim in self._claims
            if time_s - claim.seen_s <= self._settings.claim_s
            and not any(iou(_floats(claim.box), _floats(one.box)) > 0.3 for one in now)
            and self._still_shows(claim, compared)
        ]
        self._claims = now + old

    def _still_shows(self, claim: _Claim, compared: NDArray[np.uint8]) -> bool:
        x1, y1, x2, y2 = claim.box
        picture, levels = self._picture, self._settings.picture.same_levels
        if picture.recent is None or picture.recent.shape != compared.shape:
            return False
        ground = picture.ground[y1:y2, x1:x2]
        own = ~same_within(claim.looks.astype(np.float32), ground, levels)
        own &= picture.known[y1:y2, x1:x2]
        if own.mean() < self._settings.claim_filled:
            return False
        same = same_within(compared[y1:y2, x1:x2], claim.looks, levels)
        return bool(same[own].mean() >= self._settings.claim_share)

    def _can_gain(self) -> bool:
        """Whether the standing picture shows what the latest look does not."""
        picture = self._picture
        assert picture.recent is not None
        levels = picture.settings.same_levels
        unlike = ~same_within(picture.current, picture.recent, levels) | self._passing
        return bool(unlike.mean() >= self._settings.gain_share)

    def _has_new(self) -> bool:
        """Whether something stands there that did not when the picture was shown last."""
        new = self._picture.fresh & (self._picture.since_s > self._shown_s)
        if new.sum() < self._settings.change.least_share * new.size:
            return False
        return bool(cv2.erode(new.view(np.uint8), np.ones((5, 5), np.uint8)).any())

    def _followed(self, one: _Shown, *, seen: bool) -> _Shown:
        """Count the looks in which the frame itself should have shown what the picture did."""
        if seen:
            return replace(one, misses=0)
        part = _part(one.box, (1.0, 1.0), self._passing.shape)
        hidden = float(self._passing[part].mean()) if self._passing[part].size else 1.0
        if hidden > 1.0 - self._settings.clear_share or not self._is_in_sight(one):
            return one
        return replace(one, misses=one.misses + 1)

    def _is_in_sight(self, one: _Shown) -> bool:
        """Whether enough of a place is in sight and looks as in the standing picture."""
        picture, settings = self._picture, self._settings
        if picture.recent is None or not picture.steady:
            return False
        part = _part(one.box, (1.0, 1.0), self._passing.shape)
        visible = ~self._passing[part]
        if not visible.size or visible.mean() < settings.visible_share:
            return False
        levels = picture.settings.same_levels
        like = same_within(picture.current[part], picture.recent[part], levels)
        like &= picture.since_s[part] <= self._shown_s
        return bool(like[visible].mean() >= settings.like_share)

    def _same(self, box: Box, name: str, found: Detections) -> list[int]:
        """Detections in the frame itself that show a thing of this family there."""
        return [
            row
            for row, (place, _, other) in enumerate(found.rows())
            if family_of(other) == family_of(name)
            and iou(box, tuple(place.tolist())) >= self._settings.same_iou
        ]

    def _has_name(self, box: Box, found: Detections) -> bool:
        """Whether the detector has a name for a thing."""
        return any(
            confidence >= self._settings.show_confidence
            and name not in FLAT
            and area(tuple(place.tolist())) <= self._settings.named_size * area(box)
            and iou(box, tuple(place.tolist())) >= 1 / self._settings.named_size / 1.5
            for place, confidence, name in found.rows()
        )

    def _moves(self, name: str, confidence: float) -> bool:
        moving = family_of(name) in _PEOPLE | _VEHICLES
        return moving and confidence >= self._settings.moving_confidence

    def _widened(self, box: Box) -> Box:
        x, y = self._settings.margin * (box[2] - box[0]), self._settings.margin * (box[3] - box[1])
        return (box[0] - x, box[1] - y, box[2] + x, box[3] + y)


def own_detections(detections: Detections) -> Detections:
    """Detections without what a :class:`StandingWatch` added."""
    if STANDING_OBJECT not in detections.names:
        return detections
    added = detections.names.index(STANDING_OBJECT)
    return detections[~detections.standing & (detections.class_id != added)]


def _floats(box: tuple[int, int, int, int]) -> Box:
    return (float(box[0]), float(box[1]), float(box[2]), float(box[3]))


def _part(box: Box, scale: tuple[float, float], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a box, scaled and cut to the picture."""
    x1, x2 = (min(max(round(x * scale[0]), 0), shape[1]) for x in (box[0], box[2]))
    y1, y2 = (min(max(round(y * scale[1]), 0), shape[0]) for y in (box[1], box[3]))
    return slice(y1, y2), slice(x1, x2)
