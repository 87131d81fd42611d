"""Captions: Chinese where it can be drawn, and never a box for a missing letter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vision.evidence import text
from vision.evidence.text import can_show, drawable, font_of, shows_chinese


@pytest.fixture
def no_chinese_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(text, "_FOLDERS", ())
    text._chinese_face.cache_clear()
    font_of.cache_clear()
    yield
    monkeypatch.undo()
    text._chinese_face.cache_clear()
    font_of.cache_clear()


@pytest.mark.usefixtures("no_chinese_font")
def test_without_a_chinese_font_the_camera_id_stands_for_its_name() -> None:
    assert not shows_chinese()
    assert drawable(["人民路口", "cam-01"]) == "cam-01"


@pytest.mark.usefixtures("no_chinese_font")
def test_a_name_without_any_plain_form_becomes_a_short_hash() -> None:
    one, two = drawable(["人民路口"]), drawable(["和平街口"])
    assert one != two
    assert one.startswith("#")
    assert drawable(["门3 cam"]).startswith("3 cam #")


@pytest.mark.usefixtures("no_chinese_font")
@pytest.mark.parametrize("name", ["人民路口", "cam_01", "Café", "🚗", "", "a\u2028b", "\ufffd"])
def test_whatever_is_drawn_has_glyphs(name: str) -> None:
    assert can_show(drawable([name]))


def test_latin_is_drawn_on_every_system() -> None:
    assert drawable(["Gate 3, north", "gate-3"]) == "Gate 3, north"


def test_with_a_chinese_font_the_name_is_drawn() -> None:
    if not shows_chinese():
        pytest.skip("this system has no Chinese font")
    assert drawable(["人民路口", "cam-01"]) == "人民路口"
    assert can_show("停留此前此后")
