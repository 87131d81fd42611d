"""What stays where it was is taken in by a short way; it comes to the same as the long one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import Seen, at, every, jittered, look, seen

from vision.observe.association import Candidate
from vision.observe.look import Health, Look
from vision.observe.memory import SightingMemory

THINGS = (
    ("car", at(150, 500)),
    ("truck", at(300, 520, 180, 120)),
    ("debris_pile", at(450, 600, 80, 60)),
    ("bicycle", at(560, 600, 60, 70)),
    ("bus", at(800, 700, 300, 200)),
)


@st.composite
def streets(draw: st.DrawFn) -> list[Look]:
    """Things that stand, wobble a little or much, flicker and are passed; blind and idle looks."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    wobble = draw(st.sampled_from([0.0, 0.01, 0.03, 0.1]))
    miss = draw(st.sampled_from([0.0, 0.05, 0.3]))
    looks = []
    for t in every(2, 0, 240):
        things: list[Seen] = []
        for name, box in THINGS:
            if rng.random() >= miss:
                called = "truck" if name == "car" and rng.random() < 0.2 else name
                shown = jittered(box, rng, wobble)
                things.append(seen(called, shown, float(rng.uniform(0.3, 0.9))))
                if name == "truck" and rng.random() < 0.5:
                    things.append(seen("bus", shown, float(rng.uniform(0.3, 0.9))))
        things.append(seen("person", at(4 * t, 640, 40, 120)))
        blind = rng.random() < 0.02
        looks.append(
            look(t, health=Health.BLURRED)
            if blind
            else look(t, *things, inspected=bool(rng.random() < 0.9))
        )
    return looks


@given(streets())
@settings(max_examples=25, deadline=None)
def test_the_short_way_comes_to_what_the_long_one_does(looks: list[Look]) -> None:
    short = SightingMemory()
    told = [(short.update(one), short.state()) for one in looks]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Candidate, "is_plain", False)
        long = SightingMemory()
        assert [(long.update(one), long.state()) for one in looks] == told
