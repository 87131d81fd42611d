"""A stretch of looks judged twice, as the settings are and as they might be, and compared."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from vision.evidence.collect import look_before, stood_at_start
from vision.judging import judge_for
from vision.observe.look import Health, Look
from vision.record import ModelRecord, SourceRecord, ViolationRecord, record_of
from vision.replay.difference import Diff, compare
from vision.rules.finding import Violation
from vision.schedule import SiteClock
from vision.site import Camera, RuleSettings

LOOKS_A_STEP = 256
"""Progress is told once in so many looks."""


@dataclass(frozen=True)
class Terms:
    """What looks are judged by.

    Attributes:
        camera: The camera with its zones.
        rules: Settings by kind.
    """

    camera: Camera
    rules: RuleSettings


@dataclass(frozen=True)
class WhatIf:
    """What other terms would have changed.

    Attributes:
        looks: Looks that were judged.
        violations: What there is under the new terms.
        diff: Against the terms as they are.
    """

    looks: int
    violations: list[ViolationRecord]
    diff: Diff


def judge_twice(
    looks: Iterable[Look],
    now: Terms,
    then: Terms,
    *,
    thresholds: Mapping[str, float],
    model: ModelRecord,
    clock: SiteClock | None,
    experimental: Collection[str] = (),
    progress: Callable[[datetime], None] = lambda _: None,
) -> WhatIf:
    """Judge looks of one camera under both terms, beginning with nothing seen.

    Args:
        looks: In order of wall-clock time, which counts as their stream time: what a live camera
            saw spans restarts.
        now: The terms as they are.
        then: The terms as they might be.
        thresholds: Confidence by class with which a detection may begin a sighting.
        model: Detector that looked.
        clock: The site's clock.
        experimental: Classes that the model's registry entry calls experimental.
        progress: Hears up to which time looks are judged.
    """
    judges = [judge_for(terms.camera, terms.rules, thresholds, clock) for terms in (now, then)]
    healthy_s: array[float] = array("d")
    began: datetime | None = None
    count = 0
    for look in looks:
        began = began or look.timestamp
        timed = replace(look, time_s=(look.timestamp - began).total_seconds())
        for judge in judges:
            judge.look(timed)
        if look.health is Health.OK:
            healthy_s.append(timed.time_s)
        count += 1
        if count % LOOKS_A_STEP == 0:
            progress(look.timestamp)
    if began is None:
        return WhatIf(0, [], Diff())
    start = began
    text = f"{now.camera.id} {began.isoformat()}"
    source = SourceRecord(
        name=now.camera.name or now.camera.id, sha256=hashlib.sha256(text.encode()).hexdigest()
    )

    def record(violation: Violation) -> ViolationRecord:
        if look_before(healthy_s, violation.start_s) is None:
            violation = stood_at_start(violation)
        return record_of(
            violation,
            None,
            source=source,
            model=model,
            recording_started_at=start,
            experimental=experimental,
        )

    old, new = ([record(violation) for violation in judge.finish()] for judge in judges)
    return WhatIf(count, new, compare(old, new))
