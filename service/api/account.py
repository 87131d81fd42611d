"""Logging in and out, and the first admin."""

from __future__ import annotations

import hmac
import math
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, StringConstraints
from starlette.datastructures import URL

from service import audit
from service.api.fields import Text
from service.api.middleware import PAGES
from service.api.problem import Problem, answers
from service.api.security import COOKIE, Origin, TheService, Viewer
from service.auth import logins
from service.auth.first_run import FirstRunError, make_first_admin
from service.auth.logins import LoggedIn, log_in
from service.auth.oidc import OidcError, OidcProvider, Pending, user_of
from service.context import Service
from service.store.tables import Role

router = APIRouter(tags=["account"])

OIDC_CALLBACK = "/api/v1/session/oidc/callback"
OIDC_COOKIE = "jiexu_oidc"
OIDC_S = 600
"""Logging in at the provider may take so long, in seconds."""

_Typed = Annotated[Text, StringConstraints(max_length=64)]
_Password = Annotated[SecretStr, Field(max_length=256)]


class LoginForm(BaseModel):
    """Name and password."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"name": "li.na", "password": "a long way home"}},
    )

    name: _Typed
    password: _Password


class FirstAdminForm(LoginForm):
    """The token from the file on the server, and the first admin's name and password."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"token": "...", "name": "li.na", "password": "a long way home"}
        },
    )

    token: Annotated[str, Field(max_length=100)]


class LoginBody(BaseModel):
    """Who is logged in."""

    actor: str
    role: Role
    csrf_token: str = Field(description="Send it as X-CSRF-Token with what changes something")


class LoggedInBody(LoginBody):
    """A new login; its token is in the cookie."""

    expires_at: AwareDatetime


@router.post("/session", status_code=201, responses=answers(401, 403, 429))
def create_session(
    form: LoginForm, request: Request, response: Response, service: TheService, origin: Origin
) -> LoggedInBody:
    """Log in. The cookie is HttpOnly and SameSite=Lax, and Secure where the service has HTTPS."""
    refuse_other_origins(request, service)
    outcome = log_in(
        service.database,
        form.name,
        form.password.get_secret_value(),
        origin=origin,
        now=service.clock(),
        times=service.login_times,
    )
    if not isinstance(outcome, LoggedIn):
        if outcome.wait is not None:
            wait_s = math.ceil(outcome.wait.total_seconds())
            raise Problem(
                429,
                "locked_out",
                f"too many failed logins: wait {wait_s} s",
                headers={"retry-after": str(wait_s)},
            )
        raise Problem(401, "login_failed", "name or password is wrong")
    return _logged_in(outcome, response, service)


@router.get("/session", responses=answers(401, 403))
def get_session(who: Viewer) -> LoginBody:
    """Who is logged in."""
    assert who.role is not None
    assert who.csrf_token is not None
    return LoginBody(actor=who.actor, role=who.role, csrf_token=who.csrf_token)


@router.delete("/session", status_code=204, responses=answers(401, 403))
def delete_session(response: Response, service: TheService, who: Viewer, origin: Origin) -> None:
    """Log out."""
    assert who.session is not None
    with service.database.write() as session:
        logins.log_out(session, who.session)
        audit.write(session, service.clock(), origin, who.actor, "logout", subject=who.actor)
    response.delete_cookie(COOKIE, path="/")


@router.post("/setup", status_code=201, responses=answers(403, 409))
def create_first_admin(
    form: FirstAdminForm,
    request: Request,
    response: Response,
    service: TheService,
    origin: Origin,
) -> LoggedInBody:
    """Make the first admin, with the token from the file ``first-run-token``, and log in."""
    refuse_other_origins(request, service)
    now = service.clock()
    password = form.password.get_secret_value()
    with service.database.write() as session:
        try:
            user = make_first_admin(session, form.token, form.name, password, now)
        except FirstRunError as error:
            raise Problem(409, "first_run", str(error)) from None
        audit.write(
            session, now, origin, f"user:{user.name}", "user.created", subject=f"user:{user.name}"
        )
        login = logins.begin_login(session, user, origin=origin, now=now, times=service.login_times)
    return _logged_in(login, response, service)


