from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scripted import FRAME, at, every, jittered, look, seen, wishes

from vision.observe.memory import SightingMemory
from vision.rules.judge import Judge
from vision.rules.registry import build_rules
from vision.zones import WHOLE_FRAME, Purpose, Zone

SITE = Zone(
    id="site-a", purpose=Purpose.SITE, points=((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
)


def judge_dust(looks, zones=(SITE,), **settings):
    judge = Judge(
        build_rules(zones, {"construction_dust": settings}),
        SightingMemory(),
        zones,
        camera_id="cam",
    )
    wanted = wishes(judge, looks)
    return judge.finish(), wanted


def plume(i: int, x: float = 250):
    """A plume that drifts and swells from look to look."""
    return seen("construction_dust", at(x + 12 * i, 500, 150 + 20 * i, 120 + 15 * i), 0.5)


def test_a_plume_in_three_of_five_looks_is_dust_over_the_site():
    looks = [look(2.0 * i, *([plume(i)] if i in (2, 3, 5) else [])) for i in range(8)]
    (one,), wanted = judge_dust(looks)
    assert (one.kind, one.zone_id, one.key) == ("construction_dust", "site-a", "zone-site-a")
    assert (one.start_s, one.noticed_s, one.last_seen_s, one.looks_seen) == (4, 10, 10, 3)
    assert "plume" in one.signs
    assert wanted[2:4] == [True, True]
    assert not wanted[0]


def test_two_looks_are_not_enough():
    assert (
        judge_dust([look(2.0 * i, *([plume(i)] if i in (2, 4) else [])) for i in range(9)])[0] == []
    )


def test_looks_must_lie_within_the_window():
    looks = [look(70.0 * i, plume(i)) for i in range(4)]
    assert judge_dust(looks)[0] == []
    assert len(judge_dust(looks, window_s=300)[0]) == 1


def test_dust_outside_the_site_is_not_judged():
    looks = [look(2.0 * i, plume(i, x=780)) for i in range(6)]
    assert judge_dust(looks)[0] == []
    assert len(judge_dust(looks, [WHOLE_FRAME])[0]) == 1


def test_fog_over_the_whole_view_is_refused():
    width, height = FRAME
    looks = [
        look(2.0 * i, seen("construction_dust", (5 + i, 5, width - 5 * i, height - 5), 0.8))
        for i in range(8)
    ]
    violations, wanted = judge_dust(looks)
    assert violations == []
    assert not any(wanted)


def test_a_box_that_never_changes_is_a_vent_or_dirt_on_the_lens():
    vent = seen("construction_dust", at(250, 500), 0.8)
    violations, wanted = judge_dust([look(2.0 * i, vent) for i in range(10)])
    assert violations == []
    assert not any(wanted[3:])


def test_a_plume_beside_a_vent_is_still_dust():
    vent = seen("construction_dust", at(100, 300, 60, 60), 0.9)
    (one,), _ = judge_dust([look(2.0 * i, vent, plume(i)) for i in range(6)])
    assert one.box[1] > 200


def test_nothing_billows_where_nothing_changes():
    looks = [look(0, plume(0)), look(2, plume(0))]
    looks += [look(t, plume(0), inspected=False) for t in every(2, 4, 20)]
    assert judge_dust(looks)[0] == []


@pytest.mark.parametrize(("pause_s", "count"), [(40, 1), (600, 2)])
def test_dust_that_settles_and_rises_again_soon_is_one_violation(pause_s, count):
    looks = [look(2.0 * i, plume(i)) for i in range(5)]
    looks += [look(t) for t in every(2, 10, 10 + pause_s)]
    looks += [look(12 + pause_s + 2.0 * i, plume(i)) for i in range(5)]
    violations, _ = judge_dust(looks)
    assert len(violations) == count
    assert violations[-1].end_s is None
    if count == 2:
        assert violations[0].end_s == 8


def test_a_turned_camera_starts_afresh():
    looks = [look(2.0 * i, plume(i)) for i in range(2)]
    looks += [look(4.0 + 2 * i, plume(i), pose=1) for i in range(2)]
    assert judge_dust(looks)[0] == []


class TestLookAlikes:
    """Told apart over some looks, with a detector that errs by 5 %."""

    def noisy(self, box, count, confidence=0.7, missed=0.3, seed=1):
        rng = np.random.default_rng(seed)
        return [
            look(
                2.0 * i,
                *([seen("construction_dust", jittered(box, rng, 0.05), confidence)])
                * (rng.random() >= missed),
            )
            for i in range(count)
        ]

    @pytest.mark.parametrize("seed", range(4))
    def test_steam_from_a_fixed_vent(self, seed):
        looks = self.noisy(at(250, 500, 80, 160), 600, seed=seed)
        assert judge_dust(looks)[0] == []

    def test_dirt_on_the_lens(self):
        looks = self.noisy(at(250, 300, 300, 200), 600, missed=0.05)
        assert judge_dust(looks)[0] == []

    def test_a_vent_that_is_known_is_refused_in_the_wind_too(self):
        vent = at(250, 500, 80, 160)
        looks = [look(2.0 * i, seen("construction_dust", vent, 0.7)) for i in range(400)]
        wind = [
            look(
                800 + 2.0 * i,
                seen("construction_dust", at(250 + 10 * (i % 3), 500, 80 + 30 * (i % 3), 160), 0.7),
            )
            for i in range(10)
        ]
        assert judge_dust(looks + wind)[0] == []
        assert len(judge_dust(wind)[0]) == 1

    def test_fog_in_pieces_lies_outside_the_site_too(self):
        width, height = FRAME
        looks = [
            look(
                2.0 * i,
                seen("construction_dust", (0, 0, width / 2 + 9 * i, height / 2), 0.6),
                seen("construction_dust", (width / 2, height / 4, width, height - 20 * i), 0.5),
            )
            for i in range(10)
        ]
        assert judge_dust(looks)[0] == []

    def test_fog_that_thins_is_still_fog(self):
        width, height = FRAME
        looks = [look(0.0, seen("construction_dust", (5, 5, width - 5, height - 5), 0.8))]
        looks += [
            look(2.0 * i, seen("construction_dust", (50, 300 + 30 * i, 450, 700), 0.6))
            for i in range(1, 12)
        ]
        assert judge_dust(looks)[0] == []
        assert len(judge_dust(looks[1:])[0]) == 1

    def lamps(self, hour):
        """A lorry turns on the site; the light before it is taken for dust."""
        looks = []
        for i in range(8):
            x = 80 + 45 * i
            looks.append(
                look(
                    2.0 * i,
                    seen("truck", at(x, 500, 120, 100), 0.8),
                    seen("construction_dust", at(x + 20, 505, 160, 130), 0.6),
                )
            )
        return [replace(one, timestamp=one.timestamp.replace(hour=hour)) for one in looks]

    def test_headlights_at_night(self):
        assert judge_dust(self.lamps(21))[0] == []
        assert len(judge_dust(self.lamps(11))[0]) == 1
        assert len(judge_dust(self.lamps(21), night=None)[0]) == 1

    def test_beams_of_light_that_sweep_by(self):
        looks = [
            look(2.0 * i, seen("construction_dust", at(60 + 130 * (i % 4), 500, 90, 60)))
            for i in range(8)
        ]
        night = [replace(one, timestamp=one.timestamp.replace(hour=23)) for one in looks]
        assert judge_dust(night[:4])[0] == []

    def test_dust_at_night_is_seen_all_the_same(self):
        looks = [look(2.0 * i, plume(i)) for i in range(6)]
        night = [replace(one, timestamp=one.timestamp.replace(hour=23)) for one in looks]
        assert len(judge_dust(night)[0]) == 1


def test_a_plume_begins_faint_and_small_and_may_come_to_rest():
    """As drawn and detected: nothing moves once the plume is there, but it has come."""
    rest = at(250, 500, 240, 190)
    looks = [look(t) for t in every(2, 0, 20)]
    looks += [look(22, seen("construction_dust", at(250, 480, 166, 91), 0.12))]
    looks += [look(t, seen("construction_dust", rest, 0.6)) for t in every(2, 24, 200)]
    (one,), _ = judge_dust(looks)
    assert (one.start_s, one.noticed_s, one.last_seen_s, one.end_s) == (24, 28, 200, None)
    assert one.verification == "still_there"
    (over,), _ = judge_dust(looks + [look(t) for t in every(2, 202, 400)])
    assert (over.end_s, over.end_reason) == (200, "gone")


def test_a_plume_in_an_ignore_zone_is_none():
    ignore = Zone(id="i", purpose=Purpose.IGNORE, points=SITE.points)
    looks = [look(2.0 * i, plume(i)) for i in range(8)]
    assert judge_dust(looks, [SITE, ignore])[0] == []


def test_where_several_looks_grow_the_signs_say_so():
    (one,), _ = judge_dust([look(2.0 * i, plume(i)) for i in range(8)])
    assert one.signs == ("plume", "growing", "moving")


def test_a_plume_that_comes_from_nothing_has_grown():
    """The detector may miss its faint beginning, and give it one box from then on."""
    looks = [look(t) for t in every(2, 0, 20)]
    looks += [look(t, seen("construction_dust", at(250, 500, 240, 190))) for t in every(2, 22, 40)]
    (one,), _ = judge_dust(looks)
    assert (one.start_s, one.noticed_s) == (22, 26)
    assert judge_dust(looks[11:])[0] == []


def appearing(box):
    """Seen from 22 s to 1000 s, not for a while, and again."""
    cloud = seen("construction_dust", box, 0.7)
    looks = [look(t) for t in every(2, 0, 20)]
    looks += [look(t, cloud) for t in every(2, 22, 1000)]
    looks += [look(t) for t in every(2, 1002, 1400)]
    return looks + [look(t, cloud) for t in every(2, 1402, 2000)]


def test_a_vent_that_is_lit_in_view_rises_in_a_column():
    assert judge_dust(appearing(at(250, 500, 80, 160)))[0] == []


def test_mud_that_hits_the_lens_is_refused_once_it_is_known():
    (one,), _ = judge_dust(appearing(at(250, 400, 240, 190)))
    assert one.end_s is not None
    assert one.end_s < 700


@pytest.mark.parametrize("seed", range(4))
def test_what_passes_before_steam_cuts_its_box_and_makes_no_dust_of_it(seed):
    rng = np.random.default_rng(seed)
    looks = []
    for i in range(300):
        x1, y1, x2, y2 = jittered(at(250, 500, 80, 160), rng, 0.08)
        foot = y2 - 50 if i > 10 and rng.random() < 0.05 else y2
        looks.append(look(2.0 * i, seen("construction_dust", (x1, y1, x2, foot), 0.6)))
    assert judge_dust(looks)[0] == []
