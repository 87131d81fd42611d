"""Which settings a camera is judged by."""

from __future__ import annotations

from vision.judging import rules_for
from vision.site import Site

THRESHOLDS = {"debris_pile": 0.65, "car": 0.4, "bin": 0.7}


def test_what_nobody_set_comes_from_the_model() -> None:
    rules = rules_for(None, None, {}, THRESHOLDS)
    assert rules == {
        "abandoned_vehicle": {"min_confidence": 0.4},
        "debris_pile": {"min_confidence": 0.65},
    }


def test_a_site_knows_better_than_the_model() -> None:
    site = Site.model_validate(
        {
            "timezone": "Asia/Shanghai",
            "cameras": [{"id": "gate-3"}],
            "rules": {"debris_pile": {"min_confidence": 0.3}},
        }
    )
    assert rules_for(site, None, {}, THRESHOLDS)["debris_pile"]["min_confidence"] == 0.3
    option = {"debris_pile": {"min_confidence": 0.5}}
    assert rules_for(site, None, option, THRESHOLDS)["debris_pile"]["min_confidence"] == 0.5


def test_the_parts_of_a_stall_are_believed_by_a_setting_of_their_own() -> None:
    rules = rules_for(None, None, {}, {"street_stall": 0.6})
    assert rules["street_stall"] == {"min_confidence": 0.6}
