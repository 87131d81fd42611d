from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import at, look, seen

from vision.observe.association import candidates, doubles, match, touching
from vision.observe.boxes import as_array, intersection, intersections, iou, ious, median_box
from vision.observe.sighting import Box

boxes = st.builds(at, st.integers(0, 900), st.integers(100, 800), st.integers(5, 300))


def found(*things):
    return candidates(look(0, *things).detections, merge_iou=0.7, min_confidence=0.1)


def matched(places: list[Box], things, families=None) -> dict[int, int]:
    some = found(*things)
    return match(
        places,
        families or ["vehicle"] * len(places),
        [True] * len(places),
        some,
        touching(places, some),
        match_iou=0.3,
        foot_distance=0.2,
    )


def test_double_boxes_merge_and_both_vote():
    (one,) = found(seen("car", at(500, 500), 0.5), seen("truck", at(503, 500), 0.75))
    assert one.box == at(503, 500)
    assert one.confidence == 0.75
    assert one.votes == (("car", 0.5), ("truck", 0.75))


def test_cars_in_a_row_do_not_merge():
    assert len(found(seen("car", at(500, 500)), seen("car", at(540, 480)))) == 2


def test_boxes_without_area_and_faint_ones_are_left_out():
    assert found(seen("car", (5, 5, 5, 9)), seen("car", at(500, 500), 0.05)) == []


def test_the_best_overlap_goes_first():
    places = [at(500, 500), at(540, 500)]
    assert matched(places, [seen("car", at(538, 500))]) == {1: 0}


def test_a_tie_falls_to_the_older_place():
    places = [at(480, 500), at(520, 500)]
    assert matched(places, [seen("car", at(500, 500))]) == {0: 0}


def test_families_do_not_meet():
    assert matched([at(500, 500)], [seen("car", at(500, 500))], ["waste"]) == {}


def test_a_box_cut_by_an_umbrella_gets_a_second_chance_by_its_foot():
    """Half the height is hidden: little overlap, same foot."""
    assert iou(at(500, 500, 100, 160), at(480, 500, 60, 70)) < 0.3
    assert matched([at(500, 500, 100, 160)], [seen("car", at(490, 500, 100, 65))]) == {0: 0}
    assert matched([at(500, 500, 100, 160)], [seen("car", at(600, 500, 100, 65))]) == {}


@given(st.lists(boxes, max_size=8), st.lists(boxes, max_size=8))
def test_matching_is_one_to_one(places, others):
    pairs = matched(places, [seen("car", box) for box in others])
    assert len(set(pairs.values())) == len(pairs)


@given(boxes, boxes)
def test_overlap_is_symmetric_and_bounded(a, b):
    assert iou(a, b) == pytest.approx(iou(b, a))
    assert 0 <= iou(a, b) <= 1
    assert iou(a, a) == pytest.approx(1)


@given(st.lists(boxes, max_size=4), st.lists(boxes, max_size=4))
def test_overlaps_of_many_are_those_of_each_pair(some, others):
    found = ious(as_array(some), as_array(others))
    assert found.shape == (len(some), len(others))
    assert found == pytest.approx(
        np.array([[iou(a, b) for b in others] for a in some]).reshape(found.shape)
    )


@given(st.lists(boxes, min_size=1, max_size=9))
def test_median_box_is_that_of_numpy(some):
    assert median_box(some) == pytest.approx(tuple(np.median(np.array(some), axis=0)))


@given(st.lists(boxes, min_size=1, max_size=5), st.lists(boxes, min_size=1, max_size=5))
def test_what_many_boxes_share_is_what_each_two_share(some, others):
    table = intersections(as_array(some), as_array(others))
    assert table.tolist() == [[intersection(a, b) for b in others] for a in some]


def test_a_box_within_a_box_is_a_double_when_it_fills_most_of_it():
    whole = (0.0, 0.0, 100.0, 100.0)
    most, corner = (5.0, 5.0, 85.0, 85.0), (0.0, 0.0, 40.0, 40.0)
    assert doubles(whole, most, intersection(whole, most), 0.7)
    assert not doubles(whole, corner, intersection(whole, corner), 0.7)
