"""What the rules about standing things share: place, dwell, and when a closer look pays."""

from __future__ import annotations

from collections.abc import Container, Sequence

from vision.observe.look import Look
from vision.observe.sighting import Sighting
from vision.rules.finding import Finding
from vision.zones import Purpose, Zone

REST_INTERVAL_S = 10.0
"""Longest usual pause between looks; a dwell that expires within it deserves looks at once."""

SETTLE_S = 12.0
"""A thing younger than this is new."""

SETTLED_LOOKS = 4
"""A thing seen so often needs no closer look to be believed."""

SAME_PLACE_IOU = 0.2
"""A named thing whose box overlaps so much with that of a nameless one is that thing."""


def key_of(sighting: Sighting) -> str:
    """Key of findings about a sighting."""
    return f"sighting-{sighting.id}"


def first_zone(
    sighting: Sighting, zones: Sequence[Zone], purposes: frozenset[Purpose], look: Look
) -> Zone | None:
    """First drawn zone of these purposes in which a sighting stands."""
    for zone in zones:
        if zone.purpose in purposes and (
            zone.purpose is Purpose.WHOLE_FRAME or zone.holds(sighting.box, look.frame_size)
        ):
            return zone
    return None


def is_believed(sighting: Sighting, min_confidence: float, held: Container[int]) -> bool:
    """Whether detections are confident enough: half will do for what a rule holds for already.

    Dusk and headlights lower the score of what still stands there.

    Args:
        sighting: The sighting.
        min_confidence: Mean confidence of its recent detections that is asked for.
        held: Ids of sightings for which the rule held at the last look.
    """
    needed = 0.5 * min_confidence if sighting.id in held else min_confidence
    return sighting.confidence >= needed


def stood_s(sighting: Sighting) -> float:
    """Seconds from first to last sight: grows only when the thing is seen again."""
    return sighting.last_seen_s - sighting.first_seen_s


def has_stood(sighting: Sighting, dwell_s: float, min_observed_share: float) -> bool:
    """Whether a thing has stood for a dwell of which enough was observed.

    Once true it stays true while the sighting lives, whatever hides the thing later.
    """
    return (
        sighting.standing
        and stood_s(sighting) >= dwell_s
        and sighting.dwell.observed_s >= min_observed_share * dwell_s
    )


def is_new(sighting: Sighting, look: Look) -> bool:
    """Whether a thing may just have come to stand: seen twice, not yet settled."""
    return (
        sighting.ended_s is None
        and sighting.absent_since_s is None
        and 2 <= sighting.looks_seen < SETTLED_LOOKS
        and look.time_s - sighting.first_seen_s < SETTLE_S
    )


def is_about_due(sighting: Sighting, dwell_s: float) -> bool:
    """Whether a standing thing reaches a dwell before the next look at rest."""
    return (
        sighting.standing
        and sighting.ended_s is None
        and sighting.absent_since_s is None
        and 0.0 < dwell_s - stood_s(sighting) <= REST_INTERVAL_S
    )


def finding_of(sighting: Sighting, zone: Zone, signs: Sequence[str]) -> Finding:
    """Finding that a sighting is wrong where it stands, since it was first seen there."""
    return Finding(
        key=key_of(sighting),
        zone_id=zone.id,
        box=sighting.box,
        confidence=sighting.confidence,
        since_s=sighting.first_seen_s,
        last_seen_s=sighting.last_seen_s,
        looks_seen=sighting.looks_seen,
        signs=tuple(signs),
        class_names=(sighting.class_name,),
    )
