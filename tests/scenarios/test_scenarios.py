from __future__ import annotations

from pathlib import Path

import pytest

from .catalogue import SCENARIOS
from .play import SEEDS, Outcome, ends_right, looks_of, play, score
from .scenario import Scenario

QUICK_SEEDS = SEEDS[:1]
TABLE = Path(__file__).parents[2] / "docs" / "scenarios.md"
LEAST_F1 = 0.95


@pytest.fixture(scope="module")
def quick() -> dict[str, list[Outcome]]:
    """Outcomes of all scenarios, by name."""
    return {one.name: [play(one, seed) for seed in QUICK_SEEDS] for one in SCENARIOS}


def test_there_are_enough_scenarios_and_each_has_a_name_of_its_own():
    names = [one.name for one in SCENARIOS]
    assert len(names) == len(set(names)) >= 40
    assert all(one.wrong or one.shows for one in SCENARIOS)


def test_a_seed_gives_the_same_looks_again():
    scenario = SCENARIOS[0]
    for one, other in zip(looks_of(scenario, 1), looks_of(scenario, 1), strict=True):
        assert one.time_s == other.time_s
        assert one.detections.xyxy.tobytes() == other.detections.xyxy.tobytes()


def test_violations_are_raised_where_something_is_wrong_and_nowhere_else(quick):
    total = score([one for outcomes in quick.values() for one in outcomes])
    assert total.f1 >= LEAST_F1, total


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_scenario(scenario: Scenario, quick):
    for outcome in quick[scenario.name]:
        assert [wrong.where for wrong in outcome.missed] == []
        assert [(one.kind, one.start_s, one.signs) for one in outcome.false] == []
        for wrong, violation in outcome.found:
            assert set(wrong.signs) <= set(violation.signs)


def test_violations_end_when_it_is_over_and_not_before(quick):
    right = [
        ends_right(scenario, *pair)
        for scenario in SCENARIOS
        for outcome in quick[scenario.name]
        for pair in outcome.found
    ]
    assert sum(right) >= 0.95 * len(right)


def test_the_table_in_the_docs_knows_every_scenario():
    text = TABLE.read_text("utf-8")
    assert "python -m benchmarks.scenarios" in text
    rows = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines()]
    missing = [one.name for one in SCENARIOS if one.name not in rows]
    assert not missing, (
        "write the table anew: python -m benchmarks.scenarios --out docs/scenarios.md"
    )


@pytest.mark.slow
def test_all_seeds(quick):
    outcomes = [play(scenario, seed) for scenario in SCENARIOS for seed in SEEDS]
    assert score(outcomes).f1 >= LEAST_F1
