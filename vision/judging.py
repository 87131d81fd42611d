"""What the looks at a camera are judged by: the same for a scan and for a replay of its archive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vision.observe.memory import MemorySettings, SightingMemory
from vision.rules.judge import Judge
from vision.rules.registry import RULES, build_rules
from vision.schedule import SiteClock
from vision.site import Camera, RuleSettings, Site, given_rules, merged_rules


def rules_for(
    site: Site | None,
    camera: Camera | None,
    options: RuleSettings,
    thresholds: Mapping[str, float],
) -> RuleSettings:
    """Settings for a camera: the site's, over them the camera's, over them the user's options.

    What nobody set comes from the model: many looks at a thing must be as sure of it on average as
    its threshold asks of one look.

    Args:
        site: The site.
        camera: Its camera.
        options: The user's options.
        thresholds: Confidence by class from which the model's detections count; empty where no
            model is known yet.
    """
    return merged_rules(
        _model_defaults(thresholds),
        given_rules(site.rules) if site else {},
        given_rules(camera.rules) if camera else {},
        options,
    )


def _model_defaults(thresholds: Mapping[str, float]) -> RuleSettings:
    return {
        kind: {"min_confidence": thresholds[name]}
        for kind, module in RULES.items()
        if (name := module.believed_as) is not None and name in thresholds
    }


def effective_rules(rules: RuleSettings) -> dict[str, dict[str, Any]]:
    """Settings in force of every kind, defaults filled in, JSON-able."""
    return {
        kind: rule.settings.model_validate(rules.get(kind, {})).model_dump(
            mode="json", by_alias=True
        )
        for kind, rule in RULES.items()
    }


def judge_for(
    camera: Camera,
    rules: RuleSettings,
    thresholds: Mapping[str, float],
    clock: SiteClock | None,
) -> Judge:
    """The judge of one recording, with nothing seen yet.

    Args:
        camera: Camera that recorded it.
        rules: Settings by kind; what is not named keeps its default.
        thresholds: Confidence by class with which a detection may begin a sighting.
        clock: The site's clock, by which schedules go; the looks' own time zone without it.
    """
    zones = camera.judged_zones
    memory = SightingMemory(MemorySettings(start_thresholds=thresholds))
    made = build_rules(zones, rules, clock)
    return Judge(made, memory, zones, camera_id=camera.id, clock=clock)
