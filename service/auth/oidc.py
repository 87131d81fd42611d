"""Logging in at an OpenID provider: authorization code flow with PKCE, state and nonce.

Who someone is comes from the provider's signed ID token alone: issuer and subject. A user of the
same name who logs in by password is someone else. What they may do comes from a claim, by a table
in the settings; whoever has no role in it is not let in.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, cast

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.auth.principal import RANKS
from service.auth.users import UserError, add_user, find_user
from service.settings import Oidc
from service.store.tables import Role, UserRow
from vision.errors import JiexuError

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Signatures by a key of the provider's; never ``none``, never by a shared secret."""

TIMEOUT_S = 10.0


class OidcError(JiexuError):
    """A login at the provider failed; the text says why and holds no token."""


@dataclass(frozen=True)
class Pending:
    """A login that was begun; the browser that began it brings it back in a cookie.

    Attributes:
        state: Comes back with the answer: it belongs to this login.
        nonce: Comes back in the ID token: it was made for this login.
        verifier: Proves that the code is redeemed by whoever asked for it (PKCE).
        until: Until when, in seconds since 1970.
    """

    state: str
    nonce: str
    verifier: str
    until: int

    def dump(self) -> bytes:
        """As bytes."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, data: bytes) -> Pending:
        """From bytes that were signed here."""
        return cls(**json.loads(data))


@dataclass(frozen=True)
class Identity:
    """Who someone is, by the provider's word."""

    subject: str
    name: str
    display_name: str
    role: Role | None


class OidcProvider:
    """One provider.

    Args:
        settings: Who it is, and who we are there.
        redirect_url: Where it sends browsers back to.
        transport: How it is reached; the network without it.
    """

    def __init__(
        self, settings: Oidc, redirect_url: str, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.issuer = settings.issuer.rstrip("/")
        self._settings = settings
        self._redirect_url = redirect_url
        self._transport = transport
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] = {}

    def begin(self, until: int) -> tuple[str, Pending]:
        """Where to send a browser, and what it must bring back.

        Raises:
            OidcError: The provider does not say where.
        """
        pending = Pending(
            secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), until
        )
        place = self._place("authorization_endpoint")
        with self._client() as client:
            url, _ = client.create_authorization_url(
                place,
                state=pending.state,
                code_verifier=pending.verifier,
                nonce=pending.nonce,
            )
        return str(url), pending

    def finish(self, code: str, pending: Pending, now: datetime) -> Identity:
        """Who came back with a code.

        Raises:
            OidcError: The provider does not answer, or its answer is not what it must be.
        """
        from authlib.integrations.base_client import OAuthError

        try:
            with self._client() as client:
                token = client.fetch_token(
                    self._place("token_endpoint"),
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=pending.verifier,
                )
        except (OAuthError, httpx.HTTPError, ValueError) as error:
            raise OidcError(f"the provider gave no token: {type(error).__name__}") from None
        claims = self._claims(str(token.get("id_token", "")), pending.nonce, now)
        name = claims.get("preferred_username") or claims.get("email") or claims["sub"]
        return Identity(
            subject=str(claims["sub"]),
            name=str(name),
            display_name=str(claims.get("name") or name)[:128],
            role=self._role(claims.get(self._settings.role_claim)),
        )

    def _claims(self, token: str, nonce: str, now: datetime) -> Mapping[str, Any]:
        registry = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=60,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self._settings.client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            keys = KeySet.import_key_set(cast(Any, self._get(self._place("jwks_uri"))))
            found = jwt.decode(token, keys, algorithms=ALGORITHMS)
            registry.validate(found.claims)
        except (JoseError, ValueError, KeyError) as error:
            raise OidcError(f"the ID token does not hold: {type(error).__name__}") from None
        return found.claims

    def _role(self, claim: Any) -> Role | None:
        """The highest role that a claim gives."""
        given = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
        roles = [self._settings.roles[one] for one in given if one in self._settings.roles]
        return max(roles, key=RANKS.__getitem__, default=None)

    def _place(self, name: str) -> str:
        with self._lock:
            if not self._metadata:
                found = self._get(f"{self.issuer}/.well-known/openid-configuration")
                if str(found.get("issuer", "")).rstrip("/") != self.issuer:
                    raise OidcError("the provider says that it is another")
                self._metadata = found
            place = self._metadata.get(name)
        if not isinstance(place, str):
            raise OidcError(f"the provider names no {name}")
        return place

    def _get(self, url: str) -> dict[str, Any]:
        try:
            with httpx.Client(transport=self._transport, timeout=TIMEOUT_S) as client:
                found = client.get(url).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise OidcError(f"the provider does not answer: {type(error).__name__}") from None
        if not isinstance(found, dict):
            raise OidcError("the provider's answer cannot be read")
        return found

    def _client(self) -> Any:
        # Imported here: its deprecation warning is none of the business of other commands.
        from authlib.integrations.httpx_client import OAuth2Client

        return OAuth2Client(
            client_id=self._settings.client_id,
            client_secret=self._settings.client_secret.get_secret_value(),
            scope=self._settings.scope,
            redirect_uri=self._redirect_url,
            code_challenge_method="S256",
            transport=self._transport,
            timeout=TIMEOUT_S,
        )


def user_of(session: Session, issuer: str, who: Identity, now: datetime) -> UserRow:
    """The user that someone is; made when they come for the first time.

    Raises:
        OidcError: They have no role here, are disabled, or a user of their name is someone else.
    """
    if who.role is None:
        raise OidcError("the provider gives no role here")
    user = session.scalar(
        select(UserRow).where(UserRow.issuer == issuer, UserRow.subject == who.subject)
    )
    if user is None:
        try:
            if find_user(session, who.name) is not None:
                raise OidcError("a user of this name logs in otherwise")
            return add_user(
                session,
                who.name,
                who.role,
                now,
                display_name=who.display_name,
                issuer=issuer,
                subject=who.subject,
            )
        except UserError as error:
            raise OidcError(str(error)) from None
    if user.disabled_at is not None:
        raise OidcError("this user is disabled")
    user.role = who.role
    return user
