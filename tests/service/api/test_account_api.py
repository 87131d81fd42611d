from __future__ import annotations

from pathlib import Path

import pytest
from posting import FakeClock
from serving import PASSWORD, Serving

from service.auth.first_run import offer_token
from service.store.tables import Role

SESSION = "/api/v1/session"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(serving: Serving) -> None:
    serving.user(Role.VIEWER)
    answer = serving.anyone().post(SESSION, json={"name": "a.viewer", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=lax", "secure", "path=/"):
        assert part in cookie
    assert answer.headers["cache-control"] == "no-store"


def test_who_is_logged_in_and_out(serving: Serving) -> None:
    client = serving.user(Role.REVIEWER)
    me = client.get(SESSION).json()
    assert (me["actor"], me["role"]) == ("user:a.reviewer", "reviewer")
    assert me["csrf_token"] == client.headers["x-csrf-token"]
    assert client.delete(SESSION).status_code == 204
    assert client.get(SESSION).status_code == 401


def test_name_and_password_fail_alike(serving: Serving) -> None:
    serving.user(Role.VIEWER)
    answers = [
        serving.anyone().post(SESSION, json={"name": name, "password": password})
        for name, password in (("a.viewer", "wrong password"), ("nobody", PASSWORD))
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    first, second = ({**a.json(), "request_id": ""} for a in answers)
    assert first == second


def test_too_many_failures_lock_out_and_say_for_how_long(
    serving: Serving, clock: FakeClock
) -> None:
    serving.user(Role.VIEWER)
    for _ in range(5):
        serving.anyone().post(SESSION, json={"name": "a.viewer", "password": "wrong password"})
    right = {"name": "a.viewer", "password": PASSWORD}
    locked = serving.anyone().post(SESSION, json=right)
    assert (locked.status_code, locked.headers["retry-after"]) == (429, "30")
    clock.sleep(30)
    assert serving.anyone().post(SESSION, json=right).status_code == 201


def test_the_first_admin_is_made_with_the_token_from_the_file(
    serving: Serving, tmp_path: Path, clock: FakeClock
) -> None:
    path = offer_token(serving.service.database, tmp_path, clock.now())
    assert path is not None
    form = {"token": "guess", "name": "boss", "password": PASSWORD}
    client = serving.anyone()
    assert client.post("/api/v1/setup", json=form).status_code == 409
    made = client.post("/api/v1/setup", json=form | {"token": path.read_text().strip()})
    assert made.status_code == 201, made.text
    assert client.get(SESSION).json()["role"] == "admin"
    assert client.post("/api/v1/setup", json=form).status_code == 409


def test_an_admin_makes_changes_and_disables_users(serving: Serving) -> None:
    admin = serving.user(Role.ADMIN)
    made = admin.post(
        "/api/v1/users", json={"name": "Wang.Wei", "role": "viewer", "password": PASSWORD}
    ).json()
    assert (made["name"], made["role"]) == ("wang.wei", "viewer")
    again = {"name": "wang.wei", "role": "viewer", "password": PASSWORD}
    assert admin.post("/api/v1/users", json=again).status_code == 409
    path = f"/api/v1/users/{made['id']}"
    assert admin.patch(path, json={"role": "reviewer"}).json()["role"] == "reviewer"
    client = serving.anyone()
    client.post(SESSION, json={"name": "wang.wei", "password": PASSWORD})
    assert client.get(SESSION).status_code == 200
    assert admin.patch(path, json={"disabled": True}).json()["disabled_at"] is not None
    assert client.get(SESSION).status_code == 401
    assert admin.patch(path, json={"disabled": False}).json()["disabled_at"] is None
    assert admin.patch(path, json={"password": "short"}).status_code == 422
    (me,) = [user for user in admin.get("/api/v1/users").json() if user["name"] == "a.admin"]
    last = admin.patch(f"/api/v1/users/{me['id']}", json={"disabled": True})
    assert (last.status_code, last.json()["type"]) == (409, "urn:jiexu:problem:last_admin")
    actions = [line["action"] for line in admin.get("/api/v1/audit").json()["items"]]
    assert actions.count("user.changed") == 3
    assert PASSWORD not in admin.get("/api/v1/audit").text


def test_a_key_is_shown_once_works_and_is_revoked(serving: Serving) -> None:
    admin = serving.user(Role.ADMIN)
    made = admin.post("/api/v1/keys", json={"name": "gateway", "scopes": ["read"]}).json()
    program = serving.anyone()
    program.headers["authorization"] = f"Bearer {made['key']}"
    assert program.get("/api/v1/cases").status_code == 200
    assert made["key"] not in admin.get("/api/v1/keys").text
    assert admin.delete(f"/api/v1/keys/{made['id']}").status_code == 204
    assert program.get("/api/v1/cases").status_code == 401
    (kept,) = admin.get("/api/v1/keys").json()
    assert kept["revoked_at"] is not None


@pytest.mark.parametrize("query", [{"actor": "user:a.admin"}, {"action": "login"}])
def test_the_audit_is_read_in_pages(serving: Serving, query: dict[str, str]) -> None:
    admin = serving.user(Role.ADMIN)
    for _ in range(4):
        serving.anyone().post(SESSION, json={"name": "a.admin", "password": PASSWORD})
    seen: list[int] = []
    before = None
    while True:
        page = admin.get(
            "/api/v1/audit", params={"limit": 2, **query} | ({"before": before} if before else {})
        ).json()
        seen += [line["id"] for line in page["items"]]
        before = page["next_before"]
        if before is None:
            break
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)
