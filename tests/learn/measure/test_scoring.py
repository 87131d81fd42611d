from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.detect.detections import Detections
from vision.learn.data.pictures import Picture
from vision.learn.measure.scoring import (
    ClassScore,
    Examined,
    choose_threshold,
    measure,
    score,
)

NAMES = ("debris_pile", "car")


def examined(truth: list[list[float]], found: list[tuple[list[float], float]], *, unknown=()):
    boxes = np.array(truth, np.float32).reshape(-1, 4)
    return Examined(
        Picture("images/val/a.jpg", "s", "val", "a", tuple(unknown)),
        {"debris_pile": boxes} if len(boxes) else {},
        Detections(
            np.array([b for b, _ in found], np.float32).reshape(-1, 4),
            np.array([c for _, c in found], np.float32),
            np.zeros(len(found), np.int64),
            NAMES,
        ),
        (640, 480),
        120.0,
    )


A, B = [0.0, 0.0, 10.0, 10.0], [20.0, 20.0, 40.0, 40.0]
FAR = [80.0, 80.0, 90.0, 90.0]


def test_finding_everything_first_is_perfect():
    result = score([examined([A, B], [(A, 0.9), (B, 0.8), (FAR, 0.1)])], "debris_pile")
    assert result.ap50 == pytest.approx(1.0)
    assert result.at(0.5) == (1.0, 1.0)
    assert result.at(0.05) == (pytest.approx(2 / 3), 1.0)


def test_average_precision_of_a_worked_example():
    # Right, wrong, right over two boxes: precision 1 up to recall 0.5, then 2/3.
    result = score([examined([A, B], [(A, 0.9), (FAR, 0.8), (B, 0.7)])], "debris_pile")
    assert result.ap50 == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_a_box_is_found_once():
    result = score([examined([A], [(A, 0.9), ([1.0, 0.0, 10.0, 10.0], 0.8)])], "debris_pile")
    assert result.correct.tolist() == [True, False]


def test_pictures_where_the_class_is_unknown_are_left_out():
    seen = examined([], [(FAR, 0.99)], unknown=["debris_pile"])
    result = score([examined([A], [(A, 0.5)]), seen], "debris_pile")
    assert (result.pictures, result.boxes, result.ap50) == (1, 1, pytest.approx(1.0))


def test_a_class_without_boxes_has_no_average_precision():
    result = score([examined([], [(FAR, 0.5)])], "debris_pile")
    assert result.ap50 is None
    assert result.at(0.4) == (0.0, None)


def ranked(correct: list[bool], confidence: list[float], boxes: int = 20) -> ClassScore:
    return ClassScore(
        "x", 30, boxes, 0.5, np.array(confidence, np.float32), np.array(correct, bool)
    )


def test_the_lowest_precise_threshold_is_chosen():
    measured = ranked([True, True, True, False, False], [0.9, 0.6, 0.5, 0.41, 0.32])
    assert choose_threshold(measured, precision=0.75, default=0.35) == pytest.approx(0.35)
    assert choose_threshold(measured, precision=0.9, default=0.35) == pytest.approx(0.45)


def test_too_few_boxes_give_the_default():
    measured = ranked([True], [0.9], boxes=3)
    assert choose_threshold(measured, precision=0.75, default=0.4) == 0.4


def test_a_class_that_is_never_precise_gets_the_highest():
    measured = ranked([False, False], [0.9, 0.8])
    assert choose_threshold(measured, precision=0.75, default=0.4, highest=0.7) == 0.7


def test_the_summary_holds_the_classes_that_have_boxes():
    pictures = [examined([A, B], [(A, 0.9), (FAR, 0.3)])]
    assert measure(pictures, {"debris_pile": 0.25, "car": 0.25}) == {
        "pictures": 1,
        "map50": 0.505,
        "classes": {
            "debris_pile": {"boxes": 2, "ap50": 0.505, "precision": 0.5, "recall": 0.5},
        },
    }


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0.2, 1.0)), max_size=12),
    st.integers(1, 8),
)
def test_late_wrong_boxes_never_help(rows, late):
    truth = [[30.0 * i, 0.0, 30.0 * i + 10, 10.0] for i in range(12)]
    found = [
        (truth[i] if right else [30.0 * i, 50.0, 30.0 * i + 10, 60.0], c)
        for i, (right, c) in enumerate(rows)
    ]
    before = score([examined(truth, found)], "debris_pile").ap50
    after = score([examined(truth, [*found, *[(FAR, 0.1)] * late])], "debris_pile").ap50
    assert before is not None
    assert after is not None
    assert 0 <= after <= before + 1e-9 <= 1 + 1e-6
