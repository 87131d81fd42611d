"""The command ``jiexu``: the commands of ``vision`` and those that talk to other systems."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from service.commands import add_commands
from service.learning.commands import add_commands as add_learning_commands
from vision.cli import PostOptions, Publish, app, console, run
from vision.errors import ConfigError
from vision.site import Camera, Site, load_site

if TYPE_CHECKING:
    from service.dispatch.delivery import DeliveryReport

EXIT_UNDELIVERED = 1

add_commands(app)
add_learning_commands(app)


@app.command()
def post(
    folder: Annotated[Path, typer.Argument(help="Run folder of a scan.")],
    url: Annotated[
        str | None, typer.Option(help="Where to post; without it, where it was posted to before.")
    ] = None,
    site: Annotated[
        Path | None, typer.Option(help="Site file, for names and places of the cameras.")
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(help="File with the signing secret (whsec_...); else JIEXU_POST_SECRET."),
    ] = None,
    allow_unsigned: Annotated[bool, typer.Option(help="Post without a signature.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to go on retrying.")] = 30.0,
    retry_dead: Annotated[bool, typer.Option(help="Take up what was given up.")] = False,
    due_only: Annotated[
        bool, typer.Option(help="Send only what the schedule says is due; for timers.")
    ] = False,
) -> None:
    """Post what a run folder still holds undelivered; nothing is posted twice.

    Exit code 0: the receiver has everything; 1: something is pending or was refused.
    """
    from service.dispatch.delivery import deliver, last_destination
    from service.dispatch.secret import load_secret

    url = url or last_destination(folder)
    if url is None:
        raise ConfigError(f"{folder}: say with --url where to post")
    report = deliver(
        folder,
        url,
        load_secret(secret_file),
        allow_unsigned=allow_unsigned,
        wait_s=wait,
        retry_dead=retry_dead,
        due_only=due_only,
        cameras=_cameras(load_site(site) if site else None),
    )
    _show(report)
    if not report.is_complete:
        raise typer.Exit(EXIT_UNDELIVERED)


def publisher(options: PostOptions) -> Publish:
    """Check where and how to post, before the scan begins.

    Raises:
        ConfigError: The URL or the secret is missing or wrong.
    """
    from service.dispatch.delivery import deliver
    from service.dispatch.destination import Destination
    from service.dispatch.secret import SECRET_VARIABLE, load_secret

    Destination.parse(options.url)
    secret = load_secret(options.secret_file)
    if secret is None and not options.allow_unsigned:
        raise ConfigError(
            f"--post: no secret to sign with: set {SECRET_VARIABLE}, "
            "name a --post-secret-file, or give --post-unsigned"
        )

    def publish(folder: Path, site: Site | None) -> None:
        report = deliver(
            folder,
            options.url,
            secret,
            allow_unsigned=options.allow_unsigned,
            wait_s=options.wait_s,
            cameras=_cameras(site),
        )
        _show(report)
        if not report.is_complete:
            console.print(f"Go on with: jiexu post {folder}", highlight=False, soft_wrap=True)

    return publish


def _cameras(site: Site | None) -> dict[str, Camera]:
    return {camera.id: camera for camera in site.cameras} if site else {}


def _show(report: DeliveryReport) -> None:
    for message in report.messages:
        console.print(escape(message), style="yellow", highlight=False, soft_wrap=True)
    console.print(
        f"Posted to {escape(report.destination)}: {report.delivered} delivered"
        f" ({report.duplicates} known there), {report.delivered_before} before,"
        f" {report.pending} pending, {report.dead} given up",
        highlight=False,
        soft_wrap=True,
    )


def main() -> None:
    """Run the command line."""
    run(obj=publisher)
