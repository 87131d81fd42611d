"""The table of all scenarios in ``docs/scenarios.md``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from .play import SEEDS, Outcome, Score, ends_right, score
from .scenario import Scenario

TIMED_KINDS = ("abandoned_vehicle", "street_stall", "debris_pile")
"""Kinds about things that stand, which a timer on a track can tell at all."""

HEAD = """# Scenarios

Made by `python -m benchmarks.scenarios --out docs/scenarios.md`; do not edit.

{count} seeded scenarios at the level of detections: streets as data (`tests/scenarios`), seen through a detector
that misses every thing in 30 % of looks (38 % at night), shakes its boxes by 5 % (8 %), mistakes classes, doubles boxes and
invents {invented} boxes a look. Each is played with {seeds} seeds of that noise. A violation is right when it is of the kind, at the place,
and from about the time that the scenario says; a second one for the same thing is false.

| | found | missed | false | F1 | identity switches | takeovers |
| --- | --- | --- | --- | --- | --- | --- |
{totals}

*Switches*: a thing that stands got another number. *Takeovers*: a number went over to another thing. *The usual way*:
ultralytics' ByteTrack on the very same detections, and a timer for each track id in a zone, with the same dwells. It cannot judge dust and
hoardings, so the second pair of lines leaves those out.

`found` says how many of the expected violations were raised over all seeds; `noticed` is the median of seconds from the
start of what is wrong to its raising (the dwell is part of it), `start off` how far the start that is told lies from the true one, `ends right` how many
violations ended when they should, or did not end. `usual` gives found / false of the usual way.
"""  # noqa: E501


@dataclass(frozen=True)
class Row:
    """A scenario and its outcomes, one a seed."""

    group: str
    scenario: Scenario
    ours: tuple[Outcome, ...]
    usual: tuple[Outcome, ...] = ()


def table(rows: Sequence[Row]) -> str:
    """The whole page."""
    timed = [
        row
        for row in rows
        if all(one.kind in TIMED_KINDS for one in row.scenario.wrong)
        and not any(zone["purpose"] == "hoarding_line" for zone in row.scenario.zones)
    ]
    totals = [
        _total("**Jiexu**, all scenarios", rows, lambda row: row.ours),
        _total("the usual way, all scenarios", rows, lambda row: row.usual),
        _total("**Jiexu**, things that stand", timed, lambda row: row.ours),
        _total("the usual way, things that stand", timed, lambda row: row.usual),
    ]
    parts = [
        HEAD.format(
            count=len(rows), seeds=len(SEEDS), invented="0.3 to 0.5", totals="\n".join(totals)
        )
    ]
    for group in dict.fromkeys(row.group for row in rows):
        parts.append(f"\n## {group}\n")
        parts.append(
            "| scenario | what it shows | expected | found | false | noticed | start off "
            "| ends right | switches | usual |\n" + "| --- " * 10 + "|"
        )
        parts += [line(row) for row in rows if row.group == group]
    return "\n".join(parts) + "\n"


def line(row: Row) -> str:
    """The row of one scenario."""
    ours = score(row.ours)
    found = [pair for one in row.ours for pair in one.found]
    wrong = row.scenario.wrong
    expected = ", ".join(sorted({one.kind for one in wrong})) if wrong else "nothing"
    cells = [
        row.scenario.name,
        row.scenario.shows,
        f"{len(wrong)} × {expected}" if len(wrong) > 1 else expected,
        f"{ours.found}/{ours.found + ours.missed}" if wrong else "–",
        str(ours.false),
        _seconds([v.noticed_s - w.start_s for w, v in found]),
        _seconds([v.start_s - w.start_s for w, v in found]),
        f"{sum(ends_right(row.scenario, w, v) for w, v in found)}/{len(found)}" if found else "–",
        str(sum(one.switches + one.takeovers for one in row.ours)),
        _usual(row),
    ]
    return "| " + " | ".join(cells) + " |"


def _usual(row: Row) -> str:
    if not row.usual:
        return "–"
    usual = score(row.usual)
    return f"{usual.found} / {usual.false}"


def _seconds(values: Sequence[float]) -> str:
    """Median in a unit that can be read."""
    if not values:
        return "–"
    middle = median(values)
    if abs(middle) >= 2 * 86_400:
        return f"{middle / 86_400:.1f} d"
    if abs(middle) >= 2 * 3600:
        return f"{middle / 3600:.1f} h"
    return f"{middle:.0f} s"


def _total(name: str, rows: Sequence[Row], outcomes: Callable[[Row], Sequence[Outcome]]) -> str:
    all_of_them = [one for row in rows for one in outcomes(row)]
    total: Score = score(all_of_them)
    return (
        f"| {name} | {total.found} | {total.missed} | {total.false} | {total.f1:.3f} | "
        f"{sum(one.switches for one in all_of_them)} | "
        f"{sum(one.takeovers for one in all_of_them)} |"
    )
