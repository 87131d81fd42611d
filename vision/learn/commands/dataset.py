"""The commands ``jiexu dataset ...``: build, check, count and look at labelled folders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from vision.errors import ConfigError
from vision.learn.commands.compose import compose_command
from vision.learn.commands.progress_bar import by_step, progress_bar
from vision.learn.commands.scenes import scenes_command

if TYPE_CHECKING:
    from vision.frames.frame import Image
    from vision.learn.data.pictures import Progress, Split

EXIT_FINDINGS = 1
EXIT_INTERRUPTED = 130

console = Console()
errors = Console(stderr=True)

app = typer.Typer(
    name="dataset",
    help="Build, check, count and look at labelled folders (YOLO, COCO or Jiexu layout).",
    no_args_is_help=True,
)

Folders = Annotated[
    list[Path], typer.Argument(help="Labelled folders: YOLO, COCO or Jiexu layout.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
InputSize = Annotated[
    int, typer.Option(min=32, help="Longest side at which a model sees the pictures, in pixels.")
]


class SheetBy(StrEnum):
    """What a contact sheet gathers."""

    CLASS = "class"
    SOURCE = "source"


app.command("compose")(compose_command)
app.command("scenes")(scenes_command)


@app.command()
def build(
    recipe: Annotated[Path, typer.Argument(help="Recipe file.")],
    root: Annotated[
        list[Path], typer.Option(help="Folder that holds the sources; may be repeated.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the data set.")],
    teacher: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=WEIGHTS", help="Weights of a teacher; may be repeated."),
    ] = None,
) -> None:
    """Build a data set after a recipe.

    Stopped, the same command goes on: what teachers saw is kept. Without weights, a teacher's
    classes count as unknown.
    """
    from vision.configfile import load_config
    from vision.learn.data.dataset import build_dataset
    from vision.learn.data.recipe import Recipe

    wanted = load_config(recipe, Recipe)
    try:
        with _progress() as progress:
            counts = build_dataset(
                wanted, root, out, teachers=_teachers(teacher or []), progress=progress
            )
    except KeyboardInterrupt:
        errors.print("Interrupted. The same command goes on where it stopped.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    table = Table("class", *counts)
    for name in ("pictures", *wanted.classes):
        table.add_row(escape(name), *(str(counts[side].get(name, 0)) for side in counts))
    console.print(table)


@app.command("recipe")
def start_recipe(
    folders: Folders,
    name: Annotated[str, typer.Option(help="Name of the data set.")] = "mine",
) -> None:
    """Print a recipe to start from: the folders' classes as they are, with counts."""
    from vision.learn.data.folders import read_folder
    from vision.learn.data.starting_recipe import starting_recipe

    read = [read_folder(folder) for folder in folders]
    typer.echo(starting_recipe(read, name=name), nl=False)


