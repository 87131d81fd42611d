"""The command that judges an archive again: ``jiexu replay``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vision.detect.registry import load_registry
from vision.progress import ConsoleProgress
from vision.record import ViolationRecord
from vision.replay.evidence import EvidenceCollector
from vision.replay.judging import ReplayOptions
from vision.replay.run import ReplayResult, run_replay
from vision.report.summary import read_run
from vision.rule_options import rule_options
from vision.rules.kinds import KINDS
from vision.shared_options import DwellOption, ModelsOption, RuleOption, RuntimeOption
from vision.site import load_site

console = Console()


def add_commands(app: typer.Typer) -> None:
    """Add the command to ``jiexu``."""
    app.command("replay")(replay)


def replay(
    run: Annotated[Path, typer.Argument(help="Run folder of a scan; it is not changed.")],
    site: Annotated[
        Path | None,
        typer.Option(help="Site file to judge by; without it, what the run was judged by."),
    ] = None,
    dwell: DwellOption = None,
    rule: RuleOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="New run folder; RUN-replay without it.")
    ] = None,
    evidence: Annotated[
        bool,
        typer.Option(
            "--evidence/--no-evidence",
            help="Collect evidence of what the old run had none of, from the recordings.",
        ),
    ] = False,
    models: ModelsOption = None,
    runtime: RuntimeOption = None,
) -> None:
    """Judge archived detections again, without touching video, and say what is different."""
    options = ReplayOptions(
        site=load_site(site) if site else None,
        site_path=site,
        rules=rule_options(dwell or [], rule or []),
    )
    target = out or run.with_name(f"{run.resolve().name}-replay")
    collector = None
    if evidence:
        settings = read_run(run).settings
        collector = EvidenceCollector(load_registry(models), runtime, settings)
    try:
        with ConsoleProgress(console) as progress:
            result = run_replay(run, target, options, progress, collect=collector)
    finally:
        if collector is not None:
            collector.close()
    show(result)


def show(result: ReplayResult) -> None:
    """Print what appeared, vanished and changed."""
    for note in result.notes:
        console.print(escape(note), style="yellow", highlight=False, soft_wrap=True)
    diff = result.diff
    if not diff.is_empty:
        table = Table("", "violation", "since, until", "what is different")
        for record in diff.appeared:
            table.add_row("[green]appeared[/green]", *_cells(record), "")
        for record in diff.vanished:
            table.add_row("[red]vanished[/red]", *_cells(record), "")
        for pair in diff.changed:
            words = "\n".join(_change(name, *values) for name, values in pair.changes.items())
            table.add_row("changed", *_cells(pair.new), escape(words))
        console.print(table)
    console.print(
        f"{len(result.records)} violations: {len(diff.unchanged)} as before, "
        f"{len(diff.changed)} changed, {len(diff.appeared)} appeared; "
        f"{len(diff.vanished)} vanished",
        highlight=False,
    )
    counts, timing = result.summary["counts"], result.summary["timing"]
    console.print(
        f"{counts['looks']} looks judged in {timing['judging_s']:.1f} s, "
        f"{timing['times_scan']:.0f} times as fast as they were scanned",
        highlight=False,
    )
    missing = counts["evidence"]["none"] + counts["evidence"]["part"]
    if missing:
        console.print(f"{missing} violations lack evidence or a part of it", highlight=False)
    console.print(f"Report: {result.folder.report}", soft_wrap=True)


def _cells(record: ViolationRecord) -> tuple[str, str]:
    kind = KINDS.get(record.kind)
    return (
        f"{kind.en if kind else record.kind}\n"
        + escape(f"{record.camera_id}, zone {record.zone_id}"),
        f"{record.told_since}\n{record.told_until}",
    )


def _change(name: str, old: Any, new: Any) -> str:
    if name == "box":
        return "box"
    return f"{name.removesuffix('_id')} {_value(name, old)} → {_value(name, new)}"


def _value(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "–"
    if isinstance(value, float):
        return f"{value:.1f} s" if name.endswith("_s") else f"{value:.2f}"
    return str(value)
