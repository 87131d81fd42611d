"""The commands of ``jiexu`` that need no service: scan, replay, score, check, demo, models, ..."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vision import __version__
from vision.check import check_site
from vision.cluster.options import ClusterOptions
from vision.cluster.start import cluster_engine
from vision.detect.registry import load_registry
from vision.errors import ConfigError, JiexuError
from vision.learn.commands.dataset import app as dataset_app
from vision.learn.commands.derelict import add_commands as add_derelict_commands
from vision.learn.commands.model import add_commands as add_model_commands
from vision.progress import ConsoleProgress
from vision.replay.commands import add_commands as add_replay_command
from vision.rule_options import rule_options
from vision.rules.kinds import KINDS
from vision.scan import ScanOptions, ScanResult, run_scan
from vision.score.commands import add_commands as add_score_command
from vision.shared_options import DwellOption, ModelsOption, RuleOption, RuntimeOption
from vision.site import Site, load_site
from vision.store import run_folder_of

EXIT_FAILED_INPUTS = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class PostOptions:
    """Where and how to post violations.

    Attributes:
        url: Receiver.
        secret_file: File with the signing secret; ``None`` for the environment's.
        allow_unsigned: Post without a signature when there is no secret.
        wait_s: Seconds to go on retrying at the end of the scan.
    """

    url: str
    secret_file: Path | None
    allow_unsigned: bool
    wait_s: float


Publish = Callable[[Path, Site | None], None]
"""Posts the violations of a run folder."""

PublisherOf = Callable[[PostOptions], Publish]
"""Checks the options and gives the publisher; the service hands it over as ``ctx.obj``."""

console = Console()
errors = Console(stderr=True)

app = typer.Typer(
    name="jiexu",
    help="See street-order violations through a city's cameras.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(dataset_app)
add_derelict_commands(app)
add_model_commands(app)
add_replay_command(app)
add_score_command(app)


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"jiexu {__version__}")
        raise typer.Exit


@app.callback()
def main(
    _version_shown: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens.")] = False,
) -> None:
    """See street-order violations through a city's cameras."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.CRITICAL,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


@app.command()
def scan(
    ctx: typer.Context,
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Recordings, pictures, folders of them, URLs of streams, or s3://bucket/folder."
        ),
    ],
    out: Annotated[
        str, typer.Option("--out", "-o", help="Run folder, or its URL in a store (s3://...).")
    ] = "jiexu-out",
    site: Annotated[
        Path | None, typer.Option(help="Site file with cameras, zones and rule settings.")
    ] = None,
    start_time: Annotated[
        str | None,
        typer.Option(help="Wall-clock start of the recordings, ISO 8601."),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(help="Time zone of times without offset; the site's, else this machine's."),
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(min=0.04, help="Look every N seconds instead of adaptively."),
    ] = None,
    forced_look: Annotated[
        float, typer.Option(min=1, help="Inspect every N seconds even if nothing changed.")
    ] = 60.0,
    dwell: DwellOption = None,
    rule: RuleOption = None,
    model: Annotated[str | None, typer.Option(help="Model of the registry.")] = None,
    models: ModelsOption = None,
    runtime: RuntimeOption = None,
    duration: Annotated[
        float | None, typer.Option(min=1, help="Seconds to record a stream.")
    ] = None,
    clip: Annotated[float, typer.Option(min=1, help="Seconds of each evidence clip.")] = 8.0,
    engine: Annotated[
        str, typer.Option(help="'local', or 'ray' for a cluster of machines or of processes.")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="Ray cluster to join, 'auto' or host:port; else one is started here."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Workers of the cluster; else as many as have room.")
    ] = None,
    worker_cpus: Annotated[
        int, typer.Option(min=1, help="CPUs that each worker reserves, and threads it uses.")
    ] = 1,
    worker_gpus: Annotated[
        float, typer.Option(min=0, help="Share of a GPU that each worker reserves, as 0.25.")
    ] = 0.0,
    post: Annotated[
        str | None, typer.Option(help="Post each violation to this URL; see 'jiexu post'.")
    ] = None,
    post_secret_file: Annotated[
        Path | None,
        typer.Option(help="File with the signing secret (whsec_...); else JIEXU_POST_SECRET."),
    ] = None,
    post_unsigned: Annotated[bool, typer.Option(help="Post without a signature.")] = False,
    post_wait: Annotated[
        float, typer.Option(min=0, help="Seconds to retry before leaving it to 'jiexu post'.")
    ] = 30.0,
) -> None:
    """Scan recordings: violations, evidence and a report.

    Exit code 0: all inputs scanned; 1: some inputs failed; 2: usage; 130: interrupted, the same
    command goes on.
    """
    cluster = ClusterOptions(address, workers, worker_cpus, worker_gpus)
    _check_engine(engine, cluster)
    site_file = load_site(site) if site else None
    options = ScanOptions(
        site=site_file,
        site_path=site,
        timezone=_timezone(timezone, site_file),
        every_s=every,
        forced_look_s=forced_look,
        rules=rule_options(dwell or [], rule or []),
        model=model,
        runtime=runtime,
        clip_s=clip,
        duration_s=duration,
    )
    if start_time is not None:
        options = replace(options, start_time=_start_time(start_time, options.timezone))
    publish = None
    if post is not None:
        if ctx.obj is None:
            raise ConfigError("--post needs the service package")
        publisher_of: PublisherOf = ctx.obj
        publish = publisher_of(PostOptions(post, post_secret_file, post_unsigned, post_wait))
    registry = load_registry(models)
    with run_folder_of(out) as folder:
        with ConsoleProgress(console) as progress:
            result = run_scan(
                inputs,
                folder,
                options,
                registry,
                progress,
                engine=cluster_engine(cluster) if engine == "ray" else None,
            )
        show(result)
        if publish is not None:
            publish(result.folder.root, site_file)
    if result.interrupted:
        errors.print("Interrupted. The same command goes on where it stopped.")
        raise typer.Exit(EXIT_INTERRUPTED)
    if result.failed:
        raise typer.Exit(EXIT_FAILED_INPUTS)


