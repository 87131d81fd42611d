"""Every word of the report in both languages, and every word used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import vision.report.html
from vision.frames.frame import Rung
from vision.frames.wallclock import Origin
from vision.observe.look import Health
from vision.report.strings import TEXT, english
from vision.rules.finding import EndReason
from vision.rules.kinds import KINDS

TEMPLATES = Path(vision.report.html.__file__).parent / "templates"


def test_every_text_has_both_languages() -> None:
    for key, (en, zh) in TEXT.items():
        assert en.strip(), key
        assert zh.strip(), key


def test_what_the_page_asks_for_is_there() -> None:
    template = (TEMPLATES / "report.html.j2").read_text("utf-8")
    script = (TEMPLATES / "report.js").read_text("utf-8")
    asked = set(re.findall(r'\bt\("([\w.]+)"(?! ~)', template))
    asked |= set(re.findall(r'data-t(?:-\w+)?="([\w.]+)"', template))
    asked |= set(re.findall(r'\btext\("([\w.]+)"\)', script))
    assert asked <= TEXT.keys()
    assert len(asked) > 80


def test_no_text_is_left_over() -> None:
    sources = [*TEMPLATES.iterdir(), Path(vision.report.html.__file__)]
    used = "".join(path.read_text("utf-8") for path in sources)
    plain = {key for key in TEXT if "." not in key}
    assert {key for key in plain if not re.search(rf"[\"']{key}[\"']", used)} == set()


def test_kinds_rungs_origins_and_camera_states_have_words() -> None:
    assert {f"kind.{kind}" for kind in KINDS} <= TEXT.keys()
    assert {f"rung.{rung}" for rung in Rung} <= TEXT.keys()
    assert {f"origin.{origin}" for origin in get_args(Origin)} <= TEXT.keys()
    assert {f"end.{reason}" for reason in get_args(EndReason)} <= TEXT.keys()
    assert {f"health.{health}" for health in Health if health is not Health.OK} <= TEXT.keys()


def test_words_from_data_without_a_text_are_shown_as_they_are() -> None:
    assert english("sign.new_sign") == "new sign"
