"""What commands of the service share: settings, the store, and a password that is asked for."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vision.errors import ConfigError

if TYPE_CHECKING:
    from service.settings import ServiceSettings
    from service.store.database import Database

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="service.yaml; variables JIEXU_... win over it."),
]


def settings_of(config: Path | None) -> ServiceSettings:
    """The settings of the service.

    Raises:
        ConfigError: They cannot be used, or the service's packages are not installed.
    """
    if find_spec("sqlalchemy") is None or find_spec("fastapi") is None:
        raise ConfigError("this needs the service's packages: pip install 'jiexu[service]'")
    from service.settings import load_settings

    return load_settings(config)


def database_of(config: Path | None) -> Database:
    """The store of the service, migrated.

    Raises:
        ConfigError: As :func:`settings_of`.
    """
    settings = settings_of(config)
    from service.store.database import Database
    from service.store.migrate import upgrade

    settings.data.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    upgrade(database)
    return database


def asked_password(*, new: bool = True) -> str:
    """A password: asked for at a terminal, a new one twice; else a line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=new))
    return sys.stdin.readline().rstrip("\n")
