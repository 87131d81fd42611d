"""Rules hand their state over as JSON, anywhere; ignoring and waiting longer never add anything."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scripted import Seen, at, every, jittered, look, seen

from vision.errors import InputError
from vision.observe.look import Health, Look
from vision.observe.memory import SightingMemory
from vision.rules.finding import Violation
from vision.rules.judge import Judge
from vision.rules.registry import RULES, build_rules
from vision.zones import Purpose, Zone

QUICK = {
    "abandoned_vehicle": {
        "derelict_dwell_s": 30,
        "unmoved_s": 90,
        "no_stopping_dwell_s": 20,
    },
    "street_stall": {"dwell_s": 20},
    "debris_pile": {"dwell_s": 20},
    "hoarding_missing": {"dwell_s": 30},
}


def box_zone(id_: str, purpose: Purpose, x1: float, x2: float, **more: object) -> Zone:
    points = ((x1, 0.2), (x2, 0.2), (x2, 1.0), (x1, 1.0))
    return Zone.model_validate({"id": id_, "purpose": purpose, "points": points, **more})


FEW_MINUTES = {"windows": [{"from": "08:01", "to": "08:03"}]}
"""Looks begin at 08:00."""

ZONES = (
    box_zone("walk", Purpose.FOOTWAY, 0.0, 0.4),
    box_zone("market", Purpose.PERMITTED_VENDING, 0.1, 0.25, permits=[{"id": "P1", **FEW_MINUTES}]),
    box_zone("kerb", Purpose.COLLECTION_POINT, 0.3, 0.4, schedule=FEW_MINUTES),
    box_zone("bay", Purpose.PARKING_BAY, 0.4, 0.6),
    box_zone("strict", Purpose.NO_STOPPING, 0.5, 0.7, schedule=FEW_MINUTES),
    box_zone("works", Purpose.SITE, 0.75, 1.0),
    Zone(
        id="fence",
        purpose=Purpose.HOARDING_LINE,
        points=((0.72, 0.5), (0.98, 0.5)),
    ),
)

THINGS: tuple[tuple[str, float, float, float], ...] = (
    ("street_stall", 80, 300, 60),
    ("street_stall", 180, 500, 80),
    ("debris_pile", 350, 600, 60),
    ("car", 460, 500, 110),
    ("derelict_vehicle", 560, 700, 110),
    ("bicycle", 660, 560, 60),
    ("umbrella", 60, 600, 120),
    ("dining table", 60, 640, 90),
    ("person", 70, 650, 60),
    ("hoarding", 800, 395, 150),
    ("hoarding", 930, 395, 120),
    ("truck", 850, 440, 200),
)
"""Class, foot, width: what may stand around."""


def street(seed: int, interval: int, length: int = 36) -> list[Look]:
    """Looks at a street on which things come, go, are missed and are hidden."""
    rng = np.random.default_rng(seed)
    spans = [(rng.integers(-20, length), rng.integers(5, length + 20)) for _ in THINGS]
    chosen = rng.random(len(THINGS)) < 0.7
    blind = rng.integers(0, length)
    looks = []
    for i, t in enumerate(every(interval, 0, interval * (length - 1))):
        things: list[Seen] = []
        for number, (name, x, y, width) in enumerate(THINGS):
            first, count = spans[number]
            if chosen[number] and first <= i < first + count and rng.random() > 0.15:
                box = jittered(at(x, y, width, width * 0.9), rng, 0.05)
                things.append(seen(name, box, float(rng.uniform(0.35, 0.9))))
        if 8 < i < 20:
            things.append(seen("construction_dust", at(850 + 8 * i, 600, 60 + 9 * i, 80), 0.6))
        if i == blind:
            looks.append(look(t, health=Health.BLURRED))
        else:
            looks.append(look(t, *things, inspected=bool(rng.random() < 0.9)))
    return looks


streets = st.builds(street, st.integers(0, 10_000), st.sampled_from([4, 7, 12]))


def new_judge(zones: Sequence[Zone] = ZONES, rules: dict[str, dict[str, float]] = QUICK) -> Judge:
    return Judge(build_rules(zones, rules), SightingMemory(), zones, camera_id="cam")


def judged(looks: Sequence[Look], *args: object) -> list[Violation]:
    judge = new_judge(*args)  # type: ignore[arg-type]
    for one in looks:
        judge.look(one)
    return judge.finish()


def test_the_street_brings_out_every_kind() -> None:
    """What follows says something: each rule has findings to hand over."""
    kinds: set[str] = set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        looks = [
            look(
                t,
                *(
                    seen(name, jittered(at(x, y, w, w * 0.9), rng, 0.03))
                    for name, x, y, w in THINGS
                    if name != "truck"
                    if not (name == "hoarding" and x > 900 and t > 40)
                ),
                seen("construction_dust", at(700 + 2 * t, 600, 60 + t, 80), 0.6),
            )
            for t in every(4, 0, 200)
        ]
        kinds |= {one.kind for one in judged(looks)}
    assert kinds >= set(RULES) - {"standing_object"}


@given(streets, st.lists(st.integers(0, 36), max_size=3))
@settings(max_examples=25, deadline=None)
def test_a_rule_restored_says_what_one_that_saw_all_says(
    looks: list[Look], cuts: list[int]
) -> None:
    memory = SightingMemory()
    seen_by_all = [(one, memory.update(one)) for one in looks]
    for whole in build_rules(ZONES, QUICK):
        parts = {rule.kind: rule for rule in build_rules(ZONES, QUICK)}
        for i, (one, sightings) in enumerate(seen_by_all):
            if i in cuts:
                state = json.loads(json.dumps(parts[whole.kind].state()))
                parts = {rule.kind: rule for rule in build_rules(ZONES, QUICK)}
                parts[whole.kind].restore(state)
            if one.health is not Health.OK:
                continue
            part = parts[whole.kind]
            assert part.judge(one, sightings) == whole.judge(one, sightings)
            assert part.wants_closer_look(one, sightings) == whole.wants_closer_look(one, sightings)
        assert parts[whole.kind].state() == whole.state()


@given(streets, st.lists(st.integers(0, 36), max_size=3))
@settings(max_examples=25, deadline=None)
def test_an_archive_cut_anywhere_is_judged_as_in_one_pass(
    looks: list[Look], cuts: list[int]
) -> None:
    judge = new_judge()
    for i, one in enumerate(looks):
        if i in cuts:
            handed = json.loads(json.dumps(judge.state()))
            standing = judge.open_sightings()
            judge = new_judge()
            judge.restore(handed)
            assert judge.state() == handed
            assert judge.open_sightings() == standing
        judge.look(one)
    assert judge.finish() == judged(looks)


@pytest.mark.parametrize("state", [{}, {"version": 99}, {"version": 1, "memory": {}}])
def test_a_foreign_state_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(InputError):
        new_judge().restore(state)


ignored_places = st.tuples(st.floats(0.0, 0.9), st.floats(0.05, 0.6)).map(
    lambda place: box_zone("not-here", Purpose.IGNORE, place[0], min(place[0] + place[1], 1.0))
)


@given(streets, ignored_places)
@settings(max_examples=25, deadline=None)
def test_an_ignore_zone_never_adds_a_violation(looks: list[Look], ignore: Zone) -> None:
    """Each violation with the zone is one without it too, at the same place and time."""
    without = judged(looks)
    for one in judged(looks, (*ZONES, ignore)):
        assert any(
            (other.kind, other.zone_id) == (one.kind, one.zone_id)
            and other.start_s <= one.noticed_s
            and (other.end_s is None or other.end_s >= one.start_s)
            for other in without
        ), one


@example(street(28, 4), 1.5, "street_stall").via("a seller away for longer than the dwell")
@example(street(11, 7), 3.0, "abandoned_vehicle").via("a car missed when a window closed")
@example(street(9541, 12), 1.5, "hoarding_missing").via("open for a while between looks in order")
@given(streets, st.sampled_from([1.0, 1.5, 3.0]), st.sampled_from(sorted(QUICK)))
@settings(max_examples=25, deadline=None)
def test_a_longer_dwell_never_adds_a_violation(looks: list[Look], factor: float, kind: str) -> None:
    longer = QUICK | {kind: {name: factor * dwell_s for name, dwell_s in QUICK[kind].items()}}
    before, after = judged(looks), judged(looks, ZONES, longer)
    for one in after:
        assert any(
            (other.kind, other.key) == (one.kind, one.key)
            and other.noticed_s <= one.noticed_s
            and (other.end_s is None or (one.end_s is not None and other.end_s >= one.end_s))
            for other in before
        ), one
    if kind != "abandoned_vehicle":
        # What joins a vehicle's two wrongs may be a third, so longer dwells can part them.
        assert len(after) <= len(before)
