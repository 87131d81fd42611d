"""Zones while they are drawn: undo takes back exactly, faults are those of the API."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.review.drawing import Draft, with_settings
from service.review.wording import Language, wording
from vision.zones import Purpose, Zone

SQUARE = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5], [0.1, 0.5]]
BOW = [[0.1, 0.1], [0.5, 0.5], [0.5, 0.1], [0.1, 0.5]]
SAY = wording(Language.EN)


def draft() -> Draft:
    return Draft(3, [{"id": "bays", "purpose": "parking_bay", "points": SQUARE}])


def test_what_was_done_is_taken_back_and_done_again() -> None:
    one = draft()
    index = one.add(Purpose.FOOTWAY, SQUARE)
    one.put(index, with_settings(one.zones[index], id="pavement"))
    one.remove(0)
    assert [zone["id"] for zone in one.zones] == ["pavement"]
    one.undo()
    one.undo()
    assert [zone["id"] for zone in one.zones] == ["bays", "footway"]
    one.redo()
    assert [zone["id"] for zone in one.zones] == ["bays", "pavement"]
    one.undo()
    one.undo()
    assert not one.is_changed
    assert not one.can_undo


def test_new_zones_get_names_that_are_free_and_pass() -> None:
    one = draft()
    for purpose in (Purpose.PARKING_BAY, Purpose.PARKING_BAY, Purpose.HOARDING_LINE):
        one.add(purpose, SQUARE)
    assert [zone["id"] for zone in one.zones] == [
        "bays",
        "parking_bay",
        "parking_bay-2",
        "hoarding_line",
    ]
    assert one.faults(SAY) == [[], [], [], []]


def test_stored_zones_are_changed_no_more() -> None:
    one = draft()
    one.add(Purpose.GREEN, SQUARE)
    one.stored(4)
    assert (one.version, one.is_changed) == (4, False)
    one.undo()
    assert one.is_changed


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ({"id": "a", "purpose": "footway", "points": BOW}, "crosses itself"),
        ({"id": "a", "purpose": "footway", "points": SQUARE[:2]}, "at least 3 points"),
        ({"id": "a", "purpose": "hoarding_line", "points": SQUARE[:1]}, "at least 2 points"),
        ({"id": "a", "purpose": "footway", "points": [*SQUARE, [0.1, 1.2]]}, "outside"),
        ({"id": "", "purpose": "footway", "points": SQUARE}, "letters, digits"),
        ({"id": "a b", "purpose": "footway", "points": SQUARE}, "letters, digits"),
        ({"id": "bays", "purpose": "footway", "points": SQUARE}, "Another zone"),
        ({"id": "a", "purpose": "footway", "points": SQUARE, "length_m": 3}, "hoarding lines only"),
    ],
)
def test_a_fault_is_told_at_its_zone(zone: dict[str, object], told: str) -> None:
    faults = Draft(1, [*draft().zones, zone]).faults(SAY)
    assert any(told in one.text for one in faults[1]), faults


MARKET = {"id": "market", "purpose": "permitted_vending", "points": SQUARE}
HOURS = {"days": ["mon"], "from": "17:30", "to": "22:00"}


@pytest.mark.parametrize(
    ("settings", "path", "told"),
    [
        ({"schedule": {"windows": [HOURS, {**HOURS, "from": "25:00"}]}}, (1, "from"), "no time"),
        ({"schedule": {"windows": [{**HOURS, "to": "17:30"}]}}, (0,), "whole day"),
        ({"schedule": {"windows": [{**HOURS, "days": []}]}}, (0, "days"), "at least one day"),
        ({"schedule": {"from": "2026-05-04", "until": "2026-05-01"}}, (), "before the first"),
        ({"schedule": {"from": "soon"}}, ("from",), "no date"),
        ({"permits": [{"id": ""}]}, (0, "id"), "needs a number"),
        ({"permits": [{"id": "P-1", "until": "x"}]}, (0, "until"), "no date"),
        ({"permits": [{"id": "P-1"}, {"id": "P-1"}]}, (), "the same number"),
    ],
)
def test_what_is_wrong_with_hours_and_permits_names_its_field(
    settings: dict[str, object], path: tuple[object, ...], told: str
) -> None:
    (fault,) = Draft(1, [{**MARKET, **settings}]).faults(SAY)[0]
    assert fault.path[len(fault.path) - len(path) :] == path
    assert told in fault.text


@given(st.lists(st.sampled_from(["add", "move", "remove", "undo", "redo"]), max_size=30))
def test_undoing_everything_gives_what_was_stored(steps: list[str]) -> None:
    one = draft()
    stored = list(one.zones)
    for step in steps:
        if step == "add":
            one.add(Purpose.SITE, SQUARE)
        elif step == "undo":
            one.undo()
        elif step == "redo":
            one.redo()
        elif one.zones and step == "move":
            one.put(0, with_settings(one.zones[0], points=[[0.2, 0.2], *SQUARE[1:]]))
        elif one.zones:
            one.remove(0)
        for zone in one.zones:
            Zone.model_validate(zone)
    while one.can_undo:
        one.undo()
    assert one.zones == stored
