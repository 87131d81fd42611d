"""The command that makes and measures the second stage: ``jiexu train-derelict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vision.configfile import load_config
from vision.detect.registry import find_registry, load_registry
from vision.errors import ConfigError
from vision.learn.commands.progress_bar import progress_bar
from vision.shared_options import ModelsOption

console = Console()


def add_commands(app: typer.Typer) -> None:
    """Add the command to ``jiexu``."""
    app.command("train-derelict")(train_derelict)


def train_derelict(
    recipe: Annotated[Path, typer.Argument(help="Recipe, see models/recipes/derelict.yaml.")],
    data: Annotated[
        Path, typer.Option("--data", help="Folder of the built data set that the recipe names.")
    ],
    start: Annotated[
        Path | None, typer.Option("--start", help="Folder of the starting weights.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for checkpoint and weights.")
    ] = None,
    trained: Annotated[
        Path | None,
        typer.Option(
            "--trained",
            help="Weights that the recipe has made, to measure with another detector; "
            "instead of --start and --out.",
        ),
    ] = None,
    models: ModelsOption = None,
    detector: Annotated[
        str | None, typer.Option(help="Detector to measure with; the registry's default.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it stopped.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
) -> None:
    """Train, measure and register the classifier that tells derelict vehicles from sound ones.

    It becomes the registry's second stage, which 'jiexu scan' asks about vehicles that stand.
    Ctrl-C loses at most an epoch, --resume goes on.
    """
    import torch

    from vision.learn.derelict.registration import register_derelict
    from vision.learn.derelict.training import CropRecipe, train_crops

    if threads is not None:
        torch.set_num_threads(threads)
    settings = load_config(recipe, CropRecipe)
    registry = load_registry(models)
    with progress_bar("training, epochs", console) as (say, progress):

        def heard(epoch: int, of: int, loss: float) -> None:
            console.print(f"epoch {epoch} of {of}: loss {loss:.3f}", highlight=False)
            progress(epoch, of)

        if trained is not None:
            weights = trained
        elif start is None or out is None:
            raise ConfigError("train-derelict: give --start and --out, or --trained")
        else:
            weights = train_crops(
                settings, data, out, start=start, resume=resume, device=device, progress=heard
            )
        say("measuring, views")
        entry = register_derelict(
            weights,
            settings,
            data,
            registry_dir=find_registry(models).parent,
            detector=registry.model(detector),
            progress=progress,
        )
    table = Table("vehicles of", "set", "one stage", "votes", "two stages", "both")
    for side, measured in entry.metrics["measured"]["sizes"].items():
        for name, ways in measured["system"].items():
            table.add_row(
                side,
                name,
                *(
                    f"{ways[way]['ap']} ({ways[way]['ci95'][0]}-{ways[way]['ci95'][1]})"
                    for way in ("one_stage", "votes", "two_stage", "combined")
                ),
            )
    console.print(table)
    console.print(f"{entry.name}: registered in {entry.folder}", soft_wrap=True)