@router.get(
    "/session/oidc",
    status_code=302,
    response_class=RedirectResponse,
    responses=answers(404, 502),
)
def begin_oidc(request: Request, service: TheService) -> RedirectResponse:
    """Go to the OpenID provider to log in there."""
    provider = _provider(service)
    until = int(service.clock().timestamp()) + OIDC_S
    try:
        url, pending = provider.begin(until)
    except OidcError as error:
        if _is_page(request):
            return RedirectResponse(f"{PAGES}/login?fault=oidc_away", 303)
        raise Problem(502, "oidc", str(error)) from None
    response = RedirectResponse(url, 302)
    response.set_cookie(
        OIDC_COOKIE,
        service.signer.seal("oidc", pending.dump()),
        max_age=OIDC_S,
        path=OIDC_CALLBACK,
        secure=service.settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    response.headers["cache-control"] = "no-store"
    return response


@router.get(
    "/session/oidc/callback",
    status_code=302,
    response_class=RedirectResponse,
    responses=answers(403, 404),
)
def finish_oidc(
    request: Request,
    service: TheService,
    origin: Origin,
    code: Annotated[str, Query(max_length=2000)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
) -> RedirectResponse:
    """Come back from the OpenID provider, logged in there."""
    provider = _provider(service)
    now = service.clock()
    try:
        pending = _begun(request, service, state if code else "")
        identity = provider.finish(code, pending, now)
        with service.database.write() as session:
            user = user_of(session, provider.issuer, identity, now)
            login = logins.begin_login(
                session, user, origin=origin, now=now, times=service.login_times
            )
    except OidcError as error:
        with service.database.write() as session:
            audit.write(
                session,
                now,
                origin,
                "nobody",
                "login.failed",
                subject="oidc",
                details={"why": str(error)},
            )
        if _is_page(request):
            return RedirectResponse(f"{PAGES}/login?fault=oidc", 303)
        raise Problem(403, "oidc", str(error)) from None
    response = RedirectResponse("/", 302)
    response.delete_cookie(OIDC_COOKIE, path=OIDC_CALLBACK)
    set_login_cookie(login, response, service)
    return response


def _is_page(request: Request) -> bool:
    """Whether a browser shows the answer to a person: then it is a page, not a document."""
    return "text/html" in request.headers.get("accept", "")


def _begun(request: Request, service: Service, state: str) -> Pending:
    """The login that this browser began and that this answer belongs to.

    Raises:
        OidcError: There is none.
    """
    sealed = service.signer.opened("oidc", request.cookies.get(OIDC_COOKIE, ""))
    if sealed is None:
        raise OidcError("this login was not begun here")
    pending = Pending.load(sealed)
    if not hmac.compare_digest(pending.state.encode(), state.encode()):
        raise OidcError("this is not the answer to the login that was begun")
    if pending.until <= service.clock().timestamp():
        raise OidcError("the login took too long: begin again")
    return pending


def _provider(service: Service) -> OidcProvider:
    if service.oidc is None:
        raise Problem(404, "no_oidc", "there is no OpenID provider to log in at")
    return service.oidc


def _logged_in(login: LoggedIn, response: Response, service: Service) -> LoggedInBody:
    who = login.principal
    assert who.role is not None
    assert who.csrf_token is not None
    set_login_cookie(login, response, service)
    return LoggedInBody(
        actor=who.actor,
        role=who.role,
        csrf_token=who.csrf_token,
        expires_at=login.expires_at,
    )


def set_login_cookie(login: LoggedIn, response: Response, service: Service) -> None:
    """Give a browser the cookie of a login."""
    response.set_cookie(
        COOKIE,
        login.token,
        expires=login.expires_at,
        path="/",
        secure=service.settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    response.headers["cache-control"] = "no-store"


def refuse_other_origins(request: Request, service: Service) -> None:
    """Nobody is logged in by a page of another site (login CSRF).

    Raises:
        Problem: 403 if that is tried.
    """
    sent = request.headers.get("origin")
    if sent is None:
        return
    own = URL(service.settings.public_url or str(request.base_url))
    if URL(sent).netloc != own.netloc:
        raise Problem(403, "origin", "this request comes from a page of another site")
