from __future__ import annotations

import pytest

from tests.learn.built_data import picture
from vision.learn.measure.bootstrap import ap50_intervals

A = [0.0, 0.0, 50.0, 50.0]


def scene(found: bool, group: str):
    return picture([("car", A)], [("car", A, 0.9)] if found else [], group=group)


def test_the_interval_holds_the_score_and_narrows_with_more_groups():
    few = [scene(i % 2 == 0, f"g{i}") for i in range(8)]
    many = [scene(i % 2 == 0, f"g{i}") for i in range(128)]
    (low, high), mean = ap50_intervals(few, ["car", "bin"], resamples=200)[0]["car"], 0.5
    assert low < mean < high
    (low_many, high_many) = ap50_intervals(many, ["car"], resamples=200)[0]["car"]
    assert low < low_many < mean < high_many < high


def test_pictures_of_one_group_are_drawn_together():
    alone = [scene(i % 2 == 0, f"g{i}") for i in range(32)]
    together = [scene(i % 2 == 0, f"g{i % 2}") for i in range(32)]
    wide, narrow = (
        ap50_intervals(seen, ["car"], resamples=200)[0]["car"] for seen in (together, alone)
    )
    assert wide == (0.0, pytest.approx(1.0))
    assert narrow[1] - narrow[0] < 0.5


def test_the_seed_repeats_the_draws_and_classes_without_boxes_have_no_interval():
    seen = [scene(i % 3 == 0, f"g{i}") for i in range(9)]
    assert ap50_intervals(seen, ["car"], seed=3) == ap50_intervals(seen, ["car"], seed=3)
    by_class, mean = ap50_intervals(seen, ["bin"])
    assert (by_class, mean) == ({}, None)
    assert ap50_intervals(seen, ["car"], resamples=0) == ({}, None)


def test_the_mean_of_one_class_is_that_class():
    seen = [scene(i % 3 == 0, f"g{i}") for i in range(9)]
    by_class, mean = ap50_intervals(seen, ["car", "bin"], resamples=100)
    assert mean == pytest.approx(by_class["car"])
