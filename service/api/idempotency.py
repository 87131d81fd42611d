"""Posts that are sent again: the first answer is given again, nothing is done twice.

A client that got no answer sends the same request with the same ``Idempotency-Key``. The key is
taken before the work begins, in a transaction of its own: of two that come at once, one works and
the other is told to wait. After a failure of ours (5xx) the key is free again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Header, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import delete
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from service.api.problem import Problem, invalid
from service.api.problem import response as problem_response
from service.api.security import COOKIE, service_of
from service.auth.tokens import digest_of
from service.context import Service
from service.store.tables import IdempotencyRow
from service.store.upsert import insert_new

HEADER = "idempotency-key"
_BOUNDARY = re.compile(r'^multipart/form-data;.*\bboundary="?([^";,]+)', re.IGNORECASE)
_PASSING = frozenset({401, 403, 408, 409, 429})
"""Answers that another try may be spared."""

ABANDONED_S = 120.0
"""A key that was taken so long ago without an answer is free again: its worker died."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Any text of your own: sent again with the same, the first answer is repeated",
    ),
]


class IdempotentRoute(APIRoute):
    """A route whose posts may carry an idempotency key."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """Wrap the handler."""
        handle: Any = super().get_route_handler()

        async def handled(request: Request) -> Response:
            key = request.headers.get(HEADER)
            if request.method != "POST" or key is None:
                return await handle(request)  # type: ignore[no-any-return]
            if not 1 <= len(key) <= 255 or not all("!" <= sign <= "~" for sign in key):
                return problem_response(
                    request,
                    invalid(f"header.{HEADER}", "1 to 255 visible ASCII characters"),
                )
            service = service_of(request)
            sender = _sender(request)
            fingerprint = await _fingerprint(request)
            try:
                known = await run_in_threadpool(_take, service, sender, key, fingerprint)
            except Problem as problem:
                return problem_response(request, problem)
            if known is not None:
                return known
            try:
                response: Response = await handle(request)
            except Exception as error:
                if isinstance(error, Problem) and error.status < 500:
                    response = problem_response(request, error)
                else:
                    await run_in_threadpool(_release, service, sender, key)
                    raise
            await run_in_threadpool(_keep, service, sender, key, response)
            return response

        return handled


def forget_answers(session: Session, before: datetime) -> None:
    """Take away answers that are older than a time."""
    session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < before))


def _sender(request: Request) -> str:
    """Whose keys these are: never another's, for the answer may be."""
    secret = request.headers.get("authorization") or request.cookies.get(COOKIE) or ""
    return digest_of(secret)


async def _fingerprint(request: Request) -> str:
    """Hash of what is asked; the boundary of a form is chosen anew each time it is sent."""
    body = await request.body()
    boundary = _BOUNDARY.search(request.headers.get("content-type", ""))
    if boundary is not None:
        body = body.replace(boundary[1].encode("latin-1"), b"")
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    digest.update(body)
    return digest.hexdigest()


def _take(service: Service, sender: str, key: str, fingerprint: str) -> Response | None:
    """Take a key, or give the answer that there is.

    Raises:
        Problem: 422 if it was used for another request, 409 if that one is still being answered.
    """
    now = service.clock()
    with service.database.write() as session:
        if insert_new(
            session,
            IdempotencyRow,
            principal=sender,
            key=key,
            fingerprint=fingerprint,
            created_at=now,
        ):
            return None
        row = session.get_one(IdempotencyRow, (sender, key), with_for_update=True)
        if row.fingerprint != fingerprint:
            raise Problem(422, "idempotency_key_reused", "this key was sent with another request")
        if row.status is None:
            if now - row.created_at > timedelta(seconds=ABANDONED_S):
                row.created_at = now
                return None
            raise Problem(
                409,
                "still_working",
                "the first request is still being answered",
                headers={"retry-after": "2"},
            )
        return Response(
            row.body, row.status, headers={**(row.headers or {}), "idempotent-replayed": "true"}
        )


def _keep(service: Service, sender: str, key: str, response: Response) -> None:
    body = getattr(response, "body", None)
    with service.database.write() as session:
        row = session.get(IdempotencyRow, (sender, key), with_for_update=True)
        if row is None:
            return
        status = response.status_code
        if status >= 500 or status in _PASSING or body is None:
            session.delete(row)
            return
        kept = ("content-type", "location", "etag", "cache-control")
        row.status = response.status_code
        row.headers = {name: response.headers[name] for name in kept if name in response.headers}
        row.body = bytes(body)


def _release(service: Service, sender: str, key: str) -> None:
    with service.database.write() as session:
        session.execute(
            delete(IdempotencyRow).where(
                IdempotencyRow.principal == sender, IdempotencyRow.key == key
            )
        )
