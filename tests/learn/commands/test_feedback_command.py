"""What ``jiexu train --from-reviewed`` asks and tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from vision.errors import ConfigError
from vision.learn.commands.feedback import (
    RECIPE,
    feedback_lines,
    feedback_table,
    learn_from_reviewed,
)
from vision.learn.feedback.fine_tuning import Feedback
from vision.learn.feedback.reviewed_pictures import ReviewedPictures

REPOSITORY = Path(__file__).parents[3]


def test_the_recipe_lies_beside_the_registry() -> None:
    assert (REPOSITORY / "models" / RECIPE).is_file()


@pytest.mark.parametrize("option", ["stall", "stall=", "=street_stall"])
def test_a_wrong_rename_is_named(tmp_path: Path, option: str) -> None:
    with pytest.raises(ConfigError, match=f"--rename {option}: expected THEIRS=OURS"):
        learn_from_reviewed(
            [tmp_path],
            tmp_path / "out",
            model=None,
            models=REPOSITORY / "models",
            recipe=None,
            rehearse=(),
            rename=[option],
            resume=False,
            device="cpu",
            threads=1,
            say=print,
            progress=print,
        )


def test_what_was_learnt_from_and_what_is_not_known_is_said(tmp_path: Path) -> None:
    feedback = Feedback(
        weights=tmp_path / "last.pt",
        data_dir=tmp_path,
        reviewed=ReviewedPictures(
            folders={},
            counts={"street_stall": {"rejected": 25, "confirmed": 40}},
            origins={"recording": 65},
            passed_over={"hoarding_missing: not about looks": 3},
        ),
        counts={"train": {"pictures": 65}, "val": {}},
        before=None,
        after=None,
    )
    first, second, third, last = feedback_lines(feedback)
    assert first == "street_stall: 40 confirmed, 25 rejected"
    assert second == "passed over (3): hoarding_missing: not about looks"
    assert third == "65 pictures to learn from, 0 held out"
    assert "is not known" in last
    assert feedback_table(feedback) is None
