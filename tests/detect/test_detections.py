"""Detections as arrays, and as plain values of some classes."""

from __future__ import annotations

import numpy as np

from vision.detect.detections import Detections

FOUND = Detections(
    np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]], np.float32),
    np.array([0.9, 0.5, 0.25], np.float32),
    np.array([2, 0, 2], np.int64),
    ("car", "person", "dust"),
)


def test_those_of_some_classes_are_given_in_their_order_as_plain_values() -> None:
    assert FOUND.of({"dust"}) == [
        ((1.0, 2.0, 3.0, 4.0), float(np.float32(0.9)), "dust"),
        ((9.0, 10.0, 11.0, 12.0), 0.25, "dust"),
    ]
    assert [name for _, _, name in FOUND.of({"dust", "car"})] == ["dust", "car", "dust"]


def test_a_class_that_is_not_there_or_not_known_gives_none() -> None:
    assert FOUND.of({"person", "lorry"}) == []
    assert Detections.empty(("car",)).of({"car"}) == []
