from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.learn.built_data import picture
from vision.learn.measure.confusion import confusion_matrix, pair_boxes

LIMITS = {"debris_pile": 0.5, "car": 0.5, "bin": 0.5}
PILE, CAR, BIN, BACKGROUND = range(4)
A, B = [0.0, 0.0, 50.0, 50.0], [100.0, 100.0, 200.0, 200.0]


def nonzero(examined, limits=LIMITS):
    matrix = confusion_matrix(examined, limits)
    return {(i, j): int(n) for (i, j), n in _items(matrix) if n}


def _items(matrix):
    return [((i, j), matrix[i, j]) for i in range(len(matrix)) for j in range(len(matrix))]


def test_right_wrong_missed_and_false():
    seen = picture(
        [("debris_pile", A), ("car", B), ("bin", [300, 300, 350, 350])],
        [("debris_pile", A, 0.9), ("bin", B, 0.8), ("car", [400, 0, 450, 50], 0.7)],
    )
    assert nonzero([seen]) == {
        (PILE, PILE): 1,
        (CAR, BIN): 1,
        (BIN, BACKGROUND): 1,
        (BACKGROUND, CAR): 1,
    }


def test_the_own_class_is_matched_before_another():
    seen = picture([("car", A)], [("bin", A, 0.99), ("car", [0, 0, 50, 40], 0.6)])
    assert nonzero([seen]) == {(CAR, CAR): 1, (BACKGROUND, BIN): 1}


def test_an_unknown_class_counts_nowhere():
    seen = picture([("car", A)], [("bin", B, 0.9), ("car", A, 0.9)], unknown=["bin", "car"])
    assert nonzero([seen]) == {}


def test_what_is_below_its_threshold_is_not_there():
    assert nonzero([picture([("car", A)], [("car", A, 0.4)])]) == {(CAR, BACKGROUND): 1}


boxes = st.tuples(st.integers(0, 8), st.integers(0, 8)).map(
    lambda p: [p[0] * 20.0, p[1] * 20.0, p[0] * 20.0 + 50, p[1] * 20.0 + 50]
)
names = st.sampled_from(list(LIMITS))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(names, boxes), max_size=6),
    st.lists(st.tuples(names, boxes, st.integers(1, 20).map(lambda n: n / 32)), max_size=6),
)
def test_every_box_is_counted_once(truth, found):
    seen = picture(truth, found)
    pairs, missed, false = pair_boxes(seen.truth, seen.found, LIMITS)
    assert len(pairs) + len(missed) == len(truth)
    assert len(pairs) + len(false) == sum(c >= 0.5 for _, _, c in found)
    assert confusion_matrix([seen], LIMITS).sum() == len(pairs) + len(missed) + len(false)
