"""What a replay is said to have changed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report.runs import violation

from vision.record import ViolationRecord
from vision.replay.difference import Diff, Pair, compare

BOX = (100.0, 100.0, 200.0, 180.0)


def told(number: int, **changes: Any) -> ViolationRecord:
    changes = {"kind": "debris_pile", "box": BOX, "end_s": 50.0, **changes}
    record = violation(Path("/nowhere"), 0, evidence={}, **changes)
    return record.model_copy(update={"id": f"id-{number}"})


def test_the_same_violations_are_unchanged() -> None:
    old = [told(1), told(2, box=(500, 100, 600, 180))]
    diff = compare(old, list(reversed(old)))
    assert diff.is_empty
    assert len(diff.unchanged) == 2


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"start_s": 12.0}, {"start_s": (10.0, 12.0)}),
        ({"end_s": None}, {"end_s": (50.0, None)}),
        ({"end_s": 50.0005}, {}),
        ({"zone_id": "plaza"}, {"zone_id": ("footway", "plaza")}),
        ({"signs": ["dwell", "growing"]}, {"signs": (("dwell",), ("dwell", "growing"))}),
        ({"confidence": 0.9}, {"confidence": (0.5, 0.9)}),
        ({"box": (105, 100, 205, 180)}, {"box": (BOX, (105.0, 100.0, 205.0, 180.0))}),
        ({"frames_seen": 99}, {}),
    ],
)
@pytest.mark.parametrize("same_id", [True, False])
def test_what_is_different_is_named(
    changes: dict[str, Any], named: dict[str, Any], same_id: bool
) -> None:
    diff = compare([told(1)], [told(1 if same_id else 2, **changes)])
    (pair,) = diff.pairs
    assert pair.changes == named
    assert len(diff.changed) == bool(named)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "street_stall"},
        {"box": (300, 100, 400, 180)},
        {"start_s": 60.0, "last_seen_s": 90.0, "end_s": 90.0},
    ],
)
def test_another_kind_place_or_time_is_another_violation(changes: dict[str, Any]) -> None:
    diff = compare([told(1)], [told(2, **changes)])
    assert [record.id for record in diff.appeared] == ["id-2"]
    assert [record.id for record in diff.vanished] == ["id-1"]
    assert diff.pairs == ()


def test_diffs_of_recordings_add_up() -> None:
    one, two = compare([told(1)], []), compare([], [told(2)])
    assert one + two == Diff(appeared=(told(2),), vanished=(told(1),))
    assert Diff(pairs=(Pair(told(1), told(1)),)).is_empty


RECORDS = st.lists(
    st.builds(
        lambda number, x, start_s, kind: told(
            number,
            box=(x, 100.0, x + 100, 180.0),
            start_s=float(start_s),
            last_seen_s=float(start_s + 30),
            end_s=float(start_s + 30),
            kind=kind,
        ),
        st.integers(0, 20),
        st.integers(0, 500),
        st.integers(0, 200),
        st.sampled_from(["debris_pile", "street_stall"]),
    ),
    max_size=7,
    unique_by=lambda record: record.id,
)


@settings(max_examples=50, deadline=None)
@given(old=RECORDS, new=RECORDS, seed=st.integers(0, 99))
def test_every_violation_is_in_one_place_of_the_diff(
    old: list[ViolationRecord], new: list[ViolationRecord], seed: int
) -> None:
    diff = compare(old, new)
    known = [pair.old.id for pair in diff.pairs] + [record.id for record in diff.vanished]
    found = [pair.new.id for pair in diff.pairs] + [record.id for record in diff.appeared]
    assert sorted(known) == sorted(record.id for record in old)
    assert sorted(found) == sorted(record.id for record in new)
    random.Random(seed).shuffle(new)
    assert len(compare(old, new).pairs) == len(diff.pairs)
    assert compare(new, new).is_empty
