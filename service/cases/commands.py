"""``jiexu catalogue``: look at case catalogues and check a city's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from vision.cli import console

if TYPE_CHECKING:
    from service.cases.catalogue import Catalogue

catalogue_app = typer.Typer(
    name="catalogue", help="Case catalogues: codes, limits, conditions.", no_args_is_help=True
)


@catalogue_app.command("list")
def list_catalogues() -> None:
    """List the catalogues that are shipped."""
    from service.cases.catalogue import catalogue_names, load_catalogue

    table = Table("id", "name", "source")
    for name in catalogue_names():
        one = load_catalogue(name)
        table.add_row(one.id, one.name, one.source)
    console.print(table)


@catalogue_app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Shipped catalogue, or a file.")],
) -> None:
    """Show the classes of a catalogue."""
    from service.cases.catalogue import load_catalogue

    console.print(_table(load_catalogue(name)))


@catalogue_app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A city's own catalogue.")],
) -> None:
    """Check a catalogue; faults are named with their line and key.

    Exit code 0: it can be used; what is worth a look is said. 2: it cannot.
    """
    from service.cases.catalogue import load_catalogue
    from vision.rules.kinds import KINDS

    found = load_catalogue(str(file))
    console.print(_table(found))
    for kind in KINDS:
        if kind not in found.kinds:
            console.print(f"{kind}: has no class; such cases get no code and no deadline")
    for kind, classes in found.kinds.items():
        for one in classes:
            if one.inferred:
                console.print(f"{kind}: {one.code} is inferred; check it against the print")
            if one.limit is None:
                console.print(f"{kind}: {one.code} has no limit; such cases get no deadline")


def _table(catalogue: Catalogue) -> Table:
    table = Table("kind", "code", "name", "zones", "limit", "evidence", title=catalogue.id)
    for kind, classes in catalogue.kinds.items():
        for one in classes:
            limit = "–" if one.limit is None else f"{one.limit.amount:g} {one.limit.clock}"
            table.add_row(
                kind, one.code, one.name, " ".join(one.zones), limit, " ".join(one.evidence)
            )
    return table
