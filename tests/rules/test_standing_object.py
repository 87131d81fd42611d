from __future__ import annotations

import pytest
from scripted import at, every, look, seen

from vision.observe.memory import SightingMemory
from vision.rules.judge import Judge
from vision.rules.kinds import KINDS
from vision.rules.registry import build_rules
from vision.zones import WHOLE_FRAME, Purpose, Zone

BOX = at(300, 500, 60, 50)
QUICK = {"standing_object": {"dwell_s": 30}, "debris_pile": {"dwell_s": 30}}


def violations_of(looks, zones=(WHOLE_FRAME,), **settings):
    judge = Judge(
        build_rules(zones, {**QUICK, **settings}), SightingMemory(), zones, camera_id="cam"
    )
    for one in looks:
        judge.look(one)
    return judge.finish()


def thing(confidence: float = 0.6):
    return seen("standing_object", BOX, confidence)


def test_a_nameless_thing_is_a_violation_of_low_priority_after_its_dwell():
    (one,) = violations_of([look(t, thing()) for t in every(2, 0, 60)])
    assert (one.kind, one.start_s, one.noticed_s) == ("standing_object", 0.0, 30.0)
    assert KINDS[one.kind].priority == "low"
    assert not violations_of([look(t, thing()) for t in every(2, 0, 28)])


def test_ten_minutes_are_asked_for_by_default():
    looks = [look(t, thing()) for t in every(10, 0, 700)]
    (one,) = violations_of(looks, standing_object={})
    assert one.noticed_s == 600


def test_it_can_be_switched_off():
    looks = [look(t, thing()) for t in every(2, 0, 60)]
    assert not violations_of(looks, standing_object={"dwell_s": 30, "enabled": False})


@pytest.mark.parametrize(
    ("purpose", "raised"),
    [(Purpose.FOOTWAY, 1), (Purpose.NO_STOPPING, 1), (Purpose.SITE, 0), (Purpose.IGNORE, 0)],
)
def test_the_place_decides(purpose, raised):
    zone = Zone(id="z", purpose=purpose, points=((0.1, 0.3), (0.9, 0.3), (0.9, 0.9), (0.1, 0.9)))
    zones = (zone, WHOLE_FRAME) if purpose is Purpose.IGNORE else (zone,)
    assert len(violations_of([look(t, thing()) for t in every(2, 0, 60)], zones)) == raised


def test_what_the_detector_names_from_the_start_is_not_raised_twice():
    looks = [look(t, thing(), seen("debris_pile", BOX)) for t in every(2, 0, 60)]
    assert [one.kind for one in violations_of(looks)] == ["debris_pile"]


def test_the_name_wins_when_it_comes_later_and_keeps_the_start():
    looks = [look(t, thing()) for t in every(2, 0, 60)]
    looks += [look(t, thing(), seen("debris_pile", BOX)) for t in every(2, 62, 200)]
    (one,) = violations_of(looks)
    assert (one.kind, one.start_s, one.noticed_s) == ("debris_pile", 0.0, 92.0)


def test_a_named_thing_elsewhere_changes_nothing():
    looks = [look(t, thing(), seen("debris_pile", at(700, 500))) for t in every(2, 0, 60)]
    assert {one.kind for one in violations_of(looks)} == {"debris_pile", "standing_object"}


def test_it_ends_when_the_thing_is_gone():
    looks = [look(t, thing()) for t in every(2, 0, 60)] + [look(t) for t in every(2, 62, 200)]
    (one,) = violations_of(looks)
    assert one.end_s == 60


def test_archives_without_such_things_are_judged_as_before():
    looks = [look(t, seen("debris_pile", BOX)) for t in every(2, 0, 60)]
    with_rule = violations_of(looks)
    assert with_rule == violations_of(looks, standing_object={"enabled": False})
    assert [one.kind for one in with_rule] == ["debris_pile"]
