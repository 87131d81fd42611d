"""All scenarios."""

from __future__ import annotations

from . import conditions, heaps, hours, stalls, vehicles, views, works
from .scenario import Scenario

GROUPS: dict[str, list[Scenario]] = {
    "Every kind under every condition": conditions.SCENARIOS,
    "Vehicles": vehicles.SCENARIOS,
    "Stalls": stalls.SCENARIOS,
    "Heaps and bins": heaps.SCENARIOS,
    "Building sites": works.SCENARIOS,
    "Hours, permits, stages": hours.SCENARIOS,
    "Views and cameras": views.SCENARIOS,
}
"""Scenarios by heading."""

SCENARIOS: list[Scenario] = [one for scenarios in GROUPS.values() for one in scenarios]
