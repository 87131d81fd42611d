from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import RSAKey
from posting import FakeClock
from pydantic import SecretStr
from serving import URL, Serving
from sqlalchemy import select

from service.api.account import OIDC_CALLBACK
from service.auth.oidc import OidcProvider
from service.settings import Oidc
from service.store.tables import AuditRow, Role, UserRow

ISSUER = "https://login.test"
KEY = RSAKey.generate_key(2048, {"kid": "a"}, private=True)
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "a"}, private=True)


class Provider:
    """An OpenID provider that can be told to answer wrongly."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.key = KEY
        self.claims: dict[str, Any] = {"sub": "4711", "preferred_username": "Li.Na"}
        self.claims |= {"name": "李娜", "roles": ["staff", "city-reviewer"]}
        self.challenge = self.nonce = ""
        self.redeemed: list[dict[str, list[str]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/.well-known/openid-configuration":
            return httpx.Response(
                200,
                json={
                    "issuer": ISSUER,
                    "authorization_endpoint": f"{ISSUER}/authorize",
                    "token_endpoint": f"{ISSUER}/token",
                    "jwks_uri": f"{ISSUER}/keys",
                },
            )
        if request.url.path == "/keys":
            return httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})
        assert request.url.path == "/token"
        self.redeemed.append(parse_qs(request.content.decode()))
        now = int(self.clock.now().timestamp())
        claims = {"iss": ISSUER, "aud": "jiexu", "iat": now, "exp": now + 300}
        claims |= {"nonce": self.nonce} | self.claims
        token = jwt.encode({"alg": "RS256", "kid": "a"}, claims, self.key)
        return httpx.Response(
            200, json={"access_token": "x", "token_type": "Bearer", "id_token": token}
        )


@pytest.fixture
def provider(serving: Serving, clock: FakeClock) -> Iterator[Provider]:
    played = Provider(clock)
    settings = Oidc(
        issuer=ISSUER,
        client_id="jiexu",
        client_secret=SecretStr("client secret"),
        roles={"city-reviewer": Role.REVIEWER, "city-lead": Role.SUPERVISOR},
    )
    there = OidcProvider(settings, URL + OIDC_CALLBACK, httpx.MockTransport(played))
    object.__setattr__(serving.service, "oidc", there)
    yield played


def begin(client: TestClient, provider: Provider) -> str:
    """Go to the provider; gives the state that it will send back."""
    answer = client.get("/api/v1/session/oidc", follow_redirects=False)
    assert answer.status_code == 302, answer.text
    place = urlsplit(answer.headers["location"])
    query = {name: values[0] for name, values in parse_qs(place.query).items()}
    assert f"{place.scheme}://{place.netloc}{place.path}" == f"{ISSUER}/authorize"
    assert query["redirect_uri"] == URL + OIDC_CALLBACK
    assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
    provider.nonce, provider.challenge = query["nonce"], query["code_challenge"]
    return query["state"]


def finish(client: TestClient, state: str) -> Any:
    return client.get(
        OIDC_CALLBACK, params={"code": "c0de", "state": state}, follow_redirects=False
    )


def test_who_the_provider_names_is_logged_in_with_the_role_it_gives(
    serving: Serving, provider: Provider
) -> None:
    client = serving.anyone()
    answer = finish(client, begin(client, provider))
    assert (answer.status_code, answer.headers["location"]) == (302, "/"), answer.text
    me = client.get("/api/v1/session").json()
    assert (me["actor"], me["role"]) == ("user:li.na", "reviewer")
    (sent,) = provider.redeemed
    assert sent["code"] == ["c0de"]
    assert len(sent["code_verifier"][0]) >= 43


def test_the_same_person_is_the_same_user_with_the_role_of_today(
    serving: Serving, provider: Provider
) -> None:
    client = serving.anyone()
    finish(client, begin(client, provider))
    provider.claims |= {"roles": "city-lead", "preferred_username": "li.na.renamed"}
    finish(client, begin(client, provider))
    assert client.get("/api/v1/session").json()["role"] == "supervisor"
    with serving.service.database.read() as session:
        user = session.scalars(select(UserRow)).one()
    assert (user.name, user.display_name, user.password_hash) == ("li.na", "李娜", None)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.test"},
        {"aud": "another"},
        {"exp": 1},
        {"nonce": "of another login"},
        {"sub": None},
        {"roles": ["staff"]},
        {"roles": None},
        {"preferred_username": "no name at all"},
    ],
)
def test_tokens_that_do_not_hold_let_nobody_in(
    serving: Serving, provider: Provider, claims: dict[str, Any]
) -> None:
    client = serving.anyone()
    state = begin(client, provider)
    provider.claims |= claims
    answer = finish(client, state)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:jiexu:problem:oidc")
    assert client.get("/api/v1/session").status_code == 401
    with serving.service.database.read() as session:
        assert session.scalars(select(UserRow)).all() == []
        assert session.scalars(select(AuditRow.action)).all() == ["login.failed"]


def test_a_token_signed_by_another_key_lets_nobody_in(serving: Serving, provider: Provider) -> None:
    client = serving.anyone()
    state = begin(client, provider)
    provider.key = OTHER_KEY
    assert finish(client, state).status_code == 403


def test_an_answer_that_was_not_asked_for_is_refused(
    serving: Serving, provider: Provider, clock: FakeClock
) -> None:
    victim = serving.anyone()
    state = begin(serving.anyone(), provider)
    assert finish(victim, state).status_code == 403, "begun by another browser"
    begin(victim, provider)
    assert finish(victim, state).status_code == 403, "the state of another login"
    late = begin(victim, provider)
    clock.sleep(601)
    assert finish(victim, late).status_code == 403, "too late"
    assert provider.redeemed == []


def test_a_name_that_someone_has_here_is_not_taken_over(
    serving: Serving, provider: Provider
) -> None:
    serving.user(Role.ADMIN)
    provider.claims |= {"preferred_username": "a.admin"}
    client = serving.anyone()
    answer = finish(client, begin(client, provider))
    assert (answer.status_code, "logs in otherwise" in answer.text) == (403, True)


def test_without_a_provider_there_is_none(serving: Serving) -> None:
    for path in ("/api/v1/session/oidc", OIDC_CALLBACK):
        assert serving.anyone().get(path).status_code == 404
