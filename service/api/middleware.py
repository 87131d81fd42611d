"""What happens around every request: an id, bounds, headers that protect, log and metrics."""

from __future__ import annotations

import logging
import re
import secrets
import time
from urllib.parse import unquote_to_bytes

from fastapi import Request
from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problem import Problem, response
from service.api.reference import POLICY
from service.context import Service
from service.logs import REQUEST_ID
from service.metrics import Metrics

log = logging.getLogger("service.requests")

_SENT_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
PREFIX = "/api/v1"
_UPLOADS = {"/api/v1/detect", "/api/v1/frames"}
_OVERHEAD_BYTES = 100_000
"""What a form may hold besides its file."""

PAGES = "/ui"
"""Where the pages lie."""
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
)
_POLICY = b"default-src 'none'; frame-ancestors 'none'"
_REFERENCE_POLICY = POLICY.encode()
_PRINTED_POLICY = (
    b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
)
PRINTED = f"{PREFIX}/reports/figures.html"
"""A page that holds its own style and pictures, and asks for nothing."""
REFERENCE = f"{PREFIX}/docs"
"""Where the page made from the API's description stands."""
# NiceGUI writes its scripts into the page and compiles templates in the browser; nothing comes
# from elsewhere but tiles of the map, and no page can be framed or send its forms elsewhere.
_PAGES_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    b"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:%s; media-src 'self' blob:; "
    b"object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


class Around:
    """Middleware around the whole application."""

    def __init__(self, app: ASGIApp, service: Service, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._service = service
        self._pages_policy = _pages_policy(service.settings.map_tiles)
        self._public_url = service.settings.public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "websocket" and not self._is_own_page(scope):
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        sent = request.headers.get("x-request-id", "")
        request_id = sent if _SENT_ID.fullmatch(sent) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        token = REQUEST_ID.set(request_id)
        begun = time.perf_counter()
        status = 500
        has_begun = False

        async def sending(message: Message) -> None:
            nonlocal status, has_begun
            if message["type"] == "http.response.start":
                status, has_begun = message["status"], True
                message["headers"] = [
                    *message["headers"],
                    *_HEADERS,
                    (b"content-security-policy", self._policy(scope["path"])),
                    (b"x-request-id", request_id.encode()),
                ]
                self._count(scope, status, time.perf_counter() - begun)
            await send(message)

        try:
            problem = self._refused(request)
            if problem is not None:
                await response(request, problem)(scope, receive, sending)
            else:
                await self._app(scope, self._bounded(scope, receive), sending)
        except Exception:
            log.exception("unexpected")
            if has_begun:
                raise
            problem = Problem(500, "internal", "something went wrong here")
            await response(request, problem)(scope, receive, sending)
        finally:
            log.info(
                "%s %s %s",
                scope["method"],
                scope["path"],
                status,
                extra={
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "took_ms": round(1000 * (time.perf_counter() - begun), 1),
                    "address": request.client.host if request.client else None,
                },
            )
            REQUEST_ID.reset(token)

    def _is_own_page(self, scope: Scope) -> bool:
        """Whether a socket is opened by a page of ours, or by no browser."""
        connection = HTTPConnection(scope)
        sent = connection.headers.get("origin")
        own = URL(self._public_url or str(connection.base_url))
        return sent is None or URL(sent).netloc == own.netloc

    def _refused(self, request: Request) -> Problem | None:
        """Why a request is not even passed on."""
        query = unquote_to_bytes(request.scope["query_string"])
        if "\0" in request.scope["path"] or b"\0" in query:
            return Problem(422, "invalid", "the address holds a NUL character")
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._limit(request.scope):
            return Problem(413, "too_large", self._told(request.scope))
        return None

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """Receive a body up to its bound, whatever length it was said to have."""
        got = 0

        async def receiving() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self._limit(scope):
                raise HTTPException(413, self._told(scope))
            return message

        return receiving

    def _limit(self, scope: Scope) -> int:
        limits = self._service.settings.limits
        if scope["path"] in _UPLOADS:
            return int(max(limits.picture_mb, limits.clip_mb) * 1e6) + _OVERHEAD_BYTES
        return int(limits.body_mb * 1e6)

    def _told(self, scope: Scope) -> str:
        return f"at most {self._limit(scope) / 1e6:g} MB are taken here"

    def _policy(self, path: str) -> bytes:
        """What a browser may load and do for an answer."""
        if path.startswith(REFERENCE):
            return _REFERENCE_POLICY
        if path == PRINTED:
            return _PRINTED_POLICY
        is_page = path == PAGES or path.startswith(f"{PAGES}/")
        return self._pages_policy if is_page else _POLICY

    def _count(self, scope: Scope, status: int, took_s: float) -> None:
        route = _route(scope)
        self._metrics.requests.labels(scope["method"], route, status).inc()
        self._metrics.request_seconds.labels(scope["method"], route).observe(took_s)


def _pages_policy(tiles: str | None) -> bytes:
    """What a browser may load and do in the pages: pictures also from a tile server."""
    if tiles is None:
        return _PAGES_POLICY % b""
    scheme, _, rest = tiles.partition("://")
    host = rest.partition("/")[0].replace("{s}", "*")
    return _PAGES_POLICY % f" {scheme}://{host}".encode()


def _route(scope: Scope) -> str:
    """The template of the path, so that ids make no labels; FastAPI may leave its prefix out."""
    path: str | None = getattr(scope.get("route"), "path", None)
    if path is None:
        return "none"
    is_whole = not scope["path"].startswith(PREFIX) or path.startswith(PREFIX)
    return path if is_whole else PREFIX + path
