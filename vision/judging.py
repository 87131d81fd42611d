"""What the looks at a camera are judged by: the same for a scan and for a replay of its archive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vision.observe.memory import MemorySettings, SightingMemory
from vision.rules.judge import Judge
from vision.rules.registry import RULES, build_rules
from vision.schedule import SiteClock
from vision.site import Camera, RuleSettings, Site, given_rules, merged_rules


def rules_for(site: Site | None, camera: Camera | None, options: RuleSettings) -> RuleSettings:
    """Settings for a camera: the site's, over them the camera's, over them the user's options."""
    return merged_rules(
        given_rules(site.rules) if site else {},
        given_rules(camera.rules) if camera else {},
        options,
    )


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
