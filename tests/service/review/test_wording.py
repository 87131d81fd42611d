"""Every text of the page is there in every language, and means the same gaps."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

import service.review
from service.review.pages import PAGES
from service.review.wording import Language, language_wished, wording
from service.store.tables import CaseState

ROOM = Path(service.review.__file__).parent
SAID = re.compile(r"""\bsay\(\s*"([a-z_.]+)"[,)]""")
SAID_IN_SCREEN = re.compile(r"""\bt\(['"]([a-z_]+)['"]\)""")


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_all_texts_with_the_same_gaps() -> None:
    zh, en = wording(Language.ZH).texts, wording(Language.EN).texts
    assert set(zh) == set(en)
    assert {key: gaps(text) for key, text in zh.items()} == {
        key: gaps(text) for key, text in en.items()
    }
    assert all(text.strip() for text in (*zh.values(), *en.values()))


def test_every_text_that_the_pages_say_is_there() -> None:
    texts = wording(Language.EN).texts
    said = {key for source in ROOM.rglob("*.py") for key in SAID.findall(source.read_text("utf-8"))}
    assert said
    assert said <= set(texts)
    assert {f"page.{page.name}" for page in PAGES} <= set(texts)
    assert {f"state.{state.value}" for state in CaseState} <= set(texts)


def test_every_text_that_the_case_screen_says_is_there() -> None:
    screen = [source.read_text("utf-8") for source in (ROOM / "screen").rglob("*.js")]
    said = {f"desk.{key}" for source in screen for key in SAID_IN_SCREEN.findall(source)}
    panels = {f"desk.panel_{name}" for name in ("reject", "kind", "help", "original", "alike")}
    assert said
    assert said | panels <= set(wording(Language.EN).texts)


def test_a_gap_is_filled_and_a_missing_text_is_no_silence() -> None:
    say = wording(Language.EN)
    assert "30 s" in say("fault.locked", seconds=30)
    with pytest.raises(KeyError):
        say("no.such.text")


def test_signs_and_classes_are_told_in_the_language_of_the_page() -> None:
    zh, en = wording(Language.ZH), wording(Language.EN)
    assert (zh.sign("dwell"), en.sign("dwell")) == ("超过停留时限", "stood too long")
    assert (zh.sign("street_stall"), en.sign("street_stall")) == ("占道经营", "Street stall")
    assert en.sign("traffic_cone") == zh.sign("traffic_cone") == "traffic cone"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, Language.ZH),
        ("", Language.ZH),
        ("fr", Language.ZH),
        ("en-GB,en;q=0.9", Language.EN),
        ("fr, en;q=0.2, zh;q=0.8", Language.ZH),
        ("zh-CN,zh;q=0.9,en;q=0.8", Language.ZH),
        ("en;q=broken, en", Language.EN),
    ],
)
def test_the_language_is_the_one_that_the_browser_asks_for(
    accepted: str | None, language: Language
) -> None:
    assert language_wished(accepted) is language
