"""Who makes a request, and whether they may.

Users come with a cookie, programs with ``Authorization: Bearer jxk_...``. A request with a cookie
that changes something must repeat the login's CSRF token in a header, which a page of another
origin can neither read nor send. A key is never sent by a browser on its own, so it needs none.
"""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from service import audit
from service.api.problem import Problem
from service.auth import keys, logins
from service.auth.principal import Principal
from service.context import Service
from service.store.tables import Role, Scope

COOKIE = "jiexu_session"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_COOKIE = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    scheme_name="session",
    description=f"Login of a user; requests that change something repeat {CSRF_HEADER}",
)
_BEARER = HTTPBearer(
    auto_error=False, scheme_name="key", bearerFormat="jxk_...", description="Key of a program"
)


def service_of(connection: HTTPConnection) -> Service:
    """The service that a request is made to."""
    service = connection.app.state.service
    assert isinstance(service, Service)
    return service


TheService = Annotated[Service, Depends(service_of)]


def origin_of(request: Request) -> audit.Origin:
    """Where a request comes from."""
    return audit.Origin(
        address=request.client.host if request.client else None,
        request_id=getattr(request.state, "request_id", None),
    )


Origin = Annotated[audit.Origin, Depends(origin_of)]


def principal_of(
    request: Request,
    service: TheService,
    cookie: Annotated[str | None, Security(_COOKIE)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> Principal:
    """Who makes a request.

    Raises:
        Problem: 401 if it is nobody who is known; 403 if the CSRF token is missing.
    """
    now = service.clock()
    if bearer is not None:
        found = keys.whose(service.database, bearer.credentials, now)
        if found is None:
            raise _unauthorized()
        return found
    if cookie is None:
        raise _unauthorized()
    found = logins.who(service.database, cookie, now, service.login_times)
    if found is None:
        raise _unauthorized()
    if request.method not in SAFE_METHODS:
        sent = request.headers.get(CSRF_HEADER, "")
        assert found.csrf_token is not None
        if not hmac.compare_digest(sent.encode(), found.csrf_token.encode()):
            raise Problem(403, "csrf", f"send the login's CSRF token as {CSRF_HEADER}")
    return found


class Allowed:
    """Admits users of at least a role, and programs with a scope.

    Attributes:
        role: Least role; ``None`` admits no user.
        scope: Scope; ``None`` admits no program.
    """

    def __init__(self, role: Role | None, scope: Scope | None = None) -> None:
        self.role = role
        self.scope = scope

    def __call__(self, principal: Annotated[Principal, Depends(principal_of)]) -> Principal:
        """Who makes the request.

        Raises:
            Problem: 403 if they may not.
        """
        if not principal.may(self.role, self.scope):
            raise Problem(403, "forbidden", "this needs other rights")
        return principal


def _unauthorized() -> Problem:
    return Problem(
        401, "unauthorized", "log in, or send a key", headers={"www-authenticate": "Bearer"}
    )


Viewer = Annotated[Principal, Depends(Allowed(Role.VIEWER))]
Reader = Annotated[Principal, Depends(Allowed(Role.VIEWER, Scope.READ))]
Ingester = Annotated[Principal, Depends(Allowed(Role.REVIEWER, Scope.INGEST))]
UserReviewer = Annotated[Principal, Depends(Allowed(Role.REVIEWER))]
Supervisor = Annotated[Principal, Depends(Allowed(Role.SUPERVISOR))]
Admin = Annotated[Principal, Depends(Allowed(Role.ADMIN))]
