"""The rooms of ``vision.learn`` stand in an order, and arrows go one way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vision.learn

ROOMS = re.findall(r"\w+", (vision.learn.__doc__ or "").split("::")[1])
HERE = Path(vision.learn.__file__).parent


def test_every_module_is_in_a_room_of_the_drawing() -> None:
    assert {p.parent.name for p in HERE.glob("*/__init__.py")} == set(ROOMS)
    assert [p.name for p in HERE.glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_those_before_it(room: str) -> None:
    allowed = {room, *ROOMS[: ROOMS.index(room)]}
    for path in (HERE / room).glob("*.py"):
        used = re.findall(r"(?:from|import) vision\.learn\.(\w+)", path.read_text("utf-8"))
        assert set(used) <= allowed, path
