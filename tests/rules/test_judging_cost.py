"""What judging may cost, and that it costs no more after days."""

from __future__ import annotations

import json

import pytest

from benchmarks.judging_cost import camera_day, cost_of, new_judge
from vision.observe.memory import SightingMemory

DAY_CPU_S = 60.0
"""Six times what is wanted on a quiet core: CI machines are slow, an accidental square is not."""


@pytest.mark.slow
def test_a_camera_day_is_judged_in_seconds():
    assert cost_of(new_judge(), camera_day(2000, 20)).day_s < DAY_CPU_S


@pytest.mark.slow
def test_what_is_remembered_does_not_grow_with_the_days():
    memory = SightingMemory()
    sizes = []
    for day in range(6):
        for look in camera_day(144, 20, interval_s=600.0, seed=day, start_s=86_400.0 * day):
            memory.update(look)
        sizes.append(len(json.dumps(memory.state())))
    assert max(sizes[1:]) < 1.5 * sizes[0]
