from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.learn.built_data import picture
from vision.learn.measure.coco_metrics import coco_score
from vision.learn.measure.scoring import score

corner = st.integers(0, 30)
side = st.integers(4, 30)
box = st.tuples(corner, corner, side, side).map(
    lambda b: [float(b[0] * 10), float(b[1] * 10), float((b[0] + b[2]) * 10), (b[1] + b[3]) * 10.0]
)
truths = st.lists(st.tuples(st.just("debris_pile"), box), max_size=4)


@st.composite
def pictures(draw):
    made = []
    confidences = iter(draw(st.permutations(range(1, 31))))
    for _ in range(draw(st.integers(1, 3))):
        truth = draw(truths)
        shifts = draw(st.lists(st.integers(-4, 4), min_size=len(truth), max_size=len(truth)))
        near = [[v + 10.0 * d for v in b] for (_, b), d in zip(truth, shifts, strict=True)]
        found = [*near, *draw(st.lists(box, max_size=3))]
        unknown = ["debris_pile"] if draw(st.booleans()) and len(made) else []
        rows = [("debris_pile", b, next(confidences) / 32) for b in found]
        made.append(picture(truth, rows, unknown=unknown))
    return made


@settings(max_examples=60, deadline=None)
@given(pictures())
def test_our_average_precision_is_that_of_the_library(examined):
    ours, theirs = score(examined, "debris_pile"), coco_score(examined, "debris_pile", 640)
    if theirs is None:
        assert ours.ap50 is None
    else:
        assert ours.ap50 == pytest.approx(theirs.ap50, abs=1e-6)
        assert (ours.pictures, ours.boxes) == (theirs.pictures, theirs.boxes)
        assert theirs.ap50_95 <= theirs.ap50 + 1e-9


SMALL, MEDIUM, LARGE = [0, 0, 20, 20], [100, 0, 150, 50], [200, 200, 400, 400]


def test_sizes_are_those_at_the_input():
    examined = [picture([("car", SMALL), ("car", MEDIUM), ("car", LARGE)], [("car", LARGE, 0.9)])]
    at_640 = coco_score(examined, "car", 640)
    assert at_640 is not None
    assert at_640.sizes == {"small": (1, 0.0), "medium": (1, 0.0), "large": (1, 1.0)}
    at_320 = coco_score(examined, "car", 320)
    assert at_320 is not None
    assert {size: boxes for size, (boxes, _) in at_320.sizes.items()} == {"small": 2, "large": 1}


def test_a_loose_box_counts_at_half_overlap_only():
    measured = coco_score(
        [picture([("car", [0, 0, 100, 100])], [("car", [0, 0, 100, 72], 0.9)])], "car", 640
    )
    assert measured is not None
    assert measured.ap50 == pytest.approx(1.0)
    # IoU 0.72 passes 0.5, 0.55, 0.6, 0.65 and 0.7 of ten thresholds.
    assert measured.ap50_95 == pytest.approx(0.5)


def test_the_curve_says_from_which_confidence_a_recall_is_reached():
    a, b = [0, 0, 50, 50], [100, 100, 150, 150]
    examined = [picture([("car", a), ("car", b)], [("car", a, 0.75), ("bin", b, 0.9)])]
    measured = coco_score(examined, "car", 640)
    assert measured is not None
    assert measured.precision[:51] == pytest.approx(np.ones(51))
    assert measured.confidence[50] == pytest.approx(0.75)
    assert measured.precision[51:].max() == 0
    assert measured.confidence[51:].max() == 0


def test_nothing_found_and_nothing_labelled():
    nothing = coco_score([picture([("car", SMALL)], [])], "car", 640)
    assert nothing is not None
    assert (nothing.ap50, nothing.sizes) == (0.0, {"small": (1, 0.0)})
    assert coco_score([picture([], [("car", SMALL, 0.9)])], "car", 640) is None
