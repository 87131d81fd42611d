"""Watch the health of a view: black, frozen, covered, blurred or moved pictures are not judged.

Everything is measured on the small brightness picture, so a look costs about a millisecond:

* *Structure*: the direction of the edges as a complex number of doubled angle per pixel, weighted
  by its strength against the contrast around it. It survives exposure, dusk, infra-red (doubled
  angles do not care which side of an edge is brighter) and blur, and changes when the view moves.
* *Registration*: correlation of the structure with a running mean of it, in which traffic and
  people have averaged out. The peak gives the shift, and each block says by itself whether it
  still shows what it usually shows. A crowd or a lorry hides some blocks and leaves the others
  intact; a turned or moving camera leaves none intact except burnt-in text.
* *Sharpness*: fine against coarse gradients in the blocks with the strongest edges, which depends
  on the width of the edges and neither on contrast nor on light.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.frame import Luma
from vision.observe.look import Health

Array = NDArray[np.float32]

_BLOCK = 8  # pixels of the halved picture
_WORK_WIDTH = 160
_TRUSTED_LOOKS = 3
_STILL_SHIFT = 0.25  # pixels of the halved picture
_TILE = 24  # the same
_TILE_LIKENESS = 0.5
_LEAST_TILES = 8

_MIDDLE_HEIGHT = 9 / 32
"""Where the middle of a picture of width 1 lies, as pictures of cameras mostly are."""

_TOLD_SHIFT, _TOLD_DEG, _TOLD_ZOOM = 0.005, 0.5, 0.01
"""A nudge is told from so much on: share of the width, degrees, share of the size."""


@dataclass(frozen=True)
class HealthSettings:
    """Thresholds of :class:`HealthWatch`, found on real street clips with faults put in.

    Attributes:
        confirm_looks: Consecutive looks with the same fault that make an event. A single bad look
            is not judged either, it only makes no event.
        dark_level: Grey level under which a block is dark.
        dark_share: Share of dark blocks from which a picture is black. Street lamps keep a night
            picture below it.
        no_signal_share: Share of blocks of one and the same grey without any noise from which the
            picture is a generated one ("no signal").
        frozen_after_s: How long the same picture must repeat to count as frozen.
        frozen_looks: How many looks must show it, the first one included.
        frozen_levels: Mean difference in grey levels of the most changed block under which two
            looks are the same picture. Sensor noise is above it, an exact repeat below.
        texture_lost: A block has lost its texture when less than this share of it is left.
        covered_share: Share of the textured blocks that lost it from which a view is covered.
        flat_gradient: Gradient in grey levels per pixel; a picture with nothing above it shows
            nothing and is covered, also at the first look.
        blurred_ratio: Sharpness, as a share of the view's usual one, below which it is blurred.
        blurred_sharpness: Sharpness below which a picture is blurred whatever is usual there.
        fog_ratio: Contrast, as a share of the usual one, below which fog or a wet lens hides the
            view.
        shift_share: Shift, as a share of the width, that is still shake and not a move.
        nudge_share: Shift of the middle, as a share of the width, up to which a view is registered
            and judged on as a nudged one; beyond it has moved.
        nudge_deg: Turn in degrees up to which it is so.
        nudge_zoom: Change of size up to which it is so.
        doubtful_share: Share of blocks that lie exactly below which a view may be nudged.
        nudge_gain: By how much the nudge must better that share.
        intact_share: Share of blocks that show what they usually show from which the view stands.
        exact_share: Share of blocks that must show it exactly when fewer are intact: beside a
            lorry or a crowd little is left to be seen, but that lies exactly.
        exact_of_intact: Share of the intact blocks that must do so exactly. In a slightly turned
            or enlarged view many agree somewhat and few exactly.
        young_share: In place of both while the reference has fewer than ``young_looks`` looks and
            traffic is still in it.
        young_looks: How many looks make a reference grown up.
        returned_share: The same for a view that had moved, to count as back.
        structured_share: Share of blocks with lasting edges below which a move cannot be told.
        settle_looks: Looks that a moved view must stand still to be adopted.
        settle_s: Seconds that it must stand still. The time doubles with every adoption, so that a
            car's camera waiting at lights or a camera on a tour is not adopted again and again.
        restless_s: After this long without a move the camera counts as fixed again and the
            doubling starts anew.
        memory_s: Time constant with which the reference follows the seasons of a day.
    """

    confirm_looks: int = 2
    dark_level: float = 28.0
    dark_share: float = 0.995
    no_signal_share: float = 0.9
    frozen_after_s: float = 30.0
    frozen_looks: int = 3
    frozen_levels: float = 0.2
    texture_lost: float = 0.35
    covered_share: float = 0.4
    flat_gradient: float = 0.8
    blurred_ratio: float = 0.78
    blurred_sharpness: float = 1.3
    fog_ratio: float = 0.2
    shift_share: float = 0.025
    nudge_share: float = 0.045
    nudge_deg: float = 3.0
    nudge_zoom: float = 0.05
    doubtful_share: float = 0.6
    nudge_gain: float = 0.15
    intact_share: float = 0.45
    exact_share: float = 0.14
    exact_of_intact: float = 0.6
    young_share: float = 0.38
    young_looks: int = 4
    returned_share: float = 0.5
    structured_share: float = 0.08
    settle_looks: int = 4
    settle_s: float = 30.0
    restless_s: float = 600.0
    memory_s: float = 600.0


@dataclass(frozen=True)
class HealthEvent:
    """A stretch of time in which a view could not be judged.

    Attributes:
        kind: What was wrong.
        start_s: Stream time in seconds of the first bad look.
        end_s: Stream time of the first good look after it, or of the first look with another
            fault; ``None`` while it lasts.
        detail: What was measured when the event was confirmed, for the operator.
    """

    kind: Health
    start_s: float
    end_s: float | None
    detail: str


@dataclass(frozen=True)
class Nudge:
    """A stretch of time in which a view was off its reference and judged on all the same.

    Attributes:
        start_s: Stream time in seconds of the first look that was off.
        end_s: Stream time of the first look that was not any more; ``None`` while it lasts.
        detail: By how much it was off when that was confirmed, for the operator.
    """

    start_s: float
    end_s: float | None
    detail: str


@dataclass(frozen=True, eq=False)
class _Picture:
    """What is measured on one look.

    Attributes:
        structure: ``(h, w, 2)`` float32, real and imaginary part of the edge direction at doubled
            angle, length 0–1.
        texture: ``(rows, columns)`` float32, gradient per block as a share of its brightness.
        brightness: ``(rows, columns)`` float32, mean grey level per block.
        sharpness: ``(rows, columns)`` float32, fine over coarse gradient; about 2 to 3 at the edges
            of a street view, towards 1 when defocused.
        edges: ``(rows, columns)`` float32, strongest coarse gradient per block.
        gradient: Gradient in grey levels per pixel that only 5 % of the pixels exceed.
    """

    structure: Array
    texture: Array
    brightness: Array
    sharpness: Array
    edges: Array
    gradient: float


@dataclass(frozen=True, eq=False)
class _Reference:
    """What a view usually looks like.

    Attributes:
        structure: Running mean of :attr:`_Picture.structure`, registered.
        texture: Running mean of :attr:`_Picture.texture`.
        brightness: Running mean of :attr:`_Picture.brightness`.
        agreement: ``(rows, columns)`` float32, how well each block usually registers, 0–1.
        sharpness: Running mean of :attr:`_Picture.sharpness`.
        looks: How many looks it is made of.
        since_s: Stream time of its first look.
        seen_s: Stream time of its last look.
    """

    structure: Array
    texture: Array
    brightness: Array
    agreement: Array
    sharpness: Array
    looks: int
    since_s: float
    seen_s: float


@dataclass(frozen=True, eq=False)
class _Registration:
    """How a picture lies on a reference.

    Attributes:
        shift: ``(x, y)`` in pixels of the halved picture, the best within the tolerated shake.
        blocks: ``(rows, columns)`` float32, agreement of each block at that shift, -1 to 1.
        structured: ``(rows, columns)`` bool, blocks in which the reference has lasting edges.
        intact: Share of the structured blocks that agree nearly as well as usual.
        exact: Share of them that agree fully as well as usual.
        near: Correlation of the whole pictures at ``shift``.
        far: Best correlation beyond the tolerated shake.
        far_shift: ``(x, y)`` of it.
    """

    shift: tuple[float, float]
    blocks: Array
    structured: NDArray[np.bool_]
    intact: float
    exact: float
    near: float
    far: float
    far_shift: tuple[float, float]


class HealthWatch:
    """Judge look by look whether a view can be judged.

    Faults are looked for in this order and the first one found is returned: ``BLACK``,
    ``FROZEN``, ``COVERED``, ``BLURRED``, ``MOVED``. Each hides the ones behind it: a black picture
    also repeats, a covered one is also blurred, and a blurred one may not register.

    The first look of a recording becomes the reference, so a moving camera is recognised from its
    second look on. A reference made of fewer than three looks is not trusted: a view that then
    stands still for the settling time replaces it, whatever ``adopt_new_pose`` says.

    Args:
        settings: Thresholds.
        adopt_new_pose: Whether a moved view that has settled becomes the new reference. Not where
            zones were drawn for one view: there ``MOVED`` lasts until the old view is back.

    A view that is only nudged (a few degrees, a few hundredths of the width) is registered to its
    reference and judged on.

    Attributes:
        pose: Rises by one with every adopted view.
        to_view: Where the pixels of the last good look lie in the reference, as ``(2, 3)`` float64
            for a picture of width 1 (the height is in the same unit); ``None`` when they lie where
            they always lie.
        events: Closed events in order of time and the open one, if any, at the end.
        nudges: When the view was nudged, in the same order.
    """

    def __init__(self, settings: HealthSettings | None = None, *, adopt_new_pose: bool) -> None:
        self._settings = settings or HealthSettings()
        self._adopt_new_pose = adopt_new_pose
        self.pose = 0
        self.to_view: NDArray[np.float64] | None = None
        self.events: list[HealthEvent] = []
        self.nudges: list[Nudge] = []
        self._turn_s = 0.0
        self._turn_looks = 0
        self._nudge: NDArray[np.float64] | None = None
        self._reference: _Reference | None = None
        self._candidate: _Reference | None = None
        self._still: Luma | None = None
        self._still_since_s = 0.0
        self._still_repeat_s = 0.0
        self._still_looks = 0
        self._moved_s = -np.inf
        self._unrest = 0
        self._run = Health.OK
        self._run_start_s = 0.0
        self._run_looks = 0

    def check(self, luma: Luma, time_s: float) -> Health:
        """Say what is wrong with this look and learn from it when nothing is.

        Args:
            luma: ``(h, w)`` uint8 brightness of the look.
            time_s: Its stream time in seconds, not before that of the look before; looks may be
                any time apart.

        Returns:
            ``Health.OK`` when the look may be judged.
        """
        health, detail = self._examine(luma, time_s)
        self._record(health, detail, time_s)
        if health is Health.OK:
            self._record_nudge(time_s)
        return health

    def finish(self, time_s: float) -> None:
        """End the recording: an event followed by a last good look is closed at that look.

        An event that lasts to the end keeps ``end_s = None``. Unconfirmed faults of the last looks
        make no event.

        Args:
            time_s: Stream time in seconds of the end.
        """
        if self._run is Health.OK and self._run_looks and self._run_start_s <= time_s:
            self._close_event(self._run_start_s)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return everything the watch remembers, as arrays for ``np.savez``."""
        state: dict[str, NDArray[Any]] = {
            "counters": np.array(
                [self.pose, self._still_looks, self._unrest, self._run_looks, self._turn_looks],
                np.int64,
            ),
            "times_s": np.array(
                [
                    self._still_since_s,
                    self._still_repeat_s,
                    self._moved_s,
                    self._run_start_s,
                    self._turn_s,
                ],
                np.float64,
            ),
            "run": np.array(self._run.value),
            "event_kinds": np.array([event.kind.value for event in self.events], np.str_),
            "event_starts_s": np.array([event.start_s for event in self.events], np.float64),
            "event_ends_s": np.array(
                [np.nan if event.end_s is None else event.end_s for event in self.events],
                np.float64,
            ),
            "event_details": np.array([event.detail for event in self.events], np.str_),
            "nudge_times_s": np.array(
                [(one.start_s, np.nan if one.end_s is None else one.end_s) for one in self.nudges],
                np.float64,
            ).reshape(-1, 2),
            "nudge_details": np.array([one.detail for one in self.nudges], np.str_),
        }
        if self._still is not None:
            state["still"] = self._still.copy()
        for name, transform in (("nudge", self._nudge), ("to_view", self.to_view)):
            if transform is not None:
                state[name] = transform.copy()
        for name, view in (("reference", self._reference), ("candidate", self._candidate)):
            if view is not None:
                state |= {
                    f"{name}_structure": view.structure.copy(),
                    f"{name}_blocks": np.stack(
                        [view.texture, view.brightness, view.agreement, view.sharpness]
                    ),
                    f"{name}_scalars": np.array(
                        [view.looks, view.since_s, view.seen_s], np.float64
                    ),
                }
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue exactly where :meth:`state` was taken.

        Args:
            state: What :meth:`state` returned, also after a round through ``np.savez``.
        """
        self.pose, self._still_looks, self._unrest, self._run_looks, self._turn_looks = (
            int(value) for value in state["counters"]
        )
        (
            self._still_since_s,
            self._still_repeat_s,
            self._moved_s,
            self._run_start_s,
            self._turn_s,
        ) = (float(value) for value in state["times_s"])
        self.nudges = [
            Nudge(start_s, None if np.isnan(end_s) else end_s, str(detail))
            for (start_s, end_s), detail in zip(
                state["nudge_times_s"].tolist(), state["nudge_details"], strict=True
            )
        ]
        self._run = Health(str(state["run"]))
        self._still = np.array(state["still"], np.uint8) if "still" in state else None
        self._nudge = np.array(state["nudge"]) if "nudge" in state else None
        self.to_view = np.array(state["to_view"]) if "to_view" in state else None
        self._reference = _restored_reference(state, "reference")
        self._candidate = _restored_reference(state, "candidate")
        self.events = [
            HealthEvent(
                Health(str(kind)), float(start), None if np.isnan(end) else float(end), str(detail)
            )
            for kind, start, end, detail in zip(
                state["event_kinds"],
                state["event_starts_s"],
                state["event_ends_s"],
                state["event_details"],
                strict=True,
            )
        ]

    def _examine(self, luma: Luma, time_s: float) -> tuple[Health, str]:
        """Look for each fault in its order; return the first with what was measured."""
        settings = self._settings
        frozen = self._frozen(luma, time_s)
        blackness = _blackness(luma, settings)
        if blackness:
            return Health.BLACK, blackness
        if frozen:
            return Health.FROZEN, f"same picture since {self._still_since_s:.1f} s"

        rows = None if self._reference is None else self._reference.structure.shape[0]
        picture = _measure(luma, rows, self._nudge)
        reference = self._reference
        if picture.gradient < settings.flat_gradient:
            return Health.COVERED, "nothing to be seen in the whole picture"
        if reference is None:
            blur = _absolute_blur(picture, settings)
            if blur:
                return Health.BLURRED, blur
            self._reference = _new_reference(picture, time_s)
            return Health.OK, ""

        registration = _register(picture, reference, settings)
        lost = _lost_texture(picture, reference, registration, settings)
        if lost >= settings.covered_share:
            # The one thing that filled the first look may be what has gone.
            if reference.looks < _TRUSTED_LOOKS and self._settled(picture, time_s):
                return Health.OK, ""
            return Health.COVERED, f"{lost:.0%} of the textured view became blank"
        blur = _blur(picture, reference, registration, settings)
        if blur:
            return Health.BLURRED, blur
        move = _move(registration, reference, settings, back=self._run is Health.MOVED)
        doubtful = bool(move) or registration.exact < settings.doubtful_share
        if doubtful and reference.looks >= settings.young_looks:
            nudge = _nudge(_measure(luma, rows), reference, settings)
            if nudge is not None:
                nudged = _measure(luma, rows, nudge)
                again = _register(nudged, reference, settings)
                better = again.exact >= registration.exact + settings.nudge_gain
                if (move or better) and not _move(again, reference, settings, back=True):
                    self._nudge, picture, registration, move = nudge, nudged, again, ""
        if not move:
            self._candidate = None
            self._reference = _updated(reference, picture, registration, time_s, settings)
            self.to_view = _to_view(self._nudge, registration)
            return Health.OK, ""
        if time_s - self._moved_s >= settings.restless_s:
            self._unrest = 0
        self._moved_s = time_s
        if self._settled(picture, time_s):
            return Health.OK, ""
        return Health.MOVED, move

    def _frozen(self, luma: Luma, time_s: float) -> bool:
        """Follow how long the same picture repeats; compared with the first of the repeats."""
        if (
            self._still is not None
            and self._still.shape == luma.shape
            and _same_picture(self._still, luma, self._settings.frozen_levels)
        ):
            self._still_looks += 1
            if self._still_looks == 2:
                self._still_repeat_s = time_s
        else:
            self._still = luma.copy()
            self._still_since_s = time_s
            self._still_looks = 1
        return (
            self._still_looks >= self._settings.frozen_looks
            and time_s - self._still_since_s >= self._settings.frozen_after_s
        )

    def _settled(self, picture: _Picture, time_s: float) -> bool:
        """Follow the moved view; adopt it once it has stood still long enough."""
        settings = self._settings
        reference, candidate = self._reference, self._candidate
        trusted = reference is not None and reference.looks >= _TRUSTED_LOOKS
        if trusted and not self._adopt_new_pose:
            return False
        if candidate is None:
            self._candidate = _new_reference(picture, time_s)
            return False
        registration = _register(picture, candidate, settings)
        if _move(registration, candidate, settings, back=True):
            self._candidate = _new_reference(picture, time_s)
            return False
        candidate = _updated(candidate, picture, registration, time_s, settings)
        self._candidate = candidate
        settle_s = settings.settle_s * 2.0**self._unrest
        if candidate.looks < settings.settle_looks or time_s - candidate.since_s < settle_s:
            return False
        self._reference, self._candidate = candidate, None
        self._nudge = self.to_view = None
        self._unrest = min(self._unrest + 1, 10)
        if self._adopt_new_pose:
            self.pose += 1
        return True

    def _record(self, health: Health, detail: str, time_s: float) -> None:
        """Keep the events: a change of health counts once it is confirmed."""
        if health is self._run:
            self._run_looks += 1
        else:
            self._run, self._run_start_s, self._run_looks = health, time_s, 1
            if health is Health.FROZEN:
                self._run_start_s = self._still_repeat_s
        confirmed = self._run_looks >= self._settings.confirm_looks or health is Health.FROZEN
        ongoing = self.events[-1] if self.events and self.events[-1].end_s is None else None
        if not confirmed or (ongoing is not None and ongoing.kind is health):
            return
        self._close_event(self._run_start_s)
        if health is not Health.OK:
            self.events.append(HealthEvent(health, self._run_start_s, None, detail))

    def _record_nudge(self, time_s: float) -> None:
        """Keep when the view was nudged, once so many good looks in a row say so."""
        detail = "" if self._nudge is None else _nudged_by(self._nudge)
        ongoing = bool(self.nudges) and self.nudges[-1].end_s is None
        if bool(detail) is ongoing:
            self._turn_looks = 0
            return
        if not self._turn_looks:
            self._turn_s = time_s
        self._turn_looks += 1
        if self._turn_looks < self._settings.confirm_looks:
            return
        self._turn_looks = 0
        if ongoing:
            self.nudges[-1] = replace(self.nudges[-1], end_s=self._turn_s)
        else:
            self.nudges.append(Nudge(self._turn_s, None, detail))

    def _close_event(self, end_s: float) -> None:
        if self.events and self.events[-1].end_s is None:
            last = self.events[-1]
            self.events[-1] = replace(last, end_s=max(end_s, last.start_s))


def _restored_reference(state: Mapping[str, NDArray[Any]], name: str) -> _Reference | None:
    if f"{name}_structure" not in state:
        return None
    texture, brightness, agreement, sharpness = np.array(state[f"{name}_blocks"], np.float32)
    looks, since_s, seen_s = (float(value) for value in state[f"{name}_scalars"])
    structure = np.array(state[f"{name}_structure"], np.float32)
    return _Reference(
        structure, texture, brightness, agreement, sharpness, int(looks), since_s, seen_s
    )


def _blackness(luma: Luma, settings: HealthSettings) -> str:
    """Say why the picture is no picture, or nothing when it is one."""
    # Smoothed, so that single hot pixels and noise do not pass for lamps.
    brightest = _block_reduce(np.maximum, cv2.blur(luma, (3, 3)), 2 * _BLOCK)
    dark = float((brightest < settings.dark_level).mean())
    if dark >= settings.dark_share:
        return f"{dark:.1%} of the picture darker than {settings.dark_level:.0f} of 255"
    highest = _block_reduce(np.maximum, luma, 2 * _BLOCK).astype(np.int16)
    lowest = _block_reduce(np.minimum, luma, 2 * _BLOCK)
    same = (highest - lowest <= 2) & (np.abs(highest - np.median(highest)) <= 2)
    if same.mean() >= settings.no_signal_share:
        return f"{same.mean():.0%} of the picture one grey without noise: no signal"
    return ""


def _same_picture(first: Luma, second: Luma, levels: float) -> bool:
    difference = cv2.absdiff(first, second).astype(np.float32)
    return bool(_block_mean(difference, 2 * _BLOCK).max() < levels)


def _block_reduce(function: np.ufunc, picture: NDArray[Any], side: int) -> NDArray[Any]:
    """Reduce blocks of ``side`` pixels to ``(rows, columns)``; the rest at the far edges drops."""
    rows, columns = picture.shape[0] // side, picture.shape[1] // side
    blocks = picture[: rows * side, : columns * side]
    # Rows first: whole lines are combined at once, many times faster than both axes together.
    lines = function.reduce(blocks.reshape(rows, side, columns * side), axis=1)
    reduced: NDArray[Any] = function.reduce(lines.reshape(rows, columns, side), axis=2)
    return reduced


def _block_mean(picture: Array, side: int) -> Array:
    return _block_reduce(np.add, picture, side).astype(np.float32) / np.float32(side * side)


def _measure(luma: Luma, rows: int | None, nudge: NDArray[np.float64] | None = None) -> _Picture:
    """Measure a look.

    Args:
        luma: Its brightness.
        rows: Height of the halved picture of the reference, if there is one.
        nudge: Where its pixels lie in the reference, for a picture of width 1.
    """
    rows = rows or max(luma.shape[0] // 2, 2 * _BLOCK)
    if luma.shape[1] != 2 * _WORK_WIDTH or luma.shape[0] // 2 != rows:
        luma = cv2.resize(luma, (2 * _WORK_WIDTH, 2 * rows), interpolation=cv2.INTER_AREA)
    if nudge is not None:
        luma = cv2.warpAffine(
            luma,
            _scaled(nudge, 2 * _WORK_WIDTH),
            (luma.shape[1], luma.shape[0]),
            borderMode=cv2.BORDER_REPLICATE,
        )
    full = luma[: 2 * rows].astype(np.float32)
    half = cv2.resize(full, (_WORK_WIDTH, rows), interpolation=cv2.INTER_AREA)
    x, y, strength = _gradient(cv2.GaussianBlur(half, (0, 0), 1.0))

    # Strength against the contrast around and a floor for noise, so that light does not matter.
    around = 1.0 + 0.7 * cv2.blur(strength, (31, 31))
    power = strength * strength
    weight = power / (power + around * around)
    unit = weight / (power + 1e-6)
    structure = cv2.merge([(x * x - y * y) * unit, 2 * x * y * unit])

    # The gradient of a step smoothed with sigma s goes with 1/s, that of a wide edge does not
    # depend on s: their ratio is the width of the edges, whatever the light.
    fine = _steepest(cv2.GaussianBlur(full, (0, 0), 0.7), 2 * _BLOCK)
    edges = _steepest(cv2.GaussianBlur(full, (0, 0), 2.5), 2 * _BLOCK)
    brightness = _block_mean(half, _BLOCK)
    return _Picture(
        structure=structure,
        texture=_block_mean(strength, _BLOCK) / (brightness + np.float32(16)),
        brightness=brightness,
        sharpness=(fine / (edges + 0.3)).astype(np.float32),
        edges=edges,
        gradient=float(np.percentile(strength[::2, ::2], 95)),
    )


def _gradient(picture: Array) -> tuple[Array, Array, Array]:
    x, y = _slopes(picture)
    # Not cv2.magnitude: its last bit depends on where in memory the arrays lie.
    return x, y, np.sqrt(x * x + y * y)


def _steepest(picture: Array, side: int) -> Array:
    """Strongest gradient in each block of ``side`` pixels."""
    x, y = _slopes(picture)
    x *= x
    y *= y
    x += y
    return np.asarray(np.sqrt(_block_reduce(np.maximum, x, side)))


def _slopes(picture: Array) -> tuple[Array, Array]:
    x = cv2.Scharr(picture, cv2.CV_32F, 1, 0, scale=1 / 32)
    y = cv2.Scharr(picture, cv2.CV_32F, 0, 1, scale=1 / 32)
    return x, y


def _new_reference(picture: _Picture, time_s: float) -> _Reference:
    return _Reference(
        structure=picture.structure,
        texture=picture.texture,
        brightness=picture.brightness,
        agreement=np.full_like(picture.texture, 0.8),
        sharpness=picture.sharpness,
        looks=1,
        since_s=time_s,
        seen_s=time_s,
    )


def _register(picture: _Picture, reference: _Reference, settings: HealthSettings) -> _Registration:
    """Find how the picture lies on the reference and which blocks still show the usual."""
    height, width = reference.structure.shape[:2]
    surface = cv2.idft(
        cv2.mulSpectrums(cv2.dft(picture.structure), cv2.dft(reference.structure), 0, conjB=True),
        flags=cv2.DFT_SCALE,
    )[..., 0]
    energy = cv2.norm(picture.structure) * cv2.norm(reference.structure)
    offsets_x, offsets_y = _offsets(width), _offsets(height)
    shake = _within(width, height, settings.shift_share * width)
    near_y, near_x = np.unravel_index(np.where(shake, surface, -np.inf).argmax(), surface.shape)
    far_y, far_x = np.unravel_index(np.where(shake, -np.inf, surface).argmax(), surface.shape)
    shift = (
        float(offsets_x[near_x]) + _subpixel(surface[near_y], int(near_x)),
        float(offsets_y[near_y]) + _subpixel(surface[:, near_x], int(near_y)),
    )

    aligned = _shifted(picture.structure, shift)
    own = _block_energy(cv2.multiply(reference.structure, reference.structure), _BLOCK)
    other = _block_energy(cv2.multiply(aligned, aligned), _BLOCK)
    common = _block_energy(cv2.multiply(aligned, reference.structure), _BLOCK)
    blocks = (common / np.sqrt(own * other + 1e-3)).astype(np.float32)
    structured = (own > 0.04 * _BLOCK**2) & (reference.agreement > 0.4)
    usual = (blocks / reference.agreement.clip(0.4))[structured]
    return _Registration(
        shift=shift,
        blocks=blocks,
        structured=structured,
        intact=float((usual >= 0.7).mean()) if usual.size else 1.0,
        exact=float((usual >= 0.9).mean()) if usual.size else 1.0,
        near=float(surface[near_y, near_x]) / (energy + 1e-3),
        far=float(surface[far_y, far_x]) / (energy + 1e-3),
        far_shift=(float(offsets_x[far_x]), float(offsets_y[far_y])),
    )


def _block_energy(products: Array, side: int) -> Array:
    """Sum ``(h, w, 2)`` products over blocks and over the two parts of the complex number."""
    interleaved = products.reshape(products.shape[0], -1)
    rows, columns = products.shape[0] // side, products.shape[1] // side
    lines = interleaved[: rows * side, : 2 * columns * side].reshape(rows, side, -1).sum(1)
    energy: Array = lines.reshape(rows, columns, 2 * side).sum(2)
    return energy


@lru_cache(maxsize=16)
def _within(width: int, height: int, reach: float) -> NDArray[np.bool_]:
    """``(height, width)``: which places in a circular correlation stand for so short a shift."""
    return np.asarray(np.hypot(_offsets(height)[:, None], _offsets(width)[None, :]) <= reach)


def _offsets(size: int) -> NDArray[np.float64]:
    """Return the signed shift that each place in a circular correlation stands for."""
    return np.round(np.fft.fftfreq(size, 1 / size))


def _subpixel(line: Array, peak: int) -> float:
    """Return where the parabola through a peak and its neighbours is highest, -0.5 to 0.5."""
    before, top, after = (float(line[(peak + step) % line.size]) for step in (-1, 0, 1))
    bend = before - 2 * top + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def _shifted(structure: Array, shift: tuple[float, float]) -> Array:
    """Move a picture back by ``shift`` so that it lies on its reference."""
    if shift == (0.0, 0.0):
        return structure
    matrix = np.array([[1, 0, -shift[0]], [0, 1, -shift[1]]], np.float32)
    size = (structure.shape[1], structure.shape[0])
    moved: Array = cv2.warpAffine(structure, matrix, size)
    return moved


def _scaled(transform: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """A transform of pictures of width 1 as one of pictures of another width."""
    scaled = transform.copy()
    scaled[:, 2] *= width
    return scaled


def _to_view(
    nudge: NDArray[np.float64] | None, registration: _Registration
) -> NDArray[np.float64] | None:
    """Where pixels lie in the reference, for a picture of width 1; ``None`` when as always."""
    x, y = registration.shift
    if nudge is None and np.hypot(x, y) < _STILL_SHIFT:
        return None
    transform = np.eye(2, 3) if nudge is None else nudge.copy()
    transform[:, 2] -= np.array([x, y]) / _WORK_WIDTH
    return transform


def _nudged_by(nudge: NDArray[np.float64]) -> str:
    """How far a view is off, in words; empty when it is not off by anything to speak of.

    Args:
        nudge: ``(2, 3)`` transform for a picture of width 1.
    """
    zoom = float(np.hypot(nudge[0, 0], nudge[1, 0]))
    turn = float(np.degrees(np.arctan2(nudge[1, 0], nudge[0, 0])))
    middle = np.array([0.5, _MIDDLE_HEIGHT])
    off = float(np.linalg.norm(nudge[:, :2] @ middle + nudge[:, 2] - middle))
    parts = [
        f"shifted by {off:.1%} of the width" if off >= _TOLD_SHIFT else "",
        f"turned by {abs(turn):.1f}°" if abs(turn) >= _TOLD_DEG else "",
        f"enlarged by {1 / zoom - 1:+.1%}" if abs(1 / zoom - 1) >= _TOLD_ZOOM else "",
    ]
    return ", ".join(part for part in parts if part)


def _nudge(
    picture: _Picture, reference: _Reference, settings: HealthSettings
) -> NDArray[np.float64] | None:
    """Find the shift, turn and zoom that bring a nudged view back onto its reference.

    Tiles of the reference with lasting edges are looked for near their place; most of them must
    agree on one similarity (RANSAC).

    Returns:
        ``(2, 3)`` float64 for a picture of width 1, or ``None`` when the view is not just nudged.
    """
    height, width = reference.structure.shape[:2]
    reach = round(width * (settings.nudge_share + np.radians(settings.nudge_deg) / 2)) + 2
    here: list[tuple[float, float]] = []
    there: list[tuple[float, float]] = []
    tiles = 0
    for top in range(0, height - _TILE + 1, _TILE // 2):
        for left in range(0, width - _TILE + 1, _TILE // 2):
            tile = reference.structure[top : top + _TILE, left : left + _TILE]
            if float((tile * tile).sum()) < 0.04 * _TILE**2:
                continue
            tiles += 1
            y1, x1 = max(top - reach, 0), max(left - reach, 0)
            around = picture.structure[y1 : top + _TILE + reach, x1 : left + _TILE + reach]
            likeness = cv2.matchTemplate(around, tile, cv2.TM_CCORR_NORMED)
            _, best, _, (x, y) = cv2.minMaxLoc(likeness)
            if best < _TILE_LIKENESS:
                continue
            here.append(
                (
                    x1 + x + _subpixel(likeness[y], x) * (0 < x < likeness.shape[1] - 1),
                    y1 + y + _subpixel(likeness[:, x], y) * (0 < y < likeness.shape[0] - 1),
                )
            )
            there.append((left, top))
    if len(here) < max(_LEAST_TILES, 0.4 * tiles):
        return None
    middle = (_TILE - 1) / 2
    transform, agree = cv2.estimateAffinePartial2D(
        np.array(here) + middle, np.array(there) + middle, ransacReprojThreshold=1.0
    )
    if transform is None or agree.sum() < max(_LEAST_TILES, 0.6 * len(here)):
        return None
    zoom = float(np.hypot(transform[0, 0], transform[1, 0]))
    turn = float(np.degrees(np.arctan2(transform[1, 0], transform[0, 0])))
    centre = np.array([width / 2, height / 2])
    shift = transform[:, :2] @ centre + transform[:, 2] - centre
    if (
        abs(zoom - 1) > settings.nudge_zoom
        or abs(turn) > settings.nudge_deg
        or float(np.hypot(*shift)) > settings.nudge_share * width
    ):
        return None
    return _scaled(transform.astype(np.float64), 1 / width)


def _lost_texture(
    picture: _Picture,
    reference: _Reference,
    registration: _Registration,
    settings: HealthSettings,
) -> float:
    """Return the share of the structured blocks that went blank.

    Blocks that became dark together with the rest are night, not a cover.
    """
    structured = registration.structured
    if structured.mean() < settings.structured_share:
        return 0.0
    blank = picture.texture < settings.texture_lost * reference.texture
    unlike = registration.blocks < 0.5 * reference.agreement
    lost = structured & blank & unlike
    rest = ~lost
    if rest.any():
        light = picture.brightness[rest].mean() / (reference.brightness[rest].mean() + 1.0)
        if light < 0.5:
            lost &= picture.brightness >= settings.dark_level
    return float(lost[structured].mean())


def _absolute_blur(picture: _Picture, settings: HealthSettings) -> str:
    """Say that no edge is as narrow as a lens in focus draws it, or nothing when some are.

    Only the blocks with the strongest edges are asked, where noise is small against them, and
    their median, so that burnt-in text alone does not make a picture sharp.
    """
    strongest = picture.edges >= np.percentile(picture.edges, 60)
    sharpness = float(np.median(picture.sharpness[strongest]))
    if sharpness < settings.blurred_sharpness:
        return f"edge sharpness {sharpness:.2f}, wanted {settings.blurred_sharpness:.2f}"
    return ""


def _blur(
    picture: _Picture,
    reference: _Reference,
    registration: _Registration,
    settings: HealthSettings,
) -> str:
    """Say how the picture lost its sharpness or contrast, or nothing when it has them."""
    blur = _absolute_blur(picture, settings)
    if blur:
        return blur
    # Compared in the blocks that still show the same thing: what drives past has other edges.
    same = registration.structured & (registration.blocks >= 0.5 * reference.agreement)
    if same.sum() < 0.1 * same.size:
        return ""
    strong = same & (picture.edges >= np.median(picture.edges[same]))
    ratio = float(np.median(picture.sharpness[strong] / reference.sharpness[strong]))
    if ratio < settings.blurred_ratio:
        return f"edges {ratio:.0%} as sharp as usual"
    contrast = float(np.median(picture.texture[same] / reference.texture[same]))
    if contrast < settings.fog_ratio:
        return f"{contrast:.0%} of the usual contrast"
    return ""


def _move(
    registration: _Registration, reference: _Reference, settings: HealthSettings, *, back: bool
) -> str:
    """Say how the view moved, or nothing when it stands."""
    if registration.structured.mean() < settings.structured_share:
        return ""
    far_x, far_y = (2 * value for value in registration.far_shift)
    # On fixed cameras no place beyond the shake reaches two thirds of the peak within it.
    if registration.far > max(1.02 * registration.near, 0.2):
        return f"view shifted by {far_x:+.0f}, {far_y:+.0f} px of {2 * _WORK_WIDTH}"
    if back:
        stands = registration.intact >= settings.returned_share
    elif reference.looks < settings.young_looks:
        stands = registration.intact >= settings.young_share
    else:
        stands = registration.intact >= settings.intact_share or registration.exact >= max(
            settings.exact_share, settings.exact_of_intact * registration.intact
        )
    return "" if stands else f"only {registration.intact:.0%} of the view is as usual"


def _updated(
    reference: _Reference,
    picture: _Picture,
    registration: _Registration,
    time_s: float,
    settings: HealthSettings,
) -> _Reference:
    """Let the reference follow a good look, registered, so that it never creeps with the view."""
    waited_s = max(time_s - reference.seen_s, 0.0)
    daily = float(np.clip(1 - np.exp(-waited_s / settings.memory_s), 0.02, 0.3))
    # A young reference is a plain mean of its looks.
    pace = np.float32(max(daily, 1 / (reference.looks + 1)))

    def follow(old: Array, new: Array) -> Array:
        return old + pace * (new - old)

    return _Reference(
        structure=follow(reference.structure, _shifted(picture.structure, registration.shift)),
        texture=follow(reference.texture, picture.texture),
        brightness=follow(reference.brightness, picture.brightness),
        agreement=follow(reference.agreement, np.clip(registration.blocks, 0, 1)),
        sharpness=follow(reference.sharpness, picture.sharpness),
        looks=reference.looks + 1,
        since_s=reference.since_s,
        seen_s=time_s,
    )