@app.command("lint")
def lint_folders(
    folders: Folders,
    tiny: Annotated[
        float, typer.Option(min=0, help="Report boxes with a shorter side, in pixels.")
    ] = 8.0,
    input_size: InputSize = 640,
    show: Annotated[int, typer.Option(min=0, help="Findings listed of each kind.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Find faulty labels and pictures; exit code 1 if there are errors."""
    from vision.learn.data.folders import read_folder
    from vision.learn.data.lint import KINDS, counted, lint

    found = []
    with _progress() as progress:
        for path in folders:
            folder = read_folder(path)
            found.append(
                (folder, lint(folder, input_size=input_size, tiny_px=tiny, progress=progress))
            )
    if as_json:
        rows = [
            {
                "folder": str(folder.path),
                "layout": folder.layout,
                "pictures": len(folder.pictures),
                "counts": counted(findings),
                "findings": [{**asdict(f), "severity": f.severity} for f in findings],
            }
            for folder, findings in found
        ]
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        for folder, findings in found:
            counts = counted(findings)
            title = f"{folder.path} ({folder.layout} layout, {len(folder.pictures)} pictures)"
            if not counts:
                console.print(f"{escape(title)}: nothing found", highlight=False, soft_wrap=True)
                continue
            table = Table("severity", "kind", "found", "meaning", title=escape(title))
            for kind, number in counts.items():
                table.add_row(KINDS[kind][0], kind, str(number), KINDS[kind][1])
            console.print(table)
            for kind in counts:
                of_kind = [f for f in findings if f.kind == kind]
                for f in of_kind[:show]:
                    where = f"{f.file}:{f.line}" if f.line else f.file
                    _line(f"{where}: {f.kind}: {f.text}")
                if show and len(of_kind) > show:
                    _line(f"... and {len(of_kind) - show} more of {kind}; see --json or --show")
    if any(f.severity == "error" for _, findings in found for f in findings):
        raise typer.Exit(EXIT_FINDINGS)


@app.command()
def duplicates(folders: Folders, as_json: AsJson = False) -> None:
    """List near-duplicates within and between folders; exit code 1 if one leaks across a split."""
    from vision.learn.data.folders import read_folder
    from vision.learn.data.near_duplicates import find_near_duplicates
    from vision.learn.data.pictures import read_image

    read = [read_folder(folder) for folder in folders]
    total = sum(len(folder.pictures) for folder in read)
    with _progress() as progress:
        pictures = []
        for folder in read:
            for picture in folder.pictures:
                name = folder.relative(picture.file)
                named = name if len(read) == 1 else f"{folder.path.name}/{name}"
                pictures.append((named, picture.split, picture.file))

        def opened() -> Iterator[tuple[str, Split | None, Image]]:
            for number, (name, split, file) in enumerate(pictures):
                progress("comparing pictures", number, total)
                yield name, split, read_image(file)

        pairs = find_near_duplicates(opened())
    leaks = sum(pair.leak for pair in pairs)
    if as_json:
        typer.echo(json.dumps([asdict(pair) for pair in pairs], indent=1, ensure_ascii=False))
    else:
        for pair in pairs:
            mark = "LEAK " if pair.leak else ""
            _line(f"{mark}{pair.first} ~ {pair.second} ({pair.bits} of 256 bits)")
        _line(f"{total} pictures, {len(pairs)} near-duplicate pairs, {leaks} across a split")
    if leaks:
        raise typer.Exit(EXIT_FINDINGS)


@app.command()
def stats(folders: Folders, input_size: InputSize = 640, as_json: AsJson = False) -> None:
    """Count classes, box sizes, shapes, day and night."""
    from vision.learn.data.census import take_census
    from vision.learn.data.folders import read_folder

    with _progress() as progress:
        counted = [
            (folder, take_census(folder, input_size=input_size, progress=progress))
            for folder in map(read_folder, folders)
        ]
    if as_json:
        rows = [{"folder": str(folder.path), **asdict(census)} for folder, census in counted]
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for folder, census in counted:
        table = Table(
            *("side", "pictures", "boxes", "a picture", "most", "no box", "night"),
            title=escape(str(folder.path)),
        )
        for s in census.splits:
            cells = (s.pictures, s.boxes, s.boxes_a_picture, s.most_boxes, s.without_box)
            table.add_row(s.split or "all", *map(str, cells), f"{s.night:.0%}")
        console.print(table)
        table = Table(
            Column("class", overflow="fold", min_width=12),
            *("side", "boxes", "pictures", "unknown in"),
            *("small", "medium", "large", "aspect"),
            caption=f"sizes at {input_size} px: small < 32², large ≥ 96²",
        )
        for c in census.classes:
            sizes = [f"{share:.0%}" if c.boxes else "" for share in (c.small, c.medium, c.large)]
            table.add_row(
                escape(c.name),
                c.split or "all",
                *map(str, (c.boxes, c.pictures, c.unknown_pictures)),
                *sizes,
                "" if c.aspect is None else f"{c.aspect:.2f}",
            )
        console.print(table)


@app.command()
def sheet(
    folder: Annotated[Path, typer.Argument(help="Labelled folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the JPEG files.")],
    by: Annotated[SheetBy, typer.Option(help="One sheet a class or a source.")] = SheetBy.CLASS,
    split: Annotated[str | None, typer.Option(help="Only this side: train or val.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Only this class or source; may be repeated.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Pictures a sheet at most.")] = 36,
    columns: Annotated[int, typer.Option(min=1, help="Pictures side by side.")] = 6,
    tile: Annotated[int, typer.Option(min=64, help="Side of a picture's tile, in pixels.")] = 240,
    seed: Annotated[int, typer.Option(help="Seed of the draw of pictures.")] = 1,
) -> None:
    """Draw contact sheets with boxes; what is unknown in a picture stands under it."""
    from dataclasses import replace

    from vision.learn.data.contact_sheet import choose_sheets, write_sheets
    from vision.learn.data.folders import read_folder

    read = read_folder(folder)
    if split is not None:
        kept = tuple(p for p in read.pictures if p.split == split)
        if not kept:
            raise ConfigError(f"--split {split}: {folder} has no pictures on that side")
        read = replace(read, pictures=kept)
    sheets = choose_sheets(read, by=by.value, count=count, seed=seed)
    missing = set(only or ()) - {s.name for s in sheets}
    if missing:
        raise ConfigError(
            f"--only {', '.join(sorted(missing))}: there are {', '.join(s.name for s in sheets)}"
        )
    wanted = [s for s in sheets if not only or s.name in only]
    with _progress() as progress:
        files = write_sheets(read, wanted, out, columns=columns, tile_px=tile, progress=progress)
    for file in files:
        _line(str(file))


@app.command()
def card(
    recipe: Annotated[Path, typer.Argument(help="Recipe file.")],
    built: Annotated[Path, typer.Argument(help="The data set built after it.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Markdown file.")],
    input_size: InputSize = 640,
) -> None:
    """Write the data set's card: sources, licences, counts, sizes, split, known faults."""
    from vision.configfile import load_config
    from vision.files import write_atomically
    from vision.learn.data.card import write_card
    from vision.learn.data.recipe import Recipe

    with _progress() as progress:
        text = write_card(
            load_config(recipe, Recipe), built, input_size=input_size, progress=progress
        )
    write_atomically(out, text)
    _line(str(out))


def _teachers(options: list[str]) -> dict[str, Path]:
    weights = {}
    for option in options:
        name, equals, path = option.partition("=")
        if not equals or not name or not path:
            raise ConfigError(f"--teacher {option}: expected NAME=WEIGHTS")
        weights[name] = Path(path)
    return weights


@contextmanager
def _progress() -> Iterator[Progress]:
    with progress_bar("", errors) as (say, progress):
        yield by_step(say, progress)


def _line(text: str) -> None:
    console.print(escape(text), highlight=False, soft_wrap=True)
