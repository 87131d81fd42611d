"""Play all scenarios of ``tests/scenarios`` and say what came of each, beside the usual way.

    python -m benchmarks.scenarios [--only WORDS] [--naive] [--out docs/scenarios.md]

Each scenario is played with three seeds of the detector's noise. ``--only`` takes the scenarios
whose names hold the words, and tells of every violation. ``--naive`` also judges the very same
detections with a track id and a timer in a zone (:mod:`benchmarks.naive_tracking`). ``--out`` does
both for all scenarios and writes the table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.naive_tracking import timed, tracks
from tests.scenarios.catalogue import GROUPS
from tests.scenarios.play import (
    SEEDS,
    Outcome,
    Truth,
    compare,
    identity,
    judge,
    looks_of,
    score,
    true_boxes,
)
from tests.scenarios.scenario import Scenario
from tests.scenarios.table import Row, table
from vision.observe.families import family_of
from vision.observe.look import Look
from vision.rules.finding import Violation
from vision.rules.registry import RULES
from vision.site import given_rules
from vision.zones import Purpose

_VEHICLES = ("car", "truck", "bus", "muck_truck", "motorcycle", "bicycle")
_STREET = frozenset(
    {Purpose.CARRIAGEWAY, Purpose.NO_STOPPING, Purpose.FOOTWAY, Purpose.PARKING_BAY, Purpose.GREEN}
)


@dataclass(frozen=True)
class Timer:
    """A timer in zones, as the usual way sets it.

    Attributes:
        kind: Violation kind.
        dwell: Name of the setting that says how long.
        classes: Classes that are timed.
        zones: Purposes of the zones.
    """

    kind: str
    dwell: str
    classes: tuple[str, ...]
    zones: frozenset[Purpose]


TIMERS = (
    Timer("abandoned_vehicle", "derelict_dwell_s", ("derelict_vehicle", "derelict_cycle"), _STREET),
    Timer("abandoned_vehicle", "no_stopping_dwell_s", _VEHICLES, frozenset({Purpose.NO_STOPPING})),
    Timer("abandoned_vehicle", "unmoved_s", _VEHICLES, _STREET - {Purpose.NO_STOPPING}),
    Timer("street_stall", "dwell_s", ("street_stall",), _STREET - {Purpose.PARKING_BAY}),
    Timer("debris_pile", "dwell_s", ("debris_pile",), _STREET),
)
"""What a timer in a zone can tell."""


def main() -> None:
    """Play, print, and write the table if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--naive", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    began = time.perf_counter()
    rows = []
    for group, scenarios in GROUPS.items():
        for scenario in scenarios:
            if options.only in scenario.name:
                row = play_all(group, scenario, naive=options.naive or options.out is not None)
                rows.append(row)
                tell(row, details=bool(options.only))
    took_s = time.perf_counter() - began
    total = score([one for row in rows for one in row.ours])
    print(f"{len(rows)} scenarios, {len(SEEDS)} seeds, {took_s:.0f} s: {total}, F1 {total.f1:.3f}")
    if options.out is not None:
        options.out.write_text(table(rows), encoding="utf-8")


def play_all(group: str, scenario: Scenario, *, naive: bool) -> Row:
    """Outcomes of a scenario for each seed: ours and, if asked for, the usual way's."""
    ours, usual = [], []
    for seed in SEEDS:
        looks = looks_of(scenario, seed)
        truth = true_boxes(scenario, looks)
        violations, followed = judge(scenario, looks)
        ours.append(compare(scenario, violations, *identity(truth, followed)))
        if naive:
            usual.append(track_and_timer(scenario, looks, truth))
    return Row(group, scenario, tuple(ours), tuple(usual))


def track_and_timer(scenario: Scenario, looks: Sequence[Look], truth: Truth) -> Outcome:
    """What a track id and a timer make of the same looks."""
    rules = given_rules(scenario.site_file.rules)
    settings = {
        kind: module.settings.model_validate(rules.get(kind, {})) for kind, module in RULES.items()
    }
    tracked = tracks(looks)
    zones = scenario.camera.judged_zones
    permitted = [zone for zone in zones if zone.purpose is Purpose.PERMITTED_VENDING]
    raised: list[Violation] = []
    for timer in TIMERS:
        there = [zone for zone in zones if zone.purpose in timer.zones]
        raised += [
            one
            for one in timed(
                tracked,
                [*permitted, *there],
                {timer.kind: getattr(settings[timer.kind], timer.dwell)},
                dict.fromkeys(timer.classes, timer.kind),
            )
            if one.zone_id in {zone.id for zone in there}
        ]
    by_time = {look.time_s: there for look, there in tracked}
    followed = [
        [(one.id, family_of(one.class_name), one.box) for one in by_time.get(look.time_s, [])]
        for look in looks
    ]
    return compare(scenario, raised, *identity(truth, followed))


def tell(row: Row, *, details: bool) -> None:
    """Print what came of a scenario."""
    total = score(row.ours)
    mark = " " if total.missed == total.false == 0 else "!"
    delays = [v.noticed_s - w.start_s for one in row.ours for w, v in one.found]
    print(
        f"{mark} {row.scenario.name:34} found {total.found} missed {total.missed} false "
        f"{total.false} switches {sum(one.switches for one in row.ours)}"
        + (f" noticed after {median(delays):.0f} s" if delays else "")
        + "".join(f" | usual: {score(row.usual)}" for _ in row.usual[:1])
    )
    if not details:
        return
    for seed, one in zip(SEEDS, row.ours, strict=True):
        for wrong in one.missed:
            print(f"      seed {seed} missed {wrong}")
        for v in one.false:
            box = [round(edge) for edge in v.box]
            print(
                f"      seed {seed} raised {v.kind} {v.zone_id} {v.key} {box} from {v.start_s:.0f}"
                f" noticed {v.noticed_s:.0f} seen {v.last_seen_s:.0f} end {v.end_s} {v.signs}"
            )
        for wrong, v in one.found:
            print(
                f"      seed {seed} found {wrong.kind} {wrong.where} from {wrong.start_s:.0f} to "
                f"{wrong.end_s}: told from {v.start_s:.0f} to {v.end_s}, noticed {v.noticed_s:.0f}"
                f" {v.signs}"
            )


if __name__ == "__main__":
    main()
