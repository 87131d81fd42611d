"""The API held against its own description, by requests that nobody would think of."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import SecretStr
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serving import URL, Serving, camera

from service.api.account import OIDC_CALLBACK
from service.auth.oidc import OidcProvider
from service.settings import Oidc
from service.store.tables import Role, Scope

MANY, FEW = 12, 3
"""Requests of a kind to a route: some hundreds in all of whoever may do much, fewer of others."""

WHO = {
    "nobody": 6,
    "viewer": FEW,
    "reviewer": FEW,
    "supervisor": FEW,
    "admin": MANY,
    "key:ingest": FEW,
    "key:read": FEW,
    "key:callback": FEW,
}

HELD = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

ENDING = ("DELETE", "/api/v1/session")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(
    ("databases", "who"),
    [*(("sqlite", who) for who in WHO), ("postgresql", "admin")],
    indirect=["databases"],
)
def test_no_request_breaks_the_service_or_its_description(
    serving: Serving, who: str, kind: GenerationMode
) -> None:
    serving.user(Role.SUPERVISOR).post("/api/v1/cameras", json=camera())
    with_a_provider(serving)
    # A stream of events does not end by itself; where all are taken, the answer comes at once.
    serving.app.state.event_streams.update(object() for _ in range(64))
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", serving.app)
    operations = [result.ok() for result in schema.get_all_operations()]
    # Whoever logs out can ask for nothing more.
    operations.sort(key=lambda one: (one.method.upper(), one.path) == ENDING)
    sent = identity(serving, who)
    faults: list[str] = []
    for operation in operations:
        cases: Any = operation.as_strategy(kind)

        @settings(
            max_examples=WHO[who],
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases)
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=HELD, **sent)

        try:
            ask()
        except BaseException as error:
            if type(error).__name__ == "Unsatisfiable":
                continue  # nothing can be sent wrongly
            faults.append(f"{operation.label}: {type(error).__name__}: {error}")
    assert not faults, "\n".join(faults)


def identity(serving: Serving, who: str) -> dict[str, Any]:
    """What a client of this kind sends with each request."""
    if who == "nobody":
        return {}
    if who.startswith("key:"):
        client = serving.key(Scope(who.removeprefix("key:")))
        return {"headers": {"authorization": client.headers["authorization"]}}
    client = serving.user(Role(who))
    return {
        "cookies": dict(client.cookies),
        "headers": {"x-csrf-token": client.headers["x-csrf-token"]},
    }


def with_a_provider(serving: Serving) -> None:
    """Let logging in at a provider be set up; nobody ever comes back from there."""
    issuer = "https://login.test"
    told = Oidc(
        issuer=issuer,
        client_id="jiexu",
        client_secret=SecretStr("client secret"),
        roles={"lead": Role.SUPERVISOR},
    )
    places = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    document = {"issuer": issuer} | {name: f"{issuer}/{name}" for name in places}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=document))
    provider = OidcProvider(told, URL + OIDC_CALLBACK, transport)
    object.__setattr__(serving.service, "oidc", provider)
