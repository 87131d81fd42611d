"""The API held against its own description, by requests that nobody would think of."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serving import Serving, camera

from service.store.tables import Role, Scope

EXAMPLES = 12
"""A route and kind of request: some hundreds in all."""

HELD = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

ENDLESS = "/api/v1/events"
ENDING = ("DELETE", "/api/v1/session")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("who", ["nobody", "admin", "key"])
def test_no_request_breaks_the_service_or_its_description(
    serving: Serving, who: str, kind: GenerationMode
) -> None:
    serving.user(Role.SUPERVISOR).post("/api/v1/cameras", json=camera())
    sent: dict[str, Any] = {}
    if who == "admin":
        client = serving.user(Role.ADMIN)
        sent["cookies"] = dict(client.cookies)
        sent["headers"] = {"x-csrf-token": client.headers["x-csrf-token"]}
    if who == "key":
        sent["headers"] = {"authorization": serving.key(*Scope).headers["authorization"]}
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", serving.app)
    faults: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path == ENDLESS or (operation.method.upper(), operation.path) == ENDING:
            continue  # the one does not end, the other ends the login; tested by themselves
        cases: Any = operation.as_strategy(kind)

        @settings(
            max_examples=EXAMPLES,
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
