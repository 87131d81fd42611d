"""The commands of the live service: serve, user, backup, restore, sandbox, hosts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from service.cases.commands import catalogue_app
from service.command_line import ConfigOption, asked_password, database_of, settings_of
from service.hosts.commands import hosts_app
from service.reports.commands import report_app
from service.sandbox.commands import sandbox
from vision.cli import console
from vision.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.backup import Amount
    from service.store.tables import Role

user_app = typer.Typer(name="user", help="Users of the live service.", no_args_is_help=True)


def add_commands(app: typer.Typer) -> None:
    """Add the commands to ``jiexu``."""
    app.command("serve")(serve)
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("sandbox")(sandbox)
    app.add_typer(user_app)
    app.add_typer(catalogue_app)
    app.add_typer(report_app)
    app.add_typer(hosts_app)


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen at.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port.")] = None,
    demo: Annotated[
        bool, typer.Option(help="Watch a drawn street and a drawn site, to try it.")
    ] = False,
) -> None:
    """Serve the pages and the API."""
    settings = settings_of(config)
    given = {"host": host, "port": port}
    changes = {name: value for name, value in given.items() if value is not None}
    from service.serve import serve as run_service

    run_service(
        settings.model_copy(update=changes),
        lambda: settings_of(config).model_copy(update=changes),
        demo=demo,
    )


def backup(
    folder: Annotated[Path, typer.Argument(help="New folder for the backup.")],
    config: ConfigOption = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Kept looks, replays and pictures of views too.")
    ] = False,
) -> None:
    """Copy database and evidence into a folder, while the service runs."""
    settings = settings_of(config)
    from service.backup import back_up, seen_so_far

    done = back_up(settings, folder, lambda: datetime.now(UTC), with_seen=all_)
    console.print(f"{done.folder}: database and {done.evidence_files} evidence files")
    if done.seen:
        console.print(f"and what was seen: {_told(done.seen)}", highlight=False)
    else:
        left_out = _told(seen_so_far(settings))
        console.print(f"left out is what was seen, --all takes it: {left_out}", highlight=False)
    _tell_missing(done.missing)


def restore(
    folder: Annotated[Path, typer.Argument(help="Folder of a backup.")],
    config: ConfigOption = None,
) -> None:
    """Put a backup back; a database that is there is never overwritten."""
    settings = settings_of(config)
    from service.backup import restore as put_back

    done = put_back(settings, folder)
    console.print(f"Restored database and {done.evidence_files} evidence files")
    if any(amount.files for amount in done.seen.values()):
        console.print(f"and what was seen: {_told(done.seen)}", highlight=False)
    _tell_missing(done.missing)


@user_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Name to log in with.")],
    role: Annotated[str, typer.Option(help="viewer, reviewer, supervisor or admin.")] = "viewer",
    display_name: Annotated[str, typer.Option(help="Name to show.")] = "",
    config: ConfigOption = None,
) -> None:
    """Make a user; the password is asked for, or read as a line from standard input."""
    database = database_of(config)
    from service import audit
    from service.auth.users import add_user

    wanted = _role(role)
    password = asked_password()
    now = datetime.now(UTC)
    with database.write() as session:
        user = add_user(session, name, wanted, now, password=password, display_name=display_name)
        audit.write(
            session,
            now,
            audit.NOWHERE,
            "system",
            "user.created",
            subject=f"user:{user.name}",
            details={"role": role},
        )
    console.print(f"{user.name} ({role})")


@user_app.command("list")
def list_users(config: ConfigOption = None) -> None:
    """List the users."""
    database = database_of(config)
    from service.auth.users import users

    table = Table("name", "shown as", "role", "disabled since")
    with database.read() as session:
        for user in users(session):
            since = user.disabled_at
            table.add_row(
                user.name,
                user.display_name,
                user.role,
                "" if since is None else since.isoformat(timespec="minutes"),
            )
    console.print(table)


@user_app.command("change")
def change(
    name: Annotated[str, typer.Argument(help="Name of the user.")],
    role: Annotated[str | None, typer.Option(help="New role.")] = None,
    password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Let them in no more, or again.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Change a user's role or password, disable or enable them."""
    database = database_of(config)
    from service import audit
    from service.auth import users

    wanted = None if role is None else _role(role)
    new_password = asked_password() if password else None
    now = datetime.now(UTC)
    with database.write() as session:
        user = users.find_user(session, name)
        if user is None:
            raise ConfigError(f"there is no user {name}")
        if wanted is not None:
            users.set_role(session, user, wanted)
        if new_password is not None:
            users.set_password(session, user, new_password)
        if disabled is True:
            users.disable(session, user, now)
        if disabled is False:
            users.enable(user)
        changed = {
            "role": role is not None,
            "password": password,
            "disabled": disabled is not None,
        }
        audit.write(
            session,
            now,
            audit.NOWHERE,
            "system",
            "user.changed",
            subject=f"user:{user.name}",
            details={"changed": [what for what, is_so in changed.items() if is_so]},
        )
    console.print(f"{user.name} ({user.role})")


def _role(text: str) -> Role:
    from service.store.tables import Role

    try:
        return Role(text)
    except ValueError:
        raise ConfigError(f"--role: none of {', '.join(Role)}") from None


def _told(amounts: Mapping[str, Amount]) -> str:
    return ", ".join(
        f"{name} {amount.bytes / 1e6:,.1f} MB in {amount.files:,} files"
        for name, amount in amounts.items()
    )


def _tell_missing(keys: tuple[str, ...]) -> None:
    for key in keys:
        console.print(f"evidence {key} was not there", style="yellow", highlight=False)
    if keys:
        raise typer.Exit(1)
