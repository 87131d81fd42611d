"""Families: classes that detectors confuse on one and the same thing.

Detections of one family may vote on one sighting; across families they never meet. A class that is
not listed is a family of its own, so a new class needs a row only when it has a look-alike.
"""

from __future__ import annotations

STANDING_OBJECT = "standing_object"
"""Class of things that stand and that no class of a model covers; a family of its own."""

FAMILIES: dict[str, str] = {
    "car": "vehicle",
    "van": "vehicle",
    "truck": "vehicle",
    "bus": "vehicle",
    "normal_vehicle": "vehicle",
    "derelict_vehicle": "vehicle",
    "muck_truck": "vehicle",
    "motorcycle": "cycle",
    "bicycle": "cycle",
    "tricycle": "cycle",
    "derelict_cycle": "cycle",
    "debris_pile": "waste",
    "waste_pile": "waste",
    "material_pile": "waste",
    "rubble_pile": "waste",
    "overflow_bin": "waste",
    "bin": "waste",
    "construction_dust": "plume",
    "smoke": "plume",
}
"""Class name to family."""

PUSHED_ON = frozenset({"street_stall"})
"""Families whose things are pushed on a little now and then and stay what they are; what stands for
another reason than selling has moved when it has moved."""

FLAT = frozenset({"bare_soil", "hoarding", "construction_dust", "smoke"})
"""Classes that lie on the ground, stand behind the scene or are seen through: they hide nothing."""


def family_of(class_name: str) -> str:
    """Family of a class; a class without look-alikes is its own."""
    return FAMILIES.get(class_name, class_name)