@app.command()
def check(
    site: Annotated[Path, typer.Argument(help="Site file.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for pictures of the zones.")
    ] = Path("jiexu-check"),
    models: ModelsOption = None,
) -> None:
    """Validate a site file and draw its zones over a frame of each camera."""
    read = load_site(site)
    today = datetime.now(read.clock.timezone).date()
    checked = check_site(read, site.parent, out, load_registry(models), today)
    table = Table("camera", "zones", "source", "picture")
    for row in checked:
        table.add_row(
            row.camera_id, str(row.zones), row.fault or row.source, str(row.picture or "")
        )
    console.print(table)
    for row in checked:
        for note in row.notes:
            console.print(f"{row.camera_id}: {note}", highlight=False, soft_wrap=True)
    if any(row.fault for row in checked):
        raise typer.Exit(EXIT_FAILED_INPUTS)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for clip and run.")] = Path(
        "jiexu-demo"
    ),
    scene: Annotated[list[str] | None, typer.Option(help="Scene preset; may be repeated.")] = None,
    seconds: Annotated[float, typer.Option(min=20, help="Length of each clip.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Seed of the scenes.")] = 1,
    models: ModelsOption = None,
) -> None:
    """Draw a street and a building site, scan the clips, and show what was found."""
    from vision.learn.scenes.demo import make_demo

    names = scene or ["street_demo", "site_demo"]
    with ConsoleProgress(console) as progress:
        site = make_demo(out, names, seconds=seconds, seed=seed, progress=progress)
        options = ScanOptions(
            site=load_site(site), site_path=site, timezone=load_site(site).timezone
        )
        result = run_scan(
            [str(out / "clips")], out / "run", options, load_registry(models), progress
        )
    show(result)


@app.command()
def scenes() -> None:
    """List the scenes that 'jiexu demo' and training can draw."""
    from vision.learn.scenes import load_preset, preset_names

    table = Table("scene", "shows")
    for name in preset_names():
        table.add_row(name, load_preset(name).title)
    console.print(table)


@app.command("models")
def list_models(models: ModelsOption = None) -> None:
    """List the models of the registry."""
    registry = load_registry(models)
    table = Table("model", "runtimes", "classes", "input")
    for name, entry in registry.models.items():
        mark = " (default)" if name == registry.default else ""
        classes = (c + " (experimental)" * (c in entry.experimental) for c in entry.classes)
        table.add_row(
            name + mark, ", ".join(entry.files), ", ".join(classes), str(entry.input_size)
        )
    console.print(table)


@app.command()
def schema() -> None:
    """Print the JSON schema of the site file."""
    typer.echo(json.dumps(Site.model_json_schema(), indent=2, ensure_ascii=False))


def show(result: ScanResult) -> None:
    """Print what was found, what failed, and where the report lies."""
    if result.records:
        table = Table("kind", "camera", "zone", "since", "until", "confidence")
        for record in result.records:
            table.add_row(
                KINDS[record.kind].en + " (experimental)" * record.experimental,
                record.camera_id,
                record.zone_id,
                record.told_since,
                record.told_until,
                f"{record.confidence:.2f}",
            )
        console.print(table)
    console.print(f"{len(result.records)} violations")
    for reason in result.failed.values():
        errors.print(f"[red]failed[/red] {escape(reason)}", highlight=False, soft_wrap=True)
    console.print(f"Report: {result.folder.report}", soft_wrap=True)


def _check_engine(engine: str, cluster: ClusterOptions) -> None:
    if engine not in {"local", "ray"}:
        raise ConfigError(f"--engine {engine}: there are 'local' and 'ray'")
    if engine == "local" and cluster != ClusterOptions():
        raise ConfigError("--address and --worker... are for --engine ray")


def _timezone(option: str | None, site: Site | None) -> str:
    name = option or (site.timezone if site else None) or _local_timezone()
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"--timezone: unknown time zone {name!r}") from error
    return name


def _local_timezone() -> str:
    """IANA name of this machine's zone where it can be told, else UTC."""
    localtime = Path("/etc/localtime").resolve()
    _, found, name = localtime.as_posix().partition("zoneinfo/")
    return name if found else "UTC"


def _start_time(text: str, timezone: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--start-time: {text!r} is no ISO 8601 time") from error
    return value if value.tzinfo else value.replace(tzinfo=ZoneInfo(timezone))


def run(obj: object = None) -> None:
    """Run the command line; errors that a user can act on are shown without a traceback."""
    try:
        app(obj=obj)
    except JiexuError as error:
        errors.print(f"[red]error[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(EXIT_USAGE) from None
