"""``--dwell`` shortens all that keeps a violation from being raised in so short a time."""

from __future__ import annotations

import pytest

from vision.errors import ConfigError
from vision.rule_options import rule_options
from vision.rules.registry import RULES, build_rules
from vision.zones import WHOLE_FRAME


def test_a_plain_number_is_for_all_kinds() -> None:
    rules = rule_options(["5"], [])
    assert rules.keys() == RULES.keys()
    made = {rule.kind: rule.settings for rule in build_rules([WHOLE_FRAME], rules)}
    for settings in made.values():
        assert {value for name, value in settings.items() if name.endswith("dwell_s")} <= {5.0}
        assert settings["grace_s"] == 0
    assert made["abandoned_vehicle"]["second_stage_after_s"] == 2.5
    assert made["hoarding_missing"]["min_looks"] == 2


def test_what_is_no_dwell_keeps_its_meaning() -> None:
    made = {
        rule.kind: rule.settings for rule in build_rules([WHOLE_FRAME], rule_options(["5"], []))
    }
    usual = {rule.kind: rule.settings for rule in build_rules([WHOLE_FRAME])}
    for name in ("unmoved_s", "derelict_share", "min_observed_share", "min_confidence"):
        assert made["abandoned_vehicle"][name] == usual["abandoned_vehicle"][name]


def test_a_kind_may_have_its_own_in_any_order() -> None:
    for options in (["5", "street_stall=60"], ["street_stall=60", "5"]):
        rules = rule_options(options, [])
        assert rules["street_stall"]["dwell_s"] == 60
        assert rules["debris_pile"]["dwell_s"] == 5


def test_long_dwells_leave_the_rest_alone() -> None:
    assert rule_options(["hoarding_missing=600"], []) == {"hoarding_missing": {"dwell_s": 600}}


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("soon", "expected SECONDS or KIND=SECONDS"),
        ("litter=3", "unknown kind"),
        ("construction_dust=3", "has no dwell"),
        ("-1", "greater than or equal to 0"),
    ],
)
def test_faults_are_named(option: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        rule_options([option], [])
