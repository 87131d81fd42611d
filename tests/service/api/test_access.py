"""Every route with every kind of client: nobody does or sees what is not theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import URL, Serving
from starlette.routing import Mount

from service.store.tables import Role, Scope

EVERYONE = "everyone"
VIEWER, REVIEWER, SUPERVISOR, ADMIN = Role
INGEST, READ, CALLBACK = Scope

ACCESS: dict[str, tuple[Role | str | None, Scope | None]] = {
    "GET /healthz": (EVERYONE, None),
    "GET /readyz": (EVERYONE, None),
    "GET /metrics": (VIEWER, READ),
    "POST /api/v1/session": (EVERYONE, None),
    "POST /api/v1/setup": (EVERYONE, None),
    "GET /api/v1/session/oidc": (EVERYONE, None),
    "GET /api/v1/session/oidc/callback": (EVERYONE, None),
    "GET /api/v1/session": (VIEWER, None),
    "DELETE /api/v1/session": (VIEWER, None),
    "GET /api/v1/health": (VIEWER, READ),
    "GET /api/v1/events": (VIEWER, READ),
    "GET /api/v1/cameras": (VIEWER, READ),
    "POST /api/v1/cameras": (SUPERVISOR, None),
    "GET /api/v1/cameras/{camera_id}": (VIEWER, READ),
    "PUT /api/v1/cameras/{camera_id}": (SUPERVISOR, None),
    "DELETE /api/v1/cameras/{camera_id}": (SUPERVISOR, None),
    "GET /api/v1/cameras/{camera_id}/zones": (VIEWER, READ),
    "PUT /api/v1/cameras/{camera_id}/zones/{zone_id}": (SUPERVISOR, None),
    "DELETE /api/v1/cameras/{camera_id}/zones/{zone_id}": (SUPERVISOR, None),
    "GET /api/v1/cameras/{camera_id}/snapshot": (VIEWER, READ),
    "GET /api/v1/cameras/{camera_id}/health": (VIEWER, READ),
    "GET /api/v1/violations": (VIEWER, READ),
    "GET /api/v1/violations/{violation_id}": (VIEWER, READ),
    "GET /api/v1/cases": (VIEWER, READ),
    "GET /api/v1/cases/{case_id}": (VIEWER, READ),
    "GET /api/v1/cases/{case_id}/history": (VIEWER, READ),
    "GET /api/v1/cases/{case_id}/related": (VIEWER, READ),
    "GET /api/v1/cases/{case_id}/violations": (VIEWER, READ),
    "GET /api/v1/cases/{case_id}/class": (VIEWER, READ),
    "GET /api/v1/cases/{case_id}/evidence": (VIEWER, READ),
    "POST /api/v1/cases/{case_id}/claim": (REVIEWER, None),
    "POST /api/v1/cases/{case_id}/release": (REVIEWER, None),
    "POST /api/v1/cases/{case_id}/decisions": (REVIEWER, None),
    "GET /api/v1/cases/{case_id}/decisions": (REVIEWER, None),
    "POST /api/v1/cases/{case_id}/undo": (REVIEWER, None),
    "POST /api/v1/cases/{case_id}/steps": (SUPERVISOR, None),
    "POST /api/v1/cases/{case_id}/corrections": (REVIEWER, None),
    "POST /api/v1/cases/{case_id}/extension": (SUPERVISOR, None),
    "GET /api/v1/cases/{case_id}/alike": (REVIEWER, None),
    "POST /api/v1/review/next": (REVIEWER, None),
    "GET /api/v1/review/queue": (REVIEWER, None),
    "GET /api/v1/review/reasons": (REVIEWER, None),
    "GET /api/v1/review/agreement": (SUPERVISOR, None),
    "POST /api/v1/review/decisions": (REVIEWER, None),
    "GET /api/v1/reports/figures": (SUPERVISOR, None),
    "GET /api/v1/reports/figures.html": (SUPERVISOR, None),
    "GET /api/v1/reports/figures.xlsx": (SUPERVISOR, None),
    "POST /api/v1/evidence/{evidence_id}/open": (SUPERVISOR, None),
    "GET /api/v1/evidence/{evidence_id}": (EVERYONE, None),  # whoever has a signed link
    "POST /api/v1/detect": (REVIEWER, INGEST),
    "POST /api/v1/frames": (REVIEWER, INGEST),
    "POST /api/v1/settings/reload": (ADMIN, None),
    "POST /api/v1/replays": (SUPERVISOR, None),
    "GET /api/v1/replays/{replay_id}": (VIEWER, READ),
    "DELETE /api/v1/replays/{replay_id}": (SUPERVISOR, None),
    "GET /api/v1/users": (ADMIN, None),
    "POST /api/v1/users": (ADMIN, None),
    "PATCH /api/v1/users/{user_id}": (ADMIN, None),
    "GET /api/v1/keys": (ADMIN, None),
    "POST /api/v1/keys": (ADMIN, None),
    "DELETE /api/v1/keys/{key_id}": (ADMIN, None),
    "GET /api/v1/audit": (ADMIN, None),
    "GET /api/v1/verifications": (VIEWER, READ),
    "POST /api/v1/verifications/{verification_id}/answer": (REVIEWER, None),
    "GET /api/v1/cases/{case_id}/verifications": (VIEWER, READ),
    "GET /api/v1/deliveries": (VIEWER, READ),
    "POST /api/v1/deliveries/{delivery_id}/resend": (SUPERVISOR, None),
    "GET /api/v1/destinations": (VIEWER, READ),
    "POST /api/v1/destinations/{name}/resume": (SUPERVISOR, None),
    "POST /api/v1/callbacks/{destination}": (None, CALLBACK),  # or signed by the platform
}
"""Least role and scope that each route admits."""

PAGES = {"/api/v1/openapi.json", "/api/v1/docs", "/api/v1/docs/{name}"}
"""What is answered to everyone and stands in no description."""

RANK = {role: rank for rank, role in enumerate(Role)}


def routes(serving: Serving) -> Iterator[str]:
    for path, operations in serving.app.openapi()["paths"].items():
        for method in operations:
            yield f"{method.upper()} {path}"


def test_every_route_stands_in_the_table(serving: Serving) -> None:
    assert sorted(routes(serving)) == sorted(ACCESS)
    assert {path for path, in_schema in all_paths(serving.app.routes) if not in_schema} == PAGES


def test_the_guide_lists_every_route_and_whom_it_admits() -> None:
    guide = (Path(__file__).parents[3] / "docs/api.md").read_text("utf-8")
    told = guide.partition("## Every route")[2]
    rows = re.findall(r"^\| `([A-Z]+ /\S*)` \| (\S+) \| (\S+) \|$", told, re.MULTILINE)
    dash = "–"
    assert rows == [(route, role or dash, key or dash) for route, (role, key) in ACCESS.items()]


def all_paths(routes: Iterable[Any], prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Every path that is answered, and whether the description has it; also of what is mounted."""
    for route in routes:
        if hasattr(route, "effective_candidates"):
            # What FastAPI keeps of an included router: routes, and routers again.
            yield from all_paths(route.effective_candidates(), prefix)
        elif isinstance(route, Mount):
            yield f"{prefix}{route.path}/...", False
        else:
            yield prefix + route.path, bool(getattr(route, "include_in_schema", False))


