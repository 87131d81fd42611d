"""The rules by kind. A new kind is one rule module and one row here and in ``kinds``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from vision.errors import ConfigError
from vision.rules import (
    abandoned_vehicle,
    construction_dust,
    debris_pile,
    hoarding_missing,
    standing_object,
    street_stall,
)
from vision.rules.finding import Rule
from vision.rules.settings import RuleSettings
from vision.schedule import SiteClock
from vision.zones import Zone


@dataclass(frozen=True)
class RuleModule:
    """What a rule module offers.

    Attributes:
        settings: Its settings with their defaults.
        rule: Makes the rule for one stream from settings, zones and the site's clock.
        believed_as: Class whose threshold in the model is the default of ``min_confidence``.
    """

    settings: type[RuleSettings]
    rule: Callable[[Any, Sequence[Zone], SiteClock | None], Rule]
    believed_as: str | None = None


RULES: dict[str, RuleModule] = {
    "abandoned_vehicle": RuleModule(
        abandoned_vehicle.Settings, abandoned_vehicle.AbandonedVehicle, "car"
    ),
    "street_stall": RuleModule(street_stall.Settings, street_stall.StreetStall, "street_stall"),
    "debris_pile": RuleModule(debris_pile.Settings, debris_pile.DebrisPile, "debris_pile"),
    "construction_dust": RuleModule(construction_dust.Settings, construction_dust.ConstructionDust),
    "hoarding_missing": RuleModule(hoarding_missing.Settings, hoarding_missing.HoardingMissing),
    "standing_object": RuleModule(standing_object.Settings, standing_object.StandingObject),
}
"""Violation kind to its rule."""


def settings_models() -> dict[str, type[RuleSettings]]:
    """Settings class of each kind."""
    return {kind: module.settings for kind, module in RULES.items()}


def build_rules(
    zones: Sequence[Zone],
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    clock: SiteClock | None = None,
) -> list[Rule]:
    """Make all rules for one stream of one view.

    Args:
        zones: Zones to judge in; ``WHOLE_FRAME`` among them means that place is not judged.
        settings: Settings that differ from the defaults, by kind.
        clock: The site's clock, by which schedules, permits and stages go; without it the looks'
            own time zone and plain weeks.

    Raises:
        ConfigError: A kind or setting is unknown or out of range; the text names it.
    """
    given = dict(settings or {})
    for kind in given:
        if kind not in RULES:
            raise ConfigError(f"unknown kind {kind!r}; known: {', '.join(RULES)}")
    rules = []
    for kind, module in RULES.items():
        try:
            chosen = module.settings.model_validate(given.get(kind, {}))
        except ValidationError as error:
            faults = "; ".join(
                f"{kind}.{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
                for fault in error.errors()
            )
            raise ConfigError(f"rule settings: {faults}") from error
        rules.append(module.rule(chosen, zones, clock))
    return rules
