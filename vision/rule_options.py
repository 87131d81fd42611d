"""Rule settings given on a command line."""

from __future__ import annotations

from collections.abc import Sequence

import yaml
from pydantic import ValidationError

from vision.errors import ConfigError
from vision.rules.registry import RULES
from vision.site import RulesBlock, RuleSettings, merged_rules


def rule_options(dwells: Sequence[str], settings: Sequence[str]) -> RuleSettings:
    """Read options; settings win over dwells.

    Args:
        dwells: ``KIND=SECONDS``, each sets every dwell of a kind; ``SECONDS`` those of all.
        settings: ``KIND.SETTING=VALUE``, the value read as YAML.

    Raises:
        ConfigError: An option cannot be read or is none of its rule's; it is named.
    """
    return merged_rules(_dwells(dwells), _settings(settings))


def _dwells(options: Sequence[str]) -> RuleSettings:
    """``KIND=SECONDS`` sets every dwell of the kind; ``SECONDS`` those of all kinds, for a trial.

    What else would keep a violation from being raised in so short a time is shortened too: see
    ``for_dwell`` of the rules' settings. In a trial there is no grace either.
    """
    rules: RuleSettings = {}
    for option in options:
        kind, named, seconds = option.rpartition("=")
        if named and kind not in RULES:
            raise ConfigError(f"--dwell {option}: unknown kind; known: {', '.join(RULES)}")
        try:
            dwell_s = float(seconds)
        except ValueError as error:
            raise ConfigError(f"--dwell {option}: expected SECONDS or KIND=SECONDS") from error
        if named:
            settings = RULES[kind].settings.for_dwell(dwell_s)
            if not settings:
                raise ConfigError(f"--dwell {option}: {kind} has no dwell; see --rule")
            rules = merged_rules(rules, {kind: settings})
        else:
            trial = {
                name: module.settings.for_dwell(dwell_s) | {"grace_s": 0.0}
                for name, module in RULES.items()
            }
            rules = merged_rules(trial, rules)
    return _checked("--dwell", rules)


def _settings(options: Sequence[str]) -> RuleSettings:
    """``KIND.SETTING=VALUE`` sets one setting; the value is read as YAML."""
    rules: RuleSettings = {}
    for option in options:
        name, equals, value = option.partition("=")
        kind, dot, setting = name.partition(".")
        if not equals or not dot:
            raise ConfigError(f"--rule {option}: expected KIND.SETTING=VALUE")
        rules.setdefault(kind, {})[setting] = yaml.safe_load(value)
    return _checked("--rule", rules)


def _checked(option: str, rules: RuleSettings) -> RuleSettings:
    try:
        RulesBlock.model_validate(rules)
    except ValidationError as error:
        fault = error.errors()[0]
        named = ".".join(map(str, fault["loc"]))
        raise ConfigError(f"{option}: {named}: {fault['msg']}") from error
    return rules
