"""Crops of what stands are scored, seldom, and archived so that judging again agrees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from scripted import at, every, frame, look, seen

from vision.archive import read_looks, write_looks
from vision.looking.second_stage import SecondStage
from vision.observe.look import Look
from vision.observe.memory import SightingMemory
from vision.observe.scores import robust_mean
from vision.rules.judge import Judge
from vision.rules.registry import build_rules
from vision.zones import WHOLE_FRAME

SPOT, OTHER = at(250, 500), at(750, 500)


class RednessClassifier:
    """A real classifier for drawn pictures: how red a crop is.

    Attributes:
        calls: Number of crops it was shown.
    """

    names = ("derelict_vehicle",)
    runtime = "drawn"
    model_name = "redness"
    model_sha256 = "d" * 64

    def __init__(self) -> None:
        self.calls = 0

    def classify(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        self.calls += len(crops)
        return np.array([[crop[..., 2].mean() / 255] for crop in crops], np.float32).reshape(-1, 1)


def street(red: float) -> np.ndarray:
    """A picture whose left half is so red and whose right half is black."""
    image = np.zeros((800, 1000, 3), np.uint8)
    image[:, :500, 2] = round(255 * red)
    return image


def watch(looks, red=1.0, memory=None):
    """Run second stage and memory over looks; gives looks, last sightings and the classifier."""
    classifier = RednessClassifier()
    stage = SecondStage(classifier)
    memory = memory or SightingMemory()
    sightings, out = (), []
    for one in looks:
        if one.inspected:
            scored = stage.score(one.detections, frame(street(red)), sightings)
            one = Look(**{**vars(one), "detections": scored})
        out.append(one)
        sightings = memory.update(one)
    return out, sightings, classifier


def scored_times(looks) -> list[float]:
    return [one.time_s for one in looks if not np.isnan(one.detections.derelict).all()]


def test_a_standing_vehicle_is_scored_at_growing_intervals():
    looks, (car,), classifier = watch(look(t, seen("car", SPOT)) for t in every(2, 0, 400))
    times = scored_times(looks)
    # After 20 s, then whenever it has stood half as long again.
    assert times == [22, 32, 48, 70, 104, 154, 230, 344]
    assert (car.derelict_looks, classifier.calls) == (8, 8)
    assert car.derelict == pytest.approx(1.0)


def test_a_month_costs_few_scores():
    _, (car,), classifier = watch(look(t, seen("car", SPOT)) for t in every(3600, 0, 30 * 86400))
    assert classifier.calls <= 30
    assert car.derelict_looks == classifier.calls


@pytest.mark.parametrize(
    "things",
    [
        [seen("person", SPOT)],
        [seen("debris_pile", SPOT)],
        [seen("motorcycle", SPOT)],
        [seen("car", at(250, 500, 30, 24))],
    ],
)
def test_what_is_no_vehicle_or_too_small_is_not_scored(things):
    _, _, classifier = watch(look(t, *things) for t in every(2, 0, 120))
    assert classifier.calls == 0


def test_passing_and_new_vehicles_are_not_scored():
    looks = [look(t, seen("car", at(100 + 40 * t, 500))) for t in every(1, 0, 20)]
    assert watch(looks)[2].calls == 0
    assert watch(look(t, seen("car", SPOT)) for t in every(2, 0, 20))[2].calls == 0


def test_each_vehicle_has_its_own_score():
    things = [seen("car", SPOT), seen("truck", OTHER)]
    _, sightings, _ = watch(look(t, *things) for t in every(2, 0, 100))
    assert {round(one.derelict, 2) for one in sightings} == {0.0, 1.0}


def test_looks_in_which_nothing_changed_are_not_scored():
    looks = [look(t, seen("car", SPOT), inspected=t % 60 == 0) for t in every(2, 0, 200)]
    assert scored_times(watch(looks)[0]) == [60, 120, 180]


def test_a_score_moves_with_what_changes():
    memory = SightingMemory()
    looks = [look(t, seen("car", SPOT)) for t in every(60, 0, 6000)]
    _, (car,), _ = watch(looks, red=0.0, memory=memory)
    assert car.derelict == 0.0
    later = [look(t, seen("car", SPOT)) for t in every(3600, 9600, 60 * 86400)]
    classifier = RednessClassifier()
    stage, sightings = SecondStage(classifier), (car,)
    for one in later:
        scored = stage.score(one.detections, frame(street(1.0)), sightings)
        sightings = memory.update(Look(**{**vars(one), "detections": scored}))
    assert sightings[0].derelict > 0.9


@pytest.mark.parametrize(
    ("scores", "mean"),
    [([], None), ([0.4], 0.4), ([0.2, 0.4, 0.9], 0.5), ([0.5, 0.5, 0.5, 0.0], 0.5)],
)
def test_one_odd_look_of_four_does_not_decide(scores, mean):
    assert robust_mean(scores) == pytest.approx(mean)


def judged(looks, **settings):
    zones = (WHOLE_FRAME,)
    rules = build_rules(zones, {"abandoned_vehicle": settings})
    judge = Judge(rules, SightingMemory(), zones, camera_id="cam")
    for one in looks:
        judge.look(one)
    return judge.finish()


def mixed(name_share: float, until_s: float = 700):
    """A vehicle that so large a share of looks calls derelict."""
    return [
        look(10.0 * i, seen("derelict_vehicle" if i % 10 < 10 * name_share else "car", SPOT))
        for i in range(int(until_s / 10) + 1)
    ]


@pytest.mark.parametrize(
    ("share", "red", "signs"),
    [
        (1.0, 1.0, ("derelict_look", "derelict_class", "derelict_crops")),
        (0.3, 1.0, ("derelict_look", "derelict_crops")),
        (1.0, 0.2, ("derelict_look", "derelict_class")),
        (0.6, 0.2, None),
        (0.0, 0.6, None),
    ],
)
def test_votes_and_crops_are_weighed_together(share, red, signs):
    looks, _, _ = watch(mixed(share), red=red)
    found = judged(looks)
    assert [one.signs for one in found] == ([] if signs is None else [signs])


def test_without_a_weight_or_with_too_few_scores_the_votes_decide():
    looks, _, _ = watch(mixed(0.6), red=0.0)
    assert judged(looks) == []
    assert [one.signs for one in judged(looks, second_stage_weight=0.0)] == [("derelict_look",)]
    assert [one.signs for one in judged(looks, second_stage_looks=50)] == [("derelict_look",)]
    assert [one.signs for one in judged(mixed(0.6))] == [("derelict_look",)]


def test_judging_again_from_the_archive_gives_the_same(tmp_path: Path):
    looks, _, _ = watch(mixed(0.3), red=0.9)
    path = tmp_path / "looks.parquet"
    write_looks(path, looks, input_name="a", names=looks[0].detections.names, timezone="UTC")
    back = list(read_looks(path))
    for one, other in zip(looks, back, strict=True):
        assert np.array_equal(one.detections.derelict, other.detections.derelict, equal_nan=True)
    assert judged(back) == judged(looks) != []


def test_a_score_follows_its_detection_through_merging_and_selection():
    doubled = [seen("car", SPOT, 0.7), seen("truck", SPOT, 0.5)]
    _, (car,), classifier = watch(look(t, *doubled) for t in every(2, 0, 60))
    assert car.derelict_looks == classifier.calls > 0
    one = look(0, *doubled).detections
    assert np.isnan(one[np.array([True, False])].derelict).tolist() == [True]


def test_pictures_are_cut_where_the_box_is():
    image = np.zeros((800, 1000, 3), np.uint8)
    cv2.rectangle(image, (200, 420), (300, 500), (0, 0, 255), -1)
    memory = SightingMemory()
    for t in every(2, 0, 30):
        sightings = memory.update(look(t, seen("car", SPOT)))
    stage = SecondStage(RednessClassifier())
    scored = stage.score(look(32, seen("car", SPOT)).detections, frame(image), sightings)
    share_of_box = 1 / (1.16 * 1.16)
    assert scored.derelict[0] == pytest.approx(share_of_box, abs=0.03)
