"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vision.detect.registry import MODELS_VARIABLE, RUNTIMES

ModelsOption = Annotated[
    Path | None,
    typer.Option("--models", help="Folder with a registry.yaml.", envvar=MODELS_VARIABLE),
]
RuntimeOption = Annotated[
    str | None, typer.Option(help=f"Detector runtime: {', '.join(RUNTIMES)}.")
]
DwellOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[KIND=]SECONDS",
        help="Dwell of a kind, or of all kinds for a trial; may be repeated.",
    ),
]
RuleOption = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND.SETTING=VALUE", help="A rule setting; may be repeated."),
]
