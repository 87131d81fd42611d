"""The guide for reviewers says what the screen does."""

from __future__ import annotations

import re
from pathlib import Path

import service.review
from service.cases.reasons import REASONS

GUIDE = (Path(__file__).parents[3] / "docs" / "review.md").read_text("utf-8")
SCREEN = Path(service.review.__file__).parent / "screen" / "case_desk.js"


def test_all_reasons_are_told_with_their_keys() -> None:
    told = dict(re.findall(r"^\| ([1-9]) \| (.+) \|$", GUIDE, re.MULTILINE))
    assert told == {reason.key: reason.en for reason in REASONS.values()}


def test_all_keys_of_the_screen_are_told() -> None:
    acts = re.search(r"const acts = \{(.*?)\n {8}\};", SCREEN.read_text("utf-8"), re.DOTALL)
    assert acts is not None
    keys = {key.upper() for key in re.findall(r"(?:^|, |\n +)\"?([a-z?])\"?: \(\)", acts.group(1))}
    first_columns = " ".join(re.findall(r"^\| ([^|]+) \|", GUIDE, re.MULTILINE))
    told = set(re.findall(r"[A-Z?]+", first_columns))
    # R opens the list of reasons, whose numbers are told.
    assert keys - {"R"} <= told
    assert len(keys) > 8
