from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scripted import at, every, look, seen, wishes

from vision.errors import ConfigError
from vision.observe.look import Health
from vision.observe.memory import SightingMemory
from vision.rules.judge import Judge
from vision.rules.kinds import KINDS
from vision.rules.registry import RULES, build_rules, settings_models
from vision.zones import WHOLE_FRAME, Purpose, Zone

QUICK = {"street_stall": {"dwell_s": 30}, "debris_pile": {"dwell_s": 30}}


def new_judge(**settings) -> Judge:
    return Judge(
        build_rules([WHOLE_FRAME], settings or QUICK),
        SightingMemory(),
        [WHOLE_FRAME],
        camera_id="cam",
    )


def noisy_street(seed: int):
    """Stalls and heaps that come and go among traffic, through a flickering detector."""
    rng = np.random.default_rng(seed)
    looks = []
    for t in every(2, 0, 400):
        things = [seen("car", at(*rng.uniform((0, 300), (1000, 800)))) for _ in range(3)]
        if 20 < t < 200 and rng.random() < 0.7:
            things.append(seen("street_stall", at(300, 500), float(rng.uniform(0.2, 0.9))))
        if t > 100 and rng.random() < 0.7:
            things.append(seen("debris_pile", at(700, 500), float(rng.uniform(0.2, 0.9))))
        if 250 < t < 280:
            looks.append(look(t, health=Health.BLURRED))
        else:
            looks.append(look(t, *things, inspected=bool(rng.random() < 0.8)))
    return looks


def test_the_same_looks_give_the_same_violations():
    """An archive that is judged again must agree to the last digit, whatever pace is asked for."""
    looks = noisy_street(5)
    first, second, unasked = new_judge(), new_judge(), new_judge()
    assert wishes(first, looks) == wishes(second, looks)
    for one in looks:
        unasked.look(one)
    assert unasked.state() == first.state()
    assert first.finish() == second.finish()
    assert [one.kind for one in first.finish()] == ["street_stall", "debris_pile"]


def test_violations_can_be_read_while_the_stream_runs():
    judge = new_judge()
    for t in every(2, 0, 40):
        judge.look(look(t, seen("street_stall", at(300, 500))))
    (one,) = judge.violations
    assert one.end_s is None
    assert one.noticed_s == 30
    assert [sighting.class_name for sighting in judge.open_sightings()] == ["street_stall"]


def test_the_best_look_is_the_most_confident_one():
    judge = new_judge()
    for t in every(2, 0, 100):
        score = 0.9 if 48 <= t <= 56 else 0.5
        judge.look(look(t, seen("street_stall", at(300, 500), score)))
    (one,) = judge.finish()
    assert one.confidence == pytest.approx(0.9)
    assert one.best_s == 56


def test_violations_are_ordered_by_when_they_were_noticed():
    judge = new_judge()
    for t in every(2, 0, 100):
        things = [seen("street_stall", at(300, 500)), seen("debris_pile", at(700, 500))]
        judge.look(look(t, *(things if t >= 20 else things[1:])))
    assert [(one.noticed_s, one.kind) for one in judge.finish()] == [
        (30, "debris_pile"),
        (50, "street_stall"),
    ]


class TestCloserLooks:
    def test_a_street_at_rest_wants_none(self):
        judge = new_judge(street_stall={"dwell_s": 300})
        rng = np.random.default_rng(2)
        parked = [seen("car", at(150 * i, 300)) for i in range(1, 6)]
        looks = [
            look(t, *parked, seen("car", at(float(rng.uniform(0, 1000)), 650)))
            for t in every(10, 0, 2000)
        ]
        assert not any(wishes(judge, looks))

    def test_a_car_that_stops_where_none_may_wants_some(self):
        zone = WHOLE_FRAME.model_copy(update={"purpose": Purpose.NO_STOPPING})
        judge = Judge(build_rules([zone]), SightingMemory(), [zone], camera_id="cam")
        wanted = wishes(judge, [look(t, seen("car", at(300, 500))) for t in every(2, 0, 40)])
        assert wanted[:3] == [False, True, True]
        assert not any(wanted[3:])

    def test_a_new_stall_wants_some_until_it_is_believed(self):
        judge = new_judge(street_stall={"dwell_s": 300})
        stall = seen("street_stall", at(300, 500))
        wanted = wishes(judge, [look(t, stall) for t in every(2, 0, 40)])
        assert wanted[:3] == [False, True, True]
        assert not any(wanted[3:])

    def test_a_dwell_about_to_expire_wants_some(self):
        judge = new_judge(street_stall={"dwell_s": 300})
        looks = [look(t, seen("street_stall", at(300, 500))) for t in every(10, 0, 320)]
        wanted = zip(looks, wishes(judge, looks), strict=True)
        assert [one.time_s for one, wish in wanted if wish] == [10, 290]

    def test_a_blind_camera_wants_none(self):
        assert wishes(new_judge(), [look(0, health=Health.BLACK)]) == [False]


