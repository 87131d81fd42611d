"""The API held against its own description, by requests that nobody would think of."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import schemathesis
from dispatch_rig import CAMERA, NOW, confirm, name, panorama, webhook
from dispatch_rig import settings as platforms
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from posting import picture_of, record
from pydantic import SecretStr
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serving import URL, Serving
from sqlalchemy import select
from stored import add_case

from service.api.account import OIDC_CALLBACK
from service.auth.keys import add_key
from service.auth.oidc import OidcProvider
from service.auth.users import add_user
from service.cases.intake import Intake
from service.cases.verification import begin
from service.detecting import Detectors
from service.dispatch.platforms import VerificationSettings
from service.live import Snapshot
from service.replays.archive import LookArchive
from service.replays.jobs import Replays
from service.settings import Oidc, ServiceSettings
from service.store.tables import (
    CaseState,
    DeliveryRow,
    EvidenceRow,
    Role,
    Scope,
    VerificationRow,
)
from vision.detect.registry import load_registry
from vision.schedule import SiteClock

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

SIGNED = "GET /api/v1/evidence/{evidence_id}"
"""Only links lead there, and nobody guesses their signature."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(
    ("databases", "who"),
    [*(("sqlite", who) for who in WHO), ("postgresql", "admin")],
    indirect=["databases"],
)
def test_no_request_breaks_the_service_or_its_description(
    serving: Serving, who: str, kind: GenerationMode, tmp_path: Path
) -> None:
    there = lived_in(serving, tmp_path)
    with_a_provider(serving)
    # A stream of events does not end by itself; where all are taken, the answer comes at once.
    serving.app.state.event_streams.update(object() for _ in range(64))
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", serving.app)
    operations = [result.ok() for result in schema.get_all_operations()]
    # What is there stays until it was asked for; whoever logs out can ask for nothing more.
    operations.sort(key=lambda one: (one.method.upper() == "DELETE", -one.path.count("/")))
    sent = identity(serving, who)
    faults: list[str] = []
    answered: dict[str, set[int]] = {}
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
        @given(case=cases, data=st.data())
        def ask(case: schemathesis.Case, data: st.DataObject) -> None:
            if data.draw(st.sampled_from([True, False])):
                names = case.path_parameters or {}
                real = {name: data.draw(st.sampled_from(there[name])) for name in names}
                case.path_parameters = real
                if any(header.name == "if-match" for header in case.operation.headers):
                    case.headers = {**(case.headers or {}), "if-match": "*"}
            answer = case.call(**sent)
            answered.setdefault(case.operation.label, set()).add(answer.status_code)
            case.validate_response(answer, checks=HELD)

        try:
            ask()
        except BaseException as error:
            if type(error).__name__ == "Unsatisfiable":
                continue  # nothing can be sent wrongly
            faults.append(f"{operation.label}: {type(error).__name__}: {error}")
    assert not faults, "\n".join(faults)
    if who == "admin" and kind is GenerationMode.POSITIVE:
        # What is there was found, so that more was asked than for what is not.
        found = {
            label: min(statuses)
            for label, statuses in answered.items()
            if label.startswith(("GET", "DELETE")) and "{" in label and label != SIGNED
        }
        assert {label for label, status in found.items() if status >= 300} == set()


def lived_in(serving: Serving, folder: Path) -> dict[str, list[str]]:
    """A service with something of everything; what can stand in its paths, by the name there."""
    service, database = serving.service, serving.service.database
    dispatch = platforms(city=webhook(), panorama=panorama())
    service.settings = ServiceSettings(
        data=service.settings.data, public_url=URL, dispatch=dispatch
    )
    service.replays = Replays(
        folder / "replays",
        LookArchive(folder / "archive", "Asia/Shanghai"),
        model_of=Detectors(load_registry()).entry_of,
        site_clock=SiteClock(UTC),
        clock=service.clock,
    )
    serving.live.snapshots["gate-3"] = Snapshot(np.zeros((48, 64, 3), np.uint8), NOW)
    name(database, dispatch)
    with database.write() as session:
        confirm(session, 0)
    intake = Intake(database, service.files, mask=lambda data, _type: data, clock=service.clock)
    scene = folder / "scene.jpg"
    scene.write_bytes(picture_of(1))
    intake.take(record(1), {"scene": scene})
    add_case(database, 2, state=CaseState.DECLINED)
    add_case(database, 3, state=CaseState.HANDLED)
    with database.write() as session:
        begin(session, "violation-3", "handled", NOW, VerificationSettings())
        verification = session.scalars(select(VerificationRow)).one()
        verification.result, verification.decided_at = "cannot_see", NOW
        _, key = add_key(session, "gateway", [Scope.READ], NOW, created_by="user:test")
        user = add_user(session, "li.na", Role.VIEWER, NOW, password="a long way home")
        replay = service.replays.submit(
            [(CAMERA, CAMERA)], NOW - timedelta(hours=1), NOW, "user:test"
        )
        cases = [f"violation-{number}" for number in range(4)]
        return {
            "camera_id": ["gate-3"],
            "zone_id": ["footway"],
            "case_id": cases,
            "violation_id": cases,
            "evidence_id": list(session.scalars(select(EvidenceRow.id))),
            "delivery_id": list(session.scalars(select(DeliveryRow.id))),
            "verification_id": [verification.id],
            "destination": ["city", "panorama"],
            "name": ["city", "panorama"],
            "key_id": [key.id],
            "user_id": [user.id],
            "replay_id": [replay.id],
        }


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
