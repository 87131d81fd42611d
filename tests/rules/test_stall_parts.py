"""Stalls by their parts: who stays among what, where, for how long, and counted once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import FRAME, at, every, look, seen, wishes

from vision.detect.detections import Detections
from vision.observe.look import Look
from vision.observe.memory import SightingMemory
from vision.rules.finding import Violation
from vision.rules.judge import Judge
from vision.rules.registry import build_rules
from vision.zones import WHOLE_FRAME, Purpose, Zone

NAMES = (
    "person",
    "umbrella",
    "dining table",
    "apple",
    "suitcase",
    "motorcycle",
    "bench",
    "street_stall",
    "handbag",
)
FOOTWAY = Zone(id="walk", purpose=Purpose.FOOTWAY, points=((0, 0.3), (1, 0.3), (1, 1), (0, 1)))
SELLER = at(500, 600, 40, 120)
CANOPY = ("umbrella", (420, 400, 580, 500), 0.6)
TABLE = ("dining table", at(540, 615, 100, 60), 0.6)
APPLES = ("apple", at(540, 570, 60, 20), 0.5)
CLASS = ("street_stall", (410, 395, 600, 620), 0.7)
TALL = 120


def glance(time_s: float, *things: tuple[str, tuple[float, ...], float]) -> Look:
    """A look of a model that knows other classes than the scripted one."""
    return replace(
        look(time_s),
        detections=Detections(
            np.array([box for _, box, _ in things], np.float32).reshape(-1, 4),
            np.array([score for *_, score in things], np.float32),
            np.array([NAMES.index(name) for name, *_ in things], np.int64),
            NAMES,
        ),
    )


def person(x: float = 500, y: float = 600):
    return seen("person", at(x, y, 40, TALL), 0.6)


def judged(looks, zones=(FOOTWAY,), **changes) -> list[Violation]:
    judge = Judge(
        build_rules(zones, {"street_stall": changes}), SightingMemory(), zones, camera_id="cam"
    )
    for one in looks:
        judge.look(one)
    return judge.finish()


def vending(*parts, until_s=400, seller=lambda t: person()):
    return [
        glance(t, *parts, *([] if (who := seller(t)) is None else [who]))
        for t in every(10, 0, until_s)
    ]


class TestWhatMakesAStall:
    def test_a_seller_among_canopy_and_goods_is_one_with_less_confidence(self):
        (one,) = judged(vending(CANOPY, APPLES))
        assert (one.kind, one.zone_id, one.basis) == ("street_stall", "walk", "composition")
        assert one.signs == ("dwell", "seller", "canopy", "goods")
        assert one.class_names == ("apple", "umbrella")
        assert one.start_s == 10, "the first look at which someone had stayed"
        assert one.noticed_s == 310
        assert 0.2 < one.confidence < 0.4
        x1, y1, x2, y2 = one.box
        assert (x1, y1) == (420, 400)
        assert x2 == 580
        assert y2 == 600

    def test_three_kinds_of_parts_are_worth_more_than_two(self):
        (two,) = judged(vending(CANOPY, APPLES))
        (three,) = judged(vending(CANOPY, APPLES, TABLE))
        assert three.confidence > two.confidence
        assert three.signs == ("dwell", "seller", "canopy", "stand", "goods")

    @pytest.mark.parametrize(
        "parts",
        [
            [],
            [CANOPY],
            [APPLES],
            [("motorcycle", at(540, 610, 60, 60), 0.8)],
            [("motorcycle", at(540, 610, 60, 60), 0.8), ("suitcase", at(470, 605, 20, 40), 0.6)],
            [("bench", at(540, 610, 80, 40), 0.8), ("handbag", at(520, 590, 20, 20), 0.6)],
        ],
    )
    def test_people_who_wait_are_none(self, parts):
        """Two of them, who do not stir, by a parked moped, with luggage, on a bench."""
        looks = [glance(t, *parts, person(), person(545, 602)) for t in every(10, 0, 900)]
        assert judged(looks) == []

    def test_an_umbrella_in_the_hand_is_no_canopy(self):
        carried = ("umbrella", (465, 465, 535, 500), 0.6)
        suitcase = ("suitcase", at(530, 600, 30, 40), 0.6)
        assert judged(vending(carried, suitcase)) == []
        assert len(judged(vending(CANOPY, suitcase))) == 1

    def test_parts_beyond_reach_are_no_parts(self):
        far = ("dining table", at(500 + 20 + 50 + 1.3 * TALL, 600, 100, 60), 0.6)
        near = ("dining table", at(500 + 20 + 50 + 1.1 * TALL, 600, 100, 60), 0.6)
        assert judged(vending(CANOPY, far)) == []
        assert len(judged(vending(CANOPY, near))) == 1

    def test_what_stands_far_behind_is_no_part(self):
        behind = ("dining table", at(540, 480, 100, 40), 0.6)
        assert judged(vending(APPLES, behind)) == []

    @given(scale=st.floats(0.25, 1.3), x=st.floats(300, 700), y=st.floats(450, 760))
    @settings(max_examples=15, deadline=None)
    def test_near_and_far_are_judged_alike(self, scale, x, y):
        def moved(thing):
            name, (x1, y1, x2, y2), score = thing
            return (
                name,
                (
                    x + scale * (x1 - 500),
                    y + scale * (y1 - 600),
                    x + scale * (x2 - 500),
                    y + scale * (y2 - 600),
                ),
                score,
            )

        looks = [glance(t, *map(moved, (CANOPY, APPLES, person()))) for t in every(10, 0, 400)]
        assert len(judged(looks)) == 1
        carried = ("umbrella", (465, 465, 535, 500), 0.6)
        looks = [glance(t, *map(moved, (carried, APPLES, person()))) for t in every(10, 0, 400)]
        assert judged(looks) == []


class TestSeller:
    def test_nobody_there_is_none(self):
        assert judged(vending(CANOPY, APPLES, TABLE, seller=lambda t: None)) == []

    def test_passers_by_are_no_seller(self):
        passing = vending(
            CANOPY, APPLES, TABLE, until_s=900, seller=lambda t: person(450 + (t * 7) % 150, 600)
        )
        assert judged(passing) == []

    @pytest.mark.parametrize(("of_ten", "count"), [(3, 0), (8, 1)])
    def test_the_seller_must_be_there_most_of_the_time(self, of_ten, count):
        looks = vending(
            CANOPY,
            APPLES,
            until_s=600,
            seller=lambda t: person() if (t / 10) % 10 < of_ten else None,
        )
        assert len(judged(looks)) == count

    def test_a_seller_who_steps_about_stays_one(self):
        steps = vending(
            CANOPY, APPLES, TABLE, seller=lambda t: person(500 + 25 * ((t / 10) % 2), 600)
        )
        assert len(judged(steps)) == 1

    def test_flickering_detections_are_one_stall_all_the_same(self):
        rng = np.random.default_rng(8)
        looks = [
            glance(t, person(), *(one for one in (CANOPY, APPLES) if rng.random() < 0.6))
            for t in every(5, 0, 900)
        ]
        (one,) = judged(looks)
        assert one.start_s < 60
        assert one.end_s is None

    def test_a_faint_person_is_none(self):
        faint = vending(CANOPY, APPLES, seller=lambda t: ("person", SELLER, 0.2))
        assert judged(faint) == []


class TestPlaceAndTime:
    @pytest.mark.parametrize(
        ("purpose", "count"),
        [
            (Purpose.FOOTWAY, 1),
            (Purpose.CARRIAGEWAY, 1),
            (Purpose.GREEN, 0),
            (Purpose.PARKING_BAY, 0),
            (Purpose.NO_STOPPING, 0),
            (Purpose.SITE, 0),
            (Purpose.PERMITTED_VENDING, 0),
        ],
    )
    def test_the_zone_decides(self, purpose, count):
        zone = FOOTWAY.model_copy(update={"purpose": purpose})
        assert len(judged(vending(CANOPY, APPLES), [zone])) == count

    def test_without_drawn_zones_nothing_is_composed(self):
        assert judged(vending(CANOPY, APPLES, TABLE), [WHOLE_FRAME]) == []

    def test_a_permitted_place_on_the_footway_is_permitted(self):
        permitted = FOOTWAY.model_copy(
            update={"id": "market", "purpose": Purpose.PERMITTED_VENDING}
        )
        assert judged(vending(CANOPY, APPLES), [FOOTWAY, permitted]) == []

    def test_it_can_be_switched_off(self):
        assert judged(vending(CANOPY, APPLES), composition=False) == []

    @pytest.mark.parametrize(("until_s", "count"), [(300, 0), (310, 1)])
    def test_the_dwell_is_exact(self, until_s, count):
        assert len(judged(vending(CANOPY, APPLES, until_s=until_s))) == count

    def test_packing_up_ends_it_when_the_parts_were_last_there(self):
        looks = vending(CANOPY, APPLES)
        looks += [glance(t) for t in every(10, 410, 900)]
        (one,) = judged(looks)
        assert (one.last_seen_s, one.end_s) == (400, 400)

    @pytest.mark.parametrize(("unattended_s", "end_s"), [(300, None), (100, 400)])
    def test_how_long_the_seller_may_be_away_is_no_matter_of_the_dwell(self, unattended_s, end_s):
        looks = vending(
            CANOPY, APPLES, until_s=650, seller=lambda t: None if 400 < t < 600 else person()
        )
        (one,) = judged(looks, dwell_s=60, unattended_s=unattended_s)
        assert (one.end_s, one.last_seen_s) == (end_s, 400 if end_s else 650)

    def test_a_model_without_the_parts_sees_none(self):
        looks = [look(t, seen("person", SELLER)) for t in every(10, 0, 900)]
        assert judged(looks) == []

    def test_looks_are_asked_for_when_one_is_set_up(self):
        judge = Judge(build_rules([FOOTWAY]), SightingMemory(), [FOOTWAY], camera_id="cam")
        stall = vending(CANOPY, APPLES, until_s=310, seller=lambda t: person())
        wanted = wishes(judge, stall)
        assert wanted[1]
        assert not any(wanted[5:25])
        assert any(wanted[28:32]), "shortly before the dwell is over"


class TestOneViolationAPlace:
    def test_class_and_parts_together_are_one_of_the_class(self):
        (one,) = judged(vending(CANOPY, APPLES, CLASS))
        assert one.basis == "class"
        assert one.key.startswith("sighting-")
        assert one.confidence == pytest.approx(0.7)
        assert set(one.signs) == {"dwell", "seller", "canopy", "stand", "goods"}

    def test_parts_first_then_the_class(self):
        looks = [
            glance(t, CANOPY, APPLES, person(), *([CLASS] if t > 350 else []))
            for t in every(10, 0, 1000)
        ]
        (one,) = judged(looks)
        assert (one.basis, one.start_s, one.end_s) == ("class", 10, None)
        assert one.confidence == pytest.approx(0.7)
        assert "street_stall" in one.class_names

    def test_the_class_first_then_the_parts(self):
        looks = [
            glance(t, CLASS, *([CANOPY, APPLES, person()] if t > 350 else []))
            for t in every(10, 0, 1000)
        ]
        (one,) = judged(looks)
        assert (one.basis, one.start_s, one.end_s) == ("class", 0, None)

    def test_after_the_class_is_gone_the_parts_have_to_stand_anew(self):
        looks = [
            glance(t, CANOPY, APPLES, person(), *([CLASS] if t < 600 else []))
            for t in every(10, 0, 3000)
        ]
        first, second = judged(looks)
        assert first.end_s == 590
        assert second.start_s > first.end_s
        assert second.basis == "composition"

    def test_two_stalls_apart_are_two(self):
        def aside(thing, dx):
            name, (x1, y1, x2, y2), score = thing
            return name, (x1 + dx, y1, x2 + dx, y2), score

        things = [aside(one, dx) for dx in (-300, 300) for one in (CANOPY, APPLES, person())]
        found = judged([glance(t, *things) for t in every(10, 0, 400)])
        assert len(found) == 2
        assert len({one.key for one in found}) == 2

    def test_the_same_looks_give_the_same_violations(self):
        rng = np.random.default_rng(4)
        looks = [
            glance(
                t,
                *(part for part in (CANOPY, APPLES, TABLE, CLASS) if rng.random() < 0.7),
                *([person(float(rng.uniform(480, 520)))] if rng.random() < 0.8 else []),
                person(float(rng.uniform(0, FRAME[0])), 700),
            )
            for t in every(5, 0, 1500)
        ]
        assert judged(looks) == judged(looks)
        assert len(judged(looks)) == 1
