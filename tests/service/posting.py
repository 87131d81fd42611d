"""A receiver that can misbehave, a clock that does not wait, and violations to post."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from vision.record import ViolationRecord

SECRET_TEXT = "whsec_" + base64.b64encode(b"a key of the tests, 32 bytes lon").decode()
CREATED_AT = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


@dataclass
class FakeClock:
    """Stands still save while someone sleeps."""

    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Reply:
    """What the receiver does with the next request."""

    status: int = 201
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    creates: bool = False
    delay_s: float = 0.0
    hangs_up: bool = False


class Receiver:
    """A platform on 127.0.0.1 that verifies signatures and honours the idempotency key.

    ``script`` holds what to do with the next requests; after it, requests are treated well.
    """

    def __init__(self, secret: str | None = SECRET_TEXT) -> None:
        self.webhook = Webhook(secret) if secret else None
        self.forget()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def forget(self) -> None:
        self.script: deque[Reply] = deque()
        self.always: Reply | None = None
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.created: list[str] = []
        self.bodies: dict[str, set[bytes]] = {}
        self.hooks: list[Callable[[], None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/cases"

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.requests]

    def start(self) -> None:
        app = FastAPI()
        app.post("/cases")(self._cases)

        async def with_hang_up(scope: Any, receive: Any, send: Any) -> None:
            scope["hang_up"] = lambda: receive.__self__.transport.abort()
            await app(scope, receive, send)

        config = uvicorn.Config(
            with_hang_up, port=self.port, log_level="critical", http="h11", lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < deadline, "the receiver did not start"
            time.sleep(0.01)

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._server.force_exit = True
            self._thread.join(20)
        self._server = None

    async def _cases(self, request: Request) -> Response:
        body = await request.body()
        headers = dict(request.headers)
        self.requests.append((headers, body))
        if self.webhook is not None:
            try:
                self.webhook.verify(body, headers)
            except WebhookVerificationError as error:
                return Response(f'{{"detail": "{error}"}}', 401)
        for hook in self.hooks:
            hook()
        reply = self.script.popleft() if self.script else self.always
        if reply is None:
            return self._create(headers["webhook-id"], body)
        if reply.creates:
            self._create(headers["webhook-id"], body)
        await asyncio.sleep(reply.delay_s)
        if reply.hangs_up:
            request.scope["hang_up"]()
        return Response(reply.text, reply.status, headers=reply.headers)

    def _create(self, key: str, body: bytes) -> Response:
        self.bodies.setdefault(key, set()).add(body)
        if key not in self.created:
            self.created.append(key)
        return Response(f'{{"reference": "C{self.created.index(key) + 1}"}}', 201)


def record(number: int = 0, **changes: Any) -> ViolationRecord:
    picture = picture_of(number)
    scene = {
        "path": f"evidence/{number}-scene.jpg",
        "sha256": hashlib.sha256(picture).hexdigest(),
        "bytes": len(picture),
        "time_s": 12.5,
        "timestamp": CREATED_AT + timedelta(seconds=12.5),
        "width": 1920,
        "height": 1080,
        "media_type": "image/jpeg",
    }
    fields: dict[str, Any] = {
        "id": f"violation-{number}",
        "kind": "street_stall",
        "camera_id": "gate-3",
        "zone_id": "footway",
        "box": (10.0 + 120.0 * number, 20.0, 110.0 + 120.0 * number, 220.0),
        "confidence": 0.75,
        "started_at": CREATED_AT,
        "last_seen_at": CREATED_AT + timedelta(seconds=60),
        "ended_at": None,
        "start_s": 0.0,
        "last_seen_s": 60.0,
        "end_s": None,
        "frames_seen": 7,
        "signs": ("umbrella",),
        "evidence": {"scene": scene},
        "model": {"name": "street", "sha256": "a" * 64},
        "rule": {"name": "street_stall", "settings": {"dwell_s": 60}},
        "source": {"name": "gate-3_20260504_090000.mp4", "sha256": "b" * 64},
    }
    return ViolationRecord.model_validate(fields | changes)


MakeRun = Callable[..., Path]


def picture_of(number: int) -> bytes:
    return f"picture {number}".encode()
