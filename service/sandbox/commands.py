"""The command ``jiexu sandbox``."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer
import yaml

from service.dispatch.secret import Secret
from service.sandbox.mischief import Mischief
from vision.cli import console
from vision.errors import ConfigError

SECRET_VARIABLE = "JIEXU_SANDBOX_SECRET"  # noqa: S105 - names of variables, not their values
TOKEN_VARIABLE = "JIEXU_SANDBOX_TOKEN"  # noqa: S105
KEY_VARIABLE = "JIEXU_SANDBOX_API_KEY"


def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8800,
    service: Annotated[
        str, typer.Option(help="The service that is called back.")
    ] = "http://127.0.0.1:8700",
    step: Annotated[
        float, typer.Option(min=0, help="Seconds from one stage to the next; 0: by hand.")
    ] = 10.0,
    decline: Annotated[
        float, typer.Option(min=0, max=1, help="Share of webhook cases that it declines.")
    ] = 0.0,
    detour: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share given back, suspended or put off on the way."),
    ] = 0.0,
    fail: Annotated[float, typer.Option(min=0, max=1, help="Share of calls that fail.")] = 0.0,
    hang: Annotated[float, typer.Option(help="Seconds that a hanging call is held open.")] = 30.0,
    duplicate: Annotated[
        float, typer.Option(min=0, max=1, help="Share of callbacks sent twice.")
    ] = 0.0,
    reorder: Annotated[
        float, typer.Option(min=0, max=1, help="Share of callbacks held back.")
    ] = 0.0,
    wrong_signature: Annotated[
        float, typer.Option(min=0, max=1, help="Share preceded by a forged one.")
    ] = 0.0,
    down_every: Annotated[float, typer.Option(min=0, help="Down once in so many seconds.")] = 0.0,
    down_for: Annotated[float, typer.Option(min=0, help="So long each time.")] = 0.0,
    seed: Annotated[int | None, typer.Option(help="Of all chance.")] = None,
    write_config: Annotated[
        Path | None, typer.Option(help="Write the settings of the service that go with it here.")
    ] = None,
) -> None:
    """A dispatch platform to try the whole loop with; it can be told to misbehave.

    Secrets are taken from JIEXU_SANDBOX_SECRET (whsec_...), JIEXU_SANDBOX_TOKEN and
    JIEXU_SANDBOX_API_KEY, or made anew.
    """
    import uvicorn

    from service.sandbox.app import SandboxSettings, create_sandbox
    from service.sandbox.calling import Callers

    secret = os.environ.get(SECRET_VARIABLE) or _new_secret()
    token = os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(32)
    api_key = os.environ.get(KEY_VARIABLE) or secrets.token_urlsafe(24)
    settings = SandboxSettings(
        callers=Callers(
            url=f"{service.rstrip('/')}/api/v1/callbacks",
            webhook="sandbox-webhook",
            panorama="sandbox-panorama",
            secret=Secret.parse(secret, named=SECRET_VARIABLE),
            token=token,
        ),
        secret=Secret.parse(secret, named=SECRET_VARIABLE),
        api_key=api_key,
        step_s=step,
        decline=decline,
        detour=detour,
        mischief=Mischief(
            fail=fail,
            hang_s=hang,
            duplicate=duplicate,
            reorder=reorder,
            wrong_signature=wrong_signature,
            down_every_s=down_every,
            down_for_s=down_for,
        ),
        seed=seed,
    )
    here = f"http://{host}:{port}"
    if write_config is not None:
        _write(write_config, service_settings(here, service, secret, token, api_key))
        console.print(f"Settings of the service: {write_config}", highlight=False)
    console.print(f"Sandbox platform at {here}", highlight=False)
    uvicorn.run(create_sandbox(settings), host=host, port=port, log_level="warning")


def service_settings(
    here: str, service: str, secret: str, token: str, api_key: str
) -> dict[str, object]:
    """Settings of a service that sends its cases to this sandbox: each kind by one interface."""
    return {
        "public_url": service,
        "dispatch": {
            "networks": ["127.0.0.0/8"],
            "destinations": {
                "sandbox-webhook": {
                    "interface": "webhook",
                    "url": f"{here}/webhook/cases",
                    "secret": secret,
                    "kinds": ["street_stall", "hoarding_missing"],
                },
                "sandbox-open311": {
                    "interface": "open311",
                    "url": f"{here}/open311",
                    "api_key": api_key,
                    "services": {"abandoned_vehicle": "S02", "standing_object": "S03"},
                    "statuses": {
                        "returned": "returned",
                        "suspended": "suspended",
                        "cancelled": "cancelled",
                        "declined": "declined",
                    },
                    "poll_s": 10,
                },
                "sandbox-panorama": {
                    "interface": "panorama",
                    "url": f"{here}/client/handle_event",
                    "coord_sys": "wgs84",
                    "event_types": {"construction_dust": 7, "debris_pile": 12},
                    "callback_token": token,
                },
            },
        },
    }


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _write(path: Path, settings: dict[str, object]) -> None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    with os.fdopen(file, "w", encoding="utf-8") as opened:
        yaml.safe_dump(settings, opened, allow_unicode=True, sort_keys=False)
