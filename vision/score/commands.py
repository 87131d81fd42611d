"""The command that scores a run against the truth: ``jiexu score``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vision.files import write_atomically
from vision.rules.kinds import KINDS
from vision.score.events import Counts, EventScore, Matching, Outcome, Spread, Verdict
from vision.score.run import RunScore, score_run
from vision.score.truth import read_truth

console = Console()


def add_commands(app: typer.Typer) -> None:
    """Add the command to ``jiexu``."""
    app.command("score")(score)


def score(
    run: Annotated[Path, typer.Argument(help="Run folder of a scan or a replay.")],
    truth: Annotated[Path, typer.Option("--truth", help="Truth file, see docs/scoring.md.")],
    json_out: Annotated[
        Path | None, typer.Option("--json", help="Write all figures to this file.")
    ] = None,
    min_iou: Annotated[
        float, typer.Option(min=0.01, max=1, help="Overlap of boxes that is the same place.")
    ] = Matching.min_iou,
) -> None:
    """Score the violations of a run on events: found, missed, false alarms, delays."""
    result = score_run(run, read_truth(truth), matching=Matching(min_iou=min_iou))
    show(result)
    if json_out is not None:
        text = json.dumps(result.as_json(), ensure_ascii=False, indent=1)
        write_atomically(json_out, text + "\n")


def show(result: RunScore) -> None:
    """Print the figures, then what was missed and what was raised falsely."""
    console.print(counts_table(result.score))
    console.print(_figures(result.score), highlight=False)
    for line in _wrong(result.score):
        console.print(escape(line), highlight=False, soft_wrap=True)
    for note in result.notes:
        console.print(escape(note), style="yellow", highlight=False, soft_wrap=True)


def counts_table(score: EventScore) -> Table:
    """Counts and figures by kind and in all."""
    table = Table("kind", "found", "missed", "false", "precision", "recall", "F1")
    table.columns[0].min_width = max(map(len, KINDS))
    for kind, counts in score.by_kind.items():
        table.add_row(kind, *_cells(counts))
    table.add_section()
    table.add_row("all", *_cells(score.total))
    return table


def _cells(counts: Counts) -> list[str]:
    numbers = (counts.found, counts.missed, counts.false_alarms)
    shares = (counts.precision, counts.recall, counts.f1)
    return [*map(str, numbers), *("–" if s is None else f"{s:.3f}" for s in shares)]


def _figures(score: EventScore) -> Table:
    table = Table.grid(padding=(0, 2))
    per_day, watched_s = score.false_alarms_per_camera_day, score.watched_s or 0.0
    table.add_row(
        "false alarms per camera-day",
        "–" if per_day is None else f"{per_day:.2f}",
        f"{watched_s / 3600:.2f} hours watched",
    )
    for name, spread in (
        ("delay to raise", score.delay_to_raise),
        ("delay to notice the end", score.delay_to_end),
        ("onset error", score.onset_error),
    ):
        table.add_row(name, *_spread(spread))
    table.add_row("ends not noticed", str(score.ends_unnoticed))
    outcomes = [one.outcome for one in score.events]
    table.add_row("rightly quiet", str(outcomes.count(Outcome.RIGHTLY_QUIET)), "events")
    table.add_row(
        "not scored",
        str(outcomes.count(Outcome.UNSCORED)),
        f"events, {sum(one.verdict is Verdict.UNSCORED for one in score.violations)} violations",
    )
    return table


def _spread(spread: Spread) -> tuple[str, str]:
    if spread.median_s is None:
        return "–", ""
    return f"{spread.median_s:+.1f} s", f"median of {spread.count}, RMSE {spread.rmse_s:.1f} s"


def _wrong(score: EventScore) -> Iterator[str]:
    """What was missed and what was raised falsely, a line each."""
    for one in score.events:
        event = one.event
        if one.outcome is Outcome.MISSED:
            brief = event.end_s is not None and event.end_s - event.start_s < (event.dwell_s or 0)
            why = f" (shorter than the dwell of {event.dwell_s:g} s)" if brief else ""
            where = _where(event.clip, event.start_s, event.end_s)
            yield f"missed: {event.type or event.kinds[0]} in {where}{why}"
    for violation in score.violations:
        if violation.verdict is Verdict.FALSE_ALARM:
            raised, on = violation.raised, violation.event
            why = violation.reason.replace("_", " ") + (f": {on.type}" if on else "")
            where = _where(raised.clip, raised.start_s, raised.end_s)
            yield f"false alarm: {raised.kind} in {where} ({why})"


def _where(clip: str, start_s: float, end_s: float | None) -> str:
    until = "the end" if end_s is None else f"{end_s:.1f} s"
    return f"{PurePath(clip).name}, {start_s:.1f} s to {until}"
