"""Thresholds from decisions: what is held whatever reviewers said."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.runs import entry, run_folder, violation
from vision.decisions import DECISIONS_FILE
from vision.errors import InputError
from vision.learn.feedback.calibration import (
    CALIBRATED,
    Calibration,
    Judged,
    Precision,
    calibrate,
    curve,
    proposal,
)
from vision.learn.feedback.judged_runs import judged_in_runs

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def judged(confidence: float, is_right: bool, **changes: object) -> Judged:
    told = {
        "kind": "debris_pile",
        "camera_id": "gate",
        "model": "street",
        "model_sha256": "a" * 64,
        "decided_at": NOW,
        **changes,
    }
    return Judged(confidence=confidence, is_right=is_right, **told)  # type: ignore[arg-type]


def one_of(decisions: Sequence[Judged], precision: float) -> Calibration:
    (found,) = calibrate(decisions, precision)
    return found


decisions = st.lists(
    st.builds(judged, st.integers(0, 20).map(lambda n: n / 20), st.booleans()), min_size=1
)
shares = st.floats(0.01, 1.0)


def threshold(found: Precision | None) -> float:
    return math.inf if found is None else found.threshold


@given(decisions, shares, shares)
def test_a_higher_precision_never_lowers_a_threshold(
    told: list[Judged], one: float, other: float
) -> None:
    low, high = (one_of(told, share) for share in sorted((one, other)))
    assert threshold(low.likely) <= threshold(high.likely)
    assert threshold(low.certain) <= threshold(high.certain)


@given(decisions, shares)
def test_a_threshold_lets_through_what_it_promises(told: list[Judged], precision: float) -> None:
    found = one_of(told, precision)
    assert threshold(found.likely) <= threshold(found.certain)
    if found.likely is not None:
        through = [one.is_right for one in told if one.confidence >= found.likely.threshold]
        assert sum(through) / len(through) >= precision
        assert found.likely.shown == len(through)
    if found.certain is not None:
        assert found.certain.interval[0] >= precision


@given(decisions, st.randoms())
def test_the_order_of_decisions_does_not_matter(told: list[Judged], random: object) -> None:
    mixed = list(told)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert curve(mixed) == curve(told)


@given(decisions)
def test_the_interval_holds_the_estimate(told: list[Judged]) -> None:
    for point in curve(told):
        low, high = point.interval
        assert 0 <= low <= point.estimate <= high <= 1


def test_the_interval_is_wilsons() -> None:
    # By hand, z = 1.959964: centre (0.8 + z²/100) / (1 + z²/50) = 0.778597,
    # half width z / (1 + z²/50) * sqrt(0.8 * 0.2 / 50 + z² / 10000) = 0.108966.
    low, high = Precision(0.5, shown=50, right=40).interval
    assert (low, high) == pytest.approx((0.669631, 0.887563), abs=1e-5)


def sixty(wrong_below: float) -> list[Judged]:
    """Sixty decisions from 0.40 to 0.99, right from a confidence on, of five cameras."""
    return [
        judged(0.4 + n / 100, 0.4 + n / 100 >= wrong_below, camera_id=f"camera-{n % 5}")
        for n in range(60)
    ]


def test_what_was_wrong_below_a_confidence_is_cut_off_there() -> None:
    found = one_of(sixty(wrong_below=0.6), 1.0)
    assert found.likely is not None
    assert found.likely.threshold == pytest.approx(0.6)
    assert found.kept(found.likely) == 1.0
    assert found.certain is None
    assert found.warnings() == ["reached by the estimate, not by the interval"]
    setting = proposal(found)
    assert setting is not None
    assert (setting.kind, setting.min_confidence) == ("debris_pile", found.likely.threshold)
    assert proposal(found, certain=True) is None


def test_what_is_as_asked_already_is_left_as_it_is() -> None:
    found = one_of(sixty(wrong_below=0.0), 0.9)
    assert found.likely == found.now
    assert proposal(found) is None


def test_few_decisions_of_few_cameras_are_told_and_nothing_is_proposed() -> None:
    found = one_of([judged(0.5, False), judged(0.9, True)], 0.9)
    assert found.likely is not None
    assert found.warnings()[:2] == [
        "only 2 decisions; 50 are the least",
        "of 1 cameras only: others may differ",
    ]
    assert proposal(found) is None


def test_confidences_of_another_model_mean_something_else() -> None:
    earlier = NOW - timedelta(days=30)
    old = [judged(0.9, False, model_sha256="b" * 64, decided_at=earlier) for _ in range(3)]
    found = one_of([*old, judged(0.9, True)], 0.5)
    assert (found.now.shown, found.other_models) == (1, 3)


def test_a_missing_hoarding_has_no_such_threshold() -> None:
    assert "hoarding_missing" not in CALIBRATED
    assert calibrate([judged(0.5, True, kind="hoarding_missing")], 0.5) == []


def test_reviewed_runs_say_who_was_right(tmp_path: Path) -> None:
    run_folder(
        tmp_path,
        [entry("gate.mp4")],
        [violation(tmp_path, n, kind="debris_pile", confidence=0.5 + n / 10) for n in range(4)],
    )
    at = NOW.isoformat()
    (tmp_path / DECISIONS_FILE).write_text(
        f'{{"violation_id": "id-0", "decision": "rejected", "decided_at": "{at}"}}\n'
        f'{{"violation_id": "id-1", "decision": "confirmed", "decided_at": "{at}"}}\n'
        f'{{"violation_id": "id-2", "decision": "changed", "kind": "street_stall",'
        f' "decided_at": "{at}"}}\n'
        f'{{"violation_id": "id-3", "decision": "changed", "box": [1, 2, 3, 4],'
        f' "decided_at": "{at}"}}\n'
    )
    told = judged_in_runs([tmp_path], Counter())
    assert [(one.confidence, one.is_right) for one in told] == [
        (0.5, False),
        (0.6, True),
        (0.7, False),
        (0.8, True),
    ]
    (tmp_path / DECISIONS_FILE).write_text(
        f'{{"violation_id": "id-9", "decision": "rejected", "decided_at": "{at}"}}\n'
    )
    with pytest.raises(InputError, match="no violation id-9 in this run"):
        judged_in_runs([tmp_path], Counter())
