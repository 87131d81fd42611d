"""How sure a model must be: thresholds from what reviewers said of what it found.

Of what was shown to reviewers, all that has at least a confidence makes up what a threshold there
would have let through; the share of it that they confirmed is its precision. What lay below the
threshold in force was never shown, so no threshold below the lowest confidence seen is known of.

Intervals are Wilson's score intervals (E. B. Wilson, Probable Inference, the Law of Succession, and
Statistical Inference, JASA 22 (1927), without correction for continuity), as scipy computes them.
They take decisions for independent; those of one camera are not quite, so with few cameras the
truth is less certain than the interval says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from scipy.stats import binomtest

from vision.rules.registry import RULES

COVERAGE = 0.95

LEAST_DECISIONS = 50
"""With fewer, a 95 % interval is up to 0.27 wide: too wide to set anything by."""

LEAST_CAMERAS = 5

CALIBRATED = tuple(
    kind
    for kind, module in RULES.items()
    if "min_confidence" in module.settings.model_fields and kind != "hoarding_missing"
)
"""Kinds whose ``min_confidence`` asks of the confidence that their violations tell. That of a
missing hoarding is of hoardings that are there."""


@dataclass(frozen=True)
class Judged:
    """A violation, and whether reviewers found it to be what the model said.

    Attributes:
        kind: Kind that it was raised as.
        camera_id: Camera.
        confidence: Its confidence, 0 to 1.
        is_right: Whether it was confirmed as this kind.
        model: Name of the model.
        model_sha256: Its hash: the confidence of another one means something else.
        decided_at: When.
    """

    kind: str
    camera_id: str
    confidence: float
    is_right: bool
    model: str
    model_sha256: str
    decided_at: datetime


@dataclass(frozen=True)
class Precision:
    """Precision of what has at least a confidence.

    Attributes:
        threshold: That confidence.
        shown: How many have it.
        right: How many of them were confirmed.
    """

    threshold: float
    shown: int
    right: int

    @property
    def estimate(self) -> float:
        """Share that was confirmed."""
        return self.right / self.shown

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share."""
        found = binomtest(self.right, self.shown).proportion_ci(COVERAGE, method="wilson")
        # Rounding must not put the estimate outside.
        return min(float(found.low), self.estimate), max(float(found.high), self.estimate)


@dataclass(frozen=True)
class Calibration:
    """What is known of one kind's threshold.

    Attributes:
        kind: Kind.
        model: Model of the newest decision; those on other models are left out.
        cameras: Cameras of the decisions.
        now: Precision of all that was shown.
        likely: Lowest threshold whose precision is as asked; ``None`` if there is none.
        certain: Lowest threshold of which the lower end of the interval is as asked.
        other_models: Decisions on other models.
    """

    kind: str
    model: str
    cameras: tuple[str, ...]
    now: Precision
    likely: Precision | None
    certain: Precision | None
    other_models: int

    @property
    def is_few(self) -> bool:
        """Whether there are too few decisions to set anything by."""
        return self.now.shown < LEAST_DECISIONS

    @property
    def raises(self) -> bool:
        """Whether the likely threshold lets through less than what was shown."""
        return self.likely is not None and self.likely.shown < self.now.shown

    def kept(self, at: Precision) -> float:
        """Share of the confirmed ones that a threshold keeps; 1 where none was confirmed."""
        return at.right / self.now.right if self.now.right else 1.0

    def warnings(self) -> list[str]:
        """What to know before this is believed."""
        found = []
        if self.is_few:
            found.append(f"only {self.now.shown} decisions; {LEAST_DECISIONS} are the least")
        if len(self.cameras) < LEAST_CAMERAS:
            found.append(f"of {len(self.cameras)} cameras only: others may differ")
        if self.likely is None:
            found.append("no threshold reaches this precision")
        elif self.certain is None:
            found.append("reached by the estimate, not by the interval")
        if self.kind == "construction_dust":
            found.append("dust must be as sure in several looks, so this is approximate")
        return found


def calibrate(judged: Iterable[Judged], precision: float) -> list[Calibration]:
    """Find the thresholds that reach a precision, kind by kind.

    Args:
        judged: What reviewers said; kinds that have no threshold of their own are passed over.
        precision: Asked share of right ones, above 0 and up to 1.

    Returns:
        One for each kind of which there are decisions, in the order of the rules.
    """
    by_kind: dict[str, list[Judged]] = {}
    for one in judged:
        by_kind.setdefault(one.kind, []).append(one)
    return [_calibration(by_kind[kind], precision) for kind in CALIBRATED if kind in by_kind]


def curve(judged: Sequence[Judged]) -> list[Precision]:
    """Precision at each confidence that was seen, the lowest first."""
    shown = Counter(one.confidence for one in judged)
    right = Counter(one.confidence for one in judged if one.is_right)
    points, above, right_above = [], 0, 0
    for confidence in sorted(shown, reverse=True):
        above += shown[confidence]
        right_above += right[confidence]
        points.append(Precision(confidence, above, right_above))
    return points[::-1]


def _calibration(judged: Sequence[Judged], precision: float) -> Calibration:
    newest = max(judged, key=lambda one: one.decided_at)
    same = [one for one in judged if one.model_sha256 == newest.model_sha256]
    points = curve(same)
    return Calibration(
        kind=newest.kind,
        model=newest.model,
        cameras=tuple(sorted({one.camera_id for one in same})),
        now=points[0],
        likely=next((p for p in points if p.estimate >= precision), None),
        certain=next((p for p in points if p.interval[0] >= precision), None),
        other_models=len(judged) - len(same),
    )


@dataclass(frozen=True)
class Proposal:
    """A setting that a calibration speaks for.

    Attributes:
        kind: Kind whose ``min_confidence`` it is.
        min_confidence: What it should be.
        cameras: Cameras of whose decisions it was found.
    """

    kind: str
    min_confidence: float
    cameras: tuple[str, ...]


def proposal(found: Calibration, *, certain: bool = False) -> Proposal | None:
    """What to set; nothing with too few decisions, or where all that was shown is as asked.

    Args:
        found: What is known.
        certain: Whether the lower end of the interval, too, must be as asked.
    """
    chosen = found.certain if certain else found.likely
    if chosen is None or found.is_few or chosen.shown == found.now.shown:
        return None
    return Proposal(found.kind, chosen.threshold, found.cameras)