def test_each_client_gets_where_the_table_says_and_nowhere_else(serving: Serving) -> None:
    # Streams do not end by themselves; a slot that is taken answers at once.
    serving.app.state.event_streams.update(object() for _ in range(64))
    clients = {
        "nobody": serving.anyone(),
        **{role: serving.user(role) for role in Role},
        **{f"key:{scope}": serving.key(scope) for scope in Scope},
    }
    wrong = []
    for route, (role, scope) in ACCESS.items():
        method, path = route.split()
        if route == "DELETE /api/v1/session":
            continue  # would log the user out; tested with logging in
        for name, client in clients.items():
            admitted = (
                role == EVERYONE
                or (role is not None and name in RANK and RANK[Role(name)] >= RANK[Role(role)])
                or (scope is not None and name == f"key:{scope}")
            )
            status = client.request(method, path.format_map(NOTHING)).status_code
            refusal = 401 if name == "nobody" else 403
            if route == "GET /api/v1/evidence/{evidence_id}":
                admitted = status == 422
            if admitted == (status == refusal) or status >= 500:
                wrong.append((route, name, status))
    assert wrong == []


class _Nothing(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "no-such-thing"


NOTHING = _Nothing()


def test_changes_by_cookie_need_the_csrf_token(serving: Serving) -> None:
    user = serving.user(Role.ADMIN)
    form = {"name": "gateway", "scopes": ["read"]}
    token = user.headers.pop("x-csrf-token")
    for headers in ({}, {"x-csrf-token": "guess"}, {"x-csrf-token": ""}):
        answer = user.post("/api/v1/keys", json=form, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:jiexu:problem:csrf"
    answer = user.post("/api/v1/keys", json=form, headers={"x-csrf-token": token})
    assert answer.status_code == 201


@pytest.mark.parametrize("header", ["Bearer jxk_guess", "Bearer x", "Basic YTpi", "jxk_guess"])
def test_a_wrong_key_is_nobody_and_a_cookie_does_not_help_it(serving: Serving, header: str) -> None:
    answer = serving.anyone().get("/api/v1/cases", headers={"authorization": header})
    assert answer.status_code == 401
    if header.startswith("Bearer"):
        user = serving.user(Role.VIEWER)
        assert user.get("/api/v1/cases", headers={"authorization": header}).status_code == 401


def test_a_login_from_another_site_is_refused(serving: Serving) -> None:
    serving.user(Role.VIEWER)
    form = {"name": "a.viewer", "password": "a long way home"}
    for origin, status in ((URL, 201), ("https://evil.test", 403), ("null", 403)):
        answer = serving.anyone().post("/api/v1/session", json=form, headers={"origin": origin})
        assert answer.status_code == status
