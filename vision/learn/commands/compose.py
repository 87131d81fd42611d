"""The command that makes composites."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vision.errors import InputError
from vision.learn.commands.progress_bar import progress_bar

console = Console()


def compose_command(
    recipe: Annotated[Path, typer.Argument(help="Recipe file, see datasets/compose-*.yaml.")],
    root: Annotated[
        list[Path], typer.Option(help="Folder that holds the sources; may be repeated.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the composites.")],
    seed: Annotated[int, typer.Option(help="Seed of all draws.")] = 1,
    count: Annotated[
        int | None, typer.Option(min=1, help="How many pictures; the recipe's number if not given.")
    ] = None,
    train_of: Annotated[
        Path | None,
        typer.Option(
            help="A built data set: of its sources only pictures on its training side are used, so "
            "that nothing of the validation side is seen in training."
        ),
    ] = None,
) -> None:
    """Paste what is scarce onto pictures of real streets; a stopped run is taken up again."""
    from vision.configfile import load_config
    from vision.learn.compose.composer import compose
    from vision.learn.compose.recipe import ComposeRecipe

    allowed = never_validated(train_of) if train_of is not None else None
    with progress_bar("composing", console) as (_, progress):
        made = compose(
            load_config(recipe, ComposeRecipe),
            root,
            out,
            seed=seed,
            count=count,
            allowed=allowed,
            progress=progress,
        )
    table = Table("class", "boxes")
    for name, boxes in sorted(made.boxes.items()):
        table.add_row(name, str(boxes))
    console.print(table)
    console.print(f"{made.pictures} pictures in {out}, {made.kept} of them were there already")


def never_validated(data_dir: Path) -> Callable[[str, str], bool]:
    """Which pictures a built data set does not measure with, by source path and stem.

    These are the pictures on its training side, and those of sources that it is not made of.

    Raises:
        InputError: The folder is no built data set, or nothing is on its training side.
    """
    from vision.learn.data.dataset import picture_name
    from vision.learn.data.pictures import read_pictures

    pictures = read_pictures(data_dir)
    sources = {p.source for p in pictures}
    training = {(p.source, picture_name(p)) for p in pictures if p.split == "train"}
    if not training:
        raise InputError(f"{data_dir}: no picture on the training side")
    return lambda source, stem: source not in sources or (source, stem) in training
