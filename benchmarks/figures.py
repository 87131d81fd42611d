"""What a benchmark found: values by run, ratios between them, as JSON, as a table and as a plot."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vision.errors import InputError


class NotMeasuredError(Exception):
    """Something cannot be measured here and now; says why."""


@dataclass(frozen=True)
class Figure:
    """One thing that was measured.

    Attributes:
        group: What it belongs to, such as ``scan``.
        name: What was measured.
        unit: Of the values.
        values: One of each run.
        command: What measures it alone.
    """

    group: str
    name: str
    unit: str
    values: tuple[float, ...]
    command: str

    @property
    def median(self) -> float:
        """Median over the runs."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class Ratio:
    """How two things that were measured in the same runs stand to each other.

    Attributes:
        name: What stands to what.
        values: One of each run.
        wanted: The least that is wanted, or the most where ``at_most``; ``None`` where nothing is.
        at_most: Whether less is better.
    """

    name: str
    values: tuple[float, ...]
    wanted: float | None = None
    at_most: bool = False

    @property
    def median(self) -> float:
        """Median over the runs."""
        return statistics.median(self.values)

    @property
    def holds(self) -> bool | None:
        """Whether the median is as wanted; ``None`` where nothing is wanted."""
        if self.wanted is None:
            return None
        return self.median <= self.wanted if self.at_most else self.median >= self.wanted


@dataclass(frozen=True)
class Results:
    """Everything of one run of the suite.

    Attributes:
        machine: Processor and cores.
        taken_at: When it began, ISO 8601.
        quick: Whether it was the short form, whose absolute values say little.
        ratios: Ratios, in the order of the sections.
        figures: Values, in the same order.
        not_measured: Why a section was left out, by its name.
    """

    machine: str
    taken_at: str
    quick: bool
    ratios: list[Ratio] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    not_measured: dict[str, str] = field(default_factory=dict)

    def figure(self, group: str, name: str) -> Figure | None:
        """A figure by its name."""
        found = (one for one in self.figures if (one.group, one.name) == (group, name))
        return next(found, None)


def ratio(
    name: str,
    above: Sequence[float],
    below: Sequence[float],
    wanted: float | None = None,
    *,
    at_most: bool = False,
) -> Ratio:
    """Run by run, one figure over another."""
    pairs = zip(above, below, strict=True)
    return Ratio(name, tuple(a / b for a, b in pairs), wanted, at_most)


def write_json(results: Results, path: Path) -> None:
    """Write results with the spread of each figure."""
    content = asdict(results)
    for kind in ("ratios", "figures"):
        for one in content[kind]:
            one["spread"] = spread(one["values"])
    for one, made in zip(content["ratios"], results.ratios, strict=True):
        one["holds"] = made.holds
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def read_json(path: Path) -> Results:
    """Read what :func:`write_json` wrote.

    Raises:
        InputError: The file is not such a one.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return Results(
            machine=content["machine"],
            taken_at=content["taken_at"],
            quick=content["quick"],
            ratios=[
                Ratio(one["name"], tuple(one["values"]), one["wanted"], one["at_most"])
                for one in content["ratios"]
            ],
            figures=[
                Figure(one["group"], one["name"], one["unit"], tuple(one["values"]), one["command"])
                for one in content["figures"]
            ],
            not_measured=content["not_measured"],
        )
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: holds no results of the benchmarks: {error!r}") from error


def spread(values: Sequence[float]) -> dict[str, float]:
    """Minimum, median and maximum."""
    return {
        "min": round(min(values), 4),
        "median": round(statistics.median(values), 4),
        "max": round(max(values), 4),
    }


def table(results: Results) -> str:
    """The results as Markdown, ratios first."""
    lines = [
        f"{results.machine}, {results.taken_at}{', short form' if results.quick else ''}",
        "",
        "| ratio | min | median | max | wanted | holds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in results.ratios:
        wanted = "" if one.wanted is None else f"{'≤' if one.at_most else '≥'} {one.wanted:g}"
        holds = {None: "", True: "yes", False: "**no**"}[one.holds]
        lines.append(f"| {one.name} | {_three(one.values)} | {wanted} | {holds} |")
    lines += [
        "",
        "| what | unit | min | median | max | runs | measured by |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one.group}: {one.name} | {one.unit} | {_three(one.values)} | {len(one.values)} "
        f"| `{one.command}` |"
        for one in results.figures
    ]
    if results.not_measured:
        lines += ["", "Not measured:", ""]
        lines += [f"* {name}: {reason}" for name, reason in results.not_measured.items()]
    return "\n".join(lines) + "\n"


def _three(values: Sequence[float]) -> str:
    low, middle, high = spread(values).values()
    return f"{rounded(low)} | {rounded(middle)} | {rounded(high)}"


def rounded(value: float) -> str:
    """A number with at least three digits that count, with separators of thousands."""
    if not value:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{round(value, digits):,.{digits}f}"


def plot(results: Results, path: Path, unit: str = "× real time") -> None:
    """Draw the figures of one unit as bars from minimum to maximum, on a logarithmic scale."""
    from matplotlib.figure import Figure as Drawing

    shown = [one for one in results.figures if one.unit == unit]
    if not shown:
        return
    drawing = Drawing(figsize=(9, 0.5 * len(shown) + 1.4), layout="constrained")
    axes = drawing.subplots()
    names = [one.name for one in shown]
    middles = [one.median for one in shown]
    reach = [
        [middle - min(one.values) for one, middle in zip(shown, middles, strict=True)],
        [max(one.values) - middle for one, middle in zip(shown, middles, strict=True)],
    ]
    ours = ["#1864ab" if name.startswith("Jiexu") else "#adb5bd" for name in names]
    bars = axes.barh(names, middles, xerr=reach, color=ours, capsize=3)
    axes.bar_label(bars, [rounded(middle) for middle in middles], padding=8)
    axes.set_xscale("log")
    axes.set_xlim(right=max(middles) * 3)
    axes.invert_yaxis()
    axes.set_xlabel(f"{unit}, median with minimum and maximum")
    axes.set_title(results.machine, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    drawing.savefig(path, dpi=130)


def figures_of(
    group: str, unit: str, measured: Mapping[str, Sequence[float]], command: str
) -> list[Figure]:
    """Figures of one group."""
    return [Figure(group, name, unit, tuple(values), command) for name, values in measured.items()]
