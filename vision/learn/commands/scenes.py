"""The command that draws labelled pictures of made-up scenes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vision.errors import ConfigError
from vision.learn.commands.progress_bar import progress_bar

EXIT_INTERRUPTED = 130

console = Console()


def scenes_command(
    count: Annotated[int, typer.Option(min=1, help="How many pictures.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the pictures.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 1,
    widths: Annotated[
        tuple[int, int],
        typer.Option(metavar="LEAST MOST", help="Widths of the pictures, in pixels."),
    ] = (640, 960),
    workers: Annotated[int, typer.Option(min=1, help="Processes that draw.")] = 1,
) -> None:
    """Draw streets and sites with exact labels; a stopped run is taken up again."""
    from vision.learn.scenes.training import training_frames

    if not 64 <= widths[0] <= widths[1]:
        raise ConfigError(f"--widths {widths[0]} {widths[1]}: expected LEAST MOST, 64 or more")
    try:
        with progress_bar("drawing", console) as (_, progress):
            kept = training_frames(
                out,
                count,
                seed,
                widths,
                workers=workers,
                progress=lambda done: progress(done, count),
            )
    except KeyboardInterrupt:
        console.print("Interrupted. The same command goes on where it stopped.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    console.print(f"{count} pictures in {out}, {kept} of them were there already", soft_wrap=True)