class TestRegistry:
    def test_every_kind_has_a_rule_and_every_rule_a_kind(self):
        assert list(RULES) == list(KINDS) == list(settings_models())
        assert [rule.kind for rule in build_rules([WHOLE_FRAME])] == list(RULES)

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"street_stal": {}}, "street_stal"),
            ({"street_stall": {"dwel_s": 3}}, "street_stall.dwel_s"),
            ({"street_stall": {"dwell_s": -1}}, "street_stall.dwell_s"),
        ],
    )
    def test_wrong_settings_are_named(self, settings, named):
        with pytest.raises(ConfigError, match=named):
            build_rules([WHOLE_FRAME], settings)

    def test_every_setting_is_documented(self):
        for kind, model in settings_models().items():
            for name in model.model_fields:
                said = "".join(base.__doc__ or "" for base in model.__mro__)
                assert f"{name}:" in said, f"{kind}.{name}"


def test_an_end_says_when_it_was_noticed():
    judge = new_judge()
    for t in every(2, 0, 400):
        judge.look(look(t, *([seen("street_stall", at(300, 500))] if t <= 100 else [])))
    (one,) = judge.finish()
    assert one.end_s == 100
    assert one.end_noticed_s is not None
    assert one.end_noticed_s > one.end_s


def test_a_nudged_camera_judges_in_the_view_and_shows_the_frame():
    """Zones stay where they were drawn; boxes of violations lie where the frame shows the thing."""
    lane = Zone(
        id="lane",
        purpose=Purpose.NO_STOPPING,
        points=((0.4, 0.0), (0.6, 0.0), (0.6, 1.0), (0.4, 1.0)),
    )
    beside, pushed = at(640, 500), (1.0, 0.0, -60.0, 0.0, 1.0, 0.0)
    looks = [look(t, seen("car", beside)) for t in every(2, 0, 400)]
    settings = {"abandoned_vehicle": {"no_stopping_dwell_s": 60}}

    def judged(some):
        judge = Judge(build_rules([lane], settings), SightingMemory(), [lane], camera_id="cam")
        for one in some:
            judge.look(one)
        return judge.finish()

    assert judged(looks) == []
    (violation,) = judged([replace(one, to_view=pushed) for one in looks])
    assert violation.zone_id == "lane"
    assert violation.box == pytest.approx(beside)


def test_a_thing_that_is_lost_in_a_nudged_view_and_found_again_is_one_violation():
    """The same place lies elsewhere in the frame, by more than the thing is wide."""
    settings = {"street_stall": {"dwell_s": 60}}
    here, nudged = at(500, 500), at(660, 500)
    to_view = (1.0, 0.0, -160.0, 0.0, 1.0, 0.0)
    lorry = seen("truck", at(500, 520, 300, 200))
    looks = [look(t, seen("street_stall", here)) for t in every(5, 0, 200)]
    hidden = [look(t, lorry) for t in every(30, 230, 4200)]
    back = [look(t, seen("street_stall", nudged)) for t in every(5, 4205, 4400)]
    looks += hidden + [replace(one, to_view=to_view) for one in back]
    judge = Judge(
        build_rules([WHOLE_FRAME], settings), SightingMemory(), [WHOLE_FRAME], camera_id="cam"
    )
    for one in looks:
        judge.look(one)
    (violation,) = [one for one in judge.finish() if one.kind == "street_stall"]
    assert violation.end_s is None
    assert violation.last_seen_s == 4400
